import pandas as pd
import pytest

from accelsim.figures import measured_and_simulated, published_and_modeled


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


def test_circuits_lie_where_their_figures_are():
    rows = [
        (8, True, 0.1, 0.1, 0.2, 100.0, 40.0),
        (8, True, 0.2, 0.2, 0.4, None, 80.0),
        (8, False, 0.3, 0.4, 0.9, 300.0, 120.0),
        (12, True, 0.4, 0.3, 1.0, 400.0, 160.0),
    ]
    table = pd.DataFrame(
        rows,
        columns=["bits", "mapped", "published_power_mw", "energy_functional_pj",
                 "energy_glitch_pj", "published_area_um2", "area_um2"],
    )  # fmt: skip
    energy, _, area = published_and_modeled(table).axes
    names = [text.get_text() for text in energy.get_legend().get_texts()]
    assert names == ["8 bits, operators", "8 bits", "12 bits"]
    dots = [dot.get_offsets().tolist() for dot in energy.collections]
    assert dots == [[[0.3, 0.4]], [[0.1, 0.1], [0.2, 0.2]], [[0.4, 0.3]]]
    # Exchanged neighbors among four: 1 - 6 x 2 / (4 x 15).
    assert energy.get_title() == "4 circuits: Pearson 0.800, Spearman 0.800"
    assert area.get_title() == "3 circuits: Pearson 1.000, Spearman 1.000"
    assert energy.get_xscale() == energy.get_yscale() == "log"
