import pandas as pd
import pytest

from accelsim.errors import DataError
from accelsim.figures import accuracy_by_unit, rendered

COLUMNS = ["workload", "multiplier", "kind", "images", "accuracy", "low", "high"]
TABLE = pd.DataFrame(
    [
        ("lenet", "exact_fp32", "float", 360, 0.97, 0.95, 0.98),
        ("lenet", "ama5_u8", "integer", 100, 0.30, 0.25, 0.35),
        ("alexnet", "exact_fp32", "float", 360, 0.80, 0.78, 0.82),
    ],
    columns=COLUMNS,
)


def test_a_plot_for_each_workload_with_its_own_units():
    figure = accuracy_by_unit(TABLE, "exact_fp32", "Accuracy")
    lenet, alexnet = figure.axes
    assert [label.get_text() for label in lenet.get_yticklabels()] == ["exact_fp32", "ama5_u8"]
    drawn = {(round(x, 6), y) for line in lenet.lines for x, y in line.get_xydata()}
    assert {(3.0, 0.0), (70.0, 1.0)} <= drawn
    assert [text.get_text().strip() for text in lenet.texts] == ["100 images"]
    assert "alexnet\n360 test images" in alexnet.get_title()
    assert rendered(figure)[:4] == b"\x89PNG"


def test_rejects_a_table_without_rows():
    with pytest.raises(DataError, match="the table has no row"):
        accuracy_by_unit(TABLE[:0], "exact_fp32", "Accuracy")
