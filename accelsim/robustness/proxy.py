"""Proxy: a network of the attacker's own, trained on the answers of the network under attack."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from accelsim.datasets import fingerprint
from accelsim.errors import DataError
from accelsim.robustness.verdict import classify
from accelsim.store import point_key
from accelsim.version import __version__
from accelsim.workload import check_images

if TYPE_CHECKING:
    from torch import nn

    from accelsim.recipe import Recipe
    from accelsim.training.fitting import Progress

__all__ = ["identity", "same_weights", "train_proxy"]


def train_proxy(
    target: nn.Module,
    build: Callable[[], nn.Module],
    images: NDArray[np.float32],
    recipe: Recipe,
    *,
    seed: int,
    batch_size: int = 256,
    folder: Path | None = None,
    progress: Progress | None = None,
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
        Of its initial weights and of the training. Not that of *target*: the attacker does not know
        what it was trained from, and a proxy of the same beginning is no other network.
    batch_size : int
        Images that go through *target* at once.
    folder : Path, optional
        Where the training is kept as it goes on: a proxy of the same answers, images, initial
        weights, recipe and seed is then not trained again, nor what a kill left half done.
    progress : callable, optional
        Called after each batch with (batches done, batches in all, epoch and loss in words).

    Raises
    ------
    DataError
        If the images cannot be used, *target* gives one class to all of them, training diverges, or
        what is kept is damaged or cannot be written.
    """
    import torch

    from accelsim.training.checkpoint import Checkpoint
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
            settings = {
                "images": fingerprint(images, answers),
                "network": _described(model),
                "recipe": vars(recipe),
                "seed": seed,
                "version": __version__,
            }
            fit = Fit("proxy", model, recipe, torch.from_numpy(images), torch.from_numpy(answers))
            checkpoint = None
            if folder is not None:
                path = folder / f"proxy_{point_key(settings)[:16]}.checkpoint"
                checkpoint = Checkpoint(path, settings)
                if (kept := checkpoint.read()) is not None:
                    fit.restore(kept)
            fit.run(checkpoint, progress)
        finally:
            torch.set_num_threads(threads)
    return model


def identity(proxy: nn.Module) -> str:
    """Return what tells *proxy* from every other: a hash of its layers and weights."""
    return point_key({"network": _described(proxy)})


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    """Return whether two networks have the same weights in the same order, to the bit."""
    both = [list(model.state_dict().values()) for model in (one, other)]
    return len(both[0]) == len(both[1]) and all(
        a.dtype == b.dtype and a.equal(b) for a, b in zip(*both, strict=True)
    )


def _described(model: nn.Module) -> list[Any]:
    """Return what tells a network and its weights from others, for JSON."""
    from hashlib import sha256

    weights = sha256()
    for value in model.state_dict().values():
        weights.update(value.cpu().numpy().tobytes())
    return [repr(model), weights.hexdigest()]
