"""Evaluation and toggles against plain Python, gate by gate and unit by unit."""

import itertools

import numpy as np
import pytest

from accelsim.circuits import CELLS, Builder, count_toggles, evaluate, transition_costs
from accelsim.errors import CircuitError


def random_netlist(seed, gates=40, width=5):
    """Gates of every cell on random earlier nets; all their outputs are read."""
    rng = np.random.default_rng(seed)
    builder = Builder()
    nets = [0, 1, *builder.input("a", width), *builder.input("w", width)]
    outputs = []
    for number in range(gates):
        cell = list(CELLS)[number % len(CELLS)]
        made = builder.gate(cell, *rng.choice(nets, len(CELLS[cell].inputs)).tolist())
        outputs += made
        nets += made
    builder.output("p", outputs[:40])
    builder.output("q", outputs[40:])
    return builder.finish()


def settled(netlist, **operands):
    """Net -> value for one operand per port, by the cells' truth tables."""
    values = {0: 0, 1: 1}
    for port, nets in netlist.inputs.items():
        values |= {net: operands[port] >> bit & 1 for bit, net in enumerate(nets)}
    for i in netlist.order:
        gate = netlist.gates[i]
        outs = CELLS[gate.cell].values(*(values[net] for net in gate.inputs))
        values |= dict(zip(gate.outputs, outs, strict=True))
    return values


def unit_delay_changes(netlist, before, after):
    """Net -> changes from one settled state to the next, all gates one unit late at once."""
    values = dict(before)
    changes = dict.fromkeys(values, 0)
    for net in itertools.chain(*netlist.inputs.values()):
        changes[net] += values[net] != after[net]
        values[net] = after[net]
    while True:
        new = dict(values)
        for gate in netlist.gates:
            outs = CELLS[gate.cell].values(*(values[net] for net in gate.inputs))
            new |= dict(zip(gate.outputs, outs, strict=True))
        if new == values:
            return changes
        for net in values:
            changes[net] += values[net] != new[net]
        values = new


@pytest.mark.parametrize("name", list(CELLS))
def test_every_cell_is_its_truth_table(name):
    cell = CELLS[name]
    builder = Builder()
    pins = builder.input("x", len(cell.inputs))
    builder.output("y", builder.gate(name, *reversed(pins)))  # the first pin is the highest bit
    rows = np.arange(1 << len(pins))
    got = evaluate(builder.finish(), {"x": rows})["y"]
    tables = [np.array([int(digit) for digit in table]) << k for k, table in enumerate(cell.tables)]
    np.testing.assert_array_equal(got, sum(tables))


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 511, 512, 513, 1100])
def test_patterns_of_any_number_of_operands(count):
    netlist = random_netlist(count)
    a, w = np.random.default_rng(count).integers(0, 32, (2, count))
    got = evaluate(netlist, {"a": a, "w": w})
    for port, nets in netlist.outputs.items():
        states = [settled(netlist, a=x, w=y) for x, y in zip(a.tolist(), w.tolist(), strict=True)]
        expected = [sum(state[net] << b for b, net in enumerate(nets)) for state in states]
        assert got[port].tolist() == expected


@pytest.mark.parametrize("count", [2, 64, 65, 513, 600])
def test_functional_toggles_are_differences_of_settled_states(count):
    netlist = random_netlist(1000 + count)
    a, w = np.random.default_rng(count).integers(0, 32, (2, count))
    states = [settled(netlist, a=x, w=y) for x, y in zip(a.tolist(), w.tolist(), strict=True)]
    got = count_toggles(netlist, {"a": a, "w": w})
    expected = [
        sum(x[net] != y[net] for x, y in itertools.pairwise(states))
        for net in range(netlist.net_count)
    ]
    assert got.tolist() == expected
    assert got[:2].tolist() == [0, 0]


