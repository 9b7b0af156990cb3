"""Tests of the help of verbs."""

import pytest


@pytest.mark.parametrize(
    "verb",
    [
        "simulate",
        "score",
        "sweep",
        "characterize",
        "compare",
        "plot",
        "list",
        "show",
        "train",
        "validate",
    ],
)
def test_help_has_an_example(accelsim, verb):
    code, out, _ = accelsim(verb, "--help")
    assert code == 0
    assert "Example:" in out
