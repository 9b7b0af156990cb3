import pandas as pd
import pytest

from accelsim.figures import measured_and_simulated


def test_bars_are_the_rows_and_titles_the_totals():
    rows = [
        ("alexnet", "CONV1", 16.5, 16.0, -0.03, "published"),
        ("alexnet", "total", 16.5, 16.0, -0.03, None),
        ("vgg16", "CONV1-1", 38.0, 40.0, 0.05, "inferred"),
        ("vgg16", "CONV1-2", 80.0, 78.0, -0.02, "inferred"),
        ("vgg16", "total", 118.0, 118.0, 0.0, None),
    ]
    names = ["network", "layer", "measured_ms", "simulated_ms", "error", "mapping_source"]
    figure = measured_and_simulated(pd.DataFrame(rows, columns=names))
    left, right = figure.axes
    assert [bar.get_height() for bar in right.patches] == pytest.approx([38, 80, 40, 78])
    assert [text.get_text() for text in right.texts] == ["+5.0", "-2.0"]
    assert [label.get_text() for label in right.get_xticklabels()] == ["1-1", "1-2"]
    assert left.get_title() == "AlexNet, batch of 4: 16.5 ms measured, -3.0 %"
    assert "its mappings" in figure.get_suptitle()
