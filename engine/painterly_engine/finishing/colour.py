"""sRGB and CIE L*a*b* with a D65 white, as Matlab's rgb2lab and lab2rgb."""

from __future__ import annotations

import torch
from torch import Tensor

# IEC 61966-2-1 primaries, and the D65 white of Matlab's whitepoint('d65').
RGB_TO_XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
WHITE = (0.9504, 1.0, 1.0888)

# CIE 15: the cube root gives way to a line below (6/29)³.
LINE_END = 6 / 29
LINE_SLOPE = 3 * LINE_END**2
LINE_OFFSET = 4 / 29


def rgb_to_lab(image: Tensor) -> Tensor:
    """(3, H, W) sRGB in [0, 1] to L* in [0, 100], a* and b*."""
    xyz = _mix(image.new_tensor(RGB_TO_XYZ), _linear(image)) / image.new_tensor(WHITE).view(3, 1, 1)
    x, y, z = torch.where(xyz > LINE_END**3, xyz.clamp(min=0).pow(1 / 3), xyz / LINE_SLOPE + LINE_OFFSET)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def lab_to_rgb(lab: Tensor) -> Tensor:
    """(3, H, W) L*a*b* to sRGB; colours outside sRGB are clipped to [0, 1] channel by channel."""
    y = (lab[0] + 16) / 116
    xyz = torch.stack([y + lab[1] / 500, y, y - lab[2] / 200])
    xyz = torch.where(xyz > LINE_END, xyz.pow(3), (xyz - LINE_OFFSET) * LINE_SLOPE)
    to_rgb = torch.linalg.inv(torch.tensor(RGB_TO_XYZ, dtype=torch.float64)).to(lab.dtype).to(lab.device)
    return _companded(_mix(to_rgb, xyz * lab.new_tensor(WHITE).view(3, 1, 1)).clamp(0, 1))


def _mix(matrix: Tensor, image: Tensor) -> Tensor:
    return (matrix[:, :, None, None] * image).sum(1)


def _linear(image: Tensor) -> Tensor:
    return torch.where(image > 0.04045, ((image + 0.055) / 1.055).pow(2.4), image / 12.92)


def _companded(light: Tensor) -> Tensor:
    return torch.where(light > 0.0031308, 1.055 * light.pow(1 / 2.4) - 0.055, light * 12.92)
