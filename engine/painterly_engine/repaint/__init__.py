"""Our own harmonization, from coarse to fine, behind every preset but ``published``.

The two passes of Luan et al. 2018 follow gradients that belong to no function. Here everything that they want (the
painting's Gram matrices, features imitated patch by patch, the object's content) is one function of the picture, each
part relative to its own target, so that a line search can make every step go down. Scales follow each other from
coarse to fine; in the end the surface is laid anew with the painting's own strokes.
"""
