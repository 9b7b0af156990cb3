"""Cells: tables, expressions and figures fit together."""

import itertools

import pytest

from accelsim.circuits import CELLS


@pytest.mark.parametrize("name", list(CELLS))
def test_tables_and_verilog_expressions_say_the_same(name):
    cell = CELLS[name]
    assert len(cell.outputs) == len(cell.tables) == len(cell.verilog)
    for bits in itertools.product((0, 1), repeat=len(cell.inputs)):
        # Verilog's ~ & | ^ and parentheses are Python's.
        pins = dict(zip(cell.inputs, bits, strict=True))
        expected = tuple(eval(expression, {}, pins) & 1 for expression in cell.verilog)
        assert cell.values(*bits) == expected


@pytest.mark.parametrize("name", list(CELLS))
def test_figures_have_a_source_and_sane_sizes(name):
    cell = CELLS[name]
    assert "NanGate" in cell.source
    assert cell.name in cell.source
    assert 0.5 < cell.area_um2 < 5
    assert 10 < cell.leakage_nw < 80
    assert 0.9 < cell.input_cap_ff < 3.5
    assert 0.9 < cell.internal_energy_fj < 4
    assert 20 < cell.delay_ps < 90
