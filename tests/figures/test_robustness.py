"""The figures of robustness: every rate is drawn where it belongs."""

import itertools
import json
import math

import numpy as np
import pandas as pd
import pytest

from accelsim.errors import DataError
from accelsim.figures import (
    accuracy_by_epsilon,
    rendered,
    transfer_by_margin,
    transfer_matrix,
)


def row(share, **settings):
    rates = ("clean_accuracy", "robust_accuracy", "transfer_success")
    values = {"clean_accuracy": 0.9, "robust_accuracy": share, "transfer_success": share}
    return {
        **{"scenario": "transfer", "source": "torch", "gradient": "exact", "target": "ax_fpm"},
        **{"attack": "pgd", "norm": "linf", "aim": "budget", "epsilon": 0.1, "seed": 0},
        **{rate: values[rate] for rate in rates},
        **{f"{rate}_low": values[rate] - 0.05 for rate in rates},
        **{f"{rate}_high": values[rate] + 0.05 for rate in rates},
        **settings,
    }


CURVES = pd.DataFrame(
    [
        row(0.3, epsilon=0.2),
        row(0.7, epsilon=0.1),
        row(0.5, target="exact_fp32"),
        row(0.6, attack="cw", norm="l2", epsilon=1.5),
        row(0.1, attack="cw", norm="l2", aim="minimum", epsilon=math.nan),
    ]
)


def test_a_plot_for_each_attack_and_a_line_for_each_target():
    figure = accuracy_by_epsilon(CURVES, "Accuracy")
    pgd, cw = figure.axes
    assert [axes.get_title() for axes in figure.axes] == ["pgd", "cw"]
    lines = {line.get_label(): line.get_xydata() for line in pgd.lines}
    np.testing.assert_allclose(lines["ax_fpm"], [[0, 90], [0.1, 70], [0.2, 30]])
    np.testing.assert_allclose(lines["exact_fp32"], [[0, 90], [0.1, 50]])
    np.testing.assert_allclose(cw.lines[0].get_xydata(), [[0, 90], [1.5, 60]])
    band = pgd.collections[0].get_paths()[0].vertices
    for corner in ([0.1, 65], [0.1, 75], [0.2, 25], [0.2, 35]):
        assert np.isclose(band, corner).all(axis=1).any()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["ax_fpm", "exact_fp32"]
    assert [text.get_text() for text in pgd.get_xticklabels()] == ["0", "0.1", "0.2"]
    assert rendered(figure)[:4] == b"\x89PNG"


def test_targets_of_the_same_color_differ_in_line():
    many = pd.DataFrame([row(0.5, target=f"unit{number}") for number in range(9)])
    (axes,) = accuracy_by_epsilon(many, "Accuracy").axes
    looks = {(line.get_color(), line.get_linestyle()) for line in axes.lines}
    assert len(looks) == 9


def test_many_attacks_are_put_into_rows():
    many = pd.DataFrame([row(0.5, attack=f"attack{number}") for number in range(6)])
    figure = accuracy_by_epsilon(many, "Accuracy")
    assert len(figure.axes) == 6
    tops = {round(axes.get_position().y1, 2) for axes in figure.axes}
    assert len(tops) == 2


def test_a_cell_for_each_source_and_target():
    table = pd.DataFrame(
        [
            row(0.25),
            row(0.75, target="exact_fp32"),
            row(math.nan, source="ax_fpm"),
            row(0.5, attack="cw", norm="l2", aim="minimum", epsilon=math.nan),
        ]
    )
    figure = transfer_matrix(table, "Transfer")
    pgd, cw = figure.axes
    assert pgd.get_title() == "pgd, $L_\\infty$ 0.1"
    assert cw.get_title() == "cw, $L_2$ smallest"
    assert [text.get_text() for text in pgd.get_xticklabels()] == ["ax_fpm", "exact_fp32"]
    assert [text.get_text() for text in pgd.get_yticklabels()] == ["torch", "ax_fpm"]
    cells = {text.get_position(): (text.get_text(), text.get_color()) for text in pgd.texts}
    assert cells == {
        (0, 0): ("25 %\n20 to 30", "black"),
        (1, 0): ("75 %\n70 to 80", "white"),
        (0, 1): ("none", "black"),
    }
    np.testing.assert_array_equal(
        pgd.images[0].get_array().filled(-1), [[25.0, 75.0], [-1.0, -1.0]]
    )
    assert rendered(figure, "svg").startswith(b"<?xml")


