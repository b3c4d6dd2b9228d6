"""Total variation over the corner of pixels with both neighbours."""

from __future__ import annotations

import torch

from painterly_engine.losses.variation import corner_variation, variation_gradient


def test_the_gradient_is_the_derivative() -> None:
    x = torch.rand(3, 5, 7, dtype=torch.float64, requires_grad=True)
    (expected,) = torch.autograd.grad(corner_variation(x).sum(), x)
    torch.testing.assert_close(variation_gradient(x.detach()), expected)


def test_by_hand() -> None:
    """One corner: 1 with 3 to its right and 4 below; the pixel across takes no part."""
    x = torch.tensor([[[1.0, 3.0], [4.0, 90.0]]])
    assert corner_variation(x).tolist() == [[[(4 + 9) / 2]]]
    assert variation_gradient(x).tolist() == [[[-5.0, 2.0], [3.0, 0.0]]]
