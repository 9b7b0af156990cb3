"""The fields of a configuration and of its sections by dotted name, and the words they take."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, TypeAdapter

__all__ = ["LAYERS", "field_types", "field_words", "last_name"]

LAYERS = "layer_multipliers"
"""The field whose parts are named by layers."""


def field_types(section: type[BaseModel]) -> dict[str, Any]:
    """Return dotted name -> type of all fields of *section* and of the sections in it."""
    found: dict[str, Any] = {}
    for name, field in section.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found |= {f"{name}.{inner}": own for inner, own in field_types(kind).items()}
        else:
            found[name] = kind
    return found


def last_name(name: str) -> str:
    """Return the last part of a dotted name, or the layer, which may have dots of its own.

    >>> last_name("array.rows"), last_name("layer_multipliers.features.0")
    ('rows', 'features.0')
    """
    mapping, _, layer = name.partition(".")
    return layer if mapping == LAYERS else name.rpartition(".")[2]


def field_words(section: type[BaseModel], name: str) -> list[str]:
    """Return the words that the field *name* takes, as YAML writes them: ``none``, ``true``.

    There are none of a number, of a free name, and of a field that *section* does not have.
    """
    types = field_types(section)
    if name not in types:
        return []
    schema = TypeAdapter(types[name]).json_schema()
    words: list[str] = []
    for one in (schema, *schema.get("anyOf", ())):
        words += one.get("enum", [one["const"]] if "const" in one else [])
        words += {"boolean": ["true", "false"], "null": ["null"]}.get(one.get("type"), [])
    return words