def test_another_rate_can_be_drawn():
    (axes,) = transfer_matrix(CURVES[:1], "Accuracy", "robust_accuracy").axes
    assert axes.texts[0].get_text().startswith("30 %")


def test_rejects_tables_without_rows():
    with pytest.raises(DataError, match="no row with an epsilon"):
        accuracy_by_epsilon(CURVES[-1:], "Accuracy")
    with pytest.raises(DataError, match="the table has no row"):
        transfer_matrix(CURVES[:0], "Transfer")


def test_rejects_two_rows_in_one_place():
    twice = pd.DataFrame([row(0.1), row(0.2, gradient="effective")])
    for draw in (accuracy_by_epsilon, transfer_matrix):
        with pytest.raises(DataError, match=r"in one place \(attack pgd, norm linf.*strongest"):
            draw(twice, "Title")


def test_rejects_a_rate_that_is_not_there():
    with pytest.raises(DataError, match="no rate 'success'; it has: clean_accuracy, robust_acc"):
        transfer_matrix(CURVES[:1], "Transfer", "success")


def test_labels_of_small_epsilons_do_not_meet():
    small = [row(0.5, epsilon=steps / 255) for steps in (1, 2, 4, 8, 16, 127.5)]
    figure = accuracy_by_epsilon(pd.DataFrame(small), "Accuracy")
    figure.draw_without_rendering()
    labels = [text for text in figure.axes[0].get_xticklabels() if text.get_text()]
    assert len(labels) > 3
    boxes = [text.get_window_extent() for text in labels]
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


def farther(share, scale, target="ax_fpm", confidence=None, **settings):
    settings |= {} if confidence is None else {"confidence": confidence}
    own = {"attack": "cw", "norm": "l2", "aim": "minimum", "epsilon": math.nan, "scale": scale}
    return row(share, target=target, settings=json.dumps(settings), **own)


MARGINS = [
    *(farther(share, scale, confidence=0.0) for scale, share in ((1.5, 0.9), (1.0, 0.2))),
    *(farther(share, 1.0, confidence=kappa) for kappa, share in ((5.0, 0.95), (2.0, 0.6))),
    farther(0.97, 1.5, confidence=5.0),
]


def test_a_curve_of_the_scale_and_one_of_the_confidence():
    scaled, confident = transfer_by_margin(pd.DataFrame(MARGINS), "Margins").axes
    np.testing.assert_allclose(scaled.lines[0].get_xydata(), [[1, 20], [1.5, 90]])
    np.testing.assert_allclose(confident.lines[0].get_xydata(), [[0, 20], [2, 60], [5, 95]])
    assert scaled.get_title() == "cw ($L_2$), confidence 0"
    assert confident.get_title() == "cw ($L_2$)"
    assert [axes.get_xlabel() for axes in (scaled, confident)] == ["times as far", "confidence"]
    assert scaled.get_ylabel() == "transfer success (%)"
    band = scaled.collections[0].get_paths()[0].vertices
    for corner in ([1, 15], [1, 25], [1.5, 85], [1.5, 95]):
        assert np.isclose(band, corner).all(axis=1).any()


def test_runs_of_one_attack_are_told_apart_by_what_differs_and_lines_by_target():
    runs = [
        farther(share, scale, target, queries=queries, step=0.01)
        for (scale, share), target, queries in itertools.product(
            ((1.0, 0.2), (1.5, 0.9)), ("ax_fpm", "exact_fp32"), (1000, 5000)
        )
    ]
    few, many = transfer_by_margin(pd.DataFrame(runs), "Margins").axes
    assert few.get_title() == "cw ($L_2$), 1000 queries"
    assert many.get_title() == "cw ($L_2$), 5000 queries"
    assert [line.get_label() for line in many.lines] == ["ax_fpm", "exact_fp32"]


def test_a_single_distance_and_rows_without_a_value_are_no_curve():
    alone = [farther(0.2, 1.0), farther(math.nan, 1.5), row(0.5, scale=1.0, settings="{}")]
    with pytest.raises(DataError, match="no curve to draw.*two scales or two confidences"):
        transfer_by_margin(pd.DataFrame(alone), "Margins")
    with pytest.raises(DataError, match="no rate 'speed'; it has: .*transfer_success"):
        transfer_by_margin(pd.DataFrame(MARGINS), "Margins", "speed")
    with pytest.raises(DataError, match="one place .*scale 1.0"):
        transfer_by_margin(pd.DataFrame([*MARGINS, MARGINS[1]]), "Margins")
