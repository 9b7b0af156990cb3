"""Tests of accelsim.robustness.checks.coverage: tables that pass, that fail, that lack a part."""

from __future__ import annotations

import math

from accelsim.robustness.checks import adaptivity, gain_invariance, gradient_free, overshoot

TRANSFER = {"scenario": "transfer", "source": "torch", "gradient": "exact"}
MINIMUM = {"aim": "minimum", "norm": "l2", "epsilon": math.nan}


def test_overshoot_passes_where_the_curve_is_flat(study, run, share):
    """Of 100 examples that fool the source 10 and 16 transfer: 5.5..17.4 and 10.1..24.4 %."""
    near = run([(1, hit) for hit in share(10)], attack="cw", **TRANSFER, **MINIMUM)
    far = run([(1, hit) for hit in share(16)], attack="cw", scale=2.0, **TRANSFER, **MINIMUM)
    check = overshoot(study(near, far))
    assert (check.number, check.passed) == (7, True)
    assert check.reason == "cw by scale from torch: 10.0% at 1, 16.0% at 2"


def test_overshoot_fails_where_the_rate_depends_on_it(study, run, share):
    near = run([(1, hit) for hit in share(5)], attack="cw", **TRANSFER, **MINIMUM)
    far = run([(1, hit) for hit in share(60)], attack="cw", scale=2.0, **TRANSFER, **MINIMUM)
    check = overshoot(study(near, far))
    assert check.passed is False
    assert check.reason.endswith("cw by scale from torch: 5.0% at 1, 60.0% at 2")


def test_overshoot_needs_two_points_of_one_curve(study, run, share):
    near = run(share(5), attack="cw", **TRANSFER, **MINIMUM)
    other = TRANSFER | {"source": "ax_fpm_flat"}
    far = run(share(60), attack="cw", scale=2.0, **other, **MINIMUM)
    assert overshoot(study(near, far)).passed is None
    assert overshoot(study(near)).passed is None
    budget = [run(share(hits), scale=scale, **TRANSFER) for hits, scale in ((5, 1.0), (60, 2.0))]
    assert overshoot(study(*budget)).passed is None


def test_overshoot_by_confidence_is_a_curve_too(study, run, share):
    """Of one other setting and one scale."""
    parts = [
        run(
            [(1, hit) for hit in share(hits)],
            attack="cw",
            settings=settings,
            scale=scale,
            **TRANSFER,
            **MINIMUM,
        )
        for hits, settings, scale in (
            (5, "", 1.0),
            (60, '{"confidence": 10.0}', 1.0),
            (99, '{"confidence": 10.0, "steps": 9}', 1.0),
            (100, '{"confidence": 20.0}', 2.0),
        )
    ]
    check = overshoot(study(*parts))
    assert check.passed is False
    assert check.reason.endswith("overshoot: cw by confidence from torch: 5.0% at 0, 60.0% at 10")


def curve(run, rates, of=100, **settings):
    """Return C&W at as many scales as there are rates, of *of* examples that fool the source."""
    rows = [(1, 1)], [(1, 0)]
    return [
        run(rows[0] * hits + rows[1] * (of - hits), attack="cw", scale=scale, **settings)
        for hits, scale in zip(rates, (1.0, 2.0), strict=True)
    ]


def test_overshoot_needs_examples_that_fool_the_source(study, run):
    """0 of 3 and 3 of 3 have an interval in common, as anything has of so few."""
    for rates, of in (((0, 3), 3), ((1, 2), 19)):
        check = overshoot(study(*curve(run, rates, of, **TRANSFER, **MINIMUM)))
        assert check.passed is None
        assert check.reason == "the table has no curve of at least two overshoots in transfer"
    assert overshoot(study(*curve(run, (1, 2), 20, **TRANSFER, **MINIMUM))).passed
    never = [part.assign(source_fooled=False) for part in curve(run, (0, 0), **TRANSFER, **MINIMUM)]
    assert overshoot(study(*never)).passed is None


