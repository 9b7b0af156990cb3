import numpy as np
import pandas as pd
import pytest

from accelsim.errors import DataError
from accelsim.figures import calibration_by_unit, confidence_by_unit, rendered

QUANTILES = pd.DataFrame(
    [
        ("ax_fpm", "unit", "confidence", 0.1, 0.8),
        ("ax_fpm", "unit", "confidence", 1.0, 0.99),
        ("ax_fpm", "unit", "margin", 0.1, -2.0),
        ("ax_fpm", "unit", "margin", 1.0, 9.0),
        ("ax_fpm", "exact logits x gain", "confidence", 0.1, 0.9),
        ("ax_fpm", "exact logits x gain", "margin", 0.1, 3.0),
    ],
    columns=["multiplier", "network", "measure", "share", "value"],
).assign(workload="lenet")


def test_units_and_the_exact_network_times_their_gain():
    confidence, margin = confidence_by_unit(QUANTILES).axes
    dotted, solid = confidence.lines
    assert solid.get_xydata() == pytest.approx(np.array([[0.8, 10], [0.99, 100]]))
    assert (solid.get_linestyle(), dotted.get_linestyle()) == ("-", ":")
    assert dotted.get_xydata() == pytest.approx(np.array([[0.9, 10]]))
    assert margin.lines[1].get_xydata() == pytest.approx(np.array([[-2, 10], [9, 100]]))
    assert solid.get_color() == dotted.get_color()


@pytest.mark.parametrize("figure", [confidence_by_unit, calibration_by_unit])
def test_the_exact_network_is_above_those_that_hide_it(figure):
    rows = {"measure": "confidence", "share": 0.5, "value": 0.9, "images": 10, "sure": 0.9}
    rows |= {"accuracy": 0.9, "accuracy_low": 0.8, "accuracy_high": 1, "workload": "lenet"}
    units = ["exact_fp32", "exact_bfloat16"]
    table = pd.DataFrame({"multiplier": units, "network": "unit", **rows})
    lines = {line.get_label(): line for line in figure(table).axes[0].lines}
    above, below = lines["exact_fp32"], lines["exact_bfloat16"]
    assert list(lines).index("exact_fp32") > list(lines).index("exact_bfloat16")
    assert (above.get_color(), above.get_linestyle()) == ("black", "--")
    assert below.get_linestyle() == "-"


def test_small_bins_of_calibration_are_one_hollow_point():
    columns = ["multiplier", "network", "images", "sure", "accuracy"]
    rows = [
        ("ax_fpm", "unit", 10, 0.9, 0.8),
        ("ax_fpm", "unit", 4, 0.5, 0.25),
        ("ax_fpm", "unit", 2, 0.8, 0.5),
        ("ax_fpm", "exact logits x gain", 99, 0.7, 0.7),
    ]
    table = pd.DataFrame(rows, columns=columns).assign(workload="lenet")
    table = table.assign(accuracy_low=0.7, accuracy_high=0.9)
    figure = calibration_by_unit(table)
    (axes,) = figure.axes
    (line,) = [line for line in axes.lines if line.get_label() == "ax_fpm"]
    assert line.get_xydata() == pytest.approx(np.array([[90, 80]]))
    (hollow,) = [line for line in axes.lines if line.get_markerfacecolor() == "white"]
    assert hollow.get_xydata() == pytest.approx(np.array([[60, 100 * 2 / 6]]))
    assert "hollow: all bins of fewer than 10 images" in figure.get_suptitle()
    assert rendered(figure)[:4] == b"\x89PNG"


@pytest.mark.parametrize("figure", [confidence_by_unit, calibration_by_unit])
def test_rejects_tables_without_rows(figure):
    with pytest.raises(DataError, match="to draw; the table has no row"):
        figure(QUANTILES[:0])
