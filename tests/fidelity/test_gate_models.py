"""The 24x24 mantissa arrays against two gate models that were made without this one.

Both use the same NanGate45 corner, so that cells and areas must be equal
(`tests/circuits/test_integers.py`); energies are sampled and differ by streams and by what counts:

``mapped``   structural Verilog through Yosys 0.23, cells kept, unread ones removed; toggles x
    (internal energy + pin loads)
``generated``   another generator of carry-save arrays with half adders; loads of the operand ports
    not counted

Signed differences of this model: functional -1 % to +1 %, but +7.5 % for the flat AMA5 array;
unit-delay -1 % to +8 %. Static timing with real loads (OpenSTA) gives the mapped arrays 5860, 4160,
3720 and 580 ps: nominal delays are 4 % to 21 % above that for arrays of adders, and 65 % for chains
of buffers, which drive far less than four inverters.
"""

import numpy as np
import pytest

from accelsim.circuits import Builder, timing
from accelsim.circuits.comparison import normal_operands
from accelsim.circuits.evaluate import count_toggles
from accelsim.circuits.integers import array_product, cleaned, gate_maker


def energies_pj(style, cells, cleanup, ports):
    """Functional and unit-delay energy of one product of float32 significands."""
    builder = Builder()
    a, w = builder.input("a", 24), builder.input("w", 24)
    builder.output("p", array_product(gate_maker(builder, cleanup), a, w, cells, style=style))
    netlist = cleaned(builder.finish(), cleanup)
    energies = timing.toggle_energies_fj(netlist)
    if not ports:
        energies[[*a, *w]] = 0
    stream = {
        port: (values.view(np.uint32) & 0x7FFFFF | 0x800000).astype(np.int64)
        for port, values in zip("aw", normal_operands(4001), strict=True)
    }
    toggles = [count_toggles(netlist, stream, glitches) for glitches in (False, True)]
    return [float(counts @ energies) / 4000 / 1000 for counts in toggles]


@pytest.mark.parametrize(
    ("style", "cells", "cleanup", "ports", "functional_pj", "unit_delay_pj"),
    [
        ("ripple_row", "exact", "unread", True, 3.93, 23.2),  # mapped
        ("tiled", "exact", "unread", True, 4.42, 11.5),  # mapped
        ("tiled", "ama5", "unread", True, 2.29, 3.7),  # mapped
        ("ripple_row", "ama5", "unread", True, 0.75, 0.75),  # mapped
        ("carry_save", "exact", "constants", False, 3.61, 16.4),  # generated
    ],
)
def test_energies_agree_to_a_tenth(style, cells, cleanup, ports, functional_pj, unit_delay_pj):
    functional, unit_delay = energies_pj(style, cells, cleanup, ports)
    assert functional == pytest.approx(functional_pj, rel=0.1)
    assert unit_delay == pytest.approx(unit_delay_pj, rel=0.1)
