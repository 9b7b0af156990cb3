"""The sections of an accelerator's configuration, and the kinds of their fields."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    model_validator,
)

__all__ = [
    "NUMBER",
    "WORD",
    "ArrayConfig",
    "Clock",
    "DmaConfig",
    "DramConfig",
    "GlbConfig",
    "MapperConfig",
    "MultiplierEnergyConfig",
    "Name",
    "Nanometers",
    "QuantizationConfig",
    "Section",
    "SpatialConfig",
    "VectorUnitConfig",
]

NUMBER, WORD = "number", "word"
"""Tags of the two kinds of a field that takes a number or a word; no part of its name."""

Count = Annotated[int, Field(ge=1, le=2**31, strict=True)]
Kib = Annotated[float, Field(gt=0, le=2**30, allow_inf_nan=False, strict=True)]
Delay = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False, strict=True)]
Nanometers = Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False, strict=True)]
Name = Annotated[str, StringConstraints(min_length=1, strict=True)]
Kind = Literal["auto", "affine", "symmetric"]
Flag = Annotated[bool, Field(strict=True)]
Clock = Annotated[
    Annotated[float, Field(ge=1e-3, le=1e5, allow_inf_nan=False, strict=True), Tag(NUMBER)]
    | Annotated[Literal["auto"], Tag(WORD)],
    Discriminator(lambda value: WORD if value == "auto" else NUMBER),
]
Transitions = Annotated[
    Annotated[int, Field(ge=1000, le=2**31, strict=True), Tag(NUMBER)]
    | Annotated[Literal["auto", "all"], Tag(WORD)],
    Discriminator(lambda value: WORD if isinstance(value, str) else NUMBER),
]


class Section(BaseModel):
    """A part of a configuration: frozen, and without fields that it does not know."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=True
    )


class ArrayConfig(Section):
    """The PE array: rows x cols processing elements, each one multiplier and one accumulator."""

    rows: Count
    """PEs in a column: output pixels in the os dataflow, kernel rows and channels in rs."""
    cols: Count
    """PEs in a row: filters in the os dataflow, ofmap rows and filters in rs."""
    dataflow: Name = "os"
    """Registered name of the dataflow."""
    pipelined: Flag = True
    """True: multipliers and adders start every cycle. False: only when they have finished."""
    overlap: Literal["none", "load", "drain", "both"] = "none"
    """What of a pass is hidden under its neighbors. none: passes follow each other, as in
    SCALE-Sim. load: PEs have a second register for the stationary operand of the next pass. drain:
    a pass fills while the one before drains. both: passes follow as closely as they can. Of the
    systolic dataflows only."""
    multiplier_delay_ps: Delay | None = None
    """Delay of a product in ps, for another circuit of the same function; null: the unit's own."""
    adder_delay_ps: Delay | None = None
    """Delay of an addition in ps; null: the accumulator's own."""


class SpatialConfig(Section):
    """Register files and NoCs of the rs dataflow's PEs; without effect in the others.

    The defaults are Eyeriss' numbers of words (JSSC 52(1), 2017, Table IV and text): of 16 bits
    there, of 32 here.
    """

    ifmap_rf_words: Count = 12
    """Words of a PE's RF for ifmap rows; a kernel row must fit."""
    filter_rf_words: Count = 224
    """Words of a PE's RF for filter rows."""
    psum_rf_words: Count = 24
    """Words of a PE's RF for psums, of which a float64 or int64 takes two."""
    ifmap_words_per_cycle: Count | None = 1
    """Width of the NoC from the GLB to the ifmap RFs; null: an ideal one."""
    filter_words_per_cycle: Count | None = 4
    """Width of the NoC from the GLB to the filter RFs; null: an ideal one."""
    psum_words_per_cycle: Count | None = 4
    """Width of the NoCs of psums, one into the array and one out of it; null: ideal ones."""
    hop_cycles: Annotated[int, Field(ge=0, le=10**6, strict=True)] = 3
    """From the psum of a PE to that of the PE above, its addition included: Eyeriss' three stages
    of a PE. Never less than the accumulator takes."""
    psum_add_cycles: Annotated[int, Field(ge=0, le=10**6, strict=True)] = 0
    """Cycles in which a PE adds the psum from below instead of a product; 0: beside products."""


