import io
import math

import pandas as pd
import pytest

from accelsim.errors import DataError
from accelsim.figures import accuracy_by_attack, noise_by_attack, rendered

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


RATIOS = pd.DataFrame(
    [
        ("ddn", '{"steps": 100}', "effective", "ax_fpm", 0.5, 0.4, 0.6),
        ("ddn", '{"steps": 100}', "effective", "drum4_s8", 1.1, 1.0, 1.2),
        ("ddn", '{"steps": 200}', "effective", "ax_fpm", 0.25, 0.2, 0.3),
        ("jsma", "{}", "exact", "drum4_s8", math.nan, math.nan, math.nan),
        ("square", "{}", "none", "ax_fpm", 8.0, 7.0, 9.0),
        ("smallest of all", "", "none", "ax_fpm", 0.2, 0.1, 0.3),
    ],
    columns=[
        *("attack", "settings", "gradient", "multiplier"),
        *("mse_ratio", "mse_ratio_low", "mse_ratio_high"),
    ],
)


def drawn(axes):
    """Return unit -> (tick that it stands nearest to, value) of its points."""
    ticks = dict(
        zip(axes.get_yticks(), (one.get_text() for one in axes.get_yticklabels()), strict=True)
    )
    points = {}
    for line in axes.lines:
        if not line.get_label().startswith("_"):
            points.setdefault(line.get_label(), []).extend(
                (ticks[min(ticks, key=lambda tick, y=y: abs(tick - y))], round(x, 6))
                for x, y in line.get_xydata()
            )
    return points


def intervals(axes):
    return {
        (round(float(low), 6), round(float(high), 6))
        for lines in axes.collections
        for (low, _), (high, _) in lines.get_segments()
    }


def test_a_point_with_its_interval_for_each_attack_and_unit():
    figure = accuracy_by_attack(TABLE, "Accuracy")
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["none", "pgd 0.1", "cw"]
    assert drawn(axes) == {
        "exact_fp32": [("none", 98), ("pgd 0.1", 30)],
        "ax_fpm": [("none", 97), ("pgd 0.1", 50), ("cw", 10)],
    }
    assert {(95, 99), (25, 35), (45, 55), (5, 15)} <= intervals(axes)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["exact_fp32", "ax_fpm"]
    assert rendered(figure)[:4] == b"\x89PNG"


def test_rejects_a_table_without_rows():
    with pytest.raises(DataError, match="the table has no row"):
        accuracy_by_attack(TABLE[:0], "Accuracy")


def test_ratios_of_noise_are_told_by_what_makes_runs_differ():
    """Settings that all runs of an attack share are left out, and so is a row without a ratio."""
    figure = noise_by_attack(RATIOS, "Noise", claimed=6.0)
    (axes,) = figure.axes
    fewer, more = "ddn, 100 steps, effective gradient", "ddn, 200 steps, effective gradient"
    assert drawn(axes) == {
        "ax_fpm": [(fewer, 0.5), (more, 0.25), ("square", 8), ("smallest of all", 0.2)],
        "drum4_s8": [(fewer, 1.1)],
    }
    assert intervals(axes) == {(0.4, 0.6), (1, 1.2), (0.2, 0.3), (7, 9), (0.1, 0.3)}
    assert axes.get_xscale() == "log"
    assert {line.get_xdata()[0] for line in axes.lines if line.get_label().startswith("_")} >= {
        1,
        6,
    }
    assert "claimed" in [text.get_text() for text in axes.texts]
    (written,) = noise_by_attack(pd.read_csv(io.StringIO(RATIOS.to_csv())), "Noise").axes
    assert drawn(written) == drawn(axes)
    assert not written.texts


def test_rejects_ratios_that_are_none_or_would_be_one_point():
    with pytest.raises(DataError, match="no ratios of noise to draw; the table has no row"):
        noise_by_attack(RATIOS[RATIOS["mse_ratio"].isna()], "Noise")
    with pytest.raises(DataError, match="lacks 'mse_ratio'"):
        noise_by_attack(RATIOS.drop(columns="mse_ratio"), "Noise")
    with pytest.raises(DataError, match=r"one place \(attack ddn, .*, multiplier ax_fpm\)"):
        noise_by_attack(pd.concat([RATIOS, RATIOS[:1]]), "Noise")
