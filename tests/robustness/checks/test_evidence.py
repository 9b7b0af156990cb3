"""Tests of accelsim.robustness.checks.evidence: tables that pass, that fail, that lack a part."""

from __future__ import annotations

import math

import pytest

from accelsim.robustness.checks import controls, known_answer, statistics, valid_examples
from accelsim.statistics import wilson

TRANSFER = {"scenario": "transfer", "source": "torch"}
MINIMUM = {"aim": "minimum", "norm": "l2", "epsilon": math.nan}


@pytest.fixture
def defense(study, run, share):
    """ax_fpm, the exact unit and Gaussian noise, fooled on so many images at one epsilon."""

    def make(unit, exact, noise, **settings):
        return study(
            run(share(unit), **settings),
            run(share(exact), target="exact_fp32", **settings),
            run(share(noise), target="gaussian_noise", **settings),
            controls=("gaussian_noise",),
        )

    return make


def test_controls_pass_where_the_unit_beats_them(defense):
    check = controls(defense(30, 80, 60))
    assert (check.number, check.passed) == (11, True)
    assert check.reason == "better than exact_fp32, gaussian_noise; 2 comparisons, none the worse"


def test_controls_fail_where_noise_does_as_well(defense):
    check = controls(defense(30, 80, 32))
    assert (check.passed, check.reason) == (
        False, "nowhere in white_box better than gaussian_noise",
    )  # fmt: skip
    check = controls(defense(60, 80, 30))
    assert check.passed is False
    assert "worse than gaussian_noise in white_box linf 0.1" in check.reason


def test_controls_are_met_by_the_same_attacks_only(study, run, share):
    """The unit falls to an attack that the control never met; on the shared one it is better."""
    parts = [
        run(share(30)),
        run(share(99), attack="square"),
        run(share(80), target="exact_fp32"),
        run(share(70), target="gaussian_noise"),
    ]
    assert controls(study(*parts, controls=("gaussian_noise",))).passed


def test_controls_by_distances(study, run):
    """Everything is fooled; the unit takes twice the distance of the exact one, half of noise's."""
    parts = [
        run([1] * 30, target=target, attack="cw", **MINIMUM | {"l2": length, "mse": length**2})
        for target, length in (("ax_fpm", 2.0), ("exact_fp32", 1.0), ("gaussian_noise", 4.0))
    ]
    check = controls(study(*parts, controls=("gaussian_noise",)))
    assert check.passed is False
    assert check.reason == (
        "worse than gaussian_noise in white_box l2; nowhere in white_box better than gaussian_noise"
    )
    assert controls(study(*parts, target="gaussian_noise", controls=("ax_fpm",))).passed


def smallest(run, fooled, length, target="ax_fpm", **settings):
    at = MINIMUM | {"l2": length, "attack": "cw", "target": target}
    return run(fooled, **at | settings)


def test_controls_resist_longer_where_they_are_not_fooled(study, run, share):
    """80 images resist for ever; the others fall at 0.8, those of the exact unit at 1.0."""
    exact, gain = (smallest(run, share(100), 1.0, name) for name in ("exact_fp32", "gain"))
    assert controls(study(smallest(run, share(20), 0.8), exact, gain, controls=("gain",))).passed
    check = controls(study(smallest(run, share(80), 0.8), exact, gain, controls=("gain",)))
    assert check.passed is False
    assert check.reason.startswith("worse than exact_fp32 in white_box l2, gain in white_box l2;")


def test_distances_are_corrected_with_all_others(study, run):
    """20 of 28 images, p 0.036, are significant alone and not beside the exact unit's (Holm)."""
    length = [2.0] * 20 + [0.5] * 8
    unit, exact = smallest(run, [1] * 28, length), smallest(run, [1] * 28, 1.0, "exact_fp32")
    assert controls(study(unit, exact, controls=("exact_fp32",))).passed
    check = controls(study(unit, exact, exact.assign(target="gain", source="gain"),
                           controls=("gain",)))  # fmt: skip
    assert check.passed is False
    assert check.reason == (
        "nowhere in white_box better than exact_fp32; nowhere in white_box better than gain"
    )


def test_controls_are_beaten_in_each_scenario(study, run, share):
    """The unit resists the white box; of the same examples as many transfer to it as to others."""
    white = [run(share(hits), target=target) for target, hits in
             (("ax_fpm", 30), ("exact_fp32", 80), ("gain", 80))]  # fmt: skip
    transfer = [run(share(50), target=target, **TRANSFER) for target in ("ax_fpm", "exact_fp32")]
    gain = run(share(80), target="gain", **TRANSFER)
    assert controls(study(*white, controls=("gain",))).passed
    check = controls(study(*white, *transfer, gain, controls=("gain",)))
    assert (check.passed, check.reason) == (False, "nowhere in transfer better than exact_fp32")


