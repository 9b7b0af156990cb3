"""The row-stationary machine: ideal memory, the shortcut, physics, a log by hand."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from accelsim.dataflows.row_stationary import RowMapping, SpatialArray, compute_cycles, fits
from accelsim.errors import ConfigError, MappingError, TraceError
from accelsim.layer import LayerShape
from accelsim.machine.row_stationary import run_row_stationary

ARRAY = SpatialArray(6, 6, 12, 40, 8, 500, 200, 1, 4, 4, 3, 0)
IDEAL = replace(
    ARRAY, ifmap_words_per_cycle=None, filter_words_per_cycle=None, psum_words_per_cycle=None
)


@st.composite
def cases(draw):
    groups, kernel = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    n, m, c, size = (draw(st.integers(1, limit)) for limit in (2, 5, 5, 8))
    stride, padding = draw(st.integers(1, 2)), draw(st.integers(0, 1))
    try:
        shape = LayerShape(
            n, m * groups, c * groups, size, size, kernel, kernel, (stride, stride),
            (padding, padding), groups=groups,
        )  # fmt: skip
    except TraceError:
        assume(False)
    mapping = draw(st.builds(RowMapping, *[st.integers(1, 4)] * 8))
    assume(fits(shape, mapping, ARRAY))
    return shape, mapping


def test_a_layer_by_hand():
    """One filter of 1 x 2 over a row of 4: 3 columns, one PE, one pass.

    The link brings 2 weights until 4, then 4 ifmap words until 12 (half a word a cycle). Weights
    reach the RF in 1 cycle: 13. The first window's 2 words come until 15, the next two columns' one
    each by 16 and 17 (a column ahead: when the PE has begun the one before). The PE works from 15,
    17 and 19 on, 2 cycles each. Sums leave in a cycle: the last at 22. No hop. The link writes the
    three outputs until 28.
    """
    shape = LayerShape(n=1, m=1, c=1, h=1, w=4, r=1, s=2)
    record = run_row_stationary(
        shape, RowMapping(1, 1, 1, 3, 1, 1, 1, 1), ARRAY, link_words_per_cycle=Fraction(1, 2)
    )
    log = [(one.cycle_start, one.cycle_end, one.block, one.what) for one in record.timeline]
    assert log == [
        (0, 4, "link", "read filters"),
        (4, 12, "link", "read ifmaps"),
        (12, 13, "array", "load filters"),
        (13, 22, "array", "pass"),
        (22, 28, "link", "write ofmaps"),
    ]
    assert (record.total_cycles, record.processing_cycles) == (28, 10)
    assert {pair: n for pair, n in record.counts.items() if pair[0].startswith(("rf", "noc"))} == {
        ("rf.ifmap", "read"): 6,
        ("rf.ifmap", "write"): 4,
        ("rf.filter", "read"): 6,
        ("rf.filter", "write"): 2,
        ("rf.psum", "read"): 6 + 2 * 3,
        ("rf.psum", "write"): 6 + 3,
        ("noc.ifmap", "transfer"): 4,
        ("noc.filter", "transfer"): 2,
        ("noc.psum", "transfer"): 3,
    }
    assert record.counts["accumulator", "add"] == 6 + 3


@given(cases())
@settings(max_examples=60, deadline=None)
def test_ideal_memory_takes_the_closed_form(case):
    shape, mapping = case
    record = run_row_stationary(shape, mapping, IDEAL)
    assert record.processing_cycles == record.total_cycles
    assert record.total_cycles == compute_cycles(shape, mapping, IDEAL)


@given(cases(), st.sampled_from([None, Fraction(1, 3), Fraction(6, 5)]))
@settings(max_examples=60, deadline=None)
def test_fast_forward_equals_the_event_by_event_run(case, link):
    shape, mapping = case
    quick, slow = (
        run_row_stationary(
            shape, mapping, ARRAY, link_words_per_cycle=link, fast_forward=fast_forward
        )
        for fast_forward in (True, False)
    )
    assert quick == slow


@given(cases())
@settings(max_examples=60, deadline=None)
def test_physics(case):
    shape, mapping = case
    slow, quick, wide, free = (
        run_row_stationary(shape, mapping, array, link_words_per_cycle=link)
        for array, link in (
            (ARRAY, Fraction(1, 3)),
            (ARRAY, Fraction(6, 5)),
            (replace(ARRAY, ifmap_words_per_cycle=2, psum_words_per_cycle=8), Fraction(6, 5)),
            (ARRAY, None),
        )
    )
    assert slow.total_cycles >= quick.total_cycles >= free.total_cycles
    assert quick.total_cycles >= wide.total_cycles
    # What goes on in the array is not the link's.
    assert slow.processing_cycles == quick.processing_cycles == free.total_cycles
    assert free.processing_cycles >= compute_cycles(shape, mapping, ARRAY)
    counts, outputs = slow.counts, shape.n * shape.m * shape.p * shape.q
    words = counts["dram", "read"] + counts["dram", "write"]
    assert slow.total_cycles * Fraction(1, 3) >= words
    assert counts["multiplier", "compute"] == shape.macs
    assert counts["dram", "write"] == outputs
    assert counts["dram", "read"] == counts["glb.filter", "write"] + counts["glb.ifmap", "write"]
    assert counts["glb.filter", "read"] == counts["glb.filter", "write"]
    # Each psum that is written is read once: by the next pass over it, or on its way out.
    assert counts["glb.psum", "read"] == counts["glb.psum", "write"]
    assert counts["glb.psum", "write"] % outputs == 0
    weights = shape.m * shape.c // shape.groups * shape.r * shape.s
    assert counts["glb.filter", "read"] >= weights
    for operand in ("ifmap", "filter"):
        assert counts[f"rf.{operand}", "read"] == shape.macs
        assert counts[f"rf.{operand}", "write"] == counts[f"noc.{operand}", "transfer"]
    assert counts["noc.filter", "transfer"] >= counts["glb.filter", "read"]
    # A psum is added to on each of its hops but the one that brings it out of the GLB.
    stored = counts["glb.psum", "read"] - outputs
    hops = counts["accumulator", "add"] - shape.macs
    assert counts["noc.psum", "transfer"] == hops + stored
    assert counts["rf.psum", "write"] == shape.macs + hops


def test_rejects_what_does_not_fit_and_bandwidths_that_are_none():
    shape = LayerShape(n=1, m=1, c=1, h=1, w=4, r=1, s=2)
    with pytest.raises(MappingError, match="layer 'layer' does not fit .* psum RF words"):
        run_row_stationary(shape, RowMapping(9, 1, 1, 3, 9, 1, 1, 1), ARRAY)
    with pytest.raises(ConfigError, match="link_words_per_cycle must be > 0, got 0"):
        run_row_stationary(
            shape, RowMapping(1, 1, 1, 3, 1, 1, 1, 1), ARRAY, link_words_per_cycle=Fraction(0)
        )
