"""The field's other methods, one small module each: a picture stylized as a whole, in a mask, by several paintings, or
in one feed-forward pass.

``method.py`` says what can be chosen, ``terms.py`` what is lost, ``descent.py`` how it is made less; ``whole.py``,
``local.py``, ``several.py`` and ``adain.py`` are the methods, ``picture.py`` brings pictures of any size to them.
"""
