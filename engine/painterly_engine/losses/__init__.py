"""Losses by hand: each gives its value and its gradient at its own layer, no autograd.

Two of the published gradients belong to no function (normalised ones, and ones masked again on their way down), so
automatic differentiation of a sum of losses could not give them.
"""
