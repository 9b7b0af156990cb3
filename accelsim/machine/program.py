"""What the machine executes: a trace's layers with fused ReLUs, tilings and DRAM addresses."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from math import prod

from accelsim.accumulators import accumulator_of, check_depth
from accelsim.config import Accelerator
from accelsim.consistency import check_trace
from accelsim.dataflows import DATAFLOWS
from accelsim.dataflows.row_mapper import RowTiling
from accelsim.dataflows.row_pass import RF_OPERANDS
from accelsim.dataflows.row_stationary import RowStationary
from accelsim.dataflows.tiling import NOTHING_STAYS, Stays, Tiling
from accelsim.errors import MappingError
from accelsim.layer import (
    INPUT,
    WORD_BYTES,
    Layer,
    MacLayer,
    Operand,
    Parameter,
    Trace,
    VectorLayer,
    View,
)
from accelsim.layer_units import by_unit, check_layers
from accelsim.machine.array import PeArray, array_model, budget_of, tiling_of
from accelsim.machine.block import Block
from accelsim.machine.vector_tiling import vector_tile
from accelsim.machine.walks import Walks, walks_of
from accelsim.multipliers import MULTIPLIERS, IntegerMultiplier
from accelsim.quantization import scheme_of
from accelsim.vector_functions import OPERATIONS

__all__ = [
    "MacStep",
    "Program",
    "VectorStep",
    "compile_program",
    "possible_actions",
    "unit_work",
]

MEMORIES = ("glb.ifmap", "glb.weight", "glb.ofmap", "dram")

DEVICE_ACTIONS = ("read_burst", "write_burst", "activate")
"""What a DRAM with rows does besides moving words."""


@dataclass(frozen=True, eq=False)
class MacStep:
    """A convolution, linear layer or matmul, with a ReLU behind it where that is fused."""

    layer: MacLayer
    relu: str | None
    """Name of the fused ReLU layer."""
    tiling: Tiling | RowTiling
    ifmap: Block
    """The whole tensor in which the ifmap lies."""
    weights: Block
    """The weights, or the whole tensor in which a matmul's second operand lies."""
    bias: Block | None
    ofmap: Block
    spilled: Block | None = None
    """Where psums wait between channels, (N, M, P, Q * words of a psum); None where they stay."""
    stays: Stays = NOTHING_STAYS
    """Which of ifmap and ofmap are addresses in the GLB."""

    @cached_property
    def walks(self) -> Walks:
        """How tiles go through the words of ifmap, weights and ofmap."""
        return walks_of(self.layer)

    @property
    def name(self) -> str:
        """Name in tables and in the timeline."""
        return self.layer.name

    @property
    def op(self) -> str:
        """Operator in tables."""
        return self.layer.op + ("+relu" if self.relu else "")


@dataclass(frozen=True, eq=False)
class VectorPart:
    """What a layer of the vector unit does in tiles of one size.

    A tile is so many channels and ofmap rows of one (N, ...).
    """

    channels: int
    rows: int
    ifmap: Block
    ofmap: Block


@dataclass(frozen=True, eq=False)
class VectorStep:
    """A layer of the vector unit: a part for each operand of a concatenation, else one."""

    layer: VectorLayer
    parts: tuple[VectorPart, ...]
    others: tuple[Block, ...]
    """The other operands."""
    ofmap: Block
    stays: Stays = NOTHING_STAYS
    """Which of ifmap and ofmap are addresses in the GLB."""

    @property
    def name(self) -> str:
        """Name in tables and in the timeline."""
        return self.layer.name

    @property
    def op(self) -> str:
        """Operator in tables."""
        return self.layer.op

    @property
    def beside(self) -> tuple[Block, ...]:
        """The operands that each tile reads beside its ifmap."""
        return () if self.layer.places else self.others


@dataclass(frozen=True, eq=False)
class Program:
    """Steps in order, and where input and output lie in the DRAM."""

    steps: tuple[MacStep | VectorStep, ...]
    images: Block
    output: Block
    dram_words: int
    glb_words: int = 0
    """Addresses of ofmaps that stay in the GLB: no two are the same, although their room is."""


@dataclass(frozen=True)
class UnitWork:
    """What the units in the PEs make others do, besides bias and ReLU."""

    additions: int
    """Of the vector unit, per output."""
    multiplies: int
    """Of the vector unit, per output."""
    quantizes: bool
    """The feed turns every activation that it reads into an integer, as either operand."""
    sums_activations: bool
    """An accumulator beside the array's columns adds up each pixel's activations."""