def test_overshoots_of_other_settings_are_another_curve(study, run, share):
    """Of few steps and of many, each by two confidences and flat."""
    parts = [
        run(
            [(1, hit) for hit in share(hits)],
            attack="cw",
            settings=f'{{"confidence": {far}, "steps": {steps}}}',
            **TRANSFER,
            **MINIMUM,
        )
        for hits, far, steps in ((10, 0, 9), (12, 10, 9), (60, 0, 200), (62, 10, 200))
    ]
    check = overshoot(study(*parts))
    assert check.passed
    assert 'cw {"steps": 9} by confidence from torch: 10.0% at 0, 12.0% at 10' in check.reason


def test_overshoot_needs_a_curve_in_each_scenario(study, run, share):
    black = {"scenario": "black_box", "source": "proxy of ax_fpm"}
    parts = curve(run, (50, 52), **black, **MINIMUM)
    assert overshoot(study(*parts)).passed
    check = overshoot(study(*parts, run(share(5), **TRANSFER)))
    assert check.passed is None
    assert check.reason == "the table has no curve of at least two overshoots in transfer"
    assert overshoot(study(*parts, *curve(run, (5, 6), **TRANSFER, **MINIMUM))).passed
    assert overshoot(study(*parts, *curve(run, (5, 60), **TRANSFER, **MINIMUM))).passed is False


def test_two_settings_of_one_attack_are_two_runs_but_one_attack(study, run, share):
    """Each fools images that the other does not: 60 % in the worst case, 40 % at best."""
    few, many = run(share(30)), run([0] * 20 + [1] * 40 + [0] * 40, settings='{"steps": 80}')
    knows = run(share(10), gradient="effective")
    assert adaptivity(study(few, many, knows)).reason.endswith(
        "best attempt 40.0%, worst case 60.0% fooled"
    )
    told = gradient_free(study(*[
        run(share(hits), attack="square", settings=settings) for hits, settings in (
            (20, '{"queries": 100}'), (40, '{"queries": 200}'))
    ])).reason  # fmt: skip
    assert 'square {"queries": 100} (score) 40 queries an image, fooled 20.0%' in told
    assert 'square {"queries": 200} (score) 40 queries an image, fooled 40.0%' in told
    twice = [run([1] * 9, attack="cw", settings=one, **MINIMUM) for one in ("", '{"steps": 400}')]
    assert gain_invariance(study(*twice)).passed is False


def test_examples_at_other_scales_are_no_attempts(study, run, share):
    """Twice as far, square would fool everything; the attack itself fools a fifth."""
    settings = {"attack": "square", "gradient": "none"}
    found = gradient_free(study(run(share(20), **settings), run(share(99), scale=2.0, **settings)))
    assert "fooled 20.0%" in found.reason


def test_the_loss_of_a_local_search_is_what_its_setting_says(study, run, share):
    label = run(share(90), attack="hopskipjump", gradient="none", **MINIMUM)
    for settings, good in (('{"score": "margin"}', True), ("", False)):
        table = run(share(20), attack="lsa", gradient="none", settings=settings, **MINIMUM)
        assert gradient_free(study(table, label)).passed is good


def test_adaptivity_passes_with_a_gradient_that_knows(study, run, share):
    """Exact fools images 0..29, the surrogate 20..59: 60 % are fooled by one of them."""
    exact = run(share(30))
    knows = run([0] * 20 + [1] * 40 + [0] * 40, scenario="adaptive", source="surrogate of ax_fpm")
    for table in (knows, knows.assign(source="ax_fpm", gradient="effective")):
        check = adaptivity(study(exact, table))
        assert check.passed
        assert check.reason == "linf 0.1: best attempt 40.0%, worst case 60.0% fooled"


def test_adaptivity_fails_with_one_gradient(study, run, share):
    check = adaptivity(study(run(share(30))))
    assert check.passed is False
    assert check.reason.startswith(
        "no white box through one that knows the circuit on all images at linf 0.1; linf 0.1: best"
    )
    check = adaptivity(study(run(share(30), gradient="effective")))
    assert check.reason.startswith("no white box through the exact gradient on all")
    surrogate = run(share(30), scenario="adaptive", source="surrogate of ax_fpm")
    assert adaptivity(study(surrogate)).passed is False


