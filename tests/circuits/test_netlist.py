"""Netlists: what is accepted, how gates are sorted, and what each fault is told as."""

import pickle

import pytest

from accelsim.circuits import Builder, Gate, LoopError, Netlist
from accelsim.errors import CircuitError

PORTS = {"a": (2, 3)}, {"p": (4,)}


def test_builder_hands_out_nets_from_two_up():
    builder = Builder()
    a = builder.input("a", 3)
    (either,) = builder.gate("OR2", a[0], a[1])
    both = builder.gate("FA", either, a[2], 0)
    builder.output("p", both)
    netlist = builder.finish()
    assert a == (2, 3, 4)
    assert both == (6, 7)
    assert netlist.net_count == 8
    assert netlist.levels == (1, 2)
    assert netlist.depth == 2
    assert netlist.cell_counts() == {"OR2": 1, "FA": 1}


def test_gates_may_come_in_any_order():
    chain = tuple(Gate("INV", (net - 1,), (net,)) for net in (5, 3, 4))
    netlist = Netlist({"a": (2,)}, {"p": (5,)}, chain)
    assert netlist.levels == (3, 1, 2)
    assert netlist.order == (1, 2, 0)


def test_an_output_may_be_an_input_or_a_constant():
    netlist = Netlist({"a": (2,)}, {"p": (2, 1, 0, 2)}, ())
    assert netlist.depth == 0
    assert netlist.net_count == 3


def test_without_unread_keeps_what_outputs_depend_on():
    builder = Builder()
    a, b = builder.input("a", 2)
    builder.gate("INV", *builder.gate("AND2", a, b))
    builder.output("p", builder.gate("OR2", a, b))
    kept = builder.finish().without_unread()
    assert kept.cell_counts() == {"OR2": 1}
    assert list(kept.inputs) == ["a"]


@pytest.mark.parametrize(
    ("gates", "message"),
    [
        ([("NAND3", (2, 3), (4,))], r"gate 0: no cell named 'NAND3'.* Did you mean 'NAND2'"),
        ([("INV", (2, 3), (4,))], r"gate 0 \(INV\) must have 1 input nets \(A\), got 2"),
        ([("HA", (2, 3), (4,))], r"gate 0 \(HA\) must have 2 output nets \(S, CO\), got 1"),
        ([("AND2", (2, 9), (4,))], r"net 9, read by pin B of gate 0 \(AND2\), has no driver"),
        ([], r"net 4, read by output p\[0\], has no driver"),
        (
            [("INV", (2,), (4,)), ("BUF", (3,), (4,))],
            r"net 4 has two drivers: pin ZN of gate 0 \(INV\) and pin Z of gate 1 \(BUF\)",
        ),
        ([("INV", (2,), (3,))], r"net 3 has two drivers: input a\[1\] and pin ZN of gate 0"),
        ([("INV", (2,), (1,))], r"net 1 has two drivers: the constant 1 and pin ZN"),
        ([("INV", (2,), (-4,))], r"net -4, driven by pin ZN of gate 0 \(INV\), must be an int"),
        (
            [("AND2", (2, 5), (4,)), ("INV", (4,), (5,)), ("INV", (5,), (6,))],
            r"^a combinational loop: gate [01] \(\w+\) drives net [45], gate [01] ",
        ),
        ([("AND2", (2, 4), (4,))], r"a combinational loop: gate 0 \(AND2\) drives net 4; a circ"),
    ],
)
def test_rejects_what_is_no_circuit(gates, message):
    with pytest.raises(CircuitError, match=message):
        Netlist(*PORTS, tuple(Gate(*gate) for gate in gates))


def test_a_loop_is_told_in_the_order_of_the_signal():
    """A ring of twelve: each gate drives what the next one reads; a gate behind it is not told."""
    ring = [Gate("INV", (4 + i,), (4 + (i + 1) % 12,)) for i in range(12)]
    behind = Gate("AND2", (2, 7), (30,))
    with pytest.raises(LoopError, match=r"drives net \d+ and 4 more; a circuit must be") as caught:
        Netlist(*PORTS, (behind, *reversed(ring)))
    for error in (caught.value, pickle.loads(pickle.dumps(caught.value))):
        (first, *more) = error.loop.items()
        assert len(error.loop) == 12
        for (_, net), (gate, _) in zip((first, *more), (*more, first), strict=True):
            assert (behind, *reversed(ring))[gate].inputs == (net,)
        assert str(error) == str(caught.value)


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        ({"a b": (2,)}, {"p": (2,)}, "port name 'a b' must be an identifier"),
        ({"a": (2,)}, {"a": (2,)}, "port 'a' is both an input and an output"),
        ({"a": ()}, {"p": (0,)}, "port 'a' has no nets"),
        ({"a": (2,), "b": (2,)}, {"p": (2,)}, r"net 2 has two drivers: input a\[0\] and input b"),
        ({"a": (1,)}, {"p": (1,)}, r"net 1 has two drivers: the constant 1 and input a\[0\]"),
    ],
)
def test_rejects_ports(inputs, outputs, message):
    with pytest.raises(CircuitError, match=message):
        Netlist(inputs, outputs, ())


def test_builder_rejects_a_name_used_twice_and_an_unknown_cell():
    builder = Builder()
    builder.input("a", 1)
    builder.output("p", (2,))
    with pytest.raises(CircuitError, match="input port 'a' is added twice"):
        builder.input("a", 1)
    with pytest.raises(CircuitError, match="output port 'p' is added twice"):
        builder.output("p", (2,))
    with pytest.raises(CircuitError, match="no cell named 'DFF'"):
        builder.gate("DFF", 2)
