import numpy as np
import pandas as pd
import pytest

from accelsim.errors import DataError
from accelsim.figures import (
    constant_factor,
    gain_by_layer,
    inflation_by_operands,
    noise_by_correlation,
    rendered,
)

GAINS = pd.DataFrame(
    [
        ("lenet", "exact_fp32", 0, "conv", 1.0, 0.0),
        ("lenet", "exact_fp32", 1, "linear", 1.0, 0.0),
        ("lenet", "ax_fpm", 0, "conv", 1.4, 0.1),
        ("lenet", "ax_fpm", 1, "linear", 1.5, 0.2),
        ("alexnet", "ax_fpm", 0, "conv", 1.3, 0.05),
    ],
    columns=["workload", "multiplier", "call", "layer", "gain", "noise"],
)


def drawn(axes, label):
    """Return the points of the line of that label."""
    (line,) = [line for line in axes.lines if line.get_label() == label]
    return [tuple(point) for point in np.round(line.get_xydata(), 6)]


def legend(figure):
    (found,) = figure.legends
    return [text.get_text() for text in found.get_texts()]


def test_gains_above_and_noise_in_percent_below_a_column_for_each_workload():
    figure = gain_by_layer(GAINS)
    gain, _, noise, other = figure.axes
    assert drawn(gain, "ax_fpm") == [(0, 1.4), (1, 1.5)]
    assert drawn(noise, "ax_fpm") == [(0, 10), (1, 20)]
    assert drawn(other, "ax_fpm") == [(0, 5)]
    assert [text.get_text() for text in noise.get_xticklabels()] == ["conv", "linear"]
    assert legend(figure) == ["exact_fp32", "ax_fpm"]
    assert rendered(figure)[:4] == b"\x89PNG"


EFFECTS = pd.DataFrame(
    [
        ("exact_fp32", "exact", 0.99, 0.98, 0.995),
        ("exact_fp32", "weights of 4 bits", 0.97, 0.96, 0.98),
        ("ax_fpm", "exact", 0.99, 0.98, 0.995),
        ("ax_fpm", "unit", 0.9, 0.88, 0.92),
        ("ax_fpm", "unit / gain", 0.98, 0.97, 0.99),
    ],
    columns=["multiplier", "network", "accuracy", "accuracy_low", "accuracy_high"],
).assign(workload="lenet", images=1000)


def test_units_have_a_row_for_all_their_networks_and_controls_one_each():
    figure = constant_factor(EFFECTS)
    (axes,) = figure.axes
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert names == ["ax_fpm", "weights of 4 bits"]
    (unit,) = drawn(axes, "unit")
    assert unit[0] == pytest.approx(10)
    assert round(unit[1]) == 0
    assert drawn(axes, "control") == [(3, 1)]
    dashed = [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == "--"]
    assert dashed == [pytest.approx(1)]
    assert axes.get_title() == "lenet\n1,000 test images"
    assert axes.get_xlabel() == "classified wrongly (%)"


def test_a_network_without_an_error_is_drawn_at_half_an_image():
    """A half of 1,000 images is 0.05 %, as is the lower end of its interval."""
    perfect = {"accuracy": 1.0, "accuracy_low": 0.99, "accuracy_high": 1.0}
    (axes,) = constant_factor(EFFECTS.assign(**perfect)).axes
    assert drawn(axes, "control") == [(0.05, 1)]
    dashed = [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == "--"]
    assert dashed == [pytest.approx(0.05)]
    starts = [one.get_segments()[0][:, 0] for one in axes.collections]
    assert all(start == pytest.approx([0.05, 1]) for start in starts)
    assert axes.get_xlim()[0] < 0.05
    assert axes.get_xlabel() == "classified wrongly (%) or, of none, half an image"


@pytest.fixture(scope="module")
def noise():
    """Bins of three layers; of the last none holds 10 outputs."""
    rows = []
    for call, low in ((0, -0.5), (0, 0.0), (1, 0.0)):
        row = {"multiplier": "ax_fpm", "call": call, "layer": f"conv{call}", "outputs": 50}
        row |= {"cosine_low": low, "cosine_high": low + 0.5}
        for number, measure in enumerate(("noise", "residual", "residual_relative"), 1):
            row |= {f"{measure}_q25": number, f"{measure}_median": 2 * number}
            row |= {f"{measure}_q75": 3 * number}
        rows.append(row)
    few = {**rows[0], "outputs": 9, "cosine_low": 0.5, "cosine_high": 1}
    return pd.DataFrame([*rows, few, {**few, "call": 2, "layer": "conv2"}])


def test_errors_against_the_cosine_a_column_for_each_layer(noise):
    figure = noise_by_correlation(noise, "lenet")
    assert len(figure.axes) == 6
    assert [axes.get_title() for axes in figure.axes[:2]] == ["conv0", "conv1"]
    # The bins of nine outputs are left out, and the layer that has no other.
    assert drawn(figure.axes[0], "ax_fpm") == [(-0.25, 2), (0.25, 2)]
    assert drawn(figure.axes[3], "ax_fpm") == [(0.25, 4)]
    assert drawn(figure.axes[5], "ax_fpm") == [(0.25, 6)]
    assert "lenet" in figure.get_suptitle()


def test_inflation_over_significands_and_binades_integers_in_parts_of_the_largest():
    rows = [
        ("ax_fpm", "all", np.nan, np.nan, 0.96),
        ("ax_fpm", "activation", 1.0, 1.5, 0.9),
        ("ax_fpm", "weight", 1.5, 2.0, 1.0),
        ("ax_fpm", "product", 0.25, 0.5, 0.8),
        ("drum4_u8", "activation", 0.0, 128.0, 0.5),
        ("drum4_u8", "activation", 128.0, 256.0, 0.4),
        ("drum4_u8", "weight", 96.0, 112.0, 0.4),
    ]
    table = pd.DataFrame(rows, columns=["multiplier", "over", "low", "high", "inflated"])
    table = table.assign(inflated_low=table["inflated"], inflated_high=table["inflated"])
    table["largest"] = np.where(table["multiplier"] == "drum4_u8", 255, np.nan)
    activation, weight, product = inflation_by_operands(table).axes
    assert drawn(activation, "ax_fpm") == [(1.25, 90)]
    assert drawn(activation, "drum4_u8") == [(1.25, 50), (1.75, 40)]
    assert drawn(weight, "ax_fpm") == [(1.75, 100)]
    # Whatever bins there are.
    assert drawn(weight, "drum4_u8") == [(1.40625, 40)]
    assert drawn(product, "ax_fpm") == [(-1.5, 80)]


@pytest.mark.parametrize("figure", [gain_by_layer, constant_factor, inflation_by_operands])
def test_rejects_tables_without_rows(figure):
    with pytest.raises(DataError, match="to draw; the table has no row"):
        figure(GAINS[:0])


def test_rejects_bins_without_rows():
    with pytest.raises(DataError, match="no noise to draw; the table has no row"):
        noise_by_correlation(pd.DataFrame(columns=["call", "multiplier"]), "lenet")


def test_rejects_bins_of_too_few_outputs(noise):
    with pytest.raises(DataError, match="there is no noise to draw; no bin holds 10 outputs"):
        noise_by_correlation(noise.assign(outputs=9), "lenet")
