"""Checks 1 to 3, which need the network: its bits, its gradients, its logits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from accelsim.robustness.checks.base import Outcome, rule
from accelsim.robustness.verdict import judge

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["determinism", "gradient_consistency", "saturation"]

RUNS = 3
SLOPES = (0.5, 2.0)
"""A minimum-norm attack steps margin / slope: off by 2 either way, it still takes a few steps."""
FEW = 0.01
"""Share of images without a gradient that changes no rate by more than its rounding."""


@rule(
    1,
    f"logits are the same, bit for bit, in {RUNS} runs and one image at a time",
    ("clean", "transfer", "black_box", "white_box"),
    success=True,
)
def determinism(model: nn.Module, images: NDArray[np.float32], batch_size: int = 64) -> Outcome:
    """Return check 1: runs and batches do not change the logits' bits.

    Parameters
    ----------
    model : torch.nn.Module
        In eval mode.
    images : (N, C, H, W) float32
    batch_size : int
        The larger of the two batch sizes; the other is 1.
    """
    first, *others = [
        _logits(model, images, size).view(np.uint32) for size in (batch_size,) * RUNS + (1,)
    ]
    for other, what in zip(others, [*["another run"] * (RUNS - 1), "batches of 1"], strict=True):
        differs = int((first != other).any(axis=1).sum())
        if differs:
            return False, f"logits of {differs} of {len(images)} images differ in {what}"
    return True, f"{RUNS} runs of {len(images)} images and batches of 1 and {batch_size} agree"


@rule(
    2,
    "the median of finite difference / backpropagated slope of the margin lies in "
    f"{SLOPES[0]}..{SLOPES[1]} at every step",
    ("white_box",),
)
def gradient_consistency(ratios: Mapping[float, NDArray[np.float64]]) -> Outcome:
    """Return check 2: backpropagated slopes are those of the bit-accurate margin.

    Parameters
    ----------
    ratios : mapping
        Length of the step -> (N,) slope ratios, one an image. A ratio that is not finite (a slope
        of 0) counts as infinite.
    """
    if not ratios:
        return None, "no slope ratio was measured"
    medians = {
        step: float(np.median(np.where(np.isfinite(found), found, np.inf)))
        for step, found in ratios.items()
    }
    told = ", ".join(f"{median:.2f} at step {step:g}" for step, median in medians.items())
    good = all(SLOPES[0] <= median <= SLOPES[1] for median in medians.values())
    return good, f"median slope ratio {told}; must lie in {SLOPES[0]}..{SLOPES[1]}"


@rule(
    3,
    f"less than {FEW:.0%} of the images have a cross entropy without gradient; the share of "
    "saturated softmaxes and the gain of the logits are told",
    ("white_box",),
)
def saturation(
    model: nn.Module,
    exact: nn.Module,
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
    batch_size: int = 64,
) -> Outcome:
    """Return check 3: the loss that attacks climb is not flat.

    The gain is that of the least-squares fit of the logits, less their mean of each image, on those
    of *exact*.

    Parameters
    ----------
    model, exact : torch.nn.Module
        In eval mode; the network in question and the exact one.
    images : (N, C, H, W) float32
    labels : (N,) integers
    batch_size : int
    """
    import torch
    from torch.nn.functional import cross_entropy

    judge(model, images[:1], labels[:1], 1)  # refuses what is no classifier
    flat, full = 0, 0
    for first in range(0, len(images), batch_size):
        pixels = torch.tensor(images[first : first + batch_size]).requires_grad_()
        with torch.enable_grad():
            logits = model(pixels)
            if not logits.requires_grad:
                return None, "the model's logits carry no gradient (gradient='none')"
            truth = torch.tensor(labels[first : first + batch_size])
            loss = cross_entropy(logits, truth, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, pixels)
        flat += int((gradient == 0).flatten(1).all(dim=1).sum())
        full += int((logits.softmax(dim=1) == 1).any(dim=1).sum())
    here, there = (_centered(_logits(net, images, batch_size)) for net in (model, exact))
    gain = float((here * there).sum() / (there**2).sum())
    return flat / len(images) < FEW, (
        f"{flat} of {len(images)} images without gradient (must be < {FEW:.0%}), softmax 1.0 on "
        f"{full}, logits {gain:.2f} times the exact ones"
    )


def _logits(model: nn.Module, images: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    import torch

    with torch.no_grad():
        parts: list[torch.Tensor] = [
            model(torch.tensor(images[first : first + size]))
            for first in range(0, len(images), size)
        ]
    return np.concatenate([part.numpy() for part in parts]).astype(np.float32)


def _centered(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    return logits.astype(np.float64) - logits.mean(axis=1, keepdims=True, dtype=np.float64)
