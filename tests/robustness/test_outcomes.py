"""Tests of accelsim.robustness.outcomes."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from accelsim.errors import DataError
from accelsim.robustness.outcomes import OUTCOMES, checked_outcomes, strongest


def test_a_table_read_from_a_file_is_the_same(run, tmp_path):
    table = run([True, False])
    table.to_csv(tmp_path / "outcomes.csv", index=False)
    again = checked_outcomes(pd.read_csv(tmp_path / "outcomes.csv"))
    pd.testing.assert_frame_equal(again, checked_outcomes(table), check_dtype=False)
    assert list(again["cause"]) == ["", "budget"]
    assert list(again.columns) == list(OUTCOMES)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda table: table.drop(columns=["psnr", "seed"]), "lack the columns seed, psnr"),
        (lambda table: table[:0], "have no row; run a scenario first"),
        (lambda table: table.assign(target_fooled=2), "column target_fooled must hold true and"),
        (lambda table: table.assign(cause="tired"), "cause must be one of .*, got 'tired'"),
        (lambda table: table.assign(norm="l3"), "norm must be one of .*'l2'.*, got 'l3'"),
        (lambda table: table.assign(image=0), "image 0 twice in one run .*attack pgd"),
    ],
)
def test_rejects_what_are_no_outcomes(run, spoil, message):
    with pytest.raises(DataError, match=message):
        checked_outcomes(spoil(run([True, False])))


def test_the_strongest_is_taken_image_by_image(run, runs):
    """Each gradient fools two of four images, another two at that: of three none is left robust."""
    table = runs(
        run([1, 1, 0, 0], gradient="exact"),
        run([0, 1, 1, 0], gradient="effective", forwards=2.0),
        run([0, 0, 0, 1], gradient="none", attack="square", forwards=1000.0),
    )
    found = strongest(table)
    assert list(found["target_fooled"]) == [True] * 4
    assert set(found["gradient"]) == set(found["attack"]) == {"strongest"}
    assert list(found["forwards"]) == [1042.0] * 4
    apart = strongest(table, over=("gradient",))
    assert apart.groupby("attack")["target_fooled"].sum().to_dict() == {"pgd": 3, "square": 1}


def test_of_minimal_perturbations_the_smallest_that_fools_counts(run, runs):
    """Image 0: both fool, 1 < 2; image 1: only the larger one fools; image 2: neither."""
    settings = {"aim": "minimum", "norm": "l2", "epsilon": math.nan}
    table = runs(
        run([1, 0, 0], attack="cw", l2=[2.0, 1.0, 3.0], **settings),
        run([1, 1, 0], attack="deepfool", l2=[1.0, 5.0, 4.0], **settings),
    )
    found = strongest(table)
    assert list(found["l2"]) == [1.0, 5.0, 3.0]
    assert list(found["target_fooled"]) == [True, True, False]


def test_among_attempts_that_fail_the_smallest_margin_counts(run, runs):
    table = runs(
        run([0, 0], attack="fgsm", margin_attacked=[3.0, 1.0]),
        run([0, 0], attack="pgd", margin_attacked=[2.0, 2.0]),
    )
    assert list(strongest(table)["margin_attacked"]) == [2.0, 1.0]


def test_images_that_not_all_attempts_saw_are_left_out(run, runs):
    table = runs(run([1, 0, 0]), run([0, 1], attack="hopskipjump", image=[2, 1]))
    found = strongest(table)
    assert list(found["image"]) == [1, 2]
    assert list(found["target_fooled"]) == [True, False]


def test_rows_may_be_numbered_twice(run, runs):
    """As where tables were joined without numbering them anew."""
    parts = [run([1, 0], gradient="exact"), run([0, 1], gradient="effective")]
    pd.testing.assert_frame_equal(strongest(pd.concat(parts)), strongest(runs(*parts)))


def test_groups_do_not_mix(run, runs):
    table = runs(
        run([1, 0], epsilon=0.1),
        run([1, 1], epsilon=0.2),
        run([0, 0], epsilon=0.1, target="exact_fp32"),
    )
    found = strongest(table, over=("scenario", "source", "gradient", "attack", "seed"))
    fooled = found.groupby(["target", "epsilon"])["target_fooled"].sum()
    assert fooled.to_dict() == {("ax_fpm", 0.1): 1, ("ax_fpm", 0.2): 2, ("exact_fp32", 0.1): 0}


@pytest.mark.parametrize(
    ("over", "message"),
    [
        (("gradient", "norm"), "over scenario, source, gradient, attack, settings, seed, got norm"),
        ((), "got none"),
    ],
)
def test_rejects_other_columns(run, over, message):
    with pytest.raises(DataError, match=message):
        strongest(run([True]), over=over)


def test_rejects_attempts_without_a_common_image(run, runs):
    table = runs(run([1, 0]), run([0, 1], attack="square", image=[2, 3]))
    with pytest.raises(DataError, match=r"attempts of \(scenario white_box.*have no image in com"):
        strongest(table)
