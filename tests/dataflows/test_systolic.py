"""The systolic dataflows: passes, closed forms, what overlaps, SCALE-Sim's own counts."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.dataflows import DATAFLOWS, PeTiming
from accelsim.dataflows.systolic import SystolicDataflow
from accelsim.errors import ConfigError

SYSTOLIC = {name: flow for name, flow in DATAFLOWS.items() if isinstance(flow, SystolicDataflow)}
OS, WS, IS = DATAFLOWS["os"], DATAFLOWS["ws"], DATAFLOWS["is"]
FLOWS = st.sampled_from(sorted(SYSTOLIC))
BOUNDS = [st.integers(1, 70)] * 3
SIZES = [st.integers(1, 20)] * 2
OVERLAPS = st.sampled_from(["none", "load", "drain", "both"])
TIMINGS = st.builds(
    lambda multiply, add, pipelined: PeTiming(
        multiply, add, *((1, 1) if pipelined else (max(1, multiply), add))
    ),
    st.integers(0, 3),
    st.integers(1, 3),
    st.booleans(),
)


def phases(one):
    return one.load_cycles, one.fill_cycles, one.stream_cycles, one.drain_cycles


def test_an_output_stationary_pass_by_hand():
    """2 x 3 outputs of 4 products on a larger array, a PE of interval 1 and latency 2.

    The last PE, (1, 2), gets its first pair in cycle 3 (fill), its last three cycles later, and
    has it in its psum 2 cycles after that: stream 3 + 2. Two rows drain.
    """
    timing = PeTiming(multiply_cycles=1)
    (one,) = OS.passes(2, 3, 4, rows=8, cols=8, timing=timing, resume=False)
    assert phases(one) == (0, 3, 5, 2)
    (again,) = OS.passes(2, 3, 4, rows=8, cols=8, timing=timing, resume=True)
    assert again.cycles == one.cycles + 2


def test_an_adder_of_two_cycles_by_hand():
    """An output-stationary PE waits for its own sum, others only hand it on later.

    os: pair kk enters at 2 kk: stream 3 * 2 + 1 + 2. ws, 4 rows of k: two more cycles of skew from
    row to row than a column has, 3 * 2 + 2, and pixels follow each other every cycle.
    """
    timing = PeTiming(multiply_cycles=1, add_cycles=2)
    (one,) = OS.passes(2, 3, 4, rows=8, cols=8, timing=timing, resume=False)
    assert phases(one) == (0, 3, 9, 2)
    (one,) = WS.passes(2, 3, 4, rows=8, cols=8, timing=timing, resume=False)
    assert phases(one) == (4, 8, 1 + 3, 0)
    (one,) = IS.passes(2, 3, 4, rows=8, cols=8, timing=timing, resume=False)
    assert phases(one) == (4, 7, 2 + 3, 0)


def test_output_stationary_overlap_by_hand():
    """3 x 1 outputs of 5 products on 2 rows: passes of 2 rows and of 1, one-cycle PEs.

    The first streams until 1 + 5 and drains until 8. Alone: 8 + (0 + 5 + 1). Drained under the
    other: operands may follow at 5, and the other's first psum completes at start + 5, not before
    8: start 5. Resumed, both hides the load of 1 row under the stream.
    """

    def cycles(overlap, resume=False):
        return OS.compute_cycles(3, 1, 5, rows=2, cols=4, overlap=overlap, resume=resume)

    assert [cycles(overlap) for overlap in ("none", "load", "drain", "both")] == [14, 14, 11, 11]
    assert [cycles(o, resume=True) for o in ("none", "load", "drain", "both")] == [17, 16, 17, 16]


def test_weight_stationary_overlap_by_hand():
    """9 pixels, k = 3 on 2 rows, 2 columns: passes of 2 rows of k and of 1.

    First: load 2, fill 1 + 1, stream 9 until 11. Other: load 1, fill 1, stream 9. none: 13 + 11.
    load: hidden. drain: of a one-cycle PE nothing is under way behind the last operand. both: the
    9th pixel enters at 8, the next pass could at 9, its sums leave a row earlier: 10.
    """

    def cycles(overlap):
        return WS.compute_cycles(9, 2, 3, rows=2, cols=2, overlap=overlap)

    assert [cycles(o) for o in ("none", "load", "drain", "both")] == [24, 23, 24, 2 + 10 + 10]


def test_every_fold_of_k_waits_for_the_psums_of_the_one_before():
    """1 pixel, k = 5 on 1 PE with an adder of 3 cycles: five passes that go on from each other.

    Loading takes a cycle, and the operands of the next pass would be there after 2 (both) or 2
    (drain), but its psum only after 3: 1 + 4 * 3 + 3.
    """
    for overlap in ("drain", "both"):
        how = {"rows": 1, "cols": 1, "timing": PeTiming(0, 3), "overlap": overlap}
        assert WS.compute_cycles(1, 1, 5, **how) == 16
        passes = WS.passes(1, 1, 5, resume=False, **how)
        assert [one.cycles for one in passes] == [3, 3, 3, 3, 4]


def test_accesses_of_registers_by_hand():
    """os: 2 x 1 outputs, 3 products each: 6 products touch three registers each.

    Draining moves row 0 through two registers and row 1 through one: 3 moves. ws: 3 rows of k, one
    column: 6 products write two registers and read three, loading moves 3 + 2 + 1 weights.
    """
    (one,) = OS.passes(2, 1, 3, rows=4, cols=4, timing=PeTiming(), resume=False)
    assert OS.rf_accesses(one, 1) == (3 * 6 + 3, 3 * 6 + 3)
    assert OS.rf_accesses(one, 2) == (4 * 6 + 2 * 3, 4 * 6 + 2 * 3)
    (again,) = OS.passes(2, 1, 3, rows=4, cols=4, timing=PeTiming(), resume=True)
    assert OS.rf_accesses(again, 1) == (3 * 6 + 2 * 3, 3 * 6 + 2 * 3)
    (one,) = WS.passes(2, 1, 3, rows=4, cols=4, timing=PeTiming(), resume=False)
    assert WS.rf_accesses(one, 1) == (3 * 6 + 6, 2 * 6 + 6)
    (one,) = IS.passes(2, 1, 3, rows=4, cols=4, timing=PeTiming(), resume=False)
    assert IS.rf_accesses(one, 2) == (4 * 6 + 12, 3 * 6 + 12)


@given(FLOWS, *BOUNDS, *SIZES, TIMINGS, st.booleans(), OVERLAPS)
def test_passes_add_up_to_the_closed_form_and_cover_every_product_once(
    name, m, n, k, rows, cols, timing, resume, overlap
):
    flow, array = SYSTOLIC[name], {"rows": rows, "cols": cols}
    how = {"timing": timing, "resume": resume, "overlap": overlap}
    passes = list(flow.passes(m, n, k, **array, **how))
    assert sum(one.cycles for one in passes) == flow.compute_cycles(m, n, k, **array, **how)
    assert len(passes) == flow.folds(m, n, k, rows, cols)
    assert sum(one.pixels * one.filters * one.k for one in passes) == m * n * k
    done = {}
    for one in passes:
        used = {"os": (one.pixels, one.filters), "ws": (one.k, one.filters)}
        r, c = used.get(name, (one.k, one.pixels))
        assert 1 <= r <= rows
        assert 1 <= c <= cols
        for pixel in range(one.first_pixel, one.first_pixel + one.pixels):
            for filter_ in range(one.first_filter, one.first_filter + one.filters):
                # kk ascending, and psums read wherever the sum has been begun.
                assert done.get((pixel, filter_), 0) == one.first_k
                assert one.reads_psums == (resume or one.first_k > 0)
                done[pixel, filter_] = one.first_k + one.k
    assert done == {(pixel, filter_): k for pixel in range(m) for filter_ in range(n)}


@given(FLOWS, *BOUNDS, *SIZES, TIMINGS, st.booleans())
def test_overlap_never_costs(name, m, n, k, rows, cols, timing, resume):
    none, load, drain, both = (
        SYSTOLIC[name].compute_cycles(
            m, n, k, rows=rows, cols=cols, timing=timing, resume=resume, overlap=overlap
        )
        for overlap in ("none", "load", "drain", "both")
    )
    assert max(load, drain) <= none
    assert both <= min(load, drain)
    # An array is never faster than its multipliers.
    products = -(-m * n * k // (rows * cols))
    assert both >= (products - 1) * timing.multiply_interval + 1


@given(FLOWS, *[st.integers(1, 5)] * 2, st.integers(1, 300), *[st.integers(1, 40)] * 2)
def test_full_passes_of_a_one_cycle_pe_are_scalesims_paper_form(name, a, b, long, rows, cols):
    flow = SYSTOLIC[name]
    bounds = {
        "os": (a * rows, b * cols, long),
        "ws": (long, b * cols, a * rows),
        "is": (b * cols, long, a * rows),
    }[name]
    ours = flow.compute_cycles(*bounds, rows=rows, cols=cols)
    assert ours == flow.compute_cycles(*bounds, rows=rows, cols=cols, convention="scalesim_paper")
    others = flow.folds(*bounds, rows, cols) * (0 if name != "os" else rows) + 1
    reported = flow.compute_cycles(*bounds, rows=rows, cols=cols, convention="scalesim3")
    assert reported == ours - others


@given(*BOUNDS, *SIZES, TIMINGS, st.booleans(), OVERLAPS)
def test_input_stationary_is_weight_stationary_of_the_exchanged_product(
    m, n, k, rows, cols, timing, resume, overlap
):
    how = {
        "rows": rows, "cols": cols, "timing": timing, "resume": resume, "overlap": overlap
    }  # fmt: skip
    assert IS.compute_cycles(m, n, k, **how) == WS.compute_cycles(n, m, k, **how)


@given(FLOWS, *BOUNDS, *SIZES, TIMINGS, OVERLAPS)
def test_a_pass_waits_for_what_it_needs(name, m, n, k, rows, cols, timing, overlap):
    """Sums that go on from stored ones find them stored, and leave the array in order."""
    flow = SYSTOLIC[name]
    passes = list(
        flow.passes(m, n, k, rows=rows, cols=cols, timing=timing, resume=False, overlap=overlap)
    )
    start = 0
    for one, following in pairwise(passes):
        load_end = start + one.load_cycles
        following_start = start + one.cycles + following.load_cycles
        if name == "os":
            start += one.cycles
            continue
        if following.first_k:
            # Written when the last row has added to it, read when the first product is there.
            written = load_end + one.k * timing.add_cycles + timing.multiply_cycles
            assert following_start + timing.multiply_cycles >= written
        leaves = load_end + (one.k - 1) * timing.add_cycles + one.stream_cycles
        first = following_start + (following.k - 1) * timing.add_cycles + timing.latency_cycles
        assert first > leaves
        start += one.cycles


@pytest.mark.parametrize(
    ("dataflow", "bounds", "total", "stall"),
    [
        ("os", (256, 128, 256), 52447, 42272),
        ("ws", (256, 128, 256), 52447, 41248),
        ("is", (256, 128, 256), 19984, 5777),
        ("ws", (3025, 96, 363), 112283, 0),
    ],
)
def test_scalesim3_reports_its_golden_traces(dataflow, bounds, total, stall):
    """scale-sim-v3 fab89b7, test/general/golden_trace_*, 32x32; the last is AlexNet conv1."""
    cycles = DATAFLOWS[dataflow].compute_cycles(*bounds, rows=32, cols=32, convention="scalesim3")
    assert cycles == total - stall


@pytest.mark.parametrize("timing", [(-1,), (0, 0), (1, 1, 2), (2, 2, 1, 3), (2, 2, 0)])
def test_rejects_units_that_are_busy_longer_than_they_work(timing):
    with pytest.raises(ConfigError, match="intervals of at least 1 and at most the cycles"):
        PeTiming(*timing)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"m": 0}, "m must be an int >= 1, got 0"),
        ({"cols": -1}, "cols must be an int >= 1, got -1"),
        ({"k": 2.0}, "k must be an int >= 1, got 2.0"),
        ({"overlap": "drains"}, "no overlap 'drains'; known: none, .*Did you mean 'drain'"),
        ({"convention": "scalesim4"}, r"no cycle convention 'scalesim4'.*Did you mean 'scalesim3'"),
    ],
)
@pytest.mark.parametrize("name", sorted(SYSTOLIC))
def test_rejects_impossible_bounds(bounds, message, name):
    arguments = {"m": 1, "n": 1, "k": 1, "rows": 1, "cols": 1, **bounds}
    m, n, k = (arguments.pop(name) for name in "mnk")
    with pytest.raises(ConfigError, match=message):
        DATAFLOWS[name].compute_cycles(m, n, k, **arguments)
