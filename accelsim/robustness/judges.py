"""Judges: the networks that classify examples, on units alone or in the PEs of an accelerator."""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from accelsim.accumulators import AUTO
from accelsim.robustness.scenarios import Networks, Orders, Smoothing, ascending

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
    judges: dict[str, Sequence[str]] = {name: (name,) for name in multipliers}
    orders: Orders = ascending
    if accelerator is not None:
        judges, orders = _in_pes(exact, images, multipliers, accumulator, accelerator)
    ranges = None
    if calibration is not None:
        from accelsim.nn.calibration import as_calibration

        ranges = as_calibration(model, calibration)
    networks = Networks(
        exact,
        accumulator,
        ranges,
        scheme,
        orders,
        smoothing or Smoothing(),
        controls or {},
        {name: units for name, units in judges.items() if name not in multipliers},
    )
    for name in judges:
        networks.on(name)
    return networks, list(judges)


def _in_pes(
    model: nn.Module,
    images: NDArray[np.float32],
    multipliers: Sequence[str],
    accumulator: str,
    accelerator: Accelerator | str,
) -> tuple[dict[str, Sequence[str]], Orders]:
    """Return what the judges are called -> the unit, or that of each layer, in *accelerator*.

    And the orders of these, and of any other unit that is in every PE.
    """
    from accelsim.config import Accelerator
    from accelsim.layer_units import layer_multipliers, unit_label
    from accelsim.machine.array import accumulation_orders
    from accelsim.tracing import trace

    machine = Accelerator.load(accelerator) if isinstance(accelerator, str) else accelerator
    traced = trace(model, images[:1])
    own = [machine.replace(multiplier=name, accumulator=accumulator) for name in multipliers]
    machines = {unit_label(one): one for one in own}

    def orders(name: str) -> Sequence[AccumulationOrder] | None:
        alone = {"multiplier": name, "accumulator": accumulator, "layer_multipliers": {}}
        return accumulation_orders(traced, machines.get(name) or machine.replace(**alone))

    judges: dict[str, Sequence[str]] = {
        name: layer_multipliers(traced, one) if one.layer_multipliers else (one.multiplier,)
        for name, one in machines.items()
    }
    return judges, functools.cache(orders)
