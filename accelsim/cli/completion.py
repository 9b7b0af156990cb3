"""What the shell completes: names that are listed, fields of the accelerator and their words.

Names come from the `Catalog`, so that a key pressed costs no import of what they name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from accelsim.cli.catalog import Catalog

__all__ = ["choices", "fields", "names"]

Completer = Callable[[str], list[tuple[str, str]]]
"""Function of an incomplete word that returns (word, what it is) of all that it may become."""

NAMED = {
    "multiplier": "multipliers",
    "accumulator": "accumulators",
    "energy_table": "tables",
    "array.dataflow": "dataflows",
    "dram.kind": "dram",
}
"""Field of the accelerator -> kind of the names that it takes."""


def names(*kinds: str, more: Iterable[str] = ()) -> Completer:
    """Return a completer of the names of *kinds* and of *more* words."""

    def complete(incomplete: str) -> list[tuple[str, str]]:
        found = dict.fromkeys(more, "")
        catalog = Catalog()
        for kind in kinds:
            found |= catalog.names(kind)
        return _matching(found, incomplete)

    return complete


def choices(*words: str) -> Completer:
    """Return a completer of *words*."""
    return lambda incomplete: _matching(dict.fromkeys(words, ""), incomplete)


def fields(prefix: str = "") -> Completer:
    """Return a completer of ``FIELD=VALUE`` for fields of the accelerator that start so.

    A field comes with ``=``, and behind it the words that the field takes; that of layers with a
    dot, behind which a layer's name goes.
    """

    def complete(incomplete: str) -> list[tuple[str, str]]:
        from accelsim.config import Accelerator
        from accelsim.fields import LAYERS, field_types, field_words

        field, equals, _ = incomplete.partition("=")
        if not equals:
            known = [name for name in field_types(Accelerator) if name.startswith(prefix)]
            ended = [f"{name}." if name == LAYERS else f"{name}=" for name in known]
            return _matching(dict.fromkeys(ended, ""), incomplete)
        words = dict.fromkeys(field_words(Accelerator, field), "")
        kind = "multiplier" if field.startswith(f"{LAYERS}.") else field
        if kind in NAMED:
            words |= Catalog().names(NAMED[kind])
        return _matching({f"{field}={word}": text for word, text in words.items()}, incomplete)

    return complete


def _matching(words: Mapping[str, str], incomplete: str) -> list[tuple[str, str]]:
    """Return the words that begin so; the form of a family's names is no word."""
    return [
        (word, text)
        for word, text in words.items()
        if word.startswith(incomplete) and "<" not in word
    ]
