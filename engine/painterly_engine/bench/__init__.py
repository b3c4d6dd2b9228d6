"""``painterly bench``: how long the presets take, what they hold, and how both grow; beside what peers published."""
