"""The accelerator: array, memories, clock, units; validated, read from YAML, written to YAML.

A configuration is one immutable value. Everything that a simulation depends on besides the trace is
in it, and `Accelerator.config_hash` names it. Faults are collected and raised once, each with the
field, the rule and the value got, and with file and line when the value came from a file.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationError,
    model_validator,
)

from accelsim.errors import ConfigError, UnknownNameError, nearest
from accelsim.fields import field_types
from accelsim.notebook import facts_html
from accelsim.yaml_files import dump_yaml, load_yaml

__all__ = [
    "Accelerator",
    "ArrayConfig",
    "DmaConfig",
    "DramConfig",
    "GlbConfig",
    "MapperConfig",
    "MultiplierEnergyConfig",
    "QuantizationConfig",
    "SpatialConfig",
    "VectorUnitConfig",
    "json_schema",
    "presets",
]

PRESET_DIR = Path(__file__).parent / "presets"

Count = Annotated[int, Field(ge=1, le=2**31, strict=True)]
Kib = Annotated[float, Field(gt=0, le=2**30, allow_inf_nan=False, strict=True)]
Delay = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False, strict=True)]
Nanometers = Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False, strict=True)]
Name = Annotated[str, StringConstraints(min_length=1, strict=True)]
Kind = Literal["auto", "affine", "symmetric"]
Flag = Annotated[bool, Field(strict=True)]
_NUMBER, _WORD = "number", "word"
Clock = Annotated[
    Annotated[float, Field(ge=1e-3, le=1e5, allow_inf_nan=False, strict=True), Tag(_NUMBER)]
    | Annotated[Literal["auto"], Tag(_WORD)],
    Discriminator(lambda value: _WORD if value == "auto" else _NUMBER),
]
Transitions = Annotated[
    Annotated[int, Field(ge=1000, le=2**31, strict=True), Tag(_NUMBER)]
    | Annotated[Literal["auto", "all"], Tag(_WORD)],
    Discriminator(lambda value: _WORD if isinstance(value, str) else _NUMBER),
]


class _Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=True
    )


class ArrayConfig(_Section):
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


class SpatialConfig(_Section):
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


class GlbConfig(_Section):
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


class DramConfig(_Section):
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


class DmaConfig(_Section):
    """The DMA engine, which works its descriptors off in the order of the program."""

    queue_depth: Count = 1
    """Descriptors under way at a time: behind the first, latencies hide behind its data."""


class MapperConfig(_Section):
    """How layers are cut into tiles."""

    objective: Literal["cycles", "traffic"] = "cycles"
    """Of the tilings that fit, the one with the fewest estimated cycles, or least DRAM traffic."""
    spills: Flag = False
    """True: a tiling may send unfinished psums to DRAM and back, where that is better. Of the
    systolic dataflows only; in rs psums stay in the GLB."""


class VectorUnitConfig(_Section):
    """Vector unit for bias, ReLU and pooling."""

    lanes: Count
    """Elementary operations (an addition, a comparison) done in a cycle."""


class QuantizationConfig(_Section):
    """How operands become integers where the multiplier takes integers; else without effect."""

    activations: Kind = "auto"
    """affine: any zero point; symmetric: a fixed one; auto: symmetric where the unit is signed."""
    weights: Kind = "auto"
    """As activations."""
    per_channel: Flag = True
    """True: weights have a scale and zero point per filter. False: per layer."""


class MultiplierEnergyConfig(_Section):
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


class Accelerator(_Section):
    """One accelerator: everything but the network that a simulation depends on.

    Build it with `from_yaml`, `preset` or `replace`; the constructor takes the fields themselves.

    >>> Accelerator.preset("edge_16x16").replace(**{"array.rows": 32}).array.rows
    32
    """

    name: Name
    """Label used in tables and figures."""
    clock_mhz: Clock
    """Clock of the array, the buffers and the vector unit, MHz; auto: the fastest at which
    multiplier and accumulator take one cycle each."""
    multiplier: Name = "exact_fp32"
    """Registered name of the functional unit in every PE, or the path of a unit file (.npz)."""
    accumulator: Name = "auto"
    """Registered name of the accumulator in every PE; auto: the usual one of the multiplier."""
    energy_table: Name = "cmos45"
    """Name of a table in `energy_tables/`, or the path of a CSV file."""
    technology_nm: Nanometers | None = None
    """Node of the chip in nm, which the energy table must be of; null: whatever the table is of."""
    clock_tree: Annotated[bool, Field(strict=True)] = False
    """Whether the clock tree is charged: every PE, every cycle, the table's ``clock cycle``."""
    array: ArrayConfig
    spatial: SpatialConfig = SpatialConfig()
    glb: GlbConfig
    dram: DramConfig
    dma: DmaConfig = DmaConfig()
    mapper: MapperConfig = MapperConfig()
    vector_unit: VectorUnitConfig
    quantization: QuantizationConfig = QuantizationConfig()
    multiplier_energy: MultiplierEnergyConfig = MultiplierEnergyConfig()

    @classmethod
    def from_yaml(cls, path: str | Path) -> Accelerator:
        """Return the accelerator that the YAML file *path* describes.

        Raises
        ------
        ConfigError
            The file cannot be read or parsed, or holds unknown, missing or unusable values; the
            message lists every fault as ``file:line:column: field: rule, got value``.
        """
        path = Path(path)
        data = load_yaml(path, "accelerator file", ConfigError)
        if not isinstance(data, Mapping):
            kind = "nothing" if data is None else "a list" if isinstance(data, list) else repr(data)
            raise ConfigError(f"{path}:1: expected a mapping of fields, got {kind}")
        machine = _validated(cls, data, str(path))
        # A table or a unit beside the file is found from any folder.
        for field, suffix in (("energy_table", ".csv"), ("multiplier", ".npz")):
            name = getattr(machine, field)
            if name.endswith(suffix):
                machine = machine.replace(**{field: str(path.parent / name)})
        return machine

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Accelerator:
        """Return the accelerator with these *fields*, nested as in a YAML file.

        Raises
        ------
        ConfigError
            Unknown, missing or unusable values.
        """
        return _validated(cls, fields)

    @classmethod
    def preset(cls, name: str) -> Accelerator:
        """Return the shipped accelerator *name*; `presets()` lists them."""
        known = presets()
        if name not in known:
            raise UnknownNameError(
                f"no preset named {name!r}; known: {', '.join(known)}.{nearest(name, known)}"
            )
        return cls.from_yaml(PRESET_DIR / f"{name}.yaml")

    @classmethod
    def load(cls, preset_or_path: str | Path) -> Accelerator:
        """Return a preset by its name, or a YAML file's by its path (with a / or a suffix)."""
        text = str(preset_or_path)
        if text not in presets() and (text.endswith((".yaml", ".yml")) or os.sep in text):
            return cls.from_yaml(text)
        return cls.preset(text)

    def replace(self, **changes: object) -> Accelerator:
        """Return a copy with fields changed; a nested field is named with a dot.

        Raises
        ------
        ConfigError
            A field does not exist or a value breaks its rule.
        """
        data = self.model_dump(mode="json")
        for key, value in changes.items():
            *parents, last = key.split(".")
            section: Any = data
            for parent in parents:
                section = section.get(parent) if isinstance(section, dict) else None
            if not isinstance(section, dict) or last not in section:
                fields = field_types(type(self))
                raise ConfigError(
                    f"no field {key!r} in an accelerator; known: {', '.join(fields)}."
                    f"{nearest(key, fields)}"
                )
            section[last] = value.item() if hasattr(value, "item") else value
        return _validated(type(self), data)

    def to_yaml(self) -> str:
        """Return the configuration as YAML text that `from_yaml` reads back to an equal value."""
        return dump_yaml(self.model_dump(mode="json"))

    def _repr_html_(self) -> str:
        facts = {
            name: ", ".join(f"{field}={own}" for field, own in value)
            if isinstance(value, _Section)
            else value
            for name, value in self
        }
        return facts_html(f"Accelerator {self.name}", {**facts, "config_hash": self.config_hash})

    @property
    def config_hash(self) -> str:
        """First 16 hex digits of the SHA-256 of the configuration's canonical JSON."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def presets() -> list[str]:
    """Return the names of the shipped accelerators."""
    return sorted(path.stem for path in PRESET_DIR.glob("*.yaml"))


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of accelerator files, by which editors check and complete them."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Accelerator.model_json_schema(),
    }


def _validated(cls: type[Accelerator], data: Mapping[str, Any], path: str = "") -> Accelerator:
    try:
        return cls.model_validate(_plain(data))
    except ValidationError as error:
        faults = sorted(_fault(cls, data, dict(fault), path) for fault in error.errors())
    raise ConfigError("\n".join(text for _, text in faults))


def _plain(data: Any) -> Any:
    """Return ruamel's mappings as plain dicts; its scalars already compare as plain ones."""
    return {k: _plain(v) for k, v in data.items()} if isinstance(data, Mapping) else data


def _fault(
    cls: type[BaseModel], data: Any, fault: dict[str, Any], path: str
) -> tuple[tuple[int, int], str]:
    """Return ((line, column), message) of one pydantic fault."""
    location = [str(part) for part in fault["loc"] if part not in (_NUMBER, _WORD)]
    line, column, model, section = 1, 1, cls, data
    for part in location:
        marks = getattr(section, "lc", None)
        if marks is not None and isinstance(section, Mapping) and part in section:
            line, column = (mark + 1 for mark in marks.key(part))
        section = section.get(part) if isinstance(section, Mapping) else None
        inner = model.model_fields[part].annotation if part in model.model_fields else None
        if isinstance(inner, type) and issubclass(inner, BaseModel) and part != location[-1]:
            model = inner
    field = ".".join(location)
    if fault["type"] == "extra_forbidden":
        rule = f"unknown field.{nearest(location[-1], model.model_fields)}"
    elif fault["type"] == "missing":
        rule = "required field is missing"
    else:
        rule = f"{fault['msg'][0].lower()}{fault['msg'][1:]}, got {fault['input']!r}"
    where = f"{path}:{line}:{column}: " if path else "accelerator: "
    return (line, column), f"{where}{field}: {rule}"