def unit_work(accelerator: Accelerator) -> UnitWork:
    """Return the work that units and accumulators of *accelerator* make on the way in and out.

    Of a machine with `layer_multipliers`, in the layers that are not named.

    A float32 psum is done as it is. A float64 one is narrowed, which counts as an addition. An
    integer one is made a float32 (an addition) and scaled (a multiplication); a zero point of the
    activations adds a constant of the filter, one of the weights the constant and the product of
    itself and the sum of the pixel's activations. It is the scheme that says whether there are zero
    points: the hardware is the same for layers where they happen to be 0.
    """
    unit = MULTIPLIERS[accelerator.multiplier]
    if not isinstance(unit, IntegerMultiplier):
        narrows = accumulator_of(unit, accelerator.accumulator).bytes > WORD_BYTES
        return UnitWork(int(narrows), 0, quantizes=False, sums_activations=False)
    scheme = scheme_of(accelerator)
    activations = scheme.offset("activations", unit.operands)
    weights = scheme.offset("weights", unit.operands)
    return UnitWork(
        1 + int(activations or weights) + int(weights),
        1 + int(weights),
        quantizes=True,
        sums_activations=weights,
    )


def possible_actions(accelerator: Accelerator) -> list[tuple[str, str]]:
    """Return every (component, action) that a machine may count: what an energy table must have."""
    machines = by_unit(accelerator).values()
    units = [MULTIPLIERS[machine.multiplier] for machine in machines]
    adders = [accumulator_of(unit, accelerator.accumulator) for unit in units]
    quantizes = any(unit_work(machine).quantizes for machine in machines)
    rows = isinstance(DATAFLOWS[accelerator.array.dataflow], RowStationary)
    files = [f"rf.{operand}" for operand in RF_OPERANDS] if rows else ["rf"]
    actions = [*OPERATIONS, *(["quantize"] if quantizes else [])]
    return [
        *((f"multiplier.{unit.name}", "compute") for unit in units),
        *((f"accumulator.{name}", "add") for name in dict.fromkeys(one.name for one in adders)),
        *((memory, action) for memory in (*files, *MEMORIES) for action in ("read", "write")),
        *(("dram", action) for action in DEVICE_ACTIONS if accelerator.dram.is_device),
        *(("vector_unit", action) for action in actions),
    ]


def compile_program(trace: Trace, accelerator: Accelerator) -> Program:
    """Return the steps that run *trace* on *accelerator*.

    Raises
    ------
    TraceError
        Layers do not fit each other.
    MappingError
        A layer fits no tiling.
    UnknownNameError
        The configuration names a multiplier, accumulator or dataflow that does not exist.
    ConfigError
        A layer adds more products than ``auto`` has room for, the configuration asks for what its
        dataflow cannot do, or it names units for layers that are not there.
    """
    check_trace(trace)
    check_layers(trace, accelerator)
    arrays = {unit: (one, array_model(one)) for unit, one in by_unit(accelerator).items()}
    allocator, resident = _Allocator(), _Allocator()
    tensors = {INPUT: allocator.tensor(trace.images.shape)}
    fused = _fused_relus(trace)
    readers = _next_readers(trace, fused) if accelerator.glb.forwarding else {}
    staying: set[str] = set()
    steps: list[MacStep | VectorStep] = []
    for layer in trace.layers:
        if isinstance(layer, VectorLayer) and layer.name in fused.values():
            tensors[layer.name] = tensors[layer.source]
            staying |= {layer.name} if layer.source in staying else set()
            continue
        source = tensors[layer.source]
        held = source.words if layer.source in staying else 0
        reader, words = readers.get(layer.name), prod(layer.output_shape)
        if reader is not None and all(
            _fits(one, *arrays[accelerator.unit_of(one.name)], kept)
            for one, kept in ((layer, held + words), (reader, words))
        ):
            staying.add(layer.name)
        stays = Stays(layer.source in staying, layer.name in staying)
        machine, array = arrays[accelerator.unit_of(layer.name)]
        budget = budget_of(machine, held + words * stays.ofmap)
        target = (resident if stays.ofmap else allocator).tensor(layer.output_shape)
        tensors[layer.name] = target
        if isinstance(layer, MacLayer):
            owner = f"layer {layer.name!r}"
            unit = MULTIPLIERS[machine.multiplier]
            check_depth(unit, machine.accumulator, layer.shape.gemm.k, owner)
            tiling = tiling_of(
                layer,
                machine,
                array,
                held_words=held + words * stays.ofmap,
                spills=machine.mapper.spills,
                stays=stays,
            )
            spilled = None
            if isinstance(tiling, Tiling) and tiling.spills:
                shape = layer.shape
                words = shape.q * budget.psum_words
                spilled = allocator.tensor((shape.n, shape.m, shape.p, words))
            if isinstance(layer.weight, Operand):
                weights = tensors[layer.weight.source]
            else:
                weights = allocator.tensor(layer.weight.shape)
            bias = None if layer.bias is None else allocator.tensor(layer.bias.shape)
            relu = fused.get(layer.name)
            steps.append(
                MacStep(layer, relu, tiling, source, weights, bias, target, spilled, stays)
            )
        else:
            others = tuple(
                _seen(
                    allocator.tensor(one.values.shape)
                    if isinstance(one, Parameter)
                    else tensors[one.source],
                    one.view,
                )
                for one in layer.others
            )
            operands = (_seen(source, layer.ifmap), *others)
            parts = tuple(
                VectorPart(*vector_tile(layer, budget, view, place), read, _seen(target, place))
                for (view, place), read in zip(layer.parts, operands, strict=False)
            )
            steps.append(VectorStep(layer, parts, others, target, stays))
    output = tensors[trace.output]
    return Program(tuple(steps), tensors[INPUT], output, allocator.words, resident.words)


