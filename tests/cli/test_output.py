"""Tests of where output goes and what it looks like: terminals, pipes, NO_COLOR, --quiet."""

import os
import pty
import subprocess
import sys

import pytest

from accelsim.cli.output import note, progress, quieted, warn

COMMAND = [sys.executable, "-c", "from accelsim.cli import main; main()"]


def drawn(text):
    """Return the characters of *text* that draw boxes, rules and bars, or steer a terminal."""
    return {letter for letter in text if letter == "\x1b" or "─" <= letter <= "▟"}


def on_a_terminal(*arguments, **environment):
    """Run a command line whose stdout is a terminal of 80 columns; return what that is sent."""
    theirs, ours = pty.openpty()
    settings = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", **environment}
    with subprocess.Popen([*COMMAND, *arguments], stdout=ours, env=settings) as process:
        os.close(ours)
        sent = b""
        try:
            while part := os.read(theirs, 65536):
                sent += part
        except OSError:  # the other end was closed
            pass
    os.close(theirs)
    assert process.returncode == 0
    return sent.decode()


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("simulate", "--help"), ("list", "presets"), ("show", "edge_16x16"),
     ("config", "show"), ("config", "schema")],
)  # fmt: skip
def test_a_pipe_gets_words_alone(accelsim, arguments):
    code, out, err = accelsim(*arguments)
    assert (code, err) == (0, "")
    assert drawn(out) == set()


def test_a_pipe_gets_a_line_for_each_row(accelsim, monkeypatch):
    assert any(line.startswith("   ") for line in accelsim("list", "presets")[1].splitlines())
    monkeypatch.delenv("COLUMNS")
    title, heads, *rows = accelsim("list", "presets")[1].splitlines()
    assert title == "presets"
    assert heads.split("  ")[0] == "name"
    from accelsim.config import presets

    assert [row.split()[0] for row in rows] == presets()


def test_a_terminal_gets_rules_and_boxes_and_no_color_where_none_is_wanted():
    table = on_a_terminal("list", "presets", NO_COLOR="1")
    assert "─" in table
    page = on_a_terminal("list", "--help", NO_COLOR="1")
    assert "╭" in page
    for text in (table, page):
        # Bold, dim and italic are no colors.
        codes = {code for part in text.split("\x1b[")[1:] for code in part.split("m")[0].split(";")}
        assert codes <= {"0", "1", "2", "3"}


def test_quiet_silences_notes_and_progress_and_no_warning(capsys):
    with quieted(True):
        note("a note")
        warn("a warning")
        with progress("work") as update:
            update(1, 2, "half")
    note("again")
    out, err = capsys.readouterr()
    assert (out, err) == ("", "a warning\nagain\n")


def test_a_quiet_verb_prints_its_results_alone(accelsim, tmp_path, runs):
    runs[0].save(tmp_path / "r")
    loud = accelsim("compare", tmp_path / "r")
    assert loud[2] == f"read {tmp_path / 'r'}\n"
    for flag in ("--quiet", "-q"):
        assert accelsim("compare", tmp_path / "r", flag) == (0, loud[1], "")


def test_quiet_errors_are_told(accelsim):
    code, _, err = accelsim("show", "ax_fpn", "--quiet")
    assert (code, "Did you mean 'ax_fpm'?" in err) == (2, True)
