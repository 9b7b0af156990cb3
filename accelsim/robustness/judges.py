"""Judges: the networks that classify examples, on units alone or in the PEs of an accelerator."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.accumulators import AUTO
from accelsim.robustness.scenarios import Networks, Smoothing

if TYPE_CHECKING:
    from torch import nn

    from accelsim.config import Accelerator
    from accelsim.dataflows.order import AccumulationOrder
    from accelsim.quantization import Calibration, Scheme

__all__ = ["judging_networks"]


def judging_networks(
    model: nn.Module,
    images: NDArray[np.float32],
    multipliers: Sequence[str],
    *,
    accumulator: str = AUTO,
    calibration: NDArray[np.float32] | Calibration | None = None,
    scheme: Scheme | None = None,
    accelerator: Accelerator | str | None = None,
    smoothing: Smoothing | None = None,
    controls: Mapping[str, nn.Module] | None = None,
) -> tuple[Networks, list[str]]:
    """Return the networks of a study, and what those of *multipliers* are called in it.

    Parameters
    ----------
    model : torch.nn.Module
        Copied, and put into eval mode.
    images : (N, C, H, W) float32
        Of which the first is traced for the orders of an *accelerator*.
    multipliers, accumulator, calibration, scheme, accelerator, smoothing
        As of `accelsim.robustness.evaluate`.
    controls : mapping of str to torch.nn.Module, optional
        In eval mode.

    Raises
    ------
    ConfigError, UnknownNameError, MappingError, DataError
        As `accelsim.robustness.evaluate` and `accelsim.nn.approximate` do.
    """
    exact = copy.deepcopy(model).eval()
    judges = _judges(exact, images, multipliers, accumulator, accelerator)
    ranges = None
    if calibration is not None:
        from accelsim.nn.calibration import as_calibration

        ranges = as_calibration(model, calibration)
    networks = Networks(
        exact,
        accumulator,
        ranges,
        scheme,
        {name: one.orders for name, one in judges.items()},
        smoothing or Smoothing(),
        controls or {},
        {name: one.units for name, one in judges.items() if name not in multipliers},
    )
    for name in judges:
        networks.on(name)
    return networks, list(judges)


class _Judge(NamedTuple):
    """What a network runs on."""

    units: tuple[str, ...]
    """One, or one for each layer."""
    orders: tuple[AccumulationOrder, ...] | None = None
    """Of the additions of each layer."""


def _judges(
    model: nn.Module,
    images: NDArray[np.float32],
    multipliers: Sequence[str],
    accumulator: str,
    accelerator: Accelerator | str | None,
) -> dict[str, _Judge]:
    """Return what the networks are called -> what they run on, in the PEs of *accelerator*."""
    if accelerator is None:
        return {name: _Judge((name,)) for name in multipliers}
    from accelsim.config import Accelerator
    from accelsim.layer_units import layer_multipliers, unit_label
    from accelsim.machine.array import accumulation_orders
    from accelsim.tracing import trace

    machine = Accelerator.load(accelerator) if isinstance(accelerator, str) else accelerator
    traced, judges = trace(model, images[:1]), {}
    for name in multipliers:
        own = machine.replace(multiplier=name, accumulator=accumulator)
        units = layer_multipliers(traced, own) if own.layer_multipliers else (name,)
        judges[unit_label(own)] = _Judge(units, accumulation_orders(traced, own))
    return judges
