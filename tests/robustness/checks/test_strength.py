"""Tests of accelsim.robustness.checks.strength: tables that pass, that fail, that lack a part."""

from __future__ import annotations

import math

import pytest

from accelsim.robustness.checks import convergence, growth, ordering

TRANSFER = {"scenario": "transfer", "source": "torch"}
MINIMUM = {"aim": "minimum", "norm": "l2", "epsilon": math.nan}
OTHERS = list(range(200, 300))
"""Images that no other run has."""


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


def test_ordering_compares_the_attacks_that_both_have(study, attackers, run, share):
    """At 0.15 transfer has PGD, the white box FGSM alone: many steps beat one, and show nothing."""
    single = {"attack": "fgsm", "epsilon": 0.15}
    parts = [*attackers(), run(share(37), **single), run(share(70), epsilon=0.15, **TRANSFER)]
    check = ordering(study(*parts))
    assert check.passed
    assert check.reason.endswith("; nothing in common: transfer with white box at linf 0.15")
    assert ordering(study(*parts, run(share(33), **single, **TRANSFER))).passed
    check = ordering(study(*parts, run(share(53), **single, **TRANSFER)))
    assert check.passed is False
    assert "transfer fools more than white box at linf 0.15 (16 images against 0" in check.reason


def test_ordering_takes_no_single_step_for_the_gradients(study, attackers):
    """That Square beats FGSM is no masking, and that it does not says nothing of many steps."""
    for strength in (40, 80):
        white, free, transfer, black, noise = attackers(white=strength, black=30)
        single = [one.assign(attack="fgsm") for one in (white, transfer, black)]
        check = ordering(study(*single, free, noise))
        assert check.passed is None
        assert check.reason == "the white box meets no gradient-free at one norm and epsilon"


def test_ordering_of_other_settings_is_none(study, attackers):
    white, free, transfer, _, noise = attackers()
    check = ordering(study(white, free, transfer.assign(settings='{"steps": 80}'), noise))
    assert check.passed is None
    assert check.reason == (
        "the white box meets no transfer at one norm and epsilon; nothing in common: transfer with "
        "white box at linf 0.1"
    )


def test_ordering_needs_images_that_both_attack(study, attackers, run, share):
    white, free, transfer, _, noise = attackers()
    check = ordering(study(white, free, transfer.assign(image=OTHERS), noise))
    assert (check.passed, "meets no transfer at" in check.reason) == (None, True)
    parts = [part.assign(target_right=False) for part in (white, free, transfer, noise)]
    check = ordering(study(*parts))
    assert check.passed is None
    assert check.reason.startswith("the white box meets no transfer and no noise and no gradient-f")
    other = run(share(90), image=OTHERS)
    assert ordering(study(white, other, free, transfer, noise)).passed is None


def test_ordering_compares_the_white_box_with_noise_itself(study, attackers):
    white, free, transfer, _, noise = attackers()
    both = [part.assign(epsilon=0.3) for part in (transfer, noise)]
    check = ordering(study(white, free, transfer, *both))
    assert (check.passed, "meets no noise at" in check.reason) == (None, True)


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
    assert convergence(study(run(share(9), attack="fgsm"), *parts)).passed is None


def effort(run, hits, steps, **settings):
    return run(hits, settings=f'{{"steps": {steps}}}', **settings)


def test_convergence_in_one_scenario_is_none_in_another(study, run, share):
    """Transfer has converged by 80 steps; the white box is still growing, or has one run alone."""
    single = [run(share(10), attack="fgsm"), run(share(10), attack="fgsm", **TRANSFER)]
    done = [effort(run, share(90), steps, **TRANSFER) for steps in (40, 80, 160)]
    short, long = effort(run, share(50), 40), effort(run, share(90), 80)
    check = convergence(study(*single, *done, short, long))
    assert check.passed is False
    assert check.reason.endswith("in white_box, ax_fpm, exact, linf, budget, 0.1, 1.0, 0: +40.0%")
    check = convergence(study(*single, *done, short))
    assert (check.passed, check.reason) == (
        None, "the table lacks an attack of twice the effort in white_box",
    )  # fmt: skip
    adaptive = {"scenario": "adaptive", "source": "surrogate of ax_fpm"}
    known = [effort(run, share(90), steps, **adaptive) for steps in (40, 80)]
    assert convergence(study(*single, *done, short, *known)).passed


