"""Toggle energies of small layers: against scalar evaluation, and samples against all."""

import itertools

import numpy as np
import pytest

from accelsim.circuits import CELLS
from accelsim.dataflows import DATAFLOWS, PeTiming
from accelsim.dataflows.tiling import ArrayModel, Tiling
from accelsim.energy import toggles
from accelsim.energy.streams import LayerOperands, Streams
from accelsim.energy.toggles import toggle_columns, toggle_energies
from accelsim.errors import MappingError
from accelsim.layer import INPUT, LayerShape, MacLayer
from accelsim.multipliers import MULTIPLIERS


def layer(name, shape, rng, high=256, zeros=0.0):
    """Return a layer of random uint8 operands, in tiles of part of its filters."""
    activations = rng.integers(0, high, (shape.n, shape.c, shape.h, shape.w)).astype(np.uint8)
    activations[rng.random(activations.shape) < zeros] = 0
    weights = rng.integers(0, high, (shape.m, shape.c // shape.groups * shape.r * shape.s))
    around = ((0, 0), (0, 0), *((size, size) for size in shape.padding))
    tiling = Tiling(shape, 1, 2, max(1, shape.m // 2), shape.c, True, 0)
    traced = MacLayer(name, "conv2d", INPUT, shape, weights.astype(np.float32), None)
    return LayerOperands(traced, tiling, np.pad(activations, around), weights.astype(np.uint8))


class EyerissLike:
    name = "eyeriss_like"


def streams_of(layers, unit, flow="os", rows=3, cols=2):
    array = ArrayModel(DATAFLOWS[flow], rows, cols, PeTiming(), 16, 0)
    return Streams(layers, array, unit.circuit.ports)


@pytest.fixture
def tiny(rng):
    shapes = (
        LayerShape(n=1, m=3, c=1, h=4, w=4, r=2, s=2, padding=(1, 1)),
        LayerShape(n=2, m=3, c=5),
    )
    return [layer(f"layer{k}", shape, rng) for k, shape in enumerate(shapes)]


def settled(netlist, a, w):
    """Values of all nets, by the cells' truth tables, a gate at a time."""
    values = np.zeros(netlist.net_count, int)
    values[1] = 1
    for port, pattern in (("a", a), ("w", w)):
        for bit, net in enumerate(netlist.inputs[port]):
            values[net] = pattern >> bit & 1
    for number in netlist.order:
        gate = netlist.gates[number]
        values[list(gate.outputs)] = CELLS[gate.cell].values(*values[list(gate.inputs)])
    return values


@pytest.mark.parametrize("flow", ["os", "ws", "is"])
def test_all_functional_toggles_are_those_of_scalar_evaluation(tiny, flow):
    """Each PE by itself: its pairs one after the other through both layers, from zeros on."""
    unit = MULTIPLIERS["truncated2_u8"]
    netlist, costs = unit.circuit.netlist, unit.circuit.toggle_energies_fj / 1000
    streams = streams_of(tiny, unit, flow)
    held = {pe: settled(netlist, 0, 0) for pe in itertools.product(range(3), range(2))}
    expected = [0.0, 0.0]
    for p, (rows, cols, count) in enumerate(streams.sizes.tolist()):
        number = int(streams.layer_of[p])
        for i, j, s in itertools.product(range(rows), range(cols), range(count)):
            place = np.array([i]), np.array([j]), np.array([s])
            a, w = streams.pairs(number, p, *place)
            after = settled(netlist, int(a[0]), int(w[0]))
            expected[number] += (held[i, j] != after) @ costs
            held[i, j] = after
    found = toggle_energies(streams, unit.circuit, transitions="all")
    assert [one.functional.energy_pj for one in found] == pytest.approx(expected, rel=1e-12)
    assert [one.functional.variance_pj2 for one in found] == [0, 0]


@pytest.mark.parametrize("flow", ["os", "ws", "is"])
@pytest.mark.parametrize("unit", ["exact_uint8", "ama5_u8"])
def test_every_mac_is_a_transition_and_glitches_cost_no_less_than_none(tiny, unit, flow):
    unit = MULTIPLIERS[unit]
    found = toggle_energies(streams_of(tiny, unit, flow), unit.circuit)
    assert [one.layer for one in found] == ["layer0", "layer1"]
    for one, own in zip(found, tiny, strict=True):
        assert one.macs == own.layer.shape.macs
        assert one.functional.counted == one.unit_delay.counted == one.macs
        assert 0 < one.functional.energy_pj <= one.unit_delay.energy_pj


def test_unit_delay_toggles_are_those_of_each_pes_stream(tiny):
    unit = MULTIPLIERS["exact_uint8"]
    streams = streams_of(tiny, unit, "ws")
    fed = {pe: [(0, 0)] for pe in itertools.product(range(3), range(2))}
    for (_, cols, _), (_, block) in zip(streams.sizes, streams.blocks(), strict=True):
        for pe, (a, w) in enumerate(block[:, :, 1:].swapaxes(0, 1)):
            fed[divmod(pe, cols)] += zip(a, w, strict=True)
    expected = sum(
        unit.circuit.toggles(*np.array(own).T, glitches=True) @ unit.circuit.toggle_energies_fj
        for own in fed.values()
        if len(own) > 1
    )
    found = toggle_energies(streams, unit.circuit, transitions="all")
    total = sum(one.unit_delay.energy_pj for one in found)
    assert total == pytest.approx(expected / 1000, rel=1e-12)


@pytest.fixture(scope="module")
def larger():
    """Two layers of 44,000 products; half of the activations of one are zeros."""
    rng = np.random.default_rng(7)
    shapes = (
        LayerShape(n=2, m=8, c=3, h=9, w=9, r=3, s=3, padding=(1, 1)),
        LayerShape(n=2, m=16, c=284),
    )
    return [layer(f"layer{k}", one, rng, zeros=k / 2) for k, one in enumerate(shapes)]


@pytest.mark.parametrize("flow", ["os", "ws", "is"])
def test_intervals_of_samples_hold_what_all_transitions_give(larger, flow):
    """95 % intervals of 1,000 transitions, 60 seeds: 51 of 60 hold it with probability 0.999."""
    unit = MULTIPLIERS["ama5_cut8_u8"]
    streams = streams_of(larger, unit, flow, rows=4, cols=4)
    exact = toggle_columns(toggle_energies(streams, unit.circuit, transitions="all"))
    held = dict.fromkeys(toggles.WAYS, 0)
    for seed in range(60):
        found = toggle_energies(streams, unit.circuit, transitions=1000, seed=seed)
        columns = toggle_columns(found)
        for way in toggles.WAYS:
            name, truth = f"multiplier_{way}", exact[f"multiplier_{way}_pj"]
            held[way] += columns[f"{name}_low_pj"] <= truth <= columns[f"{name}_high_pj"]
            assert columns[f"{name}_pj"] == pytest.approx(truth, rel=0.25)
            assert columns[f"{name}_transitions"] <= 1000
    assert min(held.values()) >= 51


def test_a_seed_gives_the_same_sample_and_another_one_another(larger):
    unit = MULTIPLIERS["ama5_u8"]
    streams = streams_of(larger, unit)
    first, again, other = (
        toggle_energies(streams, unit.circuit, transitions=1000, seed=seed) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_strata_are_all_transitions_and_each_is_drawn_as_often(tiny):
    streams = streams_of(tiny, MULTIPLIERS["ama5_u8"], "ws")
    strata = toggles._Strata(streams, 10_000)
    assert strata.sizes.sum() == streams.transitions
    assert np.bincount(strata.layers, strata.sizes).tolist() == [
        one.layer.shape.macs for one in tiny
    ]
    rng = np.random.default_rng(0)
    for number, size in enumerate(strata.sizes.tolist()):
        drawn = np.stack(strata.draw(np.full(200 * size, number), rng), axis=1)
        places, counts = np.unique(drawn, axis=0, return_counts=True)
        assert len(places) == size
        p, i, j, s = places.T
        assert (np.stack([i, j, s], axis=1) < streams.sizes[p]).all()
        assert (streams.layer_of[p] == strata.layers[number]).all()
        assert counts.min() > 200 - 5 * 200**0.5
        assert ((s == 0).all(), (s > 0).all()) == (strata.kinds[number] == 0, strata.kinds[number])


def test_what_is_counted_depends_on_the_work(larger, monkeypatch):
    unit = MULTIPLIERS["exact_uint8"]
    streams = streams_of(larger, unit)
    work = streams.transitions * len(unit.circuit.netlist.gates)

    def counted(**how):
        found = toggle_energies(streams, unit.circuit, **how)
        return [sum(getattr(one, way).counted for one in found) for way in toggles.WAYS]

    everything = streams.transitions
    assert counted() == counted(transitions="all") == [everything, everything]
    monkeypatch.setattr(toggles, "EXACT_WORK", work)
    assert counted()[0] == everything
    assert counted()[1] <= toggles.AUTO_SAMPLE < everything
    assert counted(transitions=everything) == [everything, everything]
    assert max(counted(transitions=2000)) <= 2000


def test_rejects_a_dataflow_that_does_not_say_what_reaches_a_pe(tiny):
    array = ArrayModel(EyerissLike(), 3, 2, PeTiming(), 16, 0)
    with pytest.raises(MappingError, match="dataflows os, ws and is, got 'eyeriss_like'; choose"):
        Streams(tiny, array, MULTIPLIERS["ama5_u8"].circuit.ports)


def test_progress_names_the_way_and_the_layer(tiny):
    unit, said = MULTIPLIERS["ama5_u8"], []
    streams = streams_of(tiny, unit)
    toggle_energies(
        streams, unit.circuit, transitions="all", progress=lambda *one: said.append(one)
    )
    passes = len(streams.sizes)
    assert said[0] == ("functional toggles of layer0", 0, passes)
    assert said[-1] == ("unit_delay toggles of layer1", passes - 1, passes)
