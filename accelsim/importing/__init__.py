"""Importing multipliers: C and Verilog of EvoApproxLib, tables of other tools, Python functions.

`import_multiplier` reads a source, asks to be told what no file says reliably (signedness, width,
which operand is the activation, how a signed table is indexed), measures the error over all pairs
of operands and refuses a table that contradicts the figures it came with. What it returns is a
multiplier like any other; saved as a unit file (``.npz``), its path is a name everywhere.

Conventions of the sources, none of which is assumed:

| source | first, second | signed tables |
|---|---|---|
| EvoApproxLib ``.c`` returning uint64_t | parameters ``B, A`` | |
| EvoApproxLib ``.c``, int8_t or uint8_t | parameters ``A, B`` | |
| EvoApproxLib ``.v``, ``_pdk45.v`` | ports ``A, B`` | |
| TFApprox ``.bin`` | row: activation, column: weight | unsigned only |
| AdaPT ``.h`` | conv2d: row weight, column activation; linear: the other way round | pattern |

A unit's delay is what the source's comments state as PDK45_DELAY, or `delay_ps`. Its energy is not
imported: a machine needs rows of component ``multiplier.<name>``, actions ``compute`` and ``leak``,
in an energy table, and they are yours to add: copy one of `accelsim.energy_tables`, add the rows,
name the file as `energy_table`. The comments' power and area are kept with the unit.
"""

from __future__ import annotations

from accelsim.importing.pipeline import import_multiplier

__all__ = ["import_multiplier"]
