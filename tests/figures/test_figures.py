from dataclasses import replace

import pytest

from accelsim.figures import energy_by_component, latency_by_layer


def test_energy_bars_stack_to_the_energy_per_image(runs):
    whole, chip = energy_by_component(runs).axes
    for axes, leave_out in ((whole, ()), (chip, ("dram",))):
        for place, run in enumerate(runs):
            row = run.summary.iloc[0]
            expected = row["energy_uj"] - sum(row[f"energy_{name}_uj"] for name in leave_out)
            height = sum(container[place].get_height() for container in axes.containers)
            assert height == pytest.approx(expected / row["images"])


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
