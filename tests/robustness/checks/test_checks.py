"""Tests of accelsim.robustness.checks: the study, and all checks at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from accelsim.errors import DataError
from accelsim.robustness.checks import RULES, Study, gradient_consistency, run_checks

PAGE = Path(__file__).parents[3] / "docs" / "checks.md"


def test_the_thirteen_are_there_in_order():
    numbers = [rule.number for rule in RULES.values()]
    assert sorted({*numbers}) == list(range(1, 14))
    assert numbers == sorted(numbers)
    assert all(rule.demand and rule.bears_on for rule in RULES.values())


def test_the_page_states_every_rule():
    """A row of the table: number, name, what it bears on."""
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| ([^|]*) \|", PAGE.read_text(), re.MULTILINE)
    told = {name: (int(number), bears) for number, name, bears in rows}
    assert list(told) == list(RULES)
    for name, rule in RULES.items():
        number, bears = told[name]
        assert number == rule.number
        assert bears.replace(" ", "_").replace(",_", " ").split() == [
            *rule.bears_on,
            *(["success"] if rule.success else []),
        ]


def test_the_example_of_the_page_runs(run, runs, share, lenet, capsys):
    """Fewer than 20 % of 100 examples transfer; the checks that were not run stand in the way."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    model, images, labels = lenet
    transfer = {"scenario": "transfer", "source": "torch"}
    outcomes = runs(
        run([(1, hit) for hit in share(9)], **transfer),
        run([(1, hit) for hit in share(90)], target="exact_fp32", **transfer),
    )
    given = {"model": model, "images": images, "labels": labels, "ranges": images}
    exec(code, {"outcomes": outcomes, **given})
    told = capsys.readouterr().out
    assert told.startswith("inconclusive: less than 20 % of the examples transfer: 0.09 in 0.048")
    assert "check 7 overshoot: not run" in told
    assert "determinism" not in told


def test_all_checks_of_a_study(study, run, share):
    found = run_checks(study(run(share(50))), [gradient_consistency({0.05: [1.0]})])
    assert [check.name for check in found] == list(RULES)
    passed = {check.name: check.passed for check in found}
    assert passed["gradient_consistency"] is passed["valid_examples"] is True
    assert passed["determinism"] is None
    assert passed["gradient_free"] is False
    lines = [str(check) for check in found]
    assert lines[0] == (
        "1 determinism: not run: it needs the network; give its result to run_checks"
    )
    assert any(line.startswith("9 gradient_free: FAIL: no score attack") for line in lines)


def test_rejects_checks_that_are_not_of_the_network(study, run, share):
    table = study(run(share(50)))
    slopes = gradient_consistency({})
    for given in ([slopes, slopes], [run_checks(table)[3]]):
        with pytest.raises(DataError, match="checks of the network are determinism, gradient_con"):
            run_checks(table, given)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"target": "ax_fmp"}, "no outcome of target 'ax_fmp'; .*Did you mean 'ax_fpm'"),
        ({"access": {"pgd": "all"}}, "Study.access must give attack 'pgd' one of .*, got 'all'"),
    ],
)
def test_rejects_a_study_that_cannot_be_read(study, run, settings, message):
    with pytest.raises(DataError, match=message):
        study(run([1]), **settings)


def test_rejects_an_attack_that_nobody_knows(run):
    with pytest.raises(DataError, match="attack 'mine' one of gradient, .*, got None; only att"):
        Study(run([1], attack="mine"), "ax_fpm")
    Study(run([1], attack="mine"), "ax_fpm", access={"mine": "score"})


@pytest.mark.parametrize("settings", ["{steps", "[1]", '{"stesp": 3}', '{"steps": -1}'])
def test_rejects_settings_that_no_plan_writes(run, settings):
    with pytest.raises(DataError, match="of attack 'pgd' are not those that `Plan.settings_text`"):
        Study(run([1], settings=settings), "ax_fpm")
