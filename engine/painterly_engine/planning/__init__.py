"""``painterly plan``: how many machines a number of jobs needs, and which part of the engine gives out first."""
