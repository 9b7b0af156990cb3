"""Tests of accelsim.robustness.evaluation."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import accelsim
from accelsim.errors import ConfigError
from accelsim.multipliers import MULTIPLIERS
from accelsim.quantization import Scheme
from accelsim.recipe import Recipe
from accelsim.robustness import OUTCOMES, Proxies, evaluate, summarize, wilson
from accelsim.robustness.controls import exact_times_gain, power_of_two_weights
from accelsim.robustness.pieces import Plan
from accelsim.workload import WORKLOADS

UNITS = ["exact_fp32", "ax_fpm"]


@pytest.fixture(scope="module")
def table(lenet):
    return summarize(evaluate(*lenet, attacks=["fgsm", "pgd"], multipliers=UNITS))


def rates(*network, **settings):
    """Return the rates of one attack on one unit."""
    (row,) = summarize(evaluate(*network, **settings)).to_dict("records")
    return row


def test_one_row_for_each_attack_and_multiplier(table):
    pairs = list(zip(table.attack, table.target, strict=True))
    assert pairs == [(attack, unit) for attack in ("fgsm", "pgd") for unit in UNITS]
    assert set(table.scenario) == {"transfer"}
    assert set(table.source) == {"torch"}


def test_source_columns_do_not_depend_on_the_multiplier(table):
    columns = ["attacked", "fooled_source", "source_success", "epsilon", "median_l2"]
    assert (table.groupby("attack")[columns].nunique() == 1).all(axis=None)


def test_counts_rates_and_bounds_agree(table):
    for row in table.to_dict("records"):
        assert row["fooled_both"] <= row["fooled_source"] <= row["attacked"] <= row["images"]
        assert row["median_linf"] <= row["epsilon"] + 1e-6
        for rate, hits, trials in (
            ("clean_accuracy", None, "images"),
            ("robust_accuracy", None, "images"),
            ("source_success", "fooled_source", "attacked"),
            ("transfer_success", "fooled_both", "fooled_source"),
        ):
            count = row[hits] if hits else round(row[rate] * row[trials])
            expected = wilson(count, row[trials])
            assert (row[rate], row[rate + "_low"], row[rate + "_high"]) == pytest.approx(expected)


def test_exact_unit_is_fooled_like_its_source(table):
    exact = table[table.target == "exact_fp32"]
    assert (exact.transfer_success > 0.9).all()


def test_rows_of_the_exact_classifier_computed_by_hand(tiny):
    """FGSM with epsilon 0.1 moves the true pixel down and the other one up, each by 0.1.

    (0.6, 0.5) becomes (0.5, 0.6): fooled. (0.9, 0.1) and (0.2, 0.5) stay right. The fourth image
    is labeled 0 and so wrong from the start: 3 attacked, 1 fooled, 2 of 4 right under attack.
    """
    row = rates(*tiny, attacks=["fgsm"], multipliers=["exact_fp32"], epsilon=0.1)
    assert (row["images"], row["attacked"], row["fooled_source"], row["fooled_both"]) == (
        4,
        3,
        1,
        1,
    )
    assert row["clean_accuracy"] == 0.75
    assert row["robust_accuracy"] == 0.5
    assert row["source_success"] == pytest.approx(1 / 3)
    assert row["transfer_success"] == 1
    confidences = [1 / (1 + math.exp(-gap)) for gap in (-0.1, 0.6, 0.1, -1.0)]
    assert row["mean_confidence_attacked"] == pytest.approx(np.mean(confidences), rel=1e-5)
    assert row["epsilon"] == 0.1


def test_nothing_fooled_means_an_unknown_transfer(tiny):
    row = rates(*tiny, attacks=["fgsm"], multipliers=["exact_fp32"], epsilon=0.01)
    assert row["fooled_source"] == 0
    assert math.isnan(row["transfer_success"])
    assert (row["transfer_success_low"], row["transfer_success_high"]) == (0, 1)


def test_known_answer_everything_falls_at_large_epsilon(lenet):
    table = summarize(evaluate(*lenet, attacks=["fgsm"], multipliers=UNITS, epsilon=0.5))
    assert (table.source_success == 1).all()
    assert (table.robust_accuracy == 0).all()


def test_same_seed_gives_the_same_table(tiny):
    settings = {"attacks": ["pgd"], "multipliers": UNITS, "epsilon": 0.1, "seed": 4}
    pd.testing.assert_frame_equal(evaluate(*tiny, **settings), evaluate(*tiny, **settings))


def test_progress_says_what_was_done(tiny):
    lines = []
    settings = {
        "multipliers": ["ax_fpm"],
        "epsilon": 0.1,
        "progress": lambda *one: lines.append(one),
    }
    evaluate(*tiny, attacks=["fgsm"], **settings)
    assert lines == [(0, 1, ""), (1, 1, "transfer|torch|exact|fgsm||0.1|0|4")]


def test_plans_have_budgets_settings_and_scales_of_their_own(tiny):
    plans = [Plan("pgd", 0.1, {"steps": 2}), Plan("pgd", 0.1), Plan("fgsm", 0.2, scales=(1, 2))]
    table = evaluate(*tiny, attacks=plans, multipliers=["ax_fpm"], epsilon=0.3)
    assert list(table) == list(OUTCOMES)
    found = summarize(table)
    assert found[["attack", "epsilon", "scale"]].values.tolist() == [
        ["pgd", 0.1, 1], ["pgd", 0.1, 1], ["fgsm", 0.2, 1], ["fgsm", 0.2, 2],
    ]  # fmt: skip
    assert found["settings"].tolist() == ['{"steps": 2}', "", "", ""]


def test_epsilon_is_for_the_attacks_that_have_a_budget(tiny):
    with pytest.raises(ConfigError, match="looks for the smallest perturbation and takes no"):
        evaluate(*tiny, attacks=[Plan("deepfool", 0.1)], multipliers=UNITS)
    with pytest.raises(ConfigError, match=r"epsilon 0\.1 is the budget of none of .*: deepfool"):
        evaluate(*tiny, attacks=["deepfool"], multipliers=UNITS, epsilon=0.1)


@pytest.mark.parametrize("multiplier", list(MULTIPLIERS))
def test_every_multiplier_is_judged(tiny, multiplier):
    settings = {"attacks": ["fgsm"], "calibration": tiny[1]}
    row = rates(*tiny, multipliers=[multiplier], **settings)
    assert row["target"] == multiplier
    assert 0 <= row["robust_accuracy"] <= 1


def test_units_of_integers_quantize_by_the_scheme(tiny):
    """The largest pixel is 0.9: symmetric two bits have steps of 0.9, affine ones of 0.3.

    (0.6, 0.5) becomes a tie either way, (0.2, 0.5) the gap 0.9 or 0.3.
    """
    settings = {"attacks": ["fgsm"], "multipliers": ["exact_int2"], "calibration": tiny[1]}
    for kind, gaps in (("symmetric", (0, 0.9, 0.9, -0.9)), ("affine", (0, 0.9, 0.3, -0.9))):
        row = rates(*tiny, **settings, scheme=Scheme(kind, "symmetric"))
        confidences = [1 / (1 + math.exp(-gap)) for gap in gaps]
        assert row["mean_confidence_clean"] == pytest.approx(np.mean(confidences), rel=1e-5)
        assert row["clean_accuracy"] == 0.75


@pytest.fixture
def given(monkeypatch):
    """What networks are made on -> the orders of additions that they are given."""
    found = {}
    approximate = accelsim.nn.approximate

    def seen(model, *, multiplier, orders, **how):
        found[multiplier] = orders
        return approximate(model, multiplier=multiplier, orders=orders, **how)

    monkeypatch.setattr("accelsim.nn.approximate", seen)
    return found


def test_units_are_judged_as_they_are_in_an_accelerator(lenet, given):
    """Each unit, sources too, adds in the order that its array gives it; ascending k needs none."""
    settings = {"attacks": ["fgsm"], "multipliers": UNITS, "sources": ["ax_bfloat16"]}
    eyeriss = accelsim.Accelerator.preset("eyeriss_168")
    rows = summarize(evaluate(*lenet, **settings, accelerator=eyeriss))
    model, images, _ = lenet
    for name in (*UNITS, "ax_bfloat16"):
        machine = accelsim.Accelerator.preset("eyeriss_168").replace(multiplier=name)
        own = accelsim.accumulation_orders(accelsim.trace(model, images[:1]), machine)
        for order, expected in zip(given[name], own, strict=True):
            assert (order.permutation == expected.permutation).all()
            assert (order.sizes == expected.sizes).all()
    plain = summarize(evaluate(*lenet, **settings, accelerator="edge_16x16"))
    assert given == dict.fromkeys((*UNITS, "ax_bfloat16"))
    assert (rows.mean_confidence_clean != plain.mean_confidence_clean).all()
    assert rows.mean_confidence_clean.to_numpy() == pytest.approx(plain.mean_confidence_clean)


def test_the_exact_judge_of_a_black_box_adds_as_the_accelerator_does(lenet, given):
    """Although it is not asked for; and in all layers, though the machine has units for some."""
    model, images, _ = lenet
    entry = WORKLOADS["lenet5_digits"]
    proxies = Proxies(entry.build, images, dataclasses.replace(entry.recipe, epochs=1))
    machine = accelsim.Accelerator.preset("eyeriss_168")
    layered = machine.replace(layer_multipliers={"conv1": "ax_bfloat16"})
    evaluate(
        *lenet, attacks=["fgsm"], multipliers=["ax_fpm"], scenario="black_box", proxies=proxies,
        accelerator=layered,
    )  # fmt: skip
    alone = machine.replace(multiplier="exact_fp32")
    expected = accelsim.accumulation_orders(accelsim.trace(model, images[:1]), alone)
    for order, own in zip(given["exact_fp32"], expected, strict=True):
        assert (order.permutation == own.permutation).all()
    (judge,) = set(given) - {"exact_fp32"}
    assert set(judge) == {"ax_bfloat16", "ax_fpm"}


@pytest.mark.parametrize("scenario", ["transfer", "white_box", "adaptive"])
def test_layers_of_an_accelerator_stay_on_their_units(tiny, scenario):
    """Judges are networks on several units, and are called so."""
    model, images, labels = tiny
    machine = accelsim.Accelerator.preset("edge_16x16").replace(
        layer_multipliers={"1": "exact_int8"}
    )
    outcomes = evaluate(
        model, images, labels, attacks=["fgsm"], multipliers=["exact_fp32"], scenario=scenario,
        accelerator=machine, calibration=images, gradients=["exact", "unit"],
    )  # fmt: skip
    assert set(outcomes["target"]) == {"exact_fp32, exact_int8 in 1"}
    alone = evaluate(
        model, images, labels, attacks=["fgsm"], multipliers=["exact_int8"], scenario=scenario,
        calibration=images, gradients=["exact", "unit"],
    )  # fmt: skip
    same = ["target_right", "target_fooled", "confidence_clean", "gradient"]
    assert outcomes[same].equals(alone[same])


def test_controls_are_judged_by_what_they_compute(tiny, tmp_path):
    """Twice the sums moves no image across the border; the weight 0.8 becomes 1, 0.7 becomes 0.5.

    Of the first image the gap is 0.8 * 0.6 - 0.7 * 0.5, by powers of two 0.6 - 0.25; FGSM on the
    exact network makes it 0.8 * 0.5 - 0.7 * 0.6 and 0.5 - 0.3: of the two that one alone is fooled.
    """
    model, images, labels = tiny
    with torch.no_grad():
        model[1].weight.copy_(torch.diag(torch.tensor([0.8, 0.7])))
    gains = pd.DataFrame({"call": [0], "layer": ["1"], "gain": [2.0]})
    given = {"gain": exact_times_gain(model, gains), "po2": power_of_two_weights(model)}
    how = {"attacks": ["fgsm"], "multipliers": ["exact_fp32"], "epsilon": 0.1, "folder": tmp_path}
    done = []

    def judged(controls, **changed):
        """Return the outcomes; `done` says what had to be made."""
        done.clear()
        made = lambda *told: done.append(told[2]) if told[2] else None  # noqa: E731
        return evaluate(model, images, labels, controls=controls, progress=made, **how | changed)

    alone = judged({})
    table = judged(given)
    assert done == ["transfer|torch|exact|fgsm||0.1|0|4|gain|po2"]
    pd.testing.assert_frame_equal(table[:4], alone)
    of = dict(iter(table.groupby("target", sort=False)))
    assert list(of) == ["exact_fp32", "gain", "po2"]
    exact = of["exact_fp32"]
    assert exact["margin_clean"].iloc[0] == pytest.approx(0.8 * 0.6 - 0.7 * 0.5)
    assert of["gain"]["margin_clean"].to_numpy() == pytest.approx(2 * exact["margin_clean"])
    assert of["gain"]["target_fooled"].tolist() == exact["target_fooled"].tolist()
    assert of["po2"]["margin_attacked"].iloc[0] == pytest.approx(0.5 - 0.3)
    assert [of[name]["target_fooled"].iloc[0] for name in of] == [True, True, False]
    judged(given)
    assert not done
    other = exact_times_gain(model, gains.assign(gain=3.0))
    judged(given | {"gain": other})
    assert len(done) == 1
    white = judged(given, scenario="white_box", gradients=("effective",))
    assert white[["source", "gradient"]].drop_duplicates().to_numpy().tolist() == [
        ["exact_fp32", "effective"], ["gain", "exact"], ["po2", "exact"],
    ]  # fmt: skip


def test_what_one_proxy_found_is_not_told_of_another(tiny, tmp_path):
    model, images, labels = tiny
    done, trained = [], []

    def judged(hidden):
        """Return the outcomes over a proxy of *hidden* units; `done` says what had to be made."""
        done.clear()
        trained.clear()
        build = lambda: nn.Sequential(  # noqa: E731
            nn.Flatten(), nn.Linear(2, hidden), nn.Linear(hidden, 2)
        )
        given = Proxies(build, images, Recipe(1, 4, learning_rate=0.1))
        return evaluate(
            model, images, labels, attacks=["fgsm"], multipliers=["exact_fp32"], epsilon=0.1,
            scenario="black_box", proxies=given, folder=tmp_path,
            progress=lambda *told: done.append(told[2]) if told[2] else None,
            proxy_progress=lambda *told: trained.append(told[2]),
        )  # fmt: skip

    small = judged(2)
    assert len(done) == 1
    assert trained[0].startswith("proxy of exact_fp32, epoch 1 of 1, loss ")
    judged(3)
    assert len(done) == 1
    pd.testing.assert_frame_equal(judged(2), small)
    assert not done
    assert not trained


def test_what_was_kept_is_used_for_the_same_networks_and_images_only(tiny, tmp_path):
    """Kept under all that the outcomes depend on: nothing else is left to the caller."""
    model, images, labels = tiny
    given = {"attacks": ["fgsm"], "multipliers": ["exact_int4"], "calibration": images}
    made = []

    def count(done, total, what):
        made.append(bool(what))

    def kept(*network, **changed):
        made.clear()
        evaluate(*network, **{**given, **changed}, folder=tmp_path, progress=count)
        return not any(made)

    assert not kept(*tiny)
    assert kept(*tiny)
    assert not kept(*tiny, scheme=Scheme("symmetric", "symmetric"))
    assert not kept(*tiny, calibration=images[:1])
    assert not kept(*tiny, accumulator="int64")
    assert not kept(*tiny, seed=1)
    assert not kept(*tiny, epsilon=0.3)
    assert not kept(model, np.clip(images + np.float32(0.01), 0, 1), labels)
    assert not kept(model, images, 1 - labels)
    with torch.no_grad():
        model[1].weight.mul_(2)
    assert not kept(*tiny)
    assert kept(*tiny)


def test_what_was_kept_of_a_unit_does_not_depend_on_who_else_is_asked_for(tiny, tmp_path):
    made = []
    settings = {"attacks": ["fgsm"], "scenario": "white_box", "calibration": tiny[1]}
    settings |= {"folder": tmp_path, "progress": lambda done, total, what: made.append(what)}
    evaluate(*tiny, multipliers=["ax_fpm"], gradients=["exact"], **settings)
    made.clear()
    evaluate(*tiny, multipliers=["ax_fpm", "exact_int4"], gradients=["exact"], **settings)
    start, *pieces = made
    assert start == ""
    assert ["exact_int4" in piece for piece in pieces] == [True]
