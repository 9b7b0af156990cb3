import numpy as np
import pandas as pd
import pytest

from accelsim.errors import DataError
from accelsim.figures import accuracy_by_attack, rendered

TABLE = pd.DataFrame(
    [
        ("pgd 0.1", "exact_fp32", 0.98, 0.95, 0.99, 0.30, 0.25, 0.35),
        ("pgd 0.1", "ax_fpm", 0.97, 0.94, 0.98, 0.50, 0.45, 0.55),
        ("cw", "ax_fpm", 0.97, 0.94, 0.98, 0.10, 0.05, 0.15),
    ],
    columns=[
        *("attack", "multiplier", "clean_accuracy", "clean_accuracy_low", "clean_accuracy_high"),
        *("robust_accuracy", "robust_accuracy_low", "robust_accuracy_high"),
    ],
)


def test_a_point_with_its_interval_for_each_attack_and_unit():
    figure = accuracy_by_attack(TABLE, "Accuracy")
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["none", "pgd 0.1", "cw"]
    points = {}
    for line in axes.lines:
        if not line.get_label().startswith("_"):
            points.setdefault(line.get_label(), []).extend(np.round(line.get_xydata(), 6).tolist())
    assert [(x, round(y)) for x, y in points["exact_fp32"]] == [(98, 0), (30, 1)]
    assert [(x, round(y)) for x, y in points["ax_fpm"]] == [(97, 0), (50, 1), (10, 2)]
    bounds = {
        (round(float(low), 6), round(float(high), 6))
        for lines in axes.collections
        for (low, _), (high, _) in lines.get_segments()
    }
    assert {(95, 99), (25, 35), (45, 55), (5, 15)} <= bounds
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["exact_fp32", "ax_fpm"]
    assert rendered(figure)[:4] == b"\x89PNG"


def test_rejects_a_table_without_rows():
    with pytest.raises(DataError, match="the table has no row"):
        accuracy_by_attack(TABLE[:0], "Accuracy")