def test_controls_over_no_image_are_not_met(study, run, share):
    other = run(share(80), target="exact_fp32", image=list(range(200, 300)))
    check = controls(study(run(share(30)), other, controls=("exact_fp32",)))
    assert (check.passed, check.reason) == (
        None, "no attack of white_box met both exact_fp32 and ax_fpm",
    )  # fmt: skip
    adaptive = {"scenario": "adaptive", "source": "surrogate of ax_fpm"}
    check = controls(study(run(share(30), **adaptive), other, controls=("exact_fp32",)))
    assert check.passed is None
    assert check.reason == "ax_fpm was attacked in none of transfer, black_box, white_box"


def test_controls_need_to_be_there(defense, study, run, share):
    two = [run(share(30)), run(share(50), target="exact_fp32")]
    assert controls(study(*two)).reason == "no control was named"
    check = controls(study(*two, controls=("gain",)))
    assert (check.passed, check.reason) == (None, "the table has no outcome of gain")
    other = run(share(50), target="gain", attack="square")
    check = controls(study(*two, other, controls=("gain",)))
    assert (check.passed, check.reason) == (
        None, "no attack of white_box met both gain and ax_fpm",
    )  # fmt: skip
    alone = study(two[0], run(share(50), target="exact_fp32", attack="square"), other,
                  controls=("gain",))  # fmt: skip
    assert controls(alone).passed is None
    check = controls(study(*two, target="exact_fp32", controls=("gain",)))
    assert check.reason == "exact_fp32 is the baseline itself"


def test_controls_are_met_wherever_the_unit_is_attacked(study, run, share):
    """Else a claim on one scenario would rest on what controls did in another."""
    parts = [
        run(share(hits), target=target, **how)
        for target, hits in (("ax_fpm", 30), ("exact_fp32", 60), ("gain", 60))
        for how in (TRANSFER, {})
        if target != "gain" or how
    ]
    check = controls(study(*parts, controls=("gain",)))
    assert (check.passed, check.reason) == (
        None, "no attack of white_box met both gain and ax_fpm",
    )  # fmt: skip
    assert controls(study(*parts, run(share(60), target="gain"), controls=("gain",))).passed
    adaptive = run(share(40), scenario="adaptive", source="surrogate of ax_fpm")
    assert controls(study(*parts[:4], adaptive, controls=("exact_fp32",))).passed


def test_controls_fail_where_one_is_better_whatever_is_missing(defense, study):
    check = controls(study(defense(60, 80, 30).outcomes, controls=("gaussian_noise", "gain")))
    assert check.passed is False
    assert check.reason.startswith("worse than gaussian_noise in white_box linf 0.1")


def test_controls_meet_the_proxies_of_themselves_alone(study, run, share):
    """The exact unit judges the examples of every proxy; those of others count against nobody."""
    parts = [
        run(share(hits), scenario="black_box", source=f"proxy of {proxy}", target=target)
        for proxy, target, hits in (
            ("ax_fpm", "ax_fpm", 50), ("ax_fpm", "exact_fp32", 99), ("exact_fp32", "exact_fp32", 9),
            ("gain", "gain", 80), ("gain", "exact_fp32", 99),
        )
    ]  # fmt: skip
    check = controls(study(*parts, controls=("gain",)))
    assert check.passed is False
    assert check.reason.startswith("worse than exact_fp32 in black_box linf 0.1")


def test_statistics_pass_with_images_enough(study, run, share):
    check = statistics(study(run(share(50)), run(share(50), target="exact_fp32")))
    assert check.passed
    assert check.reason == (
        "100 to 100 images, 100 to 100 attacked, source success 50.0% to 50.0%, 1 seeds, widest "
        "interval of robust accuracy 19.2 points"
    )


def test_statistics_fail_with_few_images(study, run, share):
    """93 images are enough for any rate, also a half; the rate itself does not decide."""
    for hits in (0, 46, 93):
        assert statistics(study(run(share(hits, 93)))).passed
        check = statistics(study(run(share(hits, 92)[:92])))
        assert check.passed is False
        assert check.reason.startswith("a run has fewer than 93 images; 92 to 92 images")
    assert round(wilson(46, 92).high - wilson(46, 92).low, 3) == 0.2
    assert wilson(46, 92).high - wilson(46, 92).low > 0.2 > wilson(46, 93).high - wilson(46, 93).low


