"""Tests of the help of verbs: every one ends with examples, and they are command lines."""

import shlex

import pytest
import typer

from accelsim.cli.app import app
from accelsim.cli.verb import MARK, Verb, _folded

ROOT = typer.main.get_command(app)


def verbs(group=ROOT, path=()):
    """Yield (words that call it, command) of every verb, groups' verbs included."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from verbs(command, (*path, name))
        else:
            yield (*path, name), command


VERBS = dict(verbs())
EXAMPLES = [example for command in VERBS.values() for example in command.examples]


def lines_of(example):
    """Return the command lines of accelsim in *example*, as lists of words, and how many others."""
    found, others = [], 0
    for line in example.split("&&"):
        words = shlex.split(line)
        if words[0] != "accelsim":
            others += 1
            continue
        found.append(words[1 : words.index(">")] if ">" in words else words[1:])
    return found, others


@pytest.mark.parametrize("path", VERBS, ids=" ".join)
def test_help_ends_with_an_example_in_80_columns(accelsim, path):
    code, out, _ = accelsim(*path, "--help")
    assert code == 0
    assert VERBS[path].examples
    heading = MARK if len(VERBS[path].examples) == 1 else "Examples:"
    before, _, after = out.rpartition(f"\n{heading}\n")
    assert MARK not in before
    assert all(line.startswith("  ") for line in after.splitlines())
    assert after.split() == [
        word for example in VERBS[path].examples for word in _folded(example).split()
    ]
    assert all(len(line) <= 80 for line in out.splitlines())
    assert "--quiet" in out


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_a_line_that_its_verb_takes(example):
    """All options exist and have values of their kinds; nothing is run."""
    found, _ = lines_of(example)
    assert found
    for words in found:
        path = next(path for path in VERBS if tuple(words[: len(path)]) == path)
        VERBS[path].make_context(path[-1], words[len(path) :])


def test_cheap_examples_run(accelsim, tmp_path, monkeypatch, runs):
    """Those that read what is there, or runs kept where the examples say."""
    monkeypatch.chdir(tmp_path)
    for run in runs:
        run.save(f"runs/x/{run.accelerator.multiplier}")
    ran = set()
    for path in (("list",), ("show",), ("config", "show"), ("config", "schema"),
                 ("plot",), ("export-accelergy",)):  # fmt: skip
        for example in VERBS[path].examples:
            for words in lines_of(example)[0]:
                code, out, err = accelsim(*words)
                assert code == 0, err
                assert out or err
                ran.add(path)
    assert len(ran) == 6


def test_a_folded_example_is_one_command_to_a_shell():
    line = "accelsim x " + " ".join(f"--option-{n} 'a b'" for n in range(12))
    folded = _folded(line)
    assert max(map(len, folded.splitlines())) <= 80
    assert shlex.split(folded.replace("\\\n", "")) == shlex.split(line)
    assert all(text.rstrip().endswith("\\") for text in folded.splitlines()[:-1])


def test_a_docstring_gives_prose_and_examples():
    def verb():
        """Do it.

        Example: accelsim do
        --this

        Words.

        Example: accelsim do --that
        """

    verb = Verb("do", callback=verb, params=[], help=verb.__doc__)
    assert verb.examples == ["accelsim do --this", "accelsim do --that"]
    assert verb.help == "Do it.\n\nWords."
