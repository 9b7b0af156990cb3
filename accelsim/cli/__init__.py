"""The command line: `main` runs one verb and turns every outcome into an exit code.

0 done; 2 bad input, one clear message on stderr; 1 anything else; 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from accelsim.errors import AccelsimError

__all__ = ["main"]

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line *arguments* (the process's own by default) and exit."""
    import typer

    from accelsim.cli.app import app

    try:
        code = app(
            args=None if arguments is None else list(arguments),
            prog_name="accelsim",
            standalone_mode=False,
        )
    except typer.TyperException as error:
        message = error.format_message() or "no command given; see 'accelsim --help'"
        _complain(message)
        code = error.exit_code
    except AccelsimError as error:
        _complain(str(error))
        code = 2
    except BrokenPipeError:
        # Whoever read the output has gone; what is left of it goes nowhere, quietly.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    if code == INTERRUPTED:
        _complain("interrupted", "")
    sys.exit(code if isinstance(code, int) else 0)


def _complain(message: str, kind: str = "error: ") -> None:
    print(f"accelsim: {kind}{message}", file=sys.stderr)
