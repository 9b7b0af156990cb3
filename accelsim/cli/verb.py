"""What every verb has besides its own options: --quiet, and examples that its help ends with."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from accelsim.cli.output import quieted

__all__ = ["Verb", "register"]

QuietOption = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        help="Only errors and warnings on stderr: no progress, no notes.",
    ),
]

MARK = "Example:"
WIDTH = 80


class Verb(TyperCommand):
    """A command whose help ends with the examples of its docstring, ready to be pasted.

    An example is a paragraph of the docstring that begins with ``Example:``; it may be folded.

    Attributes
    ----------
    examples : list of str
        Command lines, each without line breaks.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        paragraphs = [text.strip() for text in (self.help or "").split("\n\n")]
        examples = [text for text in paragraphs if text.startswith(MARK)]
        self.examples = [" ".join(text.removeprefix(MARK).split()) for text in examples]
        self.help = "\n\n".join(text for text in paragraphs if text not in examples)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help, then the examples."""
        super().format_help(ctx, formatter)
        if self.examples:
            formatter.write(f"\n{MARK if len(self.examples) == 1 else 'Examples:'}\n")
        for example in self.examples:
            formatter.write(f"{_folded(example)}\n")


def _folded(command: str) -> str:
    """Return *command* in indented lines of at most `WIDTH` columns that a shell reads as one."""
    word = r"""(?:"[^"]*"|'[^']*'|[^\s"'])+"""
    lines = ["  "]
    # An option and its value stay together.
    for part in re.findall(rf"-{word} (?!-){word}|{word}", command):
        if len(lines[-1]) + len(part) + len(" \\") > WIDTH:
            lines.append("      ")
        lines[-1] += f"{part} "
    return "\\\n".join(lines).rstrip()


def register(app: typer.Typer, verb: Callable[..., None], name: str | None = None) -> None:
    """Add *verb* to *app* with ``--quiet``, under *name* or else its own."""

    @functools.wraps(verb)
    def run(*, quiet: bool, **options: Any) -> None:
        with quieted(quiet):
            verb(**options)

    signature = inspect.signature(verb, eval_str=True)
    last = inspect.Parameter(
        "quiet", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=QuietOption
    )
    parameters = [*signature.parameters.values(), last]
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {**verb.__annotations__, "quiet": QuietOption}
    own = verb.__name__.rstrip("_").replace("_", "-")
    app.command(name=name or own, cls=Verb)(run)
