"""Tests of accelsim.robustness.checks.strength: tables that pass, that fail, that lack a part."""

from __future__ import annotations

import pytest

from accelsim.robustness.checks import convergence, growth, ordering


@pytest.fixture
def attackers(run, share):
    """White box, transfer, gradient-free, black box and noise, each as strong as it is told."""

    def make(white=80, transfer=40, free=60, black=50, noise=5):
        return [
            run(share(white), gradient="effective"),
            run(share(free), attack="square", gradient="none"),
            run(share(transfer), scenario="transfer", source="torch"),
            run(share(black), scenario="black_box", source="proxy of ax_fpm"),
            run(share(noise), scenario="transfer", source="torch", attack="noise"),
        ]

    return make


def test_ordering_passes_where_knowledge_helps(study, attackers):
    check = ordering(study(*attackers()))
    assert (check.number, check.name, check.passed) == (4, "ordering", True)
    assert check.reason.startswith("6 comparisons")


@pytest.mark.parametrize(
    ("strengths", "message"),
    [
        # The white box's worst case holds the gradient-free attack: 80 against 60 becomes 60.
        ({"white": 40, "free": 70}, "gradient-free fools more than gradients at linf 0.1 (30 im"),
        ({"transfer": 95}, "transfer fools more than white box at linf 0.1 (15 images against 0"),
        ({"black": 95}, "black box fools more than white box at linf 0.1 (15 images"),
        ({"noise": 95}, "noise fools more than white box"),
        ({"noise": 70}, "noise fools more than transfer at linf 0.1 (30 images against 0"),
    ],
)
def test_ordering_fails_where_the_weaker_fools_more(study, attackers, strengths, message):
    check = ordering(study(*attackers(**strengths)))
    assert check.passed is False
    assert message in check.reason


def test_ordering_forgives_what_chance_explains(study, attackers):
    """4 against 0 has p = 1/16 alone."""
    assert ordering(study(*attackers(transfer=84))).passed
    assert ordering(study(*attackers(transfer=95))).passed is False


def test_ordering_needs_its_parts_at_the_same_epsilon(study, attackers, run, share):
    white, free, transfer, _, noise = attackers()
    check = ordering(study(white, free, transfer.assign(epsilon=0.3), noise))
    assert check.passed is None
    assert check.reason == "the white box meets no transfer at one norm and epsilon"


def test_images_that_the_target_gets_wrong_anyway_do_not_count(study, attackers):
    white, free, transfer, black, noise = attackers(transfer=95)
    wrong = [image < 85 for image in range(100)]
    parts = [part.assign(target_right=wrong) for part in (white, free, transfer, black, noise)]
    assert ordering(study(*parts)).passed


def test_convergence_passes_where_effort_is_enough(study, run, share):
    check = convergence(
        study(
            run(share(50), attack="fgsm"),
            run(share(80), attack="pgd"),
            run(share(81), attack="pgd_long"),
        )
    )
    assert check.passed
    assert "twice the effort changes at most 1.0% in 1 runs" in check.reason


def test_convergence_fails_where_more_steps_help_or_harm(study, run, share):
    one = run(share(50), attack="fgsm")
    for long in (82, 78):
        check = convergence(study(one, run(share(80)), run(share(long), attack="pgd_long")))
        assert check.passed is False
        assert f"{(long - 80) / 100:+.1%}" in check.reason
    check = convergence(study(one, run(share(30)), run(share(30), attack="pgd_long")))
    assert check.passed is False
    assert "fgsm fools more than pgd in white_box, ax_fpm, exact" in check.reason


def test_convergence_is_of_the_source(study, run, share):
    """Of 100 images 60 and 61 fool the source; what the target makes of them does not matter."""
    transfer = {"scenario": "transfer", "source": "torch"}
    short = run([(1, 0)] * 60 + [(0, 0)] * 40, **transfer)
    long = run([(1, 1)] * 61 + [(0, 0)] * 39, attack="pgd_long", **transfer)
    assert convergence(study(run(share(9), attack="fgsm", **transfer), short, long)).passed


