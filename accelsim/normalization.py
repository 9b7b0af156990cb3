"""Normalization of a network's input, as its first step: so images and attacks stay in [0, 1]."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["Normalization", "imagenet_normalization"]


class Normalization(nn.Module):
    """Images minus the mean of their channel, over its standard deviation.

    Both are fixed: they belong to the network, but not into its state dict, which holds the names
    that everybody's has.

    Parameters
    ----------
    mean, std : sequence of float, (C,)
        For pixels in [0, 1].

    >>> Normalization([0.5], [0.25])(torch.ones(1, 1, 1, 1)).item()
    2.0
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        for name, values in (("mean", mean), ("std", std)):
            self.register_buffer(name, torch.tensor(values).reshape(-1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, C, H, W) images normalized."""
        return (images - self.mean) / self.std


def imagenet_normalization() -> Normalization:
    """Return the normalization that networks for ImageNet are usually trained with."""
    return Normalization([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
