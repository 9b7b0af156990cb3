"""The os dataflow: passes, closed forms, SCALE-Sim's own counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.dataflows import DATAFLOWS, PeTiming
from accelsim.errors import ConfigError

OS = DATAFLOWS["os"]


def test_one_pass_by_hand():
    """2 x 3 outputs of 4 products on a larger array, a PE of interval 1 and latency 2.

    The last PE, (1, 2), gets its first pair in cycle 3 (fill), its last three cycles later, and
    has it in its psum 2 cycles after that: stream 3 + 2. Two rows drain.
    """
    timing = PeTiming(interval_cycles=1, latency_cycles=2)
    (one,) = OS.passes(2, 3, 4, rows=8, cols=8, timing=timing, resume=False)
    assert (one.preload_cycles, one.fill_cycles, one.stream_cycles, one.drain_cycles) == (
        0,
        3,
        5,
        2,
    )
    (again,) = OS.passes(2, 3, 4, rows=8, cols=8, timing=timing, resume=True)
    assert again.cycles == one.cycles + 2


def test_rf_accesses_by_hand():
    """One pass of 2 x 1 outputs, 3 products each: 6 products touch three registers each.

    Draining moves row 0 through two registers and row 1 through one: 3 moves.
    """
    (one,) = OS.passes(2, 1, 3, rows=4, cols=4, timing=PeTiming(), resume=False)
    assert OS.rf_accesses(one, 1) == (3 * 6 + 3, 3 * 6 + 3)
    assert OS.rf_accesses(one, 2) == (4 * 6 + 2 * 3, 4 * 6 + 2 * 3)
    (again,) = OS.passes(2, 1, 3, rows=4, cols=4, timing=PeTiming(), resume=True)
    assert OS.rf_accesses(again, 1) == (3 * 6 + 2 * 3, 3 * 6 + 2 * 3)


@given(
    *[st.integers(1, 70)] * 3,
    *[st.integers(1, 20)] * 2,
    st.integers(1, 4),
    st.integers(1, 6),
    st.booleans(),
)
def test_passes_add_up_to_the_closed_form_and_cover_every_output_once(
    m, n, k, rows, cols, interval, latency, resume
):
    timing = PeTiming(interval, latency)
    passes = list(OS.passes(m, n, k, rows=rows, cols=cols, timing=timing, resume=resume))
    closed = OS.compute_cycles(m, n, k, rows=rows, cols=cols, timing=timing, resume=resume)
    assert sum(one.cycles for one in passes) == closed
    outputs = [
        (pixel, filter_)
        for one in passes
        for pixel in range(one.first_pixel, one.first_pixel + one.pixels)
        for filter_ in range(one.first_filter, one.first_filter + one.filters)
    ]
    assert sorted(outputs) == [(pixel, filter_) for pixel in range(m) for filter_ in range(n)]
    assert all(one.pixels <= rows and one.filters <= cols and one.k == k for one in passes)


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 300), *[st.integers(1, 40)] * 2)
def test_full_passes_of_a_one_cycle_pe_are_scalesims_paper_form(a, b, k, rows, cols):
    bounds = (a * rows, b * cols, k)
    ours = OS.compute_cycles(*bounds, rows=rows, cols=cols)
    assert ours == OS.compute_cycles(*bounds, rows=rows, cols=cols, convention="scalesim_paper")


def test_scalesim3_reports_its_golden_trace():
    """scale-sim-v3, test/general/golden_trace_*: 32x32, M=256 N=128 K=256, OS: 10175."""
    cycles = OS.compute_cycles(256, 128, 256, rows=32, cols=32, convention="scalesim3")
    assert cycles == 10175


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"m": 0}, "m must be an int >= 1, got 0"),
        ({"cols": -1}, "cols must be an int >= 1, got -1"),
        ({"k": 2.0}, "k must be an int >= 1, got 2.0"),
        ({"convention": "scalesim4"}, r"no cycle convention 'scalesim4'.*Did you mean 'scalesim3'"),
    ],
)
def test_rejects_impossible_bounds(bounds, message):
    arguments = {"m": 1, "n": 1, "k": 1, "rows": 1, "cols": 1, **bounds}
    m, n, k = (arguments.pop(name) for name in "mnk")
    with pytest.raises(ConfigError, match=message):
        OS.compute_cycles(m, n, k, **arguments)
