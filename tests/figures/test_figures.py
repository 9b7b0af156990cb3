from dataclasses import replace
from itertools import pairwise

import pytest

from accelsim.figures import energy_by_component, latency_by_layer, utilization_by_pe


def test_energy_bars_stack_to_the_energy_per_image(runs):
    whole, chip = energy_by_component(runs).axes
    for axes, leave_out in ((whole, ()), (chip, ("dram",))):
        for place, run in enumerate(runs):
            row = run.summary.iloc[0]
            expected = row["energy_uj"] - sum(row[f"energy_{name}_uj"] for name in leave_out)
            height = sum(container[place].get_height() for container in axes.containers)
            assert height == pytest.approx(expected / row["images"])


@pytest.mark.parametrize("draw", [energy_by_component, utilization_by_pe])
def test_names_of_several_units_stay_clear_of_each_other(runs, draw):
    """A machine of several units has a long name, which is broken into lines."""
    units = {"conv1": "ax_bfloat16", "conv2": "ax_fpm", "linear1": "exact_int8"}
    first, second = (
        replace(run, accelerator=run.accelerator.replace(layer_multipliers=units)) for run in runs
    )
    figure = draw([first, second, runs[0]])
    figure.draw_without_rendering()
    groups = [axes.get_xticklabels() for axes in figure.axes[:2]]
    if draw is utilization_by_pe:
        groups = [[one.yaxis.label for one in figure.axes if one.get_ylabel().endswith("PE row")]]
    for texts in groups:
        boxes = [text.get_window_extent() for text in texts]
        assert len(boxes) == 3
        assert not any(a.overlaps(b) for a, b in pairwise(boxes))


def test_a_clock_that_is_charged_is_one_more_part_of_the_bar(runs):
    clocked = replace(runs[0], summary=runs[0].summary.assign(energy_clock_uj=10.0))
    _, chip = energy_by_component([clocked, runs[1]]).axes
    heights = {one.get_label(): [bar.get_height() for bar in one] for one in chip.containers}
    assert heights["clock"] == pytest.approx([10 / runs[0].summary["images"].iloc[0], 0])


def test_latency_bars_stack_to_each_layers_cycles(runs):
    (axes,) = latency_by_layer(runs).axes
    for number, run in enumerate(runs):
        compute, stall = axes.containers[2 * number : 2 * number + 2]
        for place, total in enumerate(run.layers["total_cycles"]):
            height = compute[place].get_height() + stall[place].get_height()
            assert height == pytest.approx(total * 5e-3 / 2)
