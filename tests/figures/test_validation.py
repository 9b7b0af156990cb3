import pandas as pd
import pytest

from accelsim.figures import measured_and_simulated, power_by_component


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


def test_powers_are_stacked_to_the_simulated_one_and_titles_tell_what_was_fitted():
    parts = {"alu": 10.0, "rf": 20.0, "noc": 5.0, "glb": 5.0, "leakage": 10.0, "clock": 50.0}
    row = {f"{name}_mj": value for name, value in parts.items()}
    row |= {"simulated_ms": 2000.0, "measured_mw": 40.0, "clocked_mw": 50.0, "clock_mw": 25.0}
    row |= {"error": -0.375, "clocked_error": 0.25}
    rows = [
        {"network": network, "layer": layer, **row}
        for network, layers in (("alexnet", ("CONV1", "total")), ("vgg16", ("CONV1-1", "total")))
        for layer in layers
    ]
    figure = power_by_component(pd.DataFrame(rows))
    left, right = figure.axes
    assert [bar.get_height() for bar in right.patches] == pytest.approx(
        [40, 5, 10, 2.5, 2.5, 5, 25]
    )
    assert right.patches[-1].get_y() + right.patches[-1].get_height() == pytest.approx(50)
    assert [text.get_text() for text in right.texts] == ["+25.0"]
    assert left.get_title().endswith("40 mW measured\n-37.5 % without clock, 0 by the fit with it")
    assert right.get_title().endswith("-37.5 % without clock, +25.0 % with")
