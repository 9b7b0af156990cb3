"""Row-stationary: every product once, memories respected, closed form, order of additions."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from accelsim.dataflows import PeTiming, row_mapper
from accelsim.dataflows.row_mapper import choose_mapping
from accelsim.dataflows.row_stationary import (
    RowMapping,
    SpatialArray,
    accumulation_order,
    check_mapping,
    compute_cycles,
    fits,
    row_passes,
)
from accelsim.errors import ConfigError, MappingError, TraceError
from accelsim.layer import LayerShape

ARRAY = SpatialArray(12, 14, 12, 224, 24, 51_200, 4096, 1, 4, 4, 3, 0)
SMALL = SpatialArray(6, 5, 6, 20, 4, 400, 150, 1, 4, 4, 3, 1)


@st.composite
def shapes(draw):
    """Convolutions, grouped and depthwise ones and linear layers among them."""
    groups, kernel = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    bounds = [draw(st.integers(1, limit)) for limit in (3, 5, 5, 9, 9)]
    stride, padding = draw(st.integers(1, 3)), draw(st.integers(0, 2))
    n, m, c, h, w = bounds
    try:
        return LayerShape(
            n, m * groups, c * groups, h, w, kernel, draw(st.integers(1, 4)),
            (stride, stride), (padding, padding), groups=groups,
        )  # fmt: skip
    except TraceError:
        assume(False)


MAPPINGS = st.builds(RowMapping, *[st.integers(1, 5)] * 8)


def test_a_pass_by_hand():
    """2 filters of 2 x 2 over 2 channels, both in one PE each; 2 x 2 ofmap, one pass.

    4 PEs (2 kernel rows, 2 ofmap rows). A column: 2 filters * (2 channels * 2 products + 1). Two
    columns, then one hop of 3 cycles from the lower kernel row to the upper.
    """
    shape = LayerShape(n=1, m=2, c=2, h=3, w=3, r=2, s=2)
    mapping = RowMapping(m=2, n=1, e=2, f=2, p=2, q=2, r=1, t=1)
    (one,) = row_passes(shape, mapping)
    assert one.active_pes(shape) == 4
    assert one.column_cycles(shape, SMALL) == 2 * (2 * 2 + 1)
    assert compute_cycles(shape, mapping, SMALL) == 2 * 10 + 3
    assert one.ifmap_words(shape) == 2 * 3 * 3
    assert one.filter_words(shape) == 2 * 2 * 4
    assert one.macs(shape) == shape.macs
    # Each PE gets a row of 3 words of each channel, and the kernel row of each filter and channel.
    # Each of 8 psums goes up one PE, and out.
    assert one.noc_words(shape) == {"ifmap": 4 * 2 * 3, "filter": 4 * 2 * 2 * 2, "psum": 8 * 2}
    words = one.rf_words(shape, 1)
    assert words["ifmap", "read"] == words["filter", "read"] == shape.macs == 64
    assert (words["ifmap", "write"], words["filter", "write"]) == (24, 32)
    assert (words["psum", "read"], words["psum", "write"]) == (64 + 2 * 16, 64 + 16)
    wide = one.rf_words(shape, 2)
    assert (wide["psum", "read"], wide["psum", "write"]) == (2 * (64 + 2 * 16), 2 * (64 + 16))
    assert wide["filter", "write"] == 32
    again = replace(one, starts_psums=False, fetch_weights=False)
    assert again.noc_words(shape) == {"ifmap": 24, "filter": 0, "psum": 8 * 2 + 8}


def test_published_mapping_of_alexnet_conv2():
    """JSSC'17 Table III: 135 active PEs, a set of 27 columns folded on 14; 4320 cycles a pass."""
    shape = LayerShape(4, 256, 96, 27, 27, 5, 5, padding=(2, 2), groups=2)
    mapping = RowMapping(m=64, n=1, e=27, f=27, p=16, q=2, r=1, t=1)
    check_mapping(shape, mapping, ARRAY, layer="CONV2")
    passes = list(row_passes(shape, mapping))
    assert len(passes) == 1536
    assert passes[0].active_pes(shape) == 135
    ideal = replace(ARRAY, hop_cycles=0)
    assert compute_cycles(shape, mapping, ideal) == 1536 * 27 * 5 * 16 * 2


