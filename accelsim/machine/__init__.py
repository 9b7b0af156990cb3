"""The machine: SimPy processes for DRAM, DMA, GLB, PE array and vector unit, values included."""

from accelsim.machine.machine import LayerRecord, MachineResult, run_machine, run_program

__all__ = ["LayerRecord", "MachineResult", "run_machine", "run_program"]
