"""Proxy: a network of the attacker's own, trained on the answers of the network under attack."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import DataError
from accelsim.robustness.verdict import classify
from accelsim.workload import check_images

if TYPE_CHECKING:
    from torch import nn

    from accelsim.recipe import Recipe

__all__ = ["train_proxy"]


def train_proxy(
    target: nn.Module,
    build: Callable[[], nn.Module],
    images: NDArray[np.float32],
    recipe: Recipe,
    *,
    seed: int = 0,
    batch_size: int = 256,
) -> nn.Module:
    """Return an exact network that was trained to classify *images* as *target* does.

    The attacker of a black box asks *target* for the class of each image, once, and sees nothing
    else of it: the query budget is the number of images.

    Parameters
    ----------
    target : torch.nn.Module
        Under attack; returns logits (N, classes).
    build : callable
        Returns the untrained proxy, of as many classes.
    images : (N, C, H, W) float32
        Not those that are to be attacked.
    recipe : Recipe
        How the proxy is trained.
    seed : int
        Of its initial weights and of the training.
    batch_size : int
        Images that go through *target* at once.

    Raises
    ------
    DataError
        If the images cannot be used, *target* gives one class to all of them, or training diverges.
    """
    import torch

    from accelsim.training.fitting import Fit

    images = check_images(images)
    answers = classify(target, images, batch_size)
    if len(np.unique(answers)) < 2:
        raise DataError(
            f"the network under attack gives all {len(images)} images of the query budget the same "
            f"class, {answers[0]}; a proxy learns nothing from that, ask for more images"
        )
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(recipe.threads)
        try:
            model = build()
            Fit("proxy", model, recipe, torch.from_numpy(images), torch.from_numpy(answers)).run()
        finally:
            torch.set_num_threads(threads)
    return model
