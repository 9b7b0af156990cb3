"""Dilution: what is left of a multiplier's saving in its PE, on the chip and in the system.

Amdahl's law for energy: a unit that takes *ratio* of the exact one's energy saves on its own share
alone. All other components are taken as they are, the leakage of the array among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from accelsim.energy.account import CLOCK, COMPONENTS
from accelsim.errors import DataError

__all__ = ["LEVELS", "diluted"]

LEVELS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "unit": ("multiplier",),
        "PE": ("multiplier", "accumulator", "rf"),
        "chip": (*(component for component in COMPONENTS if component != "dram"), CLOCK),
        "system": (*COMPONENTS, CLOCK),
    }
)
"""Level -> the components in it."""


def diluted(energy: Mapping[str, float], ratio: float) -> dict[str, float]:
    """Return level -> energy with another multiplier over energy with the present one.

    Parameters
    ----------
    energy : mapping
        Component (`accelsim.energy.COMPONENTS`, and the clock where it is charged) -> energy of a
        run with the present multiplier, in any unit.
    ratio : float
        The other multiplier's energy over the present one's.

    Raises
    ------
    DataError
        A component is missing, or *ratio* is negative or not finite.

    Examples
    --------
    >>> energy = dict.fromkeys(COMPONENTS, 0.0) | {"multiplier": 2, "accumulator": 1, "dram": 5}
    >>> {level: round(ratio, 3) for level, ratio in diluted(energy, 0.5).items()}
    {'unit': 0.5, 'PE': 0.667, 'chip': 0.667, 'system': 0.875}
    """
    missing = [name for name in COMPONENTS if name not in energy]
    if missing:
        raise DataError(f"energy must have all components, {', '.join(missing)} missing")
    if not 0 <= ratio < float("inf"):
        raise DataError(f"ratio must be a finite number >= 0, got {ratio!r}")
    saved = (1 - ratio) * energy["multiplier"]
    return {
        level: 1 - saved / sum(energy.get(name, 0.0) for name in components)
        for level, components in LEVELS.items()
    }
