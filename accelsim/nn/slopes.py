"""How true a gradient is: what the margin really loses along it, over what it promises."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from accelsim.errors import ConfigError, DataError
from accelsim.workload import check_images, check_labels

__all__ = ["slope_ratio"]


def slope_ratio(
    model: nn.Module,
    images: NDArray[np.float32] | Tensor,
    labels: NDArray[np.int64] | Tensor,
    step: float,
    batch_size: int = 64,
) -> NDArray[np.float64]:
    """Return the slope of the margin that is there over the slope that *model*'s gradient tells.

    ::

        margin(x) = logit of the true class - largest other logit
        g         = gradient of margin at x
        ratio     = (margin(x) - margin(x - step g / |g|)) / (step |g|)

    1 is a true gradient. Below, the margin falls slower than promised, and an attack that takes the
    promise for its step falls short; above, it overshoots and finds too large a perturbation.
    Around 0 the gradient says nothing, which looks like robustness and is none.

    Parameters
    ----------
    model : torch.nn.Module
        Returns logits (N, classes); run as it is, in the mode it is in. Its forward pass tells the
        truth: for an `accelsim.nn.ApproximateModule` the unit's bits.
    images : (N, C, H, W) float32, or whatever the model takes, (N, ...)
        What is a step away from them is not clipped.
    labels : (N,) integers
        The true classes.
    step : float
        Euclidean length, > 0. A step far below the unevenness of the unit measures that, a long
        one the curvature of the network.
    batch_size : int
        Images at once.

    Returns
    -------
    ndarray of float64, (N,)
        NaN where the gradient is zero or a logit not finite.

    Raises
    ------
    ConfigError
        For a *step* or *batch_size* outside its range, or a model whose outputs have no gradient.
    DataError
        For images or labels that cannot be used, or outputs that are not logits (N, classes).

    >>> slope_ratio(nn.Linear(3, 2), np.ones((1, 3), np.float32), np.array([1]), 0.1).round(3)
    array([1.])
    """
    number = isinstance(step, int | float) and not isinstance(step, bool)
    if not (number and math.isfinite(step) and step > 0):
        raise ConfigError(f"step must be a finite number > 0, got {step!r}")
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ConfigError(f"batch_size must be an int >= 1, got {batch_size!r}")
    x = images.detach().numpy() if isinstance(images, Tensor) else images
    y = labels.numpy() if isinstance(labels, Tensor) else labels
    x = check_images(x, any_rank=True)
    y = check_labels(y, len(x))
    parts = [
        _ratios(model, x[first : first + batch_size], y[first : first + batch_size], step)
        for first in range(0, len(x), batch_size)
    ]
    return np.concatenate(parts)


def _ratios(
    model: nn.Module, x: NDArray[np.float32], y: NDArray[np.int64], step: float
) -> NDArray[np.float64]:
    images, labels = torch.from_numpy(x.copy()).requires_grad_(), torch.from_numpy(y)
    with torch.enable_grad():
        margins = _margins(model(images), labels)
        if not margins.requires_grad:
            raise ConfigError(
                "the model's outputs carry no gradient to its images; approximate it with another "
                "gradient than 'none'"
            )
        (gradients,) = torch.autograd.grad(margins.sum(), images)
    flat = gradients.flatten(1).double()
    told = flat.norm(dim=1)
    with torch.no_grad():
        away = (flat * (step / told)[:, None]).float().reshape(images.shape)
        # Where there is no direction the model is not asked.
        stepped = images - torch.where(away.isfinite(), away, 0)
        fallen = margins - _margins(model(stepped), labels)
        ratios = torch.where(told > 0, fallen.double() / (step * told), torch.nan)
    return ratios.where(ratios.isfinite(), torch.nan).numpy()


def _margins(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the margins (N,) in float64."""
    if not isinstance(logits, Tensor) or logits.dim() != 2 or len(logits) != len(labels):
        shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise DataError(f"the model must return logits (N, classes), got {shape}")
    check_labels(labels.numpy(), len(labels), logits.shape[1])
    exact = logits.double()
    own = exact.gather(1, labels[:, None])
    others = exact.scatter(1, labels[:, None], -torch.inf)
    return own[:, 0] - others.max(1).values
