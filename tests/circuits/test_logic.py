"""Logic blocks, exhaustively at small widths, with gates placed as asked and folded."""

import itertools

import numpy as np
import pytest

from accelsim.circuits import CELLS, Builder, evaluate, integer_circuit, timing
from accelsim.circuits.logic import (
    add,
    add_fast,
    at_least,
    conditional_negate,
    folded,
    folding,
    function,
    increment,
    multiplex,
    reduce_tree,
)

MAKERS = pytest.mark.parametrize("maker", [lambda builder: builder.gate, folding])


def outputs_of(build, widths, maker):
    """Outputs of build(gate, *ports) for all operands, and those operands, as int arrays."""
    builder = Builder()
    ports = [builder.input(f"x{i}", width) for i, width in enumerate(widths)]
    builder.output("y", build(maker(builder), *ports))
    netlist = builder.finish()
    values = np.array(list(itertools.product(*(range(1 << width) for width in widths)))).T
    operands = {f"x{i}": row for i, row in enumerate(values)}
    return evaluate(netlist, operands)["y"], values, netlist


@pytest.mark.parametrize("table", [f"{code:08b}" for code in range(256)])
def test_every_function_of_three_nets(table):
    got, (x,), netlist = outputs_of(
        lambda gate, x: [function(gate, table, x[::-1])], [3], lambda builder: builder.gate
    )
    assert got.tolist() == [int(table[row]) for row in x]
    assert len(netlist.gates) <= 5


@pytest.mark.parametrize("table", ["0000000110000000", "0110100110010110", "1110111011100000"])
def test_functions_of_four_nets(table):
    got, (x,), _ = outputs_of(
        lambda gate, x: [function(gate, table, x[::-1])], [4], lambda builder: builder.gate
    )
    assert got.tolist() == [int(table[row]) for row in x]


@pytest.mark.parametrize("name", list(CELLS))
def test_folding_keeps_the_function_and_no_constant_input(name):
    """Pins tied to 0, 1, the first port bit (perhaps twice) or the second, in all ways."""
    cell = CELLS[name]
    for ties in itertools.product("01xy", repeat=len(cell.inputs)):

        def build(gate, port, ties=ties):
            nets = {"0": 0, "1": 1, "x": port[0], "y": port[1]}
            return gate(name, *(nets[tie] for tie in ties))

        expected, _, _ = outputs_of(build, [2], lambda builder: builder.gate)
        got, _, netlist = outputs_of(build, [2], folding)
        assert got.tolist() == expected.tolist()
        for gate in netlist.gates:
            assert min(gate.inputs) >= 2
            assert len(set(gate.inputs)) == len(gate.inputs)


def test_folding_turns_a_full_adder_with_a_zero_into_a_half_adder():
    builder = Builder()
    a, b = builder.input("a", 2)
    folding(builder)("FA", a, 0, b)
    builder.output("p", (a,))
    assert builder.finish().cell_counts() == {"HA": 1}


@MAKERS
def test_add(maker):
    got, (x, y), _ = outputs_of(
        lambda gate, x, y: [*(sum_carry := add(gate, x, y))[0], sum_carry[1]], [4, 2], maker
    )
    assert got.tolist() == (x + y).tolist()
    got, (x, y), _ = outputs_of(lambda gate, x, y: add(gate, x, y, 1)[0], [3, 3], maker)
    assert got.tolist() == ((x + y + 1) & 7).tolist()


@MAKERS
@pytest.mark.parametrize("width", [1, 2, 3, 5])
@pytest.mark.parametrize("carry", [0, 1])
def test_add_fast(maker, width, carry):
    def build(gate, x, y):
        total, carry_out = add_fast(gate, x, y, carry)
        return (*total, carry_out)

    got, (x, y), netlist = outputs_of(build, [width, width], maker)
    assert got.tolist() == (x + y + carry).tolist()
    assert netlist.depth <= 2 + 2 * width.bit_length()


@MAKERS
@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_increment_and_conditional_negate(maker, width):
    def build(gate, x, carry):
        total, carry_out = increment(gate, x, carry[0])
        return (*total, carry_out)

    got, (x, carry), _ = outputs_of(build, [width, 1], maker)
    assert got.tolist() == (x + carry).tolist()
    got, (x, negative), _ = outputs_of(
        lambda gate, x, negative: conditional_negate(gate, x, negative[0]), [width, 1], maker
    )
    assert got.tolist() == (np.where(negative, -x, x) & ((1 << width) - 1)).tolist()


@MAKERS
@pytest.mark.parametrize("width", [1, 4, 5])
def test_at_least(maker, width):
    for bound in range(1 << width):
        got, (x,), _ = outputs_of(
            lambda gate, x, bound=bound: [at_least(gate, x, bound)], [width], maker
        )
        assert got.tolist() == (x >= bound).astype(int).tolist()


@MAKERS
@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_trees_and_multiplexers(maker, width):
    got, (x,), netlist = outputs_of(
        lambda gate, x: [reduce_tree(gate, "OR2", x), reduce_tree(gate, "AND2", x)], [width], maker
    )
    full = (1 << width) - 1
    assert got.tolist() == ((x > 0) + 2 * (x == full)).tolist()
    assert netlist.depth == (width - 1).bit_length()
    got, (x, y, select), _ = outputs_of(
        lambda gate, x, y, select: multiplex(gate, x, y, select[0]), [2, 2, 1], maker
    )
    assert got.tolist() == np.where(select, y, x).tolist()


@pytest.mark.parametrize("style", ["ripple_row", "carry_save"])
def test_a_netlist_is_folded_as_if_it_had_been_made_so(style):
    """The same products from the same cells, whether constants went before or after."""
    before, after = (
        integer_circuit(4, signed=True, style=style, cleanup=cleanup).netlist
        for cleanup in ("constants", "none")
    )
    assert timing.area_um2(after) > timing.area_um2(before)
    found = folded(after)
    assert found.cell_counts() == before.cell_counts()
    a, w = np.divmod(np.arange(256), 16)
    operands = {"a": a, "w": w}
    np.testing.assert_array_equal(evaluate(found, operands)["p"], evaluate(after, operands)["p"])


def test_folding_keeps_ports_that_nothing_drives_but_a_constant():
    builder = Builder()
    (a,) = builder.input("a", 1)
    builder.output("p", (*builder.gate("AND2", a, 0), a))
    netlist = folded(builder.finish())
    assert (netlist.gates, netlist.outputs["p"]) == ((), (0, netlist.inputs["a"][0]))
