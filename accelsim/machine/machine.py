"""The controller: runs a program step by step and keeps a record of every layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from accelsim.config import Accelerator
from accelsim.dataflows.base import PeBlock
from accelsim.dataflows.spatial import SpatialArray
from accelsim.layer import Operand, Parameter, Trace
from accelsim.machine.array import PeArray, array_model
from accelsim.machine.array_run import ArrayRun
from accelsim.machine.block import Block
from accelsim.machine.dma import Dma
from accelsim.machine.dram import Dram
from accelsim.machine.glb import Glb
from accelsim.machine.mac import MacRun
from accelsim.machine.memo import LayerMemo, layer_key, step_key
from accelsim.machine.program import MacStep, Program, VectorStep, compile_program
from accelsim.machine.row_run import RowRun
from accelsim.machine.state import Entry, State
from accelsim.machine.vector import VectorRun

__all__ = ["LayerRecord", "MachineResult", "run_machine", "run_program"]


@dataclass(frozen=True)
class LayerRecord:
    """What one layer did on the machine."""

    layer: str
    op: str
    macs: int
    outputs: int
    """Words of the layer's ofmap."""
    cycle_start: int
    cycle_end: int
    compute_cycles: int
    """Cycles of the array (of the vector unit, for its layers) with fill and drain."""
    counts: dict[tuple[str, str], int]
    """(component, action) -> count."""
    tiling: str
    dram_row_hits: int
    """Bursts that found their row of the DRAM open; 0 where the DRAM is ``simple``."""
    dram_row_misses: int
    """Bursts for which a row had to be opened; with the hits: all bursts."""
    spilled_words: int = 0
    """Words of unfinished psums written to DRAM, and read back."""
    forwarded_words: int = 0
    """Words of the ofmap that stayed in the GLB for the next layer, and did not go to DRAM."""
    pe_blocks: dict[PeBlock, int] = field(default_factory=dict)
    """What PEs do in a pass -> passes in which they do; empty for layers of the vector unit."""

    @property
    def total_cycles(self) -> int:
        """From the layer's first transfer to the end of its write-back."""
        return self.cycle_end - self.cycle_start

    @property
    def stall_cycles(self) -> int:
        """Cycles of the layer in which its computing block waited or had nothing to do."""
        return self.total_cycles - self.compute_cycles


@dataclass(frozen=True)
class MachineResult:
    """What a simulation gave: records by layer, the timeline, and the DRAM's output words."""

    layers: tuple[LayerRecord, ...]
    timeline: tuple[Entry, ...]
    outputs: np.ndarray | None
    """float32, as the output layer's shape; None without values."""

    @property
    def total_cycles(self) -> int:
        """Cycles from the first layer's start to the last one's end."""
        return self.layers[-1].cycle_end if self.layers else 0


def run_machine(
    trace: Trace,
    accelerator: Accelerator,
    *,
    values: bool = True,
    progress: Callable[[str, int, int], None] | None = None,
) -> MachineResult:
    """Run *trace* on *accelerator*, event by event, and return what happened.

    Parameters
    ----------
    trace : Trace
        Layers, weights and images; all images of the trace run as one batch.
    accelerator : Accelerator
        The machine.
    values : bool
        False: the same machine without operands, for cycles and counts only.
    progress : callable, optional
        Called with (layer, layers done, layers in all) before each layer.

    Raises
    ------
    MappingError
        A layer fits no tiling.
    StallError
        The machine cannot go on.
    """
    program = compile_program(trace, accelerator)
    return run_program(program, trace, accelerator, values=values, progress=progress)


def run_program(
    program: Program,
    trace: Trace,
    accelerator: Accelerator,
    *,
    values: bool = True,
    progress: Callable[[str, int, int], None] | None = None,
    memo: LayerMemo | None = None,
) -> MachineResult:
    """Run a *program* compiled from *trace*, with its tilings, on *accelerator*.

    The other parameters, errors and the result are those of `run_machine`. The program may have
    been compiled for another machine, whose tiles fit this one: what changes then is the time.

    With a *memo*, which needs ``values=False``, a layer that it has is not run again; the result is
    the same but has no timeline.
    """
    if memo is not None and values:
        raise ValueError("a memo holds no values; give values=False")
    state = State(accelerator, keeps_timeline=memo is None)
    glb = Glb(state, program.glb_words, values=values)
    constants = [(program.images, trace.images), *_parameters(program)]
    dram = Dram(state, glb, program.dram_words, values=values, constants=constants)
    dma = Dma(state, dram)
    arrays = {unit: array_model(machine) for unit, machine in state.machines.items()}
    keys = {} if memo is None else {unit: layer_key(one) for unit, one in state.machines.items()}
    records = []
    for done, step in enumerate(program.steps):
        if progress is not None:
            progress(step.name, done, len(program.steps))
        state.layer, unit = step.name, accelerator.unit_of(step.name)
        if memo is None:
            records.append(_run_step(step, state, glb, dma, arrays[unit]))
            continue
        key = step_key(step, keys[unit], dram)
        known = memo.find(key, step.name, state.now, state.machines[unit])
        if known is None:
            records.append(_run_step(step, state, glb, dma, arrays[unit]))
            memo.keep(key, records[-1], dram.history())
        else:
            record, after = known
            state.skip(record.total_cycles)
            dram.resume(after)
            records.append(record)
    return MachineResult(tuple(records), tuple(state.timeline), dram.peek(program.output))


def _run_step(
    step: MacStep | VectorStep, state: State, glb: Glb, dma: Dma, array: PeArray
) -> LayerRecord:
    """Run *step*, event by event, and return its record."""
    start, dram = state.now, dma.dram
    state.counts.clear()
    hits, misses = dram.row_hits, dram.row_misses
    run: ArrayRun | VectorRun
    if isinstance(step, MacStep):
        if isinstance(array, SpatialArray):
            run = RowRun(state, glb, dma, step, array)
        else:
            run = MacRun(state, glb, dma, step, array)
        macs, tiling = step.layer.shape.macs, f"{step.tiling.why}; {step.tiling.reason}"
    else:
        run = VectorRun(state, glb, dma, step)
        sizes = dict.fromkeys(f"n1 p{part.rows} c{part.channels}" for part in step.parts)
        macs, tiling = 0, ", ".join(sizes)
    state.run(run.start())
    return LayerRecord(
        step.name,
        step.op,
        macs,
        step.ofmap.words,
        start,
        state.now,
        run.compute_cycles,
        dict(state.counts),
        tiling,
        dram.row_hits - hits,
        dram.row_misses - misses,
        run.spilled_words,
        run.forwarded_words,
        dict(run.pe_blocks) if isinstance(run, ArrayRun) else {},
    )


def _parameters(program: Program) -> Iterator[tuple[Block, np.ndarray]]:
    """Yield the weights, biases and other parameters, and where they lie in the DRAM."""
    for step in program.steps:
        if isinstance(step, MacStep):
            if not isinstance(step.layer.weight, Operand):
                yield step.weights, step.layer.weight
            if step.bias is not None and step.layer.bias is not None:
                yield step.bias, step.layer.bias
            continue
        for one, block in zip(step.layer.others, step.others, strict=True):
            if isinstance(one, Parameter):
                first = block.address - one.view.offset
                yield Block(first, (one.values.size,), (1,)), one.values