@given(shapes(), MAPPINGS)
def test_every_product_is_made_once_and_by_channels_in_turn(shape, mapping):
    done = np.zeros((shape.n, shape.m, shape.p, shape.q, shape.c // shape.groups), int)
    cycles = 0
    for one in row_passes(shape, mapping):
        filters = one.group * (shape.m // shape.groups) + one.filters.start
        part = done[
            one.images.start : one.images.stop,
            filters : filters + one.filters.size,
            one.rows.start : one.rows.stop,
            one.columns.start : one.columns.stop,
        ]
        # All channels before have been added, none of those behind.
        assert (part[..., : one.channels.start] == 1).all()
        assert (part[..., one.channels.start :] == 0).all()
        part[..., one.channels.start : one.channels.stop] += 1
        cycles += one.cycles(shape, SMALL)
    assert (done == 1).all()
    assert cycles == compute_cycles(shape, mapping, SMALL)


@given(shapes(), MAPPINGS)
def test_what_fits_stays_within_every_memory(shape, mapping):
    assume(fits(shape, mapping, SMALL))
    for one in row_passes(shape, mapping):
        assert one.pe_channels * shape.s <= SMALL.ifmap_rf_words
        assert one.pe_filters * one.pe_channels * shape.s <= SMALL.filter_rf_words
        assert one.pe_filters <= SMALL.psum_rf_words
        assert one.filter_words(shape) <= SMALL.filter_buffer_words
        assert one.active_pes(shape) <= SMALL.rows * SMALL.cols
        assert one.fetched_words(shape) <= one.ifmap_words(shape)
        psums = min(mapping.m, shape.m) * mapping.n * mapping.e * mapping.f
        assert one.psums <= psums
        assert psums + one.ifmap_words(shape) <= SMALL.glb_words


@given(shapes(), MAPPINGS)
def test_words_read_from_the_glb_are_those_that_windows_need(shape, mapping):
    for one in row_passes(shape, mapping):
        places = set()
        for p in range(one.rows.start, one.rows.stop):
            for q in range(one.columns.start, one.columns.stop):
                for r in range(shape.r):
                    for s in range(shape.s):
                        h = p * shape.stride[0] - shape.padding[0] + r
                        w = q * shape.stride[1] - shape.padding[1] + s
                        places |= {(h, w)} if 0 <= h < shape.h and 0 <= w < shape.w else set()
        words = len(places) * one.images.size * one.channels.size
        assert one.read_words(shape) == words <= one.fetched_words(shape)


@given(shapes(), MAPPINGS, st.integers(1, 2))
def test_rf_and_noc_words_counted_pe_by_pe(shape, mapping, psum_words):
    """Each PE for itself: its filters, its channels, its kernel row, its ofmap row."""
    for one in row_passes(shape, mapping):
        products = hops = ifmap = weights = 0
        channels = [min(mapping.q, one.channels.size - first) for first in range(
            0, one.channels.size, mapping.q)]  # fmt: skip
        filters = [min(mapping.p, one.filters.size - first) for first in range(
            0, one.filters.size, mapping.p)]  # fmt: skip
        for own_channels in channels:
            for own_filters in filters:
                for _ in range(shape.r * one.rows.size):
                    weights += own_filters * own_channels * shape.s * int(one.fetch_weights)
                    for _ in range(one.images.size):
                        places = {
                            column * shape.stride[1] + s
                            for column in range(one.columns.size)
                            for s in range(shape.s)
                        }
                        ifmap += own_channels * len(places)
                    products += own_filters * own_channels * shape.s * one.windows
                    hops += own_filters * one.windows
        assert one.rf_words(shape, psum_words) == {
            ("ifmap", "read"): products,
            ("ifmap", "write"): ifmap,
            ("filter", "read"): products,
            ("filter", "write"): weights,
            ("psum", "read"): psum_words * (products + 2 * hops),
            ("psum", "write"): psum_words * (products + hops),
        }
        # Each PE hands its psums on, and those at the bottom get theirs from the GLB if stored.
        stored = 0 if one.starts_psums else one.psums
        assert one.noc_words(shape) == {"ifmap": ifmap, "filter": weights, "psum": hops + stored}


TIMINGS = st.builds(
    lambda multiply, add, pipelined: PeTiming(
        multiply, add, 1 if pipelined else multiply, 1 if pipelined else add
    ),
    st.integers(1, 4), st.integers(1, 4), st.booleans(),
)  # fmt: skip


@given(TIMINGS, st.integers(1, 4), st.integers(1, 4), st.integers(1, 3))
def test_a_column_operand_pair_by_operand_pair(timing, filters, products, columns):
    """A PE starts a product when units are free and the sum that it goes into has the last one."""
    array = replace(SMALL, timing=timing, psum_add_cycles=0, hop_cycles=0)
    start, ready, end = -timing.free_interval, [0] * filters, 0
    for _ in range(columns * products):
        step = None
        for one in range(filters):
            start = max(start + timing.free_interval, ready[one] - timing.multiply_cycles)
            step = start if step is None else step
            end = start + timing.latency_cycles
            # Steps are of one length: no filter is waited for that another was not.
            ready[one] = end
    shape = LayerShape(n=1, m=filters, c=1, h=1, w=columns * products, r=1, s=products,
                       stride=(1, products))  # fmt: skip
    mapping = RowMapping(filters, 1, 1, columns, filters, 1, 1, 1)
    assert compute_cycles(shape, mapping, array) == end


@given(shapes())
def test_the_mapper_finds_what_fits(shape):
    try:
        mapping = choose_mapping(shape, SMALL)
    except MappingError:
        assert not fits(shape, RowMapping(1, 1, 1, 1, 1, 1, 1, 1), SMALL)
    else:
        check_mapping(shape, mapping, SMALL, layer="any")
        assert choose_mapping(shape, SMALL) == mapping


@given(shapes(), st.sampled_from([None, Fraction(1, 3), 2]))
def test_what_is_not_tried_is_not_the_best(shape, link):
    """The mapping is that which comparing all that fit gives."""
    assume(fits(shape, RowMapping(1, 1, 1, 1, 1, 1, 1, 1), ARRAY))
    found = choose_mapping(shape, ARRAY, link_words_per_cycle=link)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_mapper, "LEAST", 0)
        row_mapper._best.cache_clear()
        assert choose_mapping(shape, ARRAY, link_words_per_cycle=link) == found
    row_mapper._best.cache_clear()


@given(shapes(), MAPPINGS, st.integers(0, 2**32 - 1))
def test_accumulation_order_is_that_of_the_pes(shape, mapping, seed):
    """PE by PE in float32: a running sum each, handed up from the last set's bottom row."""
    channels = shape.c // shape.groups
    products = np.random.default_rng(seed).normal(size=(channels, shape.r, shape.s))
    products = products.astype(np.float32)
    order = accumulation_order(shape, mapping)
    assert sorted(order.permutation) == list(range(shape.gemm.k))
    assert order.sizes.sum() == shape.gemm.k
    psum = np.float32(0)
    for first in range(0, channels, mapping.q * mapping.r):
        sums = {}
        for place in range(mapping.r):
            start = first + place * mapping.q
            stop = min(start + mapping.q, first + mapping.q * mapping.r, channels)
            for row in range(shape.r if start < stop else 0):
                own = np.float32(0)
                for column in range(shape.s):
                    for channel in range(start, stop):
                        own = own + products[channel, row, column]
                sums[place, row] = own
        for place, row in sorted(sums, reverse=True):
            psum = psum + sums[place, row]
    assert order.total(products.ravel()) == psum


def test_rejects_what_does_not_fit():
    shape = LayerShape(1, 64, 64, 8, 8, 3, 3)
    mapping = RowMapping(m=64, n=1, e=6, f=6, p=32, q=5, r=5, t=1)
    with pytest.raises(MappingError, match=r"layer 'conv9' .* m64 n1 .* 15 ifmap RF words"):
        check_mapping(shape, mapping, ARRAY, layer="conv9")
    with pytest.raises(MappingError, match=r"m must be an int >= 1, got 0"):
        check_mapping(shape, replace(mapping, m=0), ARRAY, layer="conv9")


@pytest.mark.parametrize(
    ("shape", "what"),
    [
        (LayerShape(1, 1, 1, 20, 20, 3, 3, dilation=(2, 2)), r"dilation \(2, 2\) is not mapped"),
        (LayerShape(1, 1, 1, 20, 20, 13, 1), r"1 places for 13 x 1 PEs, there are 0"),
        (LayerShape(1, 1, 1, 20, 20, 1, 13), r"13 ifmap RF words \(q \* S\), there are 12"),
    ],
)
def test_rejects_kernels_that_no_mapping_holds(shape, what):
    with pytest.raises(MappingError, match=f"layer 'odd' .*{what}"):
        choose_mapping(shape, ARRAY, layer="odd")


@pytest.mark.parametrize("value", [0, -1, 1.5, True, None])
def test_rejects_array_sizes_that_are_none(value):
    with pytest.raises(ConfigError, match="SpatialArray.rows must be an int >= 1, got"):
        replace(ARRAY, rows=value)
