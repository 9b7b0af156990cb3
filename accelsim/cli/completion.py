"""What the shell completes: names that are listed, fields of the accelerator and their words.

Names come from the `Catalog`, so that a key pressed costs no import of what they name.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout

from accelsim.cli.catalog import Catalog

__all__ = ["choices", "fields", "names", "whole_words"]

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


@contextmanager
def whole_words() -> Iterator[None]:
    """Let bash complete what stands behind ``=``, where it breaks words.

    It asks about ``--set multiplier=ax_`` as four words, the last two ``=`` and ``ax_``, and puts
    what is printed in the place of the last. Inside they are one word, and what is printed loses
    what bash has already.
    """
    if os.environ.get("_ACCELSIM_COMPLETE") != "complete_bash":
        yield
        return
    words = os.environ["COMP_WORDS"].split("\n")[: int(os.environ["COMP_CWORD"]) + 1]
    joined, broken = words[:1], False
    for word in words[1:]:
        if broken or word == "=":
            joined[-1] += word
        else:
            joined.append(word)
        broken = word == "="
    if joined == words:
        yield
        return
    os.environ.update({"COMP_WORDS": "\n".join(joined), "COMP_CWORD": str(len(joined) - 1)})
    parts = joined[-1].split("=")
    there = ["=".join([*parts[first:-1], ""]) for first in range(len(parts) - 1)]
    printed = io.StringIO()
    try:
        with redirect_stdout(printed):
            yield
    finally:
        for line in printed.getvalue().splitlines():
            print(line.removeprefix(next(filter(line.startswith, there), "")))


def _matching(words: Mapping[str, str], incomplete: str) -> list[tuple[str, str]]:
    """Return the words that begin so; the form of a family's names is no word."""
    return [
        (word, text)
        for word, text in words.items()
        if word.startswith(incomplete) and "<" not in word
    ]
