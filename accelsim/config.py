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
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_serializer,
)

from accelsim.errors import ConfigError, UnknownNameError, nearest
from accelsim.fields import LAYERS, field_types
from accelsim.notebook import facts_html
from accelsim.sections import (
    NUMBER,
    WORD,
    ArrayConfig,
    Clock,
    DmaConfig,
    DramConfig,
    GlbConfig,
    MapperConfig,
    MultiplierEnergyConfig,
    Name,
    Nanometers,
    QuantizationConfig,
    Section,
    SpatialConfig,
    VectorUnitConfig,
)
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


class Accelerator(Section):
    """One accelerator: everything but the network that a simulation depends on.

    Build it with `from_yaml`, `preset` or `replace`; the constructor takes the fields themselves.

    >>> Accelerator.preset("edge_16x16").replace(**{"array.rows": 32}).array.rows
    32
    """

    name: Name
    """Label used in tables and figures."""
    clock_mhz: Clock
    """Clock of the array, the buffers and the vector unit, MHz; auto: the fastest at which
    multiplier and accumulator take one cycle each, of several units the slowest ones."""
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
    layer_multipliers: Mapping[Name, Name] = Field(default_factory=dict)
    """Layer -> the multiplier that it runs on in place of `multiplier`; every PE then has all of
    these units side by side, of which one is at work."""
    spatial: SpatialConfig = SpatialConfig()
    glb: GlbConfig
    dram: DramConfig
    dma: DmaConfig = DmaConfig()
    mapper: MapperConfig = MapperConfig()
    vector_unit: VectorUnitConfig
    quantization: QuantizationConfig = QuantizationConfig()
    multiplier_energy: MultiplierEnergyConfig = MultiplierEnergyConfig()

    @field_validator("layer_multipliers")
    @classmethod
    def _delays_are_the_units_own(
        cls, units: Mapping[str, str], others: ValidationInfo
    ) -> Mapping[str, str]:
        array = others.data.get("array")
        if units and array is not None and array.multiplier_delay_ps is not None:
            raise ValueError(
                "array.multiplier_delay_ps is the delay of one unit; set it to null, for each unit "
                "has its own"
            )
        return units

    @model_serializer(mode="wrap")
    def _without_empty_mapping(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Machines of one unit keep the hashes that they had before there was this field.
        fields: dict[str, Any] = write(self)
        if not self.layer_multipliers:
            del fields[LAYERS]
        return fields

    def __hash__(self) -> int:
        return hash(self.config_hash)

    @property
    def units(self) -> tuple[str, ...]:
        """Names of the multipliers in every PE: `multiplier`, and those of single layers."""
        return tuple(dict.fromkeys([self.multiplier, *self.layer_multipliers.values()]))

    def unit_of(self, layer: str) -> str:
        """Return the name of the multiplier that *layer* runs on."""
        return self.layer_multipliers.get(layer, self.multiplier)

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
        named = {f"{LAYERS}.{layer}": unit for layer, unit in machine.layer_multipliers.items()}
        named |= {"energy_table": machine.energy_table, "multiplier": machine.multiplier}
        beside = {
            field: str(path.parent / name)
            for field, name in named.items()
            if name.endswith(".csv" if field == "energy_table" else ".npz")
        }
        return machine.replace(**beside) if beside else machine

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
        data = {LAYERS: {}, **self.model_dump(mode="json")}
        for key, value in changes.items():
            of_layer = key.startswith(f"{LAYERS}.")  # whose name may have dots of its own
            *parents, last = key.split(".", 1) if of_layer else key.split(".")
            section: Any = data
            for parent in parents:
                section = section.get(parent) if isinstance(section, dict) else None
            if not isinstance(section, dict) or (last not in section and not of_layer):
                fields = field_types(type(self))
                raise ConfigError(
                    f"no field {key!r} in an accelerator; known: {', '.join(fields)}."
                    f"{nearest(key, fields)}"
                )
            section[last] = value.item() if hasattr(value, "item") else value
        return _validated(type(self), data)

    def to_yaml(self) -> str:
        """Return the configuration as YAML text that `from_yaml` reads back to an equal value."""
        fields = {LAYERS: {}, **self.model_dump(mode="json")}
        return dump_yaml({name: fields[name] for name in type(self).model_fields})

    def _repr_html_(self) -> str:
        facts = {
            name: ", ".join(f"{field}={own}" for field, own in value.items()) or "none"
            if isinstance(value, dict)
            else value
            for name, value in {LAYERS: {}, **self.model_dump()}.items()
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
    location = [str(part) for part in fault["loc"] if part not in (NUMBER, WORD)]
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
    elif fault["type"] in ("dict_type", "model_type"):
        parts = [name for name in field_types(cls) if name.startswith(f"{field}.")]
        example = parts[0] if parts else f"{field}.LAYER"
        rule = f"has fields of its own, such as {example}; give these, got {fault['input']!r}"
    elif fault["type"] == "value_error":
        rule = f"{fault['ctx']['error']}, got {fault['input']!r}"
    else:
        rule = f"{fault['msg'][0].lower()}{fault['msg'][1:]}, got {fault['input']!r}"
    where = f"{path}:{line}:{column}: " if path else "accelerator: "
    return (line, column), f"{where}{field}: {rule}"