def test_convergence_is_of_each_epsilon(study, run, share):
    """More steps were taken at 0.2 than at 0.1, where they would have been needed."""
    single = run(share(10), attack="fgsm")
    small = [effort(run, share(hits), steps) for steps, hits in ((40, 50), (80, 90))]
    large = [effort(run, share(90), steps, epsilon=0.2) for steps in (80, 160)]
    assert convergence(study(single, *small, *large)).passed is False


@pytest.mark.parametrize(("length", "good"), [(1.0, False), (3.9, False), (3.96, True), (4, True)])
def test_convergence_of_the_smallest_distance(study, run, share, length, good):
    """Either fools everything; half of the effort finds 4.0."""
    budget = [run(share(10), attack="fgsm"), run(share(90))]
    found = [
        effort(run, share(100), steps, attack="cw", **MINIMUM, l2=far)
        for steps, far in ((100, 4.0), (200, length))
    ]
    check = convergence(study(*budget, *found))
    assert check.passed is good
    told = f"{length / 4 - 1:+.1%}"
    assert (
        good
        or check.reason
        == 'distances of cw {"steps": 200} against cw {"steps": 100} in '
        + (f"white_box, ax_fpm, exact, l2, minimum, nan, 1.0, 0: {told}")
    )


def test_what_does_not_fool_is_infinitely_far(study, run, share):
    """Of 6 images that one of the two fools 4 are found by twice the effort alone."""
    few = effort(run, [1, 1, 0, 0, 0, 0, 0], 100, attack="cw", **MINIMUM)
    more = effort(run, [1, 1, 1, 1, 1, 1, 0], 200, attack="cw", **MINIMUM)
    assert ", 0: -100.0%" in convergence(study(few, more)).reason


def test_convergence_over_no_image_is_none(study, run, share):
    parts = [run(share(9), attack="fgsm"), run(share(50)), run(share(50), attack="pgd_long")]
    apart = [part.assign(image=part["image"] + 200 * number) for number, part in enumerate(parts)]
    wrong = [part.assign(source_right=False) for part in parts]
    for given in (apart, wrong):
        check = convergence(study(*given))
        assert check.passed is None
        assert check.reason == (
            "the table lacks an iterated attack beside its one step in white_box and an attack of "
            "twice the effort in white_box"
        )


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
    assert (check.passed, check.reason) == (None, "the white box has no linf epsilon >= 0.5")
    check = growth(study(run(share(100), epsilon=0.5)))
    assert (check.passed, check.reason) == (None, "the white box has one epsilon only")


def test_growth_is_of_white_boxes(study, run, share):
    """What transfers at a large epsilon shows nothing of the target's own gradient."""
    white = run(share(10), epsilon=0.1)
    other = [run(share(hits), epsilon=far, **TRANSFER) for hits, far in ((15, 0.1), (100, 0.5))]
    check = growth(study(white, *other))
    assert (check.passed, check.reason) == (None, "the white box has no linf epsilon >= 0.5")
    check = growth(study(white, run(share(10), epsilon=0.2), *other))
    assert check.passed is None


def test_growth_leaves_as_many_right_as_a_constant_answer(study, run, share):
    """3 of 10 images are left, and 3 have the commonest label."""
    label = [0, 0, 0, 1, 1, 2, 3, 4, 5, 6]
    parts = [run(share(hits, 10), epsilon=far, label=label) for hits, far in ((1, 0.1), (7, 0.5))]
    assert growth(study(*parts)).passed
    parts[1] = run(share(6, 10), epsilon=0.5, label=label)
    check = growth(study(*parts))
    assert check.reason == "40.0% right in the linf ball of 0.5, a constant answer has 30.0%"


def test_growth_leaves_nothing_at_any_large_epsilon(study, run, share):
    parts = [run(share(hits), epsilon=far) for hits, far in ((10, 0.1), (15, 0.5), (100, 1.0))]
    check = growth(study(*parts))
    assert check.passed is False
    assert check.reason == "85.0% right in the linf ball of 0.5, a constant answer has 10.0%"


def test_growth_over_no_image_is_none(study, run, share):
    few, all_of_them = run(share(90), epsilon=0.1), run(share(100), epsilon=0.5)
    assert growth(study(few, all_of_them)).passed
    assert growth(study(few.assign(image=OTHERS), all_of_them)).passed is None
