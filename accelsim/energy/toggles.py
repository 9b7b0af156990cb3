"""Toggle energy: what the multipliers' netlist switches over the operands that flowed through it.

Two ways to count bound it (`accelsim.circuits.evaluate`): *functional* toggles, from one settled
state to the next, are the least that any circuit of these gates makes; *unit_delay* toggles count
every glitch of gates of one delay that filter none, and are the most. A unit's energy lies between.

All transitions are counted, or a stratified sample of them: strata are the layers, each cut into
stretches of its schedule, and in these the first pair of a PE's pass apart from those behind it
(what meets there belongs to different outputs). How many transitions each has is known from the
schedule alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from accelsim.circuits import Circuit, count_toggles, transition_costs
from accelsim.circuits.circuit import ACTIVATION, WEIGHT
from accelsim.energy.strata import LEAST, stratified
from accelsim.energy.streams import Streams
from accelsim.statistics import Z95

__all__ = [
    "AUTO_SAMPLE",
    "EXACT_WORK",
    "WAYS",
    "LayerToggles",
    "Switching",
    "count_all",
    "count_sample",
    "toggle_columns",
    "toggle_energies",
]

WAYS = ("functional", "unit_delay")
"""Ways to count; the least and the most."""

EXACT_WORK = 2 * 10**10
"""Evaluations of a gate, 64 a word, up to which ``auto`` counts all transitions: a few seconds."""

AUTO_SAMPLE = 20_000
"""Transitions that ``auto`` samples of more."""

STRETCHES = 8
"""Most stretches that a layer's schedule is cut into."""

Progress = Callable[[str, int, int], None]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Switching:
    """Energy of the transitions of a layer, counted one way."""

    energy_pj: float
    variance_pj2: float
    """Of `energy_pj`; 0 where all transitions were counted."""
    counted: int
    """Transitions that were counted, those of a pilot sample among them."""

    def scaled(self, factor: float) -> Switching:
        """Return *factor* times the energy."""
        return Switching(self.energy_pj * factor, self.variance_pj2 * factor**2, self.counted)


@dataclass(frozen=True)
class LayerToggles:
    """Switching energy of the multipliers in one layer, pJ at the circuit's voltage or another."""

    layer: str
    macs: int
    functional: Switching
    unit_delay: Switching

    def scaled(self, factor: float) -> LayerToggles:
        """Return the same at another voltage, *factor* times the energy."""
        return replace(
            self,
            functional=self.functional.scaled(factor),
            unit_delay=self.unit_delay.scaled(factor),
        )


def toggle_columns(layers: Iterable[LayerToggles]) -> dict[str, float]:
    """Return columns of result tables for *layers* together: both ways with their 95 % intervals.

    The interval is normal, of the layers' independent samples; without a sample it has no width.
    """
    layers = list(layers)
    columns: dict[str, float] = {}
    for way in WAYS:
        parts = [getattr(one, way) for one in layers]
        energy_pj = float(sum(one.energy_pj for one in parts))
        half_pj = Z95 * math.sqrt(sum(one.variance_pj2 for one in parts))
        columns |= {
            f"multiplier_{way}_pj": energy_pj,
            f"multiplier_{way}_low_pj": energy_pj - half_pj,
            f"multiplier_{way}_high_pj": energy_pj + half_pj,
            f"multiplier_{way}_transitions": sum(one.counted for one in parts),
        }
    return columns


def toggle_energies(
    streams: Streams,
    circuit: Circuit,
    *,
    transitions: int | str = "auto",
    seed: int = 0,
    progress: Progress | None = None,
) -> list[LayerToggles]:
    """Return the switching energy of every layer of *streams*, at the circuit's own voltage.

    Parameters
    ----------
    streams : Streams
    circuit : Circuit
        Of the unit in every PE.
    transitions : int or str
        How many to sample; all where there are no more. ``"all"``: all. ``"auto"``: all where
        that takes up to `EXACT_WORK`, else `AUTO_SAMPLE` of them, separately for each way.
    seed : int
        Of the sample.
    progress : callable, optional
        Called with (what, done, in all).
    """
    exact = [way for way in WAYS if _counts_all(streams, circuit, way, transitions)]
    sampled = [way for way in WAYS if way not in exact]
    found = {way: count_all(streams, circuit, way, progress) for way in exact}
    if sampled:
        members = AUTO_SAMPLE if transitions == "auto" else int(transitions)
        if progress is not None:
            progress(f"toggles of {members:,} transitions", 0, 1)
        found |= count_sample(streams, circuit, sampled, members, seed)
    macs = np.bincount(
        streams.layer_of, streams.sizes.prod(axis=1), minlength=len(streams.layers)
    ).astype(np.int64)
    return [
        LayerToggles(one.layer.name, int(macs[n]), found["functional"][n], found["unit_delay"][n])
        for n, one in enumerate(streams.layers)
    ]


