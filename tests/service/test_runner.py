"""What the real runner sets up in its process before the first job."""

from __future__ import annotations

import torch

from painterly_engine.service.runner import harmonizing_runner


def test_convolutions_on_a_gpu_keep_all_of_float32() -> None:
    """L-BFGS's first steps are smaller than TF32 resolves."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    try:
        harmonizing_runner()
        assert not torch.backends.cudnn.allow_tf32
        assert not torch.backends.cuda.matmul.allow_tf32
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before
