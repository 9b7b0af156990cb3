"""Augmentation: each batch of training images mirrored and shifted at random."""

from __future__ import annotations

import torch
from torch import Tensor

from accelsim.recipe import Recipe

__all__ = ["augmented"]


def augmented(images: Tensor, recipe: Recipe) -> Tensor:
    """Return a batch as *recipe* wants it trained on; drawn from torch's global generator.

    Parameters
    ----------
    images : (N, C, H, W) float32
    recipe : Recipe
        Its `flip` and `crop_padding`; without both nothing is drawn.

    Returns
    -------
    (N, C, H, W) float32
    """
    if recipe.flip:
        mirrored = torch.rand(len(images)) < 0.5
        images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
    if recipe.crop_padding:
        images = _cropped(images, recipe.crop_padding)
    return images


def _cropped(images: Tensor, padding: int) -> Tensor:
    """Return each image shifted by up to *padding* rows and columns, zeros moving in."""
    count, _, height, width = images.shape
    padded = torch.nn.functional.pad(images, (padding,) * 4)
    shifts = torch.randint(0, 2 * padding + 1, (2, count, 1))
    rows = shifts[0] + torch.arange(height)
    columns = shifts[1] + torch.arange(width)
    chosen = padded[torch.arange(count)[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return chosen.permute(0, 3, 1, 2)
