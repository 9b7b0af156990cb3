"""Units by layer: what runs a layer on a machine whose PEs hold several multipliers.

Such a machine is, in each of its layers, one whose PEs hold that layer's unit alone, at the clock
of the whole: tiling, cycles, counts and bits of the layer are those of that machine. What layers
have in common, area and leakage of all units, is told by `accelsim.energy`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from accelsim.accumulators import accumulator_of
from accelsim.clock import clock_mhz_of
from accelsim.errors import ConfigError, nearest
from accelsim.layer import MacLayer
from accelsim.multipliers import MULTIPLIERS, IntegerMultiplier

if TYPE_CHECKING:
    from accelsim.config import Accelerator
    from accelsim.layer import Trace

__all__ = [
    "by_unit",
    "check_layers",
    "layer_multipliers",
    "of_any_unit",
    "takes_integers",
    "unit_label",
]

SHOWN_LAYERS = 3
"""Layers of a unit that a label names."""


def by_unit(accelerator: Accelerator) -> dict[str, Accelerator]:
    """Return multiplier -> the machine with that one alone, at the clock of *accelerator*.

    Raises
    ------
    UnknownNameError
        There is no such multiplier or accumulator.
    ConfigError
        The accumulator does not add a unit's products, a unit's delay is not known, or two units
        have one name.
    """
    if not accelerator.layer_multipliers:
        return {accelerator.multiplier: accelerator}
    names: dict[str, str] = {}
    for unit in accelerator.units:
        name = MULTIPLIERS[unit].name
        if MULTIPLIERS[unit].delay_ps is None:
            raise ConfigError(
                f"multiplier {unit!r} has no known delay, so it cannot be one of several in a PE; "
                "import it with delay_ps=, or use accelsim.nn.approximate, which needs none"
            )
        other = names.setdefault(name, unit)
        if other != unit:
            raise ConfigError(
                f"multipliers {other!r} and {unit!r} are both called {name!r}, so their energies "
                "could not be told apart; import one under another name"
            )
    for layer, name in accelerator.layer_multipliers.items():
        try:
            accumulator_of(MULTIPLIERS[name], accelerator.accumulator)
        except ConfigError as error:
            raise ConfigError(f"layer {layer!r}: {error}") from None
    same = {"layer_multipliers": {}, "clock_mhz": clock_mhz_of(accelerator)}
    return {
        name: accelerator.model_copy(update={**same, "multiplier": name})
        for name in accelerator.units
    }


def check_layers(trace: Trace, accelerator: Accelerator) -> None:
    """Raise `ConfigError` unless every layer of `layer_multipliers` has products in *trace*."""
    layers = {layer.name: isinstance(layer, MacLayer) for layer in trace.layers}
    known = [name for name, multiplies in layers.items() if multiplies]
    for name, unit in accelerator.layer_multipliers.items():
        if not layers.get(name, False):
            what = "has no products" if name in layers else "is none of the network's layers"
            raise ConfigError(
                f"layer_multipliers.{name}={unit}: {name!r} {what}; {trace.name} has products in: "
                f"{', '.join(known)}.{nearest(name, known)}"
            )


def layer_multipliers(trace: Trace, accelerator: Accelerator) -> tuple[str, ...]:
    """Return the multiplier of each MAC layer of *trace* on *accelerator*, in their order.

    It is what `accelsim.nn.approximate` needs to give the bits of a machine with several units.

    Raises
    ------
    ConfigError
        A layer that `Accelerator.layer_multipliers` names has no products in the network.

    Examples
    --------
    >>> from accelsim import Accelerator
    >>> from accelsim.layer import LayerShape, Trace
    >>> shape = LayerShape(n=1, m=2, c=2)
    >>> first = MacLayer("fc1", "linear", "input", shape, None, None)
    >>> second = MacLayer("fc2", "linear", "fc1", shape, None, None)
    >>> machine = Accelerator.preset("edge_16x16").replace(**{"layer_multipliers.fc2": "ax_fpm"})
    >>> layer_multipliers(Trace("net", (first, second), None, "fc2"), machine)
    ('exact_fp32', 'ax_fpm')
    """
    check_layers(trace, accelerator)
    layers = (layer.name for layer in trace.layers if isinstance(layer, MacLayer))
    return tuple(accelerator.unit_of(name) for name in layers)


def takes_integers(accelerator: Accelerator) -> bool:
    """Return whether a unit does, so that activations must have a range."""
    return any(isinstance(MULTIPLIERS[unit], IntegerMultiplier) for unit in accelerator.units)


def unit_label(accelerator: Accelerator) -> str:
    """Return what the units of *accelerator* are called in tables and figures.

    A layer that is named with the unit of all others is one of them.

    >>> from accelsim import Accelerator
    >>> machine = Accelerator.preset("edge_16x16").replace(layer_multipliers={"conv1": "ax_fpm"})
    >>> unit_label(machine)
    'exact_fp32, ax_fpm in conv1'
    """
    layers: dict[str, list[str]] = {}
    for layer, unit in sorted(accelerator.layer_multipliers.items()):
        if unit != accelerator.multiplier:
            layers.setdefault(unit, []).append(layer)
    others = [
        f"{unit} in {' '.join(own) if len(own) <= SHOWN_LAYERS else f'{len(own)} layers'}"
        for unit, own in layers.items()
    ]
    return ", ".join([accelerator.multiplier, *others])


def of_any_unit(accelerator: Accelerator) -> Accelerator:
    """Return what is left of *accelerator* without the names of its units, for comparisons."""
    return accelerator.replace(multiplier="any", layer_multipliers={})
