"""Tests of accelsim.robustness.pieces: one attack on some images, and who judges it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from accelsim.errors import ConfigError
from accelsim.robustness.outcomes import OUTCOMES
from accelsim.robustness.pieces import Piece, Plan, Source, run_piece, split


def twice(model):
    """A judge whose logits are twice the model's."""
    doubled = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
    with torch.no_grad():
        doubled[1].weight.copy_(2 * model[1].weight)
    return doubled


def piece(tiny, plan, targets=None, **changed):
    model, images, labels = tiny
    fields = {"images": images, "labels": labels, "first": 0, "seed": 0, "batch_size": 8}
    source = Source("torch", model)
    return Piece("transfer", source, targets or {"same": model}, plan, **{**fields, **changed})


def test_the_judge_that_is_the_source_sees_what_the_source_sees(tiny):
    """FGSM by 0.2 brings the brighter pixel down and the darker up; the last image is clipped."""
    table = run_piece(piece(tiny, Plan("fgsm", 0.2), {"same": tiny[0], "twice": twice(tiny[0])}))
    assert list(table) == list(OUTCOMES)
    same = table[table["target"] == "same"]
    assert same["image"].tolist() == [0, 1, 2, 3]
    assert same["label"].tolist() == [0, 0, 1, 0]
    assert same["source_right"].tolist() == [True, True, True, False]
    assert same["source_fooled"].tolist() == [True, False, True, True]
    assert same["target_fooled"].tolist() == same["source_fooled"].tolist()
    np.testing.assert_allclose(same["margin_clean"], [0.1, 0.8, 0.3, -0.8], rtol=1e-6)
    np.testing.assert_allclose(same["margin_attacked"], [-0.3, 0.4, -0.1, -1.0], atol=1e-6)
    np.testing.assert_allclose(same["linf"], [0.2, 0.2, 0.2, 0.1], rtol=1e-6)
    np.testing.assert_allclose(same["epsilon"], 0.2)
    assert same["cause"].tolist() == ["", "budget", "", ""]
    other = table[table["target"] == "twice"]
    np.testing.assert_allclose(other["margin_attacked"], 2 * same["margin_attacked"].to_numpy())
    assert (other["confidence_clean"].to_numpy()[:3] > same["confidence_clean"][:3]).all()


def test_a_perturbation_is_scaled_and_judged_anew(tiny):
    table = run_piece(piece(tiny, Plan("fgsm", 0.2, scales=(0.2, 1, 4))))
    assert table["scale"].unique().tolist() == [0.2, 1, 4]
    fooled = table.groupby("scale")["target_fooled"].apply(list).to_dict()
    assert fooled[0.2] == [False, False, False, True]
    assert fooled[1] == [True, False, True, True]
    assert fooled[4] == [True, True, True, True]
    assert table["linf"].max() <= 0.9
    np.testing.assert_allclose(table["epsilon"], 0.2)


def test_nothing_is_attacked_where_nothing_is_right(tiny):
    model, images, labels = tiny
    table = run_piece(piece((model, images[:3], 1 - labels[:3]), Plan("fgsm")))
    assert not table["source_right"].any()
    assert (table["l2"] == 0).all()
    assert (table["epsilon"] == 0.1).all()
    assert (table["forwards"] == 0).all()


def test_settings_and_epsilon_reach_the_attack(tiny):
    table = run_piece(piece(tiny, Plan("pgd", 0.05, {"steps": 3})))
    assert table["settings"].unique().tolist() == ['{"steps": 3}']
    assert table["gradients"].iloc[0] == pytest.approx(3)
    with pytest.raises(ConfigError, match="attack Pgd has no setting 'step'"):
        run_piece(piece(tiny, Plan("pgd", 0.05, {"step": 3})))


@pytest.mark.parametrize("scales", [(), (0,), (1, -2), (np.inf,), (np.nan,)])
def test_rejects_scales(scales):
    with pytest.raises(ConfigError, match="scales must be numbers above 0, got"):
        Plan("fgsm", scales=scales)


def test_pieces_are_the_whole_set_and_the_seed_tells_them_apart(tiny):
    model, images, labels = tiny
    source = Source("torch", model)
    parts = list(
        split("transfer", source, {"same": model}, Plan("pgd"), images, labels,
              seed=5, batch_size=8, chunk=3)
    )  # fmt: skip
    assert [(one.first, len(one.images)) for one in parts] == [(0, 3), (3, 1)]
    assert len({one.key for one in parts}) == 2
    assert [run_piece(one)["image"].tolist() for one in parts] == [[0, 1, 2], [3]]
    again = [run_piece(one)["margin_attacked"].tolist() for one in parts]
    assert again == [run_piece(one)["margin_attacked"].tolist() for one in parts]
