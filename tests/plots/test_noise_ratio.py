"""Tests of plots/noise_ratio.py: who is compared with whom, and by what."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from accelsim.errors import DataError
from accelsim.robustness.study import outcomes_in

NAME = "lenet5_digits"


@pytest.fixture(scope="module")
def white(kept):
    """DeepFool on each network itself."""
    table = outcomes_in(kept)
    return table[(table["scenario"] == "white_box") & (table["attack"] == "deepfool")]


def test_ratios_are_of_squared_errors_image_by_image(kept, white, script, tmp_path, capsys):
    script("noise_ratio", NAME, "--folder", kept, "--out", tmp_path).main()
    table = pd.read_csv(tmp_path / f"noise_ratio_{NAME}.csv").set_index("multiplier")
    assert list(table.index) == ["ax_fpm", "weights_po2"]
    own = {name: part.set_index("image") for name, part in white.groupby("target")}
    exact = own["exact_fp32"]
    fooled = exact["target_right"] & exact["target_fooled"]
    for unit, row in table.iterrows():
        assert (row["attack"], row["gradient"], row["norm"]) == ("deepfool", "exact", "l2")
        both = fooled & own[unit]["target_right"] & own[unit]["target_fooled"]
        ratio = np.exp(np.log(own[unit]["mse"][both] / exact["mse"][both]).mean())
        assert row["both_fooled"] == both.sum() > 0
        assert row["mse_ratio"] == pytest.approx(ratio, abs=1e-5)
        assert row["mse_ratio_low"] < row["mse_ratio"] < row["mse_ratio_high"]
        assert row["median_exact"] == pytest.approx(exact["l2"][fooled].median(), abs=1e-5)
    assert (tmp_path / f"noise_ratio_{NAME}.png").read_bytes().startswith(b"\x89PNG")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:4] for line in lines[2:]] == [
        ["deepfool,", "exact", "gradient", "ax_fpm"],
        ["deepfool,", "exact", "gradient", "weights_po2"],
    ]


def test_the_one_gradient_of_the_exact_network_stands_for_any_but_the_smoothed(white, script):
    ratios = script("noise_ratio", NAME).ratios
    of = white["target"] == "ax_fpm"
    plain = ratios(white).set_index("multiplier").loc["ax_fpm"]
    for gradient in ("effective", "smoothed"):
        given = white.assign(gradient=white["gradient"].mask(of, gradient))
        found = ratios(given).set_index("multiplier")
        if gradient == "smoothed":
            assert "ax_fpm" not in found.index
        else:
            own = found.loc["ax_fpm"]
            assert own["gradient"] == gradient
            assert own["mse_ratio"] == plain["mse_ratio"]


def test_the_smallest_is_of_each_image_over_what_both_met(white, script):
    """A second attack, whose squared errors are so many times the first's on each target."""
    module = script("noise_ratio", NAME)
    plain = module.ratios(white).set_index("multiplier").loc["ax_fpm", "mse_ratio"]

    def smallest(**factors):
        met = white[white["target"].isin(factors)]
        factor = met["target"].map(factors)
        second = met.assign(attack="ddn", l2=met["l2"] * factor**0.5, mse=met["mse"] * factor)
        table = module.ratios(pd.concat([white, second], ignore_index=True))
        best = table[table["attack"] == module.BEST_NAME].set_index("multiplier")
        return best["mse_ratio"].get("ax_fpm")

    assert smallest(exact_fp32=4.0, ax_fpm=4.0) == pytest.approx(plain)
    assert smallest(exact_fp32=4.0, ax_fpm=0.25) == pytest.approx(plain / 4)
    assert smallest(ax_fpm=0.25) is None


def test_a_white_box_of_the_exact_network_alone_is_an_error(white, script):
    with pytest.raises(DataError, match="no attack for the smallest perturbation was made on"):
        script("noise_ratio", NAME).ratios(white[white["target"] == "exact_fp32"])
