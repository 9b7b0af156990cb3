"""Delay, area, leakage and energy of netlists small enough to add up by hand."""

import pytest

from accelsim.circuits import CELLS, Builder, timing


@pytest.fixture
def netlist():
    """p[0] = NAND(a, b) into an inverter; p[1] = a XOR b, unloaded; net 4 drives two pins."""
    builder = Builder()
    a, b = builder.input("a", 2)
    (nand,) = builder.gate("NAND2", a, b)
    (inverted,) = builder.gate("INV", nand)
    (xor,) = builder.gate("XOR2", a, nand)
    builder.output("p", (inverted, xor))
    return builder.finish()


def test_arrivals_add_nominal_delays(netlist):
    nand, inv, xor = (CELLS[name].delay_ps for name in ("NAND2", "INV", "XOR2"))
    assert timing.arrivals_ps(netlist).tolist() == [0, 0, 0, 0, nand, nand + inv, nand + xor]
    assert timing.delay_ps(netlist) == nand + xor


def test_a_gate_that_no_output_depends_on_does_not_delay():
    builder = Builder()
    (a,) = builder.input("a", 1)
    builder.gate("BUF", *builder.gate("BUF", a))
    builder.output("p", builder.gate("INV", a))
    assert timing.delay_ps(builder.finish()) == CELLS["INV"].delay_ps


def test_area_and_leakage_are_sums(netlist):
    cells = [CELLS[name] for name in ("NAND2", "INV", "XOR2")]
    assert timing.area_um2(netlist) == pytest.approx(sum(cell.area_um2 for cell in cells))
    assert timing.leakage_uw(netlist) == pytest.approx(
        sum(cell.leakage_nw for cell in cells) / 1000
    )


def test_a_toggle_costs_the_cells_energy_and_that_of_the_pins_it_drives(netlist):
    nand, inv, xor = (CELLS[name] for name in ("NAND2", "INV", "XOR2"))
    half_square = 1.1**2 / 2
    assert timing.toggle_energies_fj(netlist).tolist() == pytest.approx(
        [
            0,
            0,
            (nand.input_cap_ff + xor.input_cap_ff) * half_square,  # a
            nand.input_cap_ff * half_square,  # b
            nand.internal_energy_fj + (inv.input_cap_ff + xor.input_cap_ff) * half_square,
            inv.internal_energy_fj,
            xor.internal_energy_fj,
        ]
    )
