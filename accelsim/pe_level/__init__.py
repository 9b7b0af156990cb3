"""The systolic array register by register: every PE, every cycle, with the bits that move in it.

`run` computes a matrix product on the array of a dataflow (os, ws or is) and counts the cycles that
it takes. Of the dataflow it uses the passes with their start cycles, as the schedule by which the
edges feed the array. All else follows from valid bits: a psum leaves when it is there, the
count ends with the last one, and whatever comes where it cannot be used is a `ScheduleError` that
names PE and cycle. So the cycles of `accelsim.dataflows` are not put in, they are measured.

Clock
-----
In a cycle all registers are read, and at its end all are loaded at once. An edge drives a wire *in*
a cycle; a PE that sees it there may use it in that cycle, and its neighbor sees it in the next. A
run starts with the first cycle in which an edge drives anything (cycle 0), and ends with that at
whose end the last psum is stored.

PE
--
PE (i, j) is row i, column j. Row 0 is at the top, where stationary operands and psums come in;
column 0 is at the left, where streaming operands come in. Below, *interval* is that of the
dataflow, multiply and add are those of `accelsim.dataflows.PeTiming`::

    operand in ──┬────────────────────────────▶ operand register ──▶ right neighbor
                 ▼
    other ──▶ multiplier: multiply_cycles registers (0: none), takes a pair every
                 │                                  multiply_interval cycles
                 ▼ product
    psum in ──▶ adder: add_cycles - 1 registers, takes a product every add_interval cycles
                 ▼
              psum register

A pair that enters in cycle t gives a product in cycle ``t + multiply_cycles``, which meets its psum
there; the sum is loaded into the psum register at the end of cycle ``t + latency_cycles - 1`` and
read from the next on. A multiplier that is not pipelined keeps the operands that it works on. What
is on its way carries a valid bit, and whether it is the first or the last of its pass. (The model
carries the numbers of pass and element instead, to check them.)

A pass uses r rows and c columns, the uppermost and leftmost. Operands are not handed on beyond
them, and what leaves row r - 1 goes past the rows below on wires.

Output-stationary
-----------------
An operand register for the activation, to the right, and one for the weight, downwards. With S the
start cycle of a pass:

- The left edge drives activation kk of row i in cycle ``S + i + kk * interval``, the top edge
  weight kk of column j in ``S + j + kk * interval``.
- psum in is the PE's own psum register; for the first product it is 0, or the loaded psum.
- Psums are loaded in cycles S - r to S - 1: in each the top edge drives a row of psums, that of row
  r - 1 first, and all rows shift down by one.
- Psums are drained, all columns at once, from the cycle on in which that of PE (r - 1, c - 1)
  is in its register: in each of r cycles row r - 1 is stored and all rows shift down by one.

Both shift the psum registers. With a second register per PE one of the two shifts that instead:
the load, where the pass goes on from stored psums and overlap is ``load`` or ``both``; the first
product then takes its psum from there. Or the drain, where it does not and overlap is ``drain`` or
``both``; the last sum is then loaded into the second register instead of the psum register.

Weight- and input-stationary
----------------------------
A register for the stationary operand, an operand register to the right. A psum is in a psum
register for one cycle, in which the PE below adds to it.

- The left edge drives element s of row i in cycle ``S + i * add_cycles + s * interval``.
- The top edge drives psum s of column j in cycle ``S + multiply_cycles + j + s * interval``: 0, or
  the word that it reads in this cycle from the psum memory.
- The sums of row r - 1 are not loaded into its psum registers, but stored in the psum memory: what
  is stored at the end of a cycle can be read in the next. A column stores one word a cycle, in the
  order of passes and elements.
- Stationary operands are loaded in cycles S - r to S - 1: in each the top edge drives a row, that
  of row r - 1 first, and all rows shift down by one.

With a second register (overlap ``load`` or ``both``) loading shifts that one. The first element of
a pass is multiplied by what is in the second register, which at the end of this cycle is loaded
into the first, for the other elements.
"""

from __future__ import annotations

from accelsim.pe_level.model import PeLevelRun, run

__all__ = ["PeLevelRun", "run"]
