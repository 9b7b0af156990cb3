"""Calibration: which range the activations have that convolutions, linear layers, matmuls read.

The network runs on the exact float32 unit, whose bits depend neither on the number of threads nor
on how images are batched, so that the ranges are the same everywhere. The ranges of the activations
are found by torch's own observers. Beside its range each keeps a sample.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from os import PathLike
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.ao.quantization import HistogramObserver, MinMaxObserver

from accelsim.errors import ConfigError, DataError, nearest
from accelsim.multipliers import MULTIPLIERS, IntegerMultiplier, Multiplier
from accelsim.nn.gradients import UnitGradient
from accelsim.nn.interception import copied, run
from accelsim.nn.layer_unit import Integers, LayerUnit
from accelsim.nn.operators import Unit
from accelsim.nn.samples import Drawing
from accelsim.quantization import Calibration, Scheme
from accelsim.workload import WORKLOADS, check_images, workload_split

__all__ = [
    "CALIBRATION_IMAGES",
    "OBSERVERS",
    "WORKLOAD_CALIBRATION",
    "as_calibration",
    "calibrate",
    "calibrate_workload",
    "integers_of",
    "ranges_of",
]

BATCH = 64
"""Images at once; fixed, for the histogram observer's range depends on it."""

CALIBRATION_IMAGES = 128
"""Images of its training split that a workload is calibrated on."""

WORKLOAD_CALIBRATION = f"minmax over the first {CALIBRATION_IMAGES} train images"
"""What `calibrate_workload` calls its source."""

Range = tuple[float, float]


def calibrate(
    model: nn.Module, images: NDArray[np.float32] | Tensor, *, observer: str = "minmax"
) -> Calibration:
    """Return the ranges of activations of *model* on *images*, in the order of its calls.

    It has samples of the activations too, up to `accelsim.nn.samples.SAMPLES` of each range.

    Parameters
    ----------
    model : torch.nn.Module
        Run on a copy, in evaluation mode.
    images : float32, (N, C, H, W), or whatever the network takes, (N, ...)
        A few dozen that are like those to come, but not the same.
    observer : str
        ``"minmax"``: from the least to the greatest activation. ``"histogram"``: torch's
        search inside of it for one in which 8-bit integers have a small mean squared error; what
        lies outside is clipped.

    Raises
    ------
    ConfigError
        For an unknown observer, or a model that cannot be run on a unit.
    DataError
        For images that are none, or activations that are NaN or infinite.

    Sources
    -------
    `torch.ao.quantization.MinMaxObserver` and `HistogramObserver`.

    >>> layer = nn.Sequential(nn.Flatten(), nn.Linear(2, 1))
    >>> calibrate(layer, np.array([[[[-0.5, 2.0]]]], np.float32)).ranges
    ((-0.5, 2.0),)
    """
    if observer not in OBSERVERS:
        raise ConfigError(
            f"observer must be one of {', '.join(OBSERVERS)}, got {observer!r}."
            f"{nearest(observer, OBSERVERS)}"
        )
    network = copied(model).eval()
    array = images.detach().numpy() if isinstance(images, Tensor) else images
    check_images(array, any_rank=True)
    make, range_of = OBSERVERS[observer]
    watch, exact = _Watch(make), LayerUnit(MULTIPLIERS["exact_fp32"])
    with torch.no_grad():
        for first in range(0, len(array), BATCH):
            batch = torch.from_numpy(np.ascontiguousarray(array[first : first + BATCH]))
            watch.calls = 0
            run(Unit(network, exact, observe=watch), network, batch)
    ranges = tuple(range_of(one) for one in watch.observers)
    samples = tuple(one.drawn() for one in watch.drawings)
    return Calibration(ranges, f"{observer} over {len(array)} images", samples)


def calibrate_workload(
    name: str, model: nn.Module, data: str | PathLike[str] | None = None
) -> Calibration:
    """Return the ranges of workload *name*'s *model* on its first training images.

    *data* is what `accelsim.load_workload` takes.
    """
    split = workload_split(WORKLOADS[name], "train", data).first(CALIBRATION_IMAGES)
    return replace(calibrate(model, split.images), source=WORKLOAD_CALIBRATION)


def as_calibration(
    model: nn.Module, calibration: NDArray[np.float32] | Tensor | Calibration
) -> Calibration:
    """Return *calibration*, or the one that *model* has on those images."""
    if isinstance(calibration, Calibration):
        return calibration
    if not isinstance(calibration, np.ndarray | Tensor):
        raise DataError(
            "calibration must be float32 images (N, C, H, W) or an accelsim.nn.Calibration, got "
            f"{type(calibration).__name__}"
        )
    return calibrate(model, calibration)


def ranges_of(
    unit: Multiplier,
    model: nn.Module,
    calibration: NDArray[np.float32] | Tensor | Calibration | None,
) -> Calibration | None:
    """Return the ranges of *model* from *calibration*, None for a unit of floats without one.

    Raises
    ------
    ConfigError
        For a unit of integers without one.
    """
    if calibration is not None:
        return as_calibration(model, calibration)
    if isinstance(unit, IntegerMultiplier):
        raise ConfigError(
            f"multiplier {unit.name!r} takes {unit.operands.name}, so the ranges of the "
            "activations must be known; give calibration=images, or "
            "calibration=accelsim.nn.calibrate(model, images)"
        )
    return None


def integers_of(
    unit: Multiplier,
    ranges: Calibration | None,
    scheme: Scheme | None,
    gradient: UnitGradient | None = None,
) -> Integers | None:
    """Return how a network reaches *unit*, None for a unit of floats.

    Raises
    ------
    ConfigError
        If *scheme* is none.
    """
    if scheme is not None and not isinstance(scheme, Scheme):
        raise ConfigError(f"scheme must be an accelsim.nn.Scheme, got {type(scheme).__name__}")
    if not isinstance(unit, IntegerMultiplier) or ranges is None:
        return None
    return Integers(unit.operands, ranges, scheme or Scheme(), gradient)


class _Watch:
    """Shows the operands of each call to an observer of its own."""

    def __init__(self, make: Callable[[], nn.Module]) -> None:
        self.make = make
        self.observers: list[Any] = []
        self.calls = 0
        self.drawings: list[Drawing] = []

    def __call__(self, owner: str, activations: Tensor) -> None:
        if not torch.isfinite(activations).all():
            raise DataError(
                f"{owner}: its activations hold NaN or infinity, so they have no range; calibrate "
                "on other images, or look at the weights before it"
            )
        if self.calls == len(self.observers):
            self.observers.append(self.make())
            self.drawings.append(Drawing())
        self.observers[self.calls](activations)
        self.drawings[self.calls].add(activations.numpy())
        self.calls += 1


def _minmax(observer: Any) -> Range:
    return float(observer.min_val), float(observer.max_val)


def _histogram(observer: Any) -> Range:
    low, high = _minmax(observer)
    if low == high:
        return low, high
    scale, zero_point = (float(value) for value in observer.calculate_qparams())
    # What the integers reach, but not beyond what was seen.
    reached = scale * (observer.quant_min - zero_point), scale * (observer.quant_max - zero_point)
    return max(low, reached[0]), min(high, reached[1])


OBSERVERS: dict[str, tuple[Callable[[], nn.Module], Callable[[Any], Range]]] = {
    "minmax": (MinMaxObserver, _minmax),
    "histogram": (HistogramObserver, _histogram),
}
