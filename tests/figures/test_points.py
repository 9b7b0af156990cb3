import pandas as pd
import pytest

from accelsim.errors import DataError
from accelsim.figures import cost_by_point, rendered

TABLE = pd.DataFrame(
    [("exact_fp32", 10.0, 5.0), ("ax_fpm", 10.0, 3.0), ("ax_fpm", 4.0, 6.0)],
    columns=["multiplier", "latency_us_per_image", "energy_uj_per_image"],
)


def test_every_point_is_where_its_costs_are():
    figure = cost_by_point(TABLE, "Points")
    (axes,) = figure.axes
    drawn = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
    assert drawn == {"exact_fp32": [[10, 5]], "ax_fpm": [[10, 3], [4, 6]]}
    assert axes.get_xlim()[0] == axes.get_ylim()[0] == 0
    assert axes.get_xlim()[1] > 10
    assert axes.get_ylim()[1] > 6
    assert rendered(figure, "svg").startswith(b"<?xml")


def test_points_with_layers_on_other_units_have_a_look_of_their_own():
    table = TABLE.assign(layer_multipliers=[None, None, "conv1=exact_fp32"])
    (axes,) = cost_by_point(table, "Points").axes
    drawn = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
    assert drawn == {
        "exact_fp32": [[10, 5]], "ax_fpm": [[10, 3]], "ax_fpm and others": [[4, 6]]
    }  # fmt: skip


def test_rejects_a_table_without_rows():
    with pytest.raises(DataError, match="the table has no row"):
        cost_by_point(TABLE[:0], "Points")
