"""The command line: `main` runs one verb, `script` a script; every outcome becomes an exit code.

0 done; 2 bad input, one clear message on stderr; 1 anything else; 130 interrupted.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence

from accelsim.errors import AccelsimError

__all__ = ["main", "script"]

NAME = "accelsim"
DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line *arguments* (the process's own by default) and exit."""
    script(lambda: _run(arguments), NAME)


def script(
    work: Callable[[], int | None], name: str | None = None, *, about: str | None = None
) -> None:
    """Do *work*, all of a script, and exit as the command line does.

    Parameters
    ----------
    work : callable
        Returns an exit code, or None for 0.
    name : str, optional
        Who complains on stderr; the script's file by default.
    about : str, optional
        What ``--help`` tells in place of the work, for a script that reads no options itself.
    """
    asked = about if {"-h", "--help"} & set(sys.argv[1:]) else None
    name = name or os.path.basename(sys.argv[0])
    interrupted = False

    def interrupt(*_: object) -> None:
        nonlocal interrupted
        interrupted = True
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGINT, interrupt)
    try:
        code = (work() if asked is None else print(asked.strip())) or DONE
        sys.stdout.flush()
    except AccelsimError as error:
        _complain(name, str(error))
        code = BAD_INPUT
    except KeyboardInterrupt:
        code = INTERRUPTED
    except OSError as error:
        # Whoever reads the output has gone, or its disk is full; what is left of it goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            _complain(name, f"{error.strerror}{f': {error.filename}' if error.filename else ''}")
        code = FAILED
    except Exception:
        # An interruption in the middle of a library's import may come out as any exception.
        if not interrupted:
            raise
        code = INTERRUPTED
    finally:
        signal.signal(signal.SIGINT, previous)
    if code == INTERRUPTED:
        _complain(name, "interrupted", "")
    sys.exit(code)


def _run(arguments: Sequence[str] | None) -> int:
    """Run one verb and return its exit code."""
    import typer

    from accelsim.cli.app import app
    from accelsim.cli.completion import whole_words
    from accelsim.threads import get_threads

    get_threads()  # a malformed setting is told now, not in the middle of the work
    app.rich_markup_mode = "markdown" if sys.stdout.isatty() else None  # boxes for people alone
    try:
        with whole_words():
            code = app(
                args=None if arguments is None else list(arguments),
                prog_name=NAME,
                standalone_mode=False,
            )
    except typer.TyperException as error:
        _complain(NAME, error.format_message() or "no command given; see 'accelsim --help'")
        code = error.exit_code
    return code if isinstance(code, int) else DONE


def _complain(name: str, message: str, kind: str = "error: ") -> None:
    print(f"{name}: {kind}{message}", file=sys.stderr)
