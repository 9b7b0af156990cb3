"""What an energy table may speak of: components, their actions, and the units of each.

An action is counted and costs an energy; a component leaks, and a DRAM device stands by, at a power
over the simulated time. A unit of the other dimension is an error, and so is an action that no
machine counts.
"""

from __future__ import annotations

from accelsim.errors import nearest

__all__ = ["ACTIONS", "CONFIDENCES", "UNITS", "action_fault", "is_power", "unit_fault"]

ENERGY = {"pJ": 1.0, "fJ": 1e-3, "nJ": 1e3, "pJ/bit": 1.0}
"""Units of what is counted, in pJ; ``pJ/bit`` times the row's bits."""

POWER = {"mW": 1.0, "uW": 1e-3, "nW": 1e-6}
"""Units of what goes on all the time, in mW, which is pJ per ns."""

UNITS = ENERGY | POWER

POWER_ACTIONS = ("leak", "background")

ACTIONS = {
    "multiplier.*": ("compute", "gated", "leak"),
    "accumulator.*": ("add", "leak"),
    "rf": ("read", "write", "leak"),
    "rf.sram": ("read", "write", "leak"),
    "spad.ifmap": ("read", "write"),
    "spad.filter": ("read", "write"),
    "spad.psum": ("read", "write"),
    "noc": ("transfer",),
    "clock": ("cycle",),
    "glb": ("read", "write", "leak"),
    "dram.simple": ("read", "write"),
    "dram.*": ("read_burst", "write_burst", "activate", "background"),
    "vector_unit": ("add", "compare", "divide", "multiply", "quantize", "leak"),
}
"""Component -> actions; ``*`` stands for the name of a unit or of a DRAM kind."""

CONFIDENCES = ("published", "derived", "modelled", "assumed")
"""published: the source's own figure, for as many bits. derived: computed from published ones by a
stated law or ratio. modelled: from a model that was run (CACTI, gate netlists, currents of a
device). assumed: no figure was found, this one stands in."""


def is_power(action: str) -> bool:
    """Return whether *action* goes on all the time, at a power."""
    return action in POWER_ACTIONS


def action_fault(component: str, action: str) -> str:
    """Return what is wrong with a component and its action; ``""`` where nothing is.

    >>> action_fault("rf", "raed")
    "unknown action 'raed' of rf; known: read, write, leak. Did you mean 'read'?"
    """
    family, _, name = component.partition(".")
    pattern = f"{family}.*" if name and component not in ACTIONS else component
    if pattern not in ACTIONS:
        known = [one.replace("*", "NAME") for one in ACTIONS]
        hint = nearest(component, known)
        return f"unknown component {component!r}; known: {', '.join(known)}.{hint}"
    known = list(ACTIONS[pattern])
    if action in known:
        return ""
    hint = nearest(action, known)
    return f"unknown action {action!r} of {component}; known: {', '.join(known)}.{hint}"


def unit_fault(action: str, unit: str) -> str:
    """Return what is wrong with the unit of an action; ``""`` where nothing is.

    >>> unit_fault("leak", "pJ")
    "unit of leak, a power, must be one of mW, uW, nW, got 'pJ'"
    """
    dimension, units = ("a power", POWER) if is_power(action) else ("an energy", ENERGY)
    if unit in units:
        return ""
    return f"unit of {action}, {dimension}, must be one of {', '.join(units)}, got {unit!r}"
