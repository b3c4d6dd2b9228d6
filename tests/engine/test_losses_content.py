"""Content: masked and unmasked."""

from __future__ import annotations

import torch

from painterly_engine.losses.content import ContentLoss


def test_by_hand() -> None:
    """Differences 1 and -2 under masks 1/2 and 1, over two elements: (1/4 + 4)/2; 2/2 times each masked difference."""
    loss = ContentLoss(torch.tensor([[[1.0, 5.0]]]), torch.tensor([[0.5, 1.0]]))
    value, gradient = loss(torch.tensor([[[2.0, 3.0]]]))
    assert float(value) == (0.25 + 4) / 2
    torch.testing.assert_close(gradient, torch.tensor([[[0.5, -2.0]]]))


def test_unmasked_counts_every_element_alike() -> None:
    target, features = torch.zeros(2, 2, 2), torch.arange(8.0).view(2, 2, 2)
    value, gradient = ContentLoss(target, torch.ones(()))(features)
    assert float(value) == sum(v * v for v in range(8)) / 8
    torch.testing.assert_close(gradient, features * 2 / 8)


def test_nothing_where_nothing_changed() -> None:
    features = torch.rand(3, 4, 4)
    value, gradient = ContentLoss(features, torch.rand(4, 4))(features)
    assert float(value) == 0
    assert not gradient.any()