def _next_readers(trace: Trace, fused: dict[str, str]) -> dict[str, Layer]:
    """Return layer -> the layer that runs next, where nobody else reads its ofmap.

    That one reads it as its ifmap: weights have no place among the words that stay, nor have the
    operands of a concatenation, of which only one could be there.
    """
    maker = {relu: layer for layer, relu in fused.items()}
    layers = [layer for layer in trace.layers if layer.name not in maker]
    sources = [maker.get(layer.source, layer.source) for layer in layers]
    read = [maker.get(source, source) for layer in layers for source in layer.sources]
    readers = Counter([*read, maker.get(trace.output, trace.output)])
    return {
        layer.name: following
        for layer, following, source in zip(layers, layers[1:], sources[1:], strict=False)
        if source == layer.name
        and readers[layer.name] == 1
        and not (isinstance(following, VectorLayer) and following.places)
    }


def _fits(layer: Layer, accelerator: Accelerator, array: PeArray, held_words: int) -> bool:
    """Return whether *layer* has a tiling that fits beside *held_words* of the GLB."""
    try:
        if isinstance(layer, MacLayer):
            tiling_of(layer, accelerator, array, held_words=held_words)
        else:
            for view, place in layer.parts:
                vector_tile(layer, budget_of(accelerator, held_words), view, place)
    except MappingError:
        return False
    return True


class _Allocator:
    """Hands out DRAM addresses one after the other."""

    def __init__(self) -> None:
        self.words = 0

    def tensor(self, shape: tuple[int, ...]) -> Block:
        """Return a fresh dense row-major block."""
        block = _dense(self.words, shape)
        self.words += block.words
        return block


def _dense(address: int, shape: tuple[int, ...]) -> Block:
    """Return the row-major block of *shape* that starts at *address*."""
    return Block(address, tuple(shape), View.dense(shape).strides)


def _seen(whole: Block, view: View) -> Block:
    """Return the block of the elements that *view* has in a dense tensor."""
    return Block(whole.address + view.offset, view.shape, view.strides)


def _fused_relus(trace: Trace) -> dict[str, str]:
    """Return MAC layer -> the ReLU that is its only reader: the drain path applies it.

    One that reads a part of the outputs is a layer of its own.
    """
    readers = Counter(source for layer in trace.layers for source in layer.sources)
    readers[trace.output] += 1
    mac_layers = {layer.name for layer in trace.layers if isinstance(layer, MacLayer)}
    return {
        layer.source: layer.name
        for layer in trace.layers
        if layer.op == "relu"
        and layer.view is None
        and layer.source in mac_layers
        and readers[layer.source] == 1
    }
