"""The command line: `main` runs one verb and turns every outcome into an exit code.

0 done; 2 bad input, one clear message on stderr; 1 anything else; 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from accelsim.errors import AccelsimError

__all__ = ["main"]

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line *arguments* (the process's own by default) and exit."""
    code: object
    try:
        import typer

        from accelsim.cli.app import app

        try:
            code = app(
                args=None if arguments is None else list(arguments),
                prog_name="accelsim",
                standalone_mode=False,
            )
        except typer.TyperException as error:
            _complain(error.format_message() or "no command given; see 'accelsim --help'")
            code = error.exit_code
    except AccelsimError as error:
        _complain(str(error))
        code = BAD_INPUT
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has gone; what is left of it goes nowhere, quietly.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = FAILED
    if code == INTERRUPTED:
        _complain("interrupted", "")
    sys.exit(code if isinstance(code, int) else 0)


def _complain(message: str, kind: str = "error: ") -> None:
    print(f"accelsim: {kind}{message}", file=sys.stderr)