def test_adaptivity_is_of_the_same_norm_and_images(study, run, share):
    exact, knows = run(share(30)), run(share(90), gradient="effective")
    for other in (knows.assign(norm="l2"), knows.assign(epsilon=0.2), knows[:1]):
        check = adaptivity(study(exact, other))
        assert check.passed is False
        assert "through one that knows the circuit on all images at linf 0.1" in check.reason
    assert adaptivity(study(exact[:50], knows)).passed
    distance = run(share(30), attack="cw", **MINIMUM)
    check = adaptivity(study(exact, knows, distance))
    assert check.reason.startswith("no white box through one that knows the circuit on all images")
    assert adaptivity(study(exact, knows, distance, distance.assign(gradient="unit"))).passed


def test_gain_invariance_needs_two_distances_found(study, run, share):
    """DeepFool fools one image of 100, or half of them: the median is infinitely far."""
    cw = run(share(100), attack="cw", **MINIMUM)
    for hits in (1, 50):
        check = gain_invariance(study(cw, run(share(hits), attack="deepfool", **MINIMUM)))
        assert check.passed is False
        assert check.reason.endswith("l2 cw 1, deepfool inf")
    assert gain_invariance(study(cw, run(share(51), attack="deepfool", **MINIMUM))).passed


def test_checks_of_white_boxes_need_one(study, run, share):
    transfer = study(run(share(30), **TRANSFER))
    for check in (adaptivity, gradient_free, gain_invariance):
        assert check(transfer).passed is None
        assert check(transfer).reason.startswith("the table has no white box")


def test_gradient_free_passes_with_scores_and_labels(study, run, share):
    square = run(share(20), attack="square", gradient="none", forwards=5000.0, l2=3.0)
    skip = run(
        share(90), attack="hopskipjump", gradient="none", forwards=2e4, **MINIMUM | {"l2": 4}
    )
    check = gradient_free(study(square, skip))
    assert check.passed
    assert check.reason == (
        "square (score) 5,000 queries an image, fooled 20.0%, median l2 3; "
        "hopskipjump (label) 20,000 queries an image, fooled 90.0%, median l2 4"
    )


def test_gradient_free_fails_with_probabilities_alone(study, run, share):
    lsa = run(share(20), attack="lsa", gradient="none")
    skip = run(share(90), attack="hopskipjump", gradient="none")
    check = gradient_free(study(lsa, skip))
    assert check.passed is False
    assert check.reason.startswith("no score attack on the target; hopskipjump (label)")
    assert gradient_free(study(run(share(30)))).reason.startswith(
        "no score attack and no label att"
    )


def test_gain_invariance_passes_with_margins_and_two_distances(study, run, share):
    parts = [
        run(share(20)),
        run(share(60), attack="pgd_margin"),
        run([1] * 10, attack="cw", **MINIMUM | {"l2": [1.0] * 9 + [8.0]}),
        run([1] * 10, attack="deepfool", **MINIMUM | {"l2": 2.0}),
    ]
    check = gain_invariance(study(*parts))
    assert check.passed
    assert check.reason == "linf 0.1: cross entropy 20.0%, margin 60.0%; l2 cw 1, deepfool 2"


def test_gain_invariance_fails_with_one_loss_or_one_distance(study, run, share):
    check = gain_invariance(study(run(share(20)), run(share(60), attack="pgd_margin", epsilon=0.2)))
    assert check.passed is False
    assert check.reason.endswith("a second attack: linf 0.1: cross entropy 20.0%")
    check = gain_invariance(study(run([1] * 10, attack="cw", **MINIMUM)))
    assert check.passed is False
    assert check.reason.endswith("l2 cw 1")


def test_gain_invariance_needs_something_to_look_at(study, run, share):
    assert gain_invariance(study(run(share(20), attack="square"))).passed is None