def _counts_all(streams: Streams, circuit: Circuit, way: str, transitions: int | str) -> bool:
    if isinstance(transitions, int):
        return streams.transitions <= transitions
    netlist = circuit.netlist
    work = len(netlist.gates) if way == "functional" else sum(netlist.levels)
    return transitions == "all" or streams.transitions * work <= EXACT_WORK


def count_all(
    streams: Streams, circuit: Circuit, way: str, progress: Progress | None = None
) -> list[Switching]:
    """Return each layer's energy from all of its transitions, counted one of `WAYS`."""
    energies = np.zeros(len(streams.layers))
    counted = np.zeros(len(streams.layers), np.int64)
    for done, (number, (activations, weights)) in enumerate(streams.blocks()):
        if progress is not None:
            name = streams.layers[number].layer.name
            progress(f"{way} toggles of {name}", done, len(streams.sizes))
        operands = {ACTIVATION: activations, WEIGHT: weights}
        toggles = count_toggles(circuit.netlist, operands, glitches=way == "unit_delay")
        energies[number] += toggles @ circuit.toggle_energies_fj / 1000
        counted[number] += activations.shape[0] * (activations.shape[1] - 1)
    return [
        Switching(float(energy), 0.0, int(count))
        for energy, count in zip(energies, counted, strict=True)
    ]


def count_sample(
    streams: Streams, circuit: Circuit, ways: Sequence[str], members: int, seed: int
) -> dict[str, list[Switching]]:
    """Return each layer's energy from a sample, for each way the same transitions."""
    strata, rng = _Strata(streams, members), np.random.default_rng(seed)
    energies_pj = circuit.toggle_energies_fj / 1000

    def measure(own: Ints) -> NDArray[np.float64]:
        before, after = (
            {ACTIVATION: a, WEIGHT: w} for a, w in streams.transition(*strata.draw(own, rng))
        )
        costs = [
            transition_costs(circuit.netlist, before, after, energies_pj, way == "unit_delay")
            for way in ways
        ]
        return np.stack(costs, axis=1)

    sample = stratified(strata.sizes, measure, members)
    layers, totals = len(streams.layers), {}
    counted = np.bincount(strata.layers, sample.counts + LEAST, minlength=layers)
    for q, way in enumerate(ways):
        energy = np.bincount(strata.layers, strata.sizes * sample.means[:, q], layers)
        variance = np.bincount(
            strata.layers, strata.sizes.astype(float) ** 2 * sample.variances[:, q], layers
        )
        totals[way] = [
            Switching(float(e), float(v), int(c))
            for e, v, c in zip(energy, variance, counted, strict=True)
        ]
    return totals


class _Strata:
    """Strata of the transitions: stretches of a layer's passes, first pairs and those behind.

    Parameters
    ----------
    streams : Streams
    members : int
        Size of the sample, in which every stratum must have some.
    """

    def __init__(self, streams: Streams, members: int) -> None:
        self.streams = streams
        pes = streams.sizes[:, 0] * streams.sizes[:, 1]
        behind = pes * (streams.sizes[:, 2] - 1)
        self.before = tuple(np.concatenate([[0], np.cumsum(own)]) for own in (pes, behind))
        """For first pairs and those behind: how many there are before each pass."""
        # At most half of the sample is what each of two kinds has at least, with its pilot.
        most = members // (2 * 2 * 2 * LEAST * max(1, len(streams.layers)))
        edges = self._edges(min(max(most, 1), STRETCHES))
        rows = []
        for kind, before in enumerate(self.before):
            for first, stop in edges:
                size = before[stop] - before[first]
                if size > 0:
                    rows.append((kind, before[first], size, streams.layer_of[first]))
        self.kinds, self.offsets, self.sizes, self.layers = np.array(rows, np.int64).T

    def _edges(self, stretches: int) -> list[tuple[int, int]]:
        """Return (first, behind the last) pass of each stretch, about equal in transitions."""
        edges = []
        total = np.concatenate([[0], np.cumsum(self.streams.sizes.prod(axis=1))])
        for number in range(len(self.streams.layers)):
            first, stop = np.searchsorted(self.streams.layer_of, [number, number + 1])
            marks = np.linspace(total[first], total[stop], stretches + 1)
            cuts = np.unique(np.clip(np.searchsorted(total, marks), first, stop))
            edges += list(zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True))
        return edges

    def draw(self, strata: Ints, rng: np.random.Generator) -> tuple[Ints, Ints, Ints, Ints]:
        """Return (pass, row, column, pair) of a transition of each of *strata*, drawn at random."""
        at = self.offsets[strata] + rng.integers(0, self.sizes[strata])
        kinds, p, rest = self.kinds[strata], np.zeros_like(at), np.zeros_like(at)
        for kind, before in enumerate(self.before):
            own = kinds == kind
            p[own] = np.searchsorted(before, at[own], side="right") - 1
            rest[own] = at[own] - before[p[own]]
        _, cols, pairs = self.streams.sizes[p].T
        behind = kinds == 1
        pe, pair = np.divmod(rest, np.where(behind, pairs - 1, 1))
        return p, pe // cols, pe % cols, np.where(behind, 1 + pair, 0)
