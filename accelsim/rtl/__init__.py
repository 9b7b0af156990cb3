"""RTL: multipliers and systolic arrays as Verilog, with test benches that check themselves.

`unit_files` gives a unit's netlist; `ArrayDesign` a synthesizable array whose cycles are those of
its dataflow and whose psums are those of the kernels. The SystemVerilog is in ``verilog/``.
"""

from __future__ import annotations

from accelsim.rtl.array import ArrayDesign
from accelsim.rtl.files import write_export
from accelsim.rtl.units import STYLES, UnitRtl, unit_files

__all__ = ["STYLES", "ArrayDesign", "UnitRtl", "unit_files", "write_export"]
