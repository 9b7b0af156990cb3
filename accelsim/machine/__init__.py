"""The machine: SimPy processes for DRAM, DMA, GLB, PE array and vector unit, values included."""

from accelsim.machine.machine import LayerRecord, MachineResult, run_machine, run_program
from accelsim.machine.memo import LayerMemo, machine_key

__all__ = ["LayerMemo", "LayerRecord", "MachineResult", "machine_key", "run_machine", "run_program"]
