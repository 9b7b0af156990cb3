"""The figure of the paper's claims: every ratio is drawn where it belongs."""

import numpy as np
import pandas as pd
import pytest

from accelsim.figures import claims_by_level


def test_every_circuit_has_its_ratios_at_every_level():
    energy = pd.DataFrame(
        [
            {"circuit": circuit, "place": level, "ratio": ratio}
            for circuit, shift in (("tiled", 0.0), ("flat", 0.1))
            for level, low, high in (("unit", 0.2, 0.8), ("chip", 0.7, 0.9))
            for ratio in (low + shift, high + shift)
        ]
    )
    latency = energy[energy["place"] == "unit"].assign(place="own clocks")
    figure = claims_by_level(energy, latency, (0.5, 1 / 3), "title")
    for axes, table, claim in zip(figure.axes, (energy, latency), (0.5, 1 / 3), strict=True):
        dots = [line for line in axes.lines if line.get_marker() == "o"]
        drawn = sorted(ratio for line in dots for ratio in line.get_ydata())
        np.testing.assert_allclose(drawn, sorted(table["ratio"]))
        assert [tick.get_text() for tick in axes.get_xticklabels()] == [*table["place"].unique()]
        assert [line.get_ydata()[0] for line in axes.lines if line.get_ls() == "--"] == [claim]
        assert "claimed" in [text.get_text() for text in axes.texts]
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == [
        "tiled",
        "flat",
    ]
    assert figure.axes[0].get_ylim() == pytest.approx((0, 1.1))