def test_statistics_are_of_each_gradient_and_source(study, run, share):
    few = run(share(16, 16), gradient="effective")
    assert statistics(study(run(share(99)), few)).passed is False
    later = list(range(100, 200))
    told = "targets saw different images in "
    for first, second in (({}, {"gradient": "effective"}), (TRANSFER, TRANSFER | {"source": "x"})):
        unit = [run(share(50), **first), run(share(50), image=later, **second)]
        swapped = [
            run(share(50), target="exact_fp32", **{"source": "exact_fp32"} | one, **images)
            for one, images in ((first, {"image": later}), (second, {}))
        ]
        check = statistics(study(*unit, *swapped))
        assert check.passed is False
        assert check.reason.startswith(told)


def test_statistics_are_of_the_images_that_all_attempts_share(study, run, share):
    """Smallest distances of white boxes: each attack has 100 images, both have 3."""
    parts = [
        run(share(100), attack=attack, image=list(range(first, first + 100)), **MINIMUM)
        for attack, first in (("cw", 0), ("ddn", 97))
    ]
    assert statistics(study(parts[0])).passed
    check = statistics(study(*parts))
    assert check.passed is False
    assert check.reason.startswith("the smallest distances in l2 have 3 images in common; 100 to 1")


def test_statistics_of_noise_alone_are_none(study, run, share):
    check = statistics(study(run(share(7), attack="noise", **TRANSFER)))
    assert (check.passed, check.reason) == (None, "nothing but random noise attacked ax_fpm")


def test_statistics_fail_where_targets_saw_different_images(study, run, share):
    other = run(share(50), target="exact_fp32", image=list(range(1, 101)))
    check = statistics(study(run(share(50)), other))
    assert check.passed is False
    assert check.reason.startswith("targets saw different images in white_box, pgd, linf, budget")


def test_valid_examples_pass(study, run, share):
    l2 = {"norm": "l2", "l2": 1.5, "linf": 0.9, "mse": 0.0225}
    check = valid_examples(
        study(run(share(50)), run(share(9), epsilon=1.5, **l2), run(share(100), **MINIMUM))
    )
    assert (check.number, check.passed) == (13, True)
    assert check.reason == "300 examples keep budget and range; 0.0% of 300 attacked images " + (
        "without gradient"
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"linf": 0.1001}, "100 examples beyond their budget"),
        ({"norm": "l2", "l2": 0.2}, "100 examples beyond their budget"),
        ({"norm": "l0", "epsilon": 5.0}, "100 examples beyond their budget"),
        ({"linf": 1.01, "epsilon": 2.0}, "100 examples beyond the pixel range"),
        ({"mse": 0.011, "l2": 0.11**0.5 * 10**0.5}, "100 examples of norms that disagree"),
        ({"l2": 0.01}, "100 examples of norms that disagree"),
        ({"l2": [1.0] * 99 + [1.01]}, "1 examples of norms that disagree"),
        ({"mse": math.nan}, "100 examples without a distance"),
        ({"linf": 0.0, "l2": 0.0, "mse": 0.0}, "50 examples that fool without a change"),
        ({"cause": ["no gradient"] + [""] * 99}, "1.0% of 100 attacked images without gradient"),
    ],
)
def test_valid_examples_fail(study, run, share, wrong, message):
    check = valid_examples(study(run(share(50), **wrong)))
    assert check.passed is False
    assert message in check.reason


def test_valid_examples_are_of_random_noise_too(study, run, share):
    check = valid_examples(study(run(share(50)), run(share(1), attack="noise", linf=0.2)))
    assert check.passed is False


def test_known_answer_passes_where_the_undefended_falls(study, run, share):
    transfer = run([(1, 0)] * 99 + [(0, 0)], epsilon=0.5, **TRANSFER, attack="fgsm")
    stronger = run([(1, 0)] * 100, epsilon=0.5, **TRANSFER)
    other = stronger.assign(target="exact_fp32")
    check = known_answer(study(transfer, stronger, other))
    assert check.passed
    assert check.reason == "torch at 0.5: 100 of 100 fooled"


def test_known_answer_fails_where_it_stands(study, run, share):
    transfer = run([(1, 0)] * 99 + [(0, 0)], epsilon=0.5, **TRANSFER)
    itself = run([1] * 100, epsilon=0.5, target="exact_fp32")
    check = known_answer(study(transfer, itself))
    assert check.passed is False
    assert check.reason == ("exact_fp32 at 0.5: 100 of 100 fooled; torch at 0.5: 99 of 100 fooled")


def test_known_answer_does_not_count_what_is_wrong_unattacked(study, run):
    right = [True] * 99 + [False]
    assert known_answer(
        study(run([(1, 0)] * 99 + [(0, 0)], epsilon=0.5, source_right=right, **TRANSFER))
    ).passed


def test_known_answer_needs_a_large_epsilon(study, run, share):
    check = known_answer(study(run(share(100), **TRANSFER)))
    assert check.passed is None
    assert "was not attacked at a linf epsilon >= 0.5" in check.reason
