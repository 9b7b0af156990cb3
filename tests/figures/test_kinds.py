"""The figures of result folders: what is drawn is what the tables say, and bad input is told."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from accelsim.dataflows.base import PeBlock
from accelsim.errors import ConfigError, DataError
from accelsim.figures import (
    bandwidth_over_time,
    block_timeline,
    energy_by_component,
    latency_by_layer,
    rendered,
    roofline,
    utilization_by_pe,
)
from accelsim.figures.utilization import products_by_pe
from accelsim.timeline import activity, peak_bytes_per_cycle

OF_RUNS = {
    "energy": energy_by_component,
    "latency": latency_by_layer,
    "roofline": roofline,
    "utilization": utilization_by_pe,
    "bandwidth": bandwidth_over_time,
    "timeline": block_timeline,
}


@pytest.mark.parametrize("kind", OF_RUNS)
def test_a_single_run_can_be_drawn(kind, runs, tmp_path):
    OF_RUNS[kind](runs[:1]).savefig(tmp_path / "one.svg")
    assert (tmp_path / "one.svg").stat().st_size > 1000


@pytest.mark.parametrize("kind", OF_RUNS)
def test_accelerators_are_told_apart_by_name(kind, runs):
    other = replace(runs[1], accelerator=runs[1].accelerator.replace(name="other", clock_mhz=100))
    figure = OF_RUNS[kind]([runs[0], other])
    assert b">other" in rendered_text(figure)


def rendered_text(figure):
    """Return the figure as an SVG whose texts are texts."""
    import matplotlib as mpl

    with mpl.rc_context({"svg.fonttype": "none"}):
        return rendered(figure, "svg").replace(b"\n", b"")


@pytest.mark.parametrize("kind", OF_RUNS)
def test_rejects_runs_that_cannot_be_told_apart(kind, runs):
    with pytest.raises(DataError, match="cannot be told apart"):
        OF_RUNS[kind]([runs[0], runs[0]])


@pytest.mark.parametrize("kind", OF_RUNS)
def test_rejects_runs_of_different_networks(kind, runs):
    other = replace(runs[1], layers=runs[1].layers.iloc[1:])
    with pytest.raises(DataError, match="the runs are of different networks"):
        OF_RUNS[kind]([runs[0], other])


@pytest.mark.parametrize("kind", OF_RUNS)
def test_rejects_no_runs(kind):
    with pytest.raises(DataError, match="there is no run to draw"):
        OF_RUNS[kind]([])


def test_points_of_the_roofline_lie_at_what_was_counted_and_below_its_roofs(runs):
    run = runs[0]
    layers = run.layers[run.layers["macs"] > 0]
    for axes, memory in zip(roofline([run]).axes, ("dram", "glb"), strict=True):
        (points,) = [line for line in axes.lines if line.get_linestyle() == "None"]
        moved = layers[f"{memory}_read_bytes"] + layers[f"{memory}_write_bytes"]
        np.testing.assert_allclose(points.get_xdata(), layers["macs"] / moved)
        np.testing.assert_allclose(points.get_ydata(), layers["macs"] / layers["total_cycles"])
        (roof,) = [line for line in axes.lines if line.get_linestyle() == "-"]
        above = np.exp(
            np.interp(
                np.log(points.get_xdata()), np.log(roof.get_xdata()), np.log(roof.get_ydata())
            )
        )
        assert (points.get_ydata() <= above * (1 + 1e-9)).all()
        names = [text.get_text() for text in axes.texts]
        assert {*layers["layer"]} <= {*names}
        assert f"PEs: {16 * 16} MACs per cycle" in names
    assert "DRAM: 16 bytes per cycle" in [text.get_text() for text in roofline([run]).axes[0].texts]


def test_a_multiplier_that_blocks_its_pe_lowers_the_roof(runs):
    slow = replace(runs[0], summary=runs[0].summary.assign(pe_interval_cycles=2))
    texts = [text.get_text() for text in roofline([slow]).axes[0].texts]
    assert "PEs: 128 MACs per cycle" in texts


def test_maps_have_the_utilization_of_the_tables(runs):
    run = runs[1]
    *maps, _ = utilization_by_pe([run]).axes
    whole, *layers = [axes.images[0].get_array() for axes in maps]
    assert whole.mean() == pytest.approx(100 * run.summary["utilization"].iloc[0])
    with_products = run.layers[run.layers["macs"] > 0]
    assert [axes.get_title().split("\n")[0] for axes in maps[1:]] == [*with_products["layer"]]
    expected = 100 * with_products["utilization"].to_numpy()
    np.testing.assert_allclose([one.mean() for one in layers], expected)


def test_many_layers_are_drawn_as_their_sum(runs):
    many = pd.concat([runs[0].layers] * 3, ignore_index=True)
    many["layer"] = [f"layer{place}" for place in range(len(many))]
    *maps, _ = utilization_by_pe([replace(runs[0], layers=many)]).axes
    assert len(maps) == 1


def test_products_of_pes_add_up_block_by_block():
    columns = ["layer", *PeBlock._fields, "passes"]
    pes = pd.DataFrame([("a", 0, 2, 0, 1, 5, 3), ("b", 1, 2, 0, 2, 1, 1)], columns=columns)
    assert products_by_pe(pes, 2, 3).tolist() == [[15, 0, 0], [16, 1, 0]]


def test_rejects_utilization_without_products(runs):
    pools = runs[0].layers[runs[0].layers["macs"] == 0]
    with pytest.raises(DataError, match="no layer has products"):
        utilization_by_pe([replace(runs[0], layers=pools)])


def test_bandwidth_is_that_of_the_windows_below_its_peak(runs):
    (axes,) = bandwidth_over_time(runs[:1], cycles=(0, 3000)).axes
    found = activity(runs[0].timeline, runs[0].accelerator, windows=300, cycles=(0, 3000))
    read, both = (patch.get_data() for patch in axes.patches)
    np.testing.assert_allclose(read.values, found["dram_read"])
    np.testing.assert_allclose(both.values, found["dram_read"] + found["dram_write"])
    assert axes.lines[0].get_ydata()[0] == peak_bytes_per_cycle(runs[0].accelerator)
    assert axes.get_xlim() == (0, 3000)


def test_bars_of_the_timeline_are_the_stretches(runs):
    run = runs[0]
    (axes,) = block_timeline([run], cycles=(0, 600)).axes
    rows = {label.get_text(): place for place, label in enumerate(axes.get_yticklabels())}
    assert list(rows)[:3] == ["dram", "dma_read", "array"] or "dma_write" in rows
    inside = run.timeline[run.timeline["cycle_start"] < 600]
    drawn = sorted(
        (path.vertices[:, 0].min(), path.vertices[:, 0].max(), round(path.vertices[:, 1].mean()))
        for bars in axes.collections
        for path in bars.get_paths()
    )
    expected = sorted(
        (one.cycle_start, min(one.cycle_end, 600), rows[one.block])
        for one in inside.itertuples(index=False)
    )
    assert [one[:2] for one in drawn] == [one[:2] for one in expected]


def test_bars_too_fine_to_be_seen_are_joined(runs):
    (axes,) = block_timeline(runs[:1]).axes
    bars = sum(len(part.get_paths()) for part in axes.collections)
    assert bars < len(runs[0].timeline) / 2


@pytest.mark.parametrize("draw", [bandwidth_over_time, block_timeline])
def test_rejects_cycles_that_the_run_does_not_have(draw, runs):
    with pytest.raises(ConfigError, match="cycles must be a start and a stop behind it"):
        draw(runs[:1], cycles=(10**9, 2 * 10**9))


@pytest.mark.parametrize(
    ("draw", "what"),
    [(bandwidth_over_time, "bytes over time"), (utilization_by_pe, "products by PE")],
)
def test_rejects_runs_that_kept_too_little(draw, what, runs):
    old = replace(runs[0], timeline=runs[0].timeline.iloc[:, :6], pes=None)
    with pytest.raises(DataError, match=f"saved without its {what}, by an older accelsim"):
        draw([old])