@pytest.mark.parametrize("count", [2, 66, 514])
def test_unit_delay_toggles_are_those_of_a_gate_by_gate_simulation(count):
    netlist = random_netlist(2000 + count)
    a, w = np.random.default_rng(count).integers(0, 32, (2, count))
    states = [settled(netlist, a=x, w=y) for x, y in zip(a.tolist(), w.tolist(), strict=True)]
    expected = np.zeros(netlist.net_count, int)
    for before, after in itertools.pairwise(states):
        changes = unit_delay_changes(netlist, before, after)
        expected += [changes[net] for net in range(netlist.net_count)]
    got = count_toggles(netlist, {"a": a, "w": w}, glitches=True)
    assert got.tolist() == expected.tolist()
    assert got.sum() > count_toggles(netlist, {"a": a, "w": w}).sum()


@pytest.mark.parametrize("glitches", [False, True])
@pytest.mark.parametrize(("streams", "length"), [(1, 70), (7, 2), (40, 13), (3, 513), (257, 4)])
def test_no_transition_leads_from_one_stream_to_another(streams, length, glitches):
    netlist = random_netlist(streams)
    a, w = np.random.default_rng(length).integers(0, 32, (2, streams, length))
    got = count_toggles(netlist, {"a": a, "w": w}, glitches)
    expected = sum(
        count_toggles(netlist, {"a": x, "w": y}, glitches) for x, y in zip(a, w, strict=True)
    )
    assert got.tolist() == expected.tolist()


@pytest.mark.parametrize("glitches", [False, True])
@pytest.mark.parametrize("count", [1, 64, 511, 512, 700])
def test_the_cost_of_a_transition_is_that_of_its_changes(count, glitches):
    """Costs are powers of two and few, so that no sum of them is rounded."""
    netlist = random_netlist(3000 + count)
    rng = np.random.default_rng(count)
    a, w, b, x = rng.integers(0, 32, (4, count))
    costs = 2.0 ** rng.integers(0, 8, netlist.net_count)
    got = transition_costs(netlist, {"a": a, "w": w}, {"a": b, "w": x}, costs, glitches)
    expected = [
        costs @ count_toggles(netlist, {"a": np.array(both), "w": np.array(weights)}, glitches)
        for both, weights in zip(zip(a, b, strict=True), zip(w, x, strict=True), strict=True)
    ]
    assert got.tolist() == expected


def test_a_static_hazard_is_seen_with_glitches_only():
    """x AND NOT x is always 0, but rises for one unit when x does: the inverter is late."""
    builder = Builder()
    (x,) = builder.input("x", 1)
    (y,) = builder.gate("AND2", x, *builder.gate("INV", x))
    builder.output("y", (y,))
    netlist = builder.finish()
    stream = {"x": np.array([0, 1, 0, 1])}
    assert count_toggles(netlist, stream)[y] == 0
    assert count_toggles(netlist, stream, glitches=True)[y] == 4  # up and down, at both rises


def test_a_port_of_64_bits():
    builder = Builder()
    nets = builder.input("x", 64)
    builder.output("y", [builder.gate("INV", net)[0] for net in nets])
    values = np.array([0, -1, 1, -(2**63), 2**63 - 1])
    assert evaluate(builder.finish(), {"x": values})["y"].tolist() == (~values).tolist()


def test_rejects_operands_that_do_not_fit():
    netlist = random_netlist(0)
    four, five = np.arange(4), np.arange(5)
    with pytest.raises(CircuitError, match="input ports a, w, got a"):
        evaluate(netlist, {"a": four})
    with pytest.raises(CircuitError, match=r"of one length, got shapes \[\(4,\), \(5,\)\]"):
        evaluate(netlist, {"a": four, "w": five})
    with pytest.raises(CircuitError, match="give at least 2, got 1"):
        count_toggles(netlist, {"a": four[:1], "w": four[:1]})
    with pytest.raises(CircuitError, match=r"of one shape, got shapes \[\(2, 3\), \(3, 2\)\]"):
        count_toggles(netlist, {"a": np.zeros((2, 3)), "w": np.zeros((3, 2))})
    pairs = {"a": four, "w": four}, {"a": five, "w": five}
    with pytest.raises(CircuitError, match="got 4 before and 5 after"):
        transition_costs(netlist, *pairs, np.zeros(netlist.net_count))
    builder = Builder()
    builder.output("y", builder.input("x", 65))
    with pytest.raises(CircuitError, match="port 'x' has 65 bits; at most 64"):
        evaluate(builder.finish(), {"x": four})
