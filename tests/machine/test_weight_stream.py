"""A weight-stationary array that waits for its weights."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.dataflows import DATAFLOWS, PeTiming
from accelsim.machine.weight_stream import run_weight_stream

(PASS,) = DATAFLOWS["ws"].passes(
    8, 2, 2, rows=2, cols=2, timing=PeTiming(), resume=False, overlap="none"
)


def test_by_hand():
    """Load 2, fill 2, stream 8: 12 cycles a pass. Weights every 20: the third at 60, done at 72.

    Every 5: the first at 5, then the array never waits.
    """
    assert PASS.cycles == 12
    assert run_weight_stream([PASS] * 3, fetch_cycles=20, fifo_tiles=4) == 72
    assert run_weight_stream([PASS] * 3, fetch_cycles=5, fifo_tiles=4) == 5 + 36


@given(st.integers(1, 20), st.integers(0, 40), st.integers(1, 4), st.integers(0, 11))
@settings(deadline=None)
def test_bounds_and_monotony(count, fetch, fifo, hidden):
    passes = [replace(PASS, hidden_cycles=hidden)] * count
    cycles = run_weight_stream(passes, fetch_cycles=fetch, fifo_tiles=fifo)
    busy = sum(one.cycles for one in passes)
    assert max(busy + fetch, count * fetch + passes[-1].cycles) <= cycles <= busy + count * fetch
    assert run_weight_stream(passes, fetch_cycles=fetch, fifo_tiles=fifo + 1) <= cycles
    assert run_weight_stream(passes, fetch_cycles=fetch + 1, fifo_tiles=fifo) >= cycles
