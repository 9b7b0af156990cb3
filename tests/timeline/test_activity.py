"""What goes on in each window of time, by hand and as the run's own sums."""

import numpy as np
import pytest

from accelsim.errors import ConfigError
from accelsim.timeline import activity, glb_peak_bytes_per_cycle, peak_bytes_per_cycle


def test_windows_worked_by_hand(timeline, machine):
    """Windows of 5 cycles: 0-5, 5-10, 10-15, 15-20.

    16 bytes come in cycles 2-6, 4 a cycle: 12 and 4. 8 bytes in 7-9. 4 bytes leave in 17-20. The
    pass of 10-16 moves 24 bytes and makes 48 products, 4 and 8 a cycle, on 16 PEs. The second
    transfer is issued at cycle 0: two are under way until 6, one until 9 and from 16 on.
    """
    found = activity(timeline, machine, windows=4)
    assert found["cycle_start"].tolist() == [0, 5, 10, 15]
    assert found["cycle_end"].tolist() == [5, 10, 15, 20]
    expected = {
        "dram_read": [12, 4 + 8, 0, 0],
        "dram_write": [0, 0, 0, 4],
        "glb": [12, 4 + 8, 20, 4 + 4],
        "dma_queue": [10, 2 + 3, 0, 4],
        "array_busy": [0, 0, 5, 1],
        "utilization": [0, 0, 40 / 16, 8 / 16],
    }
    for name, sums in expected.items():
        np.testing.assert_allclose(found[name] * 5, sums, err_msg=name)


def test_a_part_of_the_run_in_windows_of_whole_cycles(timeline, machine):
    found = activity(timeline, machine, windows=3, cycles=(4, 11))
    assert list(zip(found["cycle_start"], found["cycle_end"], strict=True)) == [
        (4, 7),
        (7, 10),
        (10, 11),
    ]
    np.testing.assert_allclose(found["dram_read"], [8 / 3, 8 / 3, 0])


def test_windows_add_up_to_the_run(runs):
    """Bytes, products and busy cycles of a network are those of its other tables."""
    for run in runs:
        found = activity(run.timeline, run.accelerator, windows=97)
        cycles = found["cycle_end"] - found["cycle_start"]
        sums = {name: (found[name] * cycles).sum() for name in found}
        layers = run.layers.sum(numeric_only=True)
        assert sums["dram_read"] == pytest.approx(layers["dram_read_bytes"])
        assert sums["dram_write"] == pytest.approx(layers["dram_write_bytes"])
        glb = layers["glb_read_bytes"] + layers["glb_write_bytes"]
        assert sums["glb"] == pytest.approx(glb)
        pes = run.accelerator.array.rows * run.accelerator.array.cols
        assert sums["utilization"] * pes == pytest.approx(layers["macs"])
        peak = peak_bytes_per_cycle(run.accelerator)
        assert (found["dram_read"] + found["dram_write"]).max() <= peak + 1e-9
        assert found["glb"].max() <= glb_peak_bytes_per_cycle(run.accelerator)


def test_peaks_are_those_of_the_configuration(machine):
    """Ports of 32 bytes: 3 clients at 3 partitions, or 6 at one memory with enough ports."""
    wide = machine.replace(**{"glb.word_bits": 256, "dram.bytes_per_cycle": 12})
    assert (peak_bytes_per_cycle(wide), glb_peak_bytes_per_cycle(wide)) == (12, 3 * 3 * 32)
    one = wide.replace(**{"glb.unified": True, "glb.ports": 2})
    assert glb_peak_bytes_per_cycle(one) == 6 * 32
    few = wide.replace(**{"glb.banks": 1, "glb.ports": 2})
    assert glb_peak_bytes_per_cycle(few) == 3 * 2 * 32


@pytest.mark.parametrize("windows", [0, -1, 2.5, True])
def test_rejects_windows_that_are_no_number_of_them(windows, timeline, machine):
    with pytest.raises(ConfigError, match="windows must be an int >= 1, got"):
        activity(timeline, machine, windows=windows)


@pytest.mark.parametrize("cycles", [(5, 5), (-1, 4), (20, 30)])
def test_rejects_cycles_that_the_run_does_not_have(cycles, timeline, machine):
    with pytest.raises(ConfigError, match="the run has 0 to 20, got"):
        activity(timeline, machine, windows=4, cycles=cycles)