class GlbConfig(Section):
    """Global buffer: partitions for ifmap, weights and ofmaps, or one memory for all three."""

    ifmap_kib: Kib
    """Capacity of the ifmap partition, KiB; when double-buffered, half of it holds a tile."""
    weight_kib: Kib
    """Capacity of the weight partition, KiB; when double-buffered, half of it holds a tile."""
    ofmap_kib: Kib
    """Capacity of the partition for psums and ofmaps, KiB; when double-buffered, half a tile."""
    read_words_per_cycle: Count = 32
    """32-bit words that the bus from all partitions to the array delivers in a cycle; in the rs
    dataflow the NoCs of `spatial` take its place."""
    unified: Flag = False
    """True: one memory as large as the three, cut for each layer as its tiles need it."""
    double_buffered: Flag = True
    """True: room for two tiles, one in use and one on its way. False: the next tile waits."""
    banks: Count = 8
    """Banks of a partition (of the whole GLB when unified); a client at work keeps one busy."""
    ports: Count = 1
    """Clients that one bank serves at the same time: array, DMA and vector unit."""
    word_bits: Annotated[int, Field(ge=32, le=2**20, multiple_of=32, strict=True)] | None = None
    """Bits that a bank's port moves in a cycle, and width of an access in the energy account; null:
    as many as the bus to the array, in accesses of one 32-bit word side by side."""

    forwarding: Flag = False
    """True: an ofmap that only the next layer reads stays in the GLB where it fits beside the
    tiles of both layers. Needs a unified GLB."""

    @model_validator(mode="after")
    def _forwarding_needs_one_memory(self) -> GlbConfig:
        if self.forwarding and not self.unified:
            raise ValueError("forwarding needs unified: true, where words stay where they are")
        return self

    @property
    def slots(self) -> int:
        """Tiles of an operand that the GLB has room for."""
        return 2 if self.double_buffered else 1

    @property
    def access_bits(self) -> int:
        """Width of one access, whose energy is looked up."""
        return 32 if self.word_bits is None else self.word_bits

    @property
    def port_words(self) -> int:
        """32-bit words that a port moves in a cycle."""
        return self.read_words_per_cycle if self.word_bits is None else self.word_bits // 32


class DramConfig(Section):
    """DRAM: what lies behind the chip's one memory channel."""

    kind: Name = "simple"
    """simple: latency and bandwidth alone; or a device with banks and rows, such as ddr4_2400."""
    channels: Count = 1
    """Channels of the device in lockstep: bursts and rows are so many times as wide."""
    bytes_per_cycle: Count
    """Bandwidth of the link to the chip in bytes per accelerator cycle."""
    latency_cycles: Annotated[int, Field(ge=0, le=10**6, strict=True)]
    """Cycles from a request to its first byte; with a device, what comes on top of its own."""

    @property
    def is_device(self) -> bool:
        """Whether it has bursts and rows, and not words alone."""
        return self.kind != "simple"


class DmaConfig(Section):
    """The DMA engine, which works its descriptors off in the order of the program."""

    queue_depth: Count = 1
    """Descriptors under way at a time: behind the first, latencies hide behind its data."""


class MapperConfig(Section):
    """How layers are cut into tiles."""

    objective: Literal["cycles", "traffic"] = "cycles"
    """Of the tilings that fit, the one with the fewest estimated cycles, or least DRAM traffic."""
    spills: Flag = False
    """True: a tiling may send unfinished psums to DRAM and back, where that is better. Of the
    systolic dataflows only; in rs psums stay in the GLB."""


class VectorUnitConfig(Section):
    """Vector unit for bias, ReLU and pooling."""

    lanes: Count
    """Elementary operations (an addition, a comparison) done in a cycle."""


class QuantizationConfig(Section):
    """How operands become integers where the multiplier takes integers; else without effect."""

    activations: Kind = "auto"
    """affine: any zero point; symmetric: a fixed one; auto: symmetric where the unit is signed."""
    weights: Kind = "auto"
    """As activations."""
    per_channel: Flag = True
    """True: weights have a scale and zero point per filter. False: per layer."""


class MultiplierEnergyConfig(Section):
    """How the energy of the multipliers depends on their operands."""

    mode: Literal["fixed", "zero_gated", "toggles"] = "fixed"
    """fixed: every product costs the table's figure. zero_gated: those with an operand that is zero
    cost its figure for gated. toggles: what the unit's netlist switches over the operands that
    flow through each PE."""
    toggles: Literal["functional", "unit_delay"] = "functional"
    """Which toggles are the multipliers' energy in mode toggles; the other is reported beside it.
    functional: settled states only, a lower bound. unit_delay: every glitch, an upper bound."""
    transitions: Transitions = "auto"
    """Transitions that mode toggles counts. all; or how many to sample; auto: all where that takes
    a few seconds, else a sample of 20,000."""
    seed: Annotated[int, Field(ge=0, le=2**31, strict=True)] = 0
    """Seed of the sample."""
