"""The Pareto figure: who is dominated, where the front runs, and what cannot be drawn."""

import numpy as np
import pandas as pd
import pytest

from accelsim.errors import DataError
from accelsim.figures import pareto, rendered
from accelsim.figures.pareto import best_points

COLUMNS = ["unit", "accuracy", "robust_accuracy", "latency_ns", "energy_pj"]
TABLE = pd.DataFrame(
    [
        ("exact", 0.96, 0.30, 5.0, 40.0),
        ("cheap", 0.90, 0.20, 2.0, 10.0),
        ("robust", 0.95, 0.50, 4.0, 20.0),
        # Worse than robust in all, but quicker.
        ("quick", 0.85, 0.40, 1.0, 30.0),
        # Worse than cheap in all.
        ("bad", 0.90, 0.10, 3.0, 10.0),
    ],
    columns=COLUMNS,
)


def test_less_is_better_of_costs_and_more_of_accuracies():
    assert best_points(TABLE, COLUMNS[1:]).tolist() == [True, True, True, True, False]
    assert best_points(TABLE, ["energy_pj", "robust_accuracy"]).tolist() == [
        *(False, True, True, False, False)
    ]
    assert best_points(TABLE[:1], COLUMNS[1:]).tolist() == [True]
    # Twins do not dominate each other.
    twins = pd.concat([TABLE[:1], TABLE[:1]])
    assert best_points(twins, COLUMNS[1:]).tolist() == [True, True]


@pytest.mark.parametrize(
    "name",
    [
        "stall_cycles",
        "compute_cycles",
        "multiplier_delay_ps",
        "dram_read_bytes",
        "latency_us_per_image",
    ],
)
def test_less_is_better_of_what_is_counted_in_a_costly_unit(name):
    points = pd.DataFrame({name: [1, 2], "accuracy": [0.8, 0.8]})
    assert best_points(points, [name, "accuracy"]).tolist() == [True, False]
    axes, *_ = pareto(points.assign(unit=["a", "b"]), "t", x=name, y="accuracy", color=None,
                      size=None).axes  # fmt: skip
    assert axes.lines[0].get_xydata().tolist() == [[1, 80]]
    assert axes.lines[0].get_drawstyle() == "steps-post"


def scatters(axes):
    """Return (pale, solid) points as arrays."""
    return [np.asarray(part.get_offsets()) for part in axes.collections]


def test_dominated_points_are_pale_and_the_front_is_drawn():
    figure = pareto(TABLE, "title")
    axes, bar = figure.axes
    pale, solid = axes.collections
    assert np.asarray(pale.get_offsets()).tolist() == [[10, 10]]
    assert np.asarray(solid.get_offsets()).tolist() == [[40, 30], [10, 20], [20, 50], [30, 40]]
    assert (pale.get_alpha(), solid.get_alpha()) == (0.3, 1.0)
    (front,) = axes.lines
    assert front.get_xydata().tolist() == [[10, 20], [20, 50]]
    assert front.get_drawstyle() == "steps-post"
    assert {text.get_text() for text in axes.texts} == {*TABLE["unit"]}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("energy (pJ)", "robust accuracy (%)")
    assert bar.get_ylabel() == "clean accuracy (%)"
    # The least latency has the smallest marker, the most the largest.
    assert solid.get_sizes().argmin() == 3
    assert solid.get_sizes().argmax() == 0
    assert solid.get_array().tolist() == [96, 90, 95, 85]
    assert rendered(figure)[:4] == b"\x89PNG"


def test_axes_are_chosen_by_name():
    axes, bar = pareto(TABLE, "t", x="accuracy", y="robust_accuracy", color="energy_pj").axes
    (front,) = axes.lines
    assert front.get_xydata().tolist() == [[95, 50], [96, 30]]
    assert front.get_drawstyle() == "steps-pre"
    assert bar.get_ylabel() == "energy (pJ)"
    (axes,) = pareto(TABLE, "t", y="latency_ns", color=None, size=None).axes
    assert {*axes.collections[1].get_sizes()} == {90}


def test_of_many_points_only_undominated_ones_are_named():
    worse = pd.DataFrame({**TABLE.iloc[1].to_dict(), "unit": [f"w{n}" for n in range(30)]})
    worse["energy_pj"] = 11.0
    axes, _ = pareto(pd.concat([TABLE, worse], ignore_index=True), "t").axes
    assert {text.get_text() for text in axes.texts} == {*TABLE["unit"][:4]}


def test_intervals_are_drawn_where_the_table_has_some():
    known = TABLE.assign(robust_accuracy_low=0.1, robust_accuracy_high=0.6)
    (intervals,) = [one for one in pareto(known, "t").axes[0].collections if one.get_zorder() == 1]
    assert [path.vertices[:, 1].tolist() for path in intervals.get_paths()] == [[10, 60]] * 5


def test_one_point_is_its_own_front():
    axes, _ = pareto(TABLE[:1], "t").axes
    assert axes.lines[0].get_xydata().tolist() == [[40, 30]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t[:0], "no points to draw; the table has no row"),
        (lambda t: t.drop(columns="energy_pj"), "the table lacks 'energy_pj'; it has unit, acc"),
        (lambda t: t.rename(columns={"energy_pj": "energy_p"}), "Did you mean 'energy_p'?"),
        (lambda _: pd.DataFrame(), "it has no column"),
        (lambda t: t.assign(accuracy=np.nan), "accuracy of 'exact' must be a finite number, got"),
        (lambda t: t.assign(latency_ns="soon"), "latency_ns of 'exact' must be a finite number"),
        (lambda t: t.assign(workload=[*"aabbb"]), "the table is of several networks: a, b"),
        (lambda t: t.assign(unit="exact"), "5 points have 1 names, exact more than once"),
    ],
)
def test_rejects_tables_that_cannot_be_drawn(change, message):
    with pytest.raises(DataError) as caught:
        pareto(change(TABLE), "t")
    assert message in str(caught.value)


def test_rejects_one_column_for_two_things():
    with pytest.raises(DataError, match="must be different columns, got"):
        pareto(TABLE, "t", x="energy_pj", y="energy_pj")
