"""The units that a network runs on, made of their names and of what gradients are wanted."""

from __future__ import annotations

from collections.abc import Sequence

from numpy import float32
from numpy.typing import NDArray
from torch import Tensor, nn

from accelsim.accumulators import accumulator_of
from accelsim.errors import ConfigError
from accelsim.kernels.derivatives import require_table
from accelsim.multipliers import MULTIPLIERS, IntegerMultiplier, Multiplier
from accelsim.nn.calibration import integers_of, ranges_of
from accelsim.nn.effective import EffectiveWeights
from accelsim.nn.gradients import UnitGradient
from accelsim.nn.layer_unit import LayerUnit
from accelsim.nn.operators import Units
from accelsim.quantization import Calibration, Scheme

__all__ = ["units_of"]


def units_of(
    model: nn.Module,
    multiplier: str | Sequence[str],
    accumulator: str,
    gradient: str,
    calibration: NDArray[float32] | Tensor | Calibration | None,
    scheme: Scheme | None,
    smoothing: int = 0,
) -> Units:
    """Return the unit of *model*'s layers, or those of each; parameters as of `approximate`.

    Layers on one multiplier share its unit, and all the calibration.

    Raises
    ------
    UnknownNameError, ConfigError, DataError
        As of `accelsim.nn.approximate`.
    """
    names = [multiplier] if isinstance(multiplier, str) else _checked(multiplier)
    entries = {name: MULTIPLIERS[name] for name in names}
    through: dict[str, UnitGradient] = {}
    for name, entry in entries.items():
        accumulator_of(entry, accumulator)
        if gradient == "unit":
            table = require_table(entry, smoothing)
            through[name] = UnitGradient.of(table, smoothing)
    integer = next((one for one in entries.values() if isinstance(one, IntegerMultiplier)), None)
    ranges = None
    if gradient == "effective" or integer is not None:
        ranges = ranges_of(integer or entries[names[0]], model, calibration)

    def made(name: str, entry: Multiplier) -> LayerUnit:
        integers = integers_of(entry, ranges, scheme, through.get(name))
        effective = EffectiveWeights(entry, ranges) if gradient == "effective" else None
        return LayerUnit(entry, accumulator, integers, effective)

    units = {name: made(name, entry) for name, entry in entries.items()}
    if isinstance(multiplier, str):
        return units[multiplier]
    return tuple(units[name] for name in names)


def _checked(names: Sequence[str]) -> list[str]:
    if not isinstance(names, list | tuple) or not names:
        raise ConfigError(
            "multiplier must be a name, or a list of one for each convolution, linear layer and "
            "matmul as they are called, accelsim.layer_multipliers(trace, accelerator); got "
            f"{names!r}"
        )
    return list(names)
