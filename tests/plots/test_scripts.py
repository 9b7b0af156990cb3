"""The scripts of plots/ err as the command line does."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from accelsim.cli import script as run

SCRIPTS = sorted((Path(__file__).parents[2] / "plots").glob("*.py"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_what_a_script_does_is_done_by_the_command_lines_own_wrapper(path):
    """Those that read nothing and take no words have no such function."""
    tree = ast.parse(path.read_text())
    if any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree.body):
        own = "parse_args" in path.read_text()
        call = "script(main)" if own else "script(main, about=__doc__)"
        assert ast.unparse(tree.body[-1]) == f"if __name__ == '__main__':\n    {call}"


@pytest.mark.parametrize("name", ["verdicts", "closing_table", "noise_ratio"])
def test_missing_outcomes_are_one_line_and_code_2(name, script, tmp_path, capsys):
    module = script(name, "lenet5_digits", "--folder", tmp_path)
    with pytest.raises(SystemExit) as ended:
        run(module.main)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{name}.py: error: {tmp_path} holds no outcomes (outcomes.sqlite)")


def test_a_workload_that_is_none_is_one_line_and_code_2(script, capsys):
    module = script("confidence", "lenet5_digit")
    with pytest.raises(SystemExit) as ended:
        run(module.main)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("confidence.py: error: no workload named 'lenet5_digit'")


def test_help_is_told_in_place_of_the_work(script, capsys):
    module = script("confidence", "--help")
    with pytest.raises(SystemExit) as ended:
        run(module.main, about=module.__doc__)
    assert ended.value.code == 0
    assert capsys.readouterr().out.strip() == module.__doc__.strip()