def test_convergence_of_attacks_without_a_budget_is_seen(study, run, share):
    settings = {"aim": "minimum", "epsilon": float("nan"), "norm": "l2"}
    parts = [
        run(share(50), attack="cw", **settings),
        run(share(70), attack="cw", settings='{"steps": 400}', **settings),
    ]
    check = convergence(study(*parts))
    assert check.passed is False
    assert 'cw {"steps": 400} against cw in white_box' in check.reason
    assert "+20.0%" in check.reason


def test_convergence_compares_the_most_effort_with_half_of_it(study, run, share):
    """Success grew until 60 steps; from 120 on it does not, and 200 steps are not twice 120."""
    one = run(share(20), attack="fgsm")
    steps = ((20, 30), (60, 70), (120, 80), (200, 81), (240, 81))
    parts = [run(share(hits), settings=f'{{"steps": {count}}}') for count, hits in steps]
    check = convergence(study(one, *parts))
    assert check.passed
    assert (
        "5 comparisons of many steps with one; twice the effort changes at most 1.0% in 1 runs"
        in (check.reason)
    )
    check = convergence(study(one, *parts[:3]))
    assert check.passed is False
    assert "+10.0%" in check.reason


def test_other_settings_are_no_more_effort(study, run, share):
    parts = [
        run(share(hits), settings=settings)
        for hits, settings in ((20, '{"steps": 10}'), (90, '{"steps": 20, "relative_step": 9.0}'))
    ]
    assert study(*parts).twice_the_effort() == []


def test_convergence_needs_both_parts(study, run, share):
    assert "lacks an iterated attack" in convergence(study(run(share(1)))).reason
    check = convergence(study(run(share(1)), run(share(1), attack="fgsm")))
    assert check.passed is None
    assert "lacks an attack of twice the effort" in check.reason


def test_growth_passes_where_nothing_is_left(study, run, share):
    parts = [run(share(hits), epsilon=far) for hits, far in ((10, 0.05), (60, 0.1), (95, 0.5))]
    check = growth(study(*parts))
    assert check.passed
    assert "3 pairs of epsilons" in check.reason
    assert "5.0% right in the linf ball of 0.5" in check.reason


def test_growth_fails_where_success_falls(study, run, share):
    parts = [run(share(hits), epsilon=far) for hits, far in ((60, 0.05), (50, 0.1), (95, 0.5))]
    check = growth(study(*parts))
    assert check.passed is False
    assert "epsilon 0.05 fools more than 0.1 (10 images against 0" in check.reason
    few = [run(share(hits), epsilon=far) for hits, far in ((60, 0.05), (57, 0.1), (95, 0.5))]
    assert growth(study(*few)).passed


def test_growth_sees_a_slow_fall(study, run, share):
    """No step falls by more than chance explains; the first and the third epsilon do."""
    falling = ((60, 0.05), (56, 0.1), (52, 0.2), (95, 0.5))
    check = growth(study(*[run(share(hits), epsilon=far) for hits, far in falling]))
    assert check.passed is False
    assert "epsilon 0.05 fools more than 0.2" in check.reason


def test_growth_leaves_one_step_attacks_alone(study, run, share):
    steps = [run(share(hits), epsilon=far) for hits, far in ((10, 0.05), (100, 0.5))]
    single = [run(share(hits), epsilon=far, attack="fgsm") for hits, far in ((60, 0.05), (20, 0.5))]
    assert growth(study(*steps, *single)).passed


def test_growth_fails_where_an_unbounded_attack_leaves_much(study, run, share):
    check = growth(study(run(share(10), epsilon=0.1), run(share(85), epsilon=0.5)))
    assert check.passed is False
    assert "15.0% right in the linf ball of 0.5, a constant answer has 10.0%" in check.reason


def test_growth_needs_a_large_epsilon_and_two(study, run, share):
    check = growth(study(run(share(10), epsilon=0.1), run(share(20), epsilon=0.2)))
    assert (check.passed, check.reason) == (None, "no linf epsilon >= 0.5 in the table")
    check = growth(study(run(share(100), epsilon=0.5)))
    assert (check.passed, check.reason) == (None, "one epsilon only in the table")
