from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from accelsim.dataflows import DATAFLOWS, PeTiming
from accelsim.dataflows.mapper import _cost, _traffic, choose_tiling
from accelsim.dataflows.tiling import ArrayModel, Budget, tile_gemm
from accelsim.errors import MappingError, TraceError
from accelsim.layer import LayerShape

ARRAY = ArrayModel(
    DATAFLOWS["os"], 8, 4, PeTiming(1), dram_bytes_per_cycle=8, dram_latency_cycles=5
)
BOUNDS = {
    "n": st.integers(1, 4),
    "m": st.integers(1, 20),
    "c": st.integers(1, 12),
    "h": st.integers(1, 16),
    "w": st.integers(1, 16),
    "r": st.integers(1, 4),
    "s": st.integers(1, 3),
    "stride": st.tuples(st.integers(1, 3), st.integers(1, 2)),
    "padding": st.tuples(st.integers(0, 2), st.integers(0, 2)),
    "dilation": st.tuples(st.integers(1, 2), st.integers(1, 2)),
    "groups": st.integers(1, 3),
}


@st.composite
def shapes(draw):
    bounds = draw(st.fixed_dictionaries(BOUNDS))
    bounds["m"] *= bounds["groups"]
    bounds["c"] *= bounds["groups"]
    try:
        return LayerShape(**bounds)
    except TraceError:
        assume(False)


def footprint(shape, tile):
    start, stop = shape.ifmap_rows(tile.rows.start, tile.rows.size)
    ifmap = tile.images.size * tile.channels.size * (stop - start) * shape.w
    weights = tile.filters.size * tile.channels.size * shape.r * shape.s
    ofmap = tile.images.size * tile.filters.size * tile.rows.size * shape.q
    return ifmap, weights, ofmap


OBJECTIVES = st.sampled_from(["cycles", "traffic"])


@given(
    shapes(),
    *[st.integers(20, 3000)] * 3,
    st.sampled_from([1, 2]),
    st.sampled_from([None, 100, 1000]),
    OBJECTIVES,
    st.booleans(),
)
def test_tiles_fit_cover_the_layer_and_move_what_the_mapper_says(
    shape, ifmap, weight, ofmap, psum_words, total, objective, spills
):
    budget = Budget(ifmap, weight, ofmap, psum_words, total)
    try:
        tiling = choose_tiling(shape, budget, ARRAY, layer="x", objective=objective, spills=spills)
    except MappingError:
        return
    assert spills or not tiling.spills
    products = words = transfers = 0
    for tile in tiling.tiles():
        need_ifmap, need_weights, need_ofmap = footprint(shape, tile)
        assert need_ifmap <= ifmap
        assert need_weights + tile.filters.size <= weight
        assert need_ofmap * psum_words <= ofmap
        together = need_ifmap + need_weights + tile.filters.size + need_ofmap * psum_words
        assert total is None or together <= total
        m, n, k = tile_gemm(shape, tile)
        products += m * n * k
        words += need_ifmap * tile.fetch_ifmap + need_weights * tile.fetch_weights
        words += need_ofmap * tile.ends_psums
        transfers += tile.fetch_ifmap + tile.fetch_weights + tile.ends_psums
        if tiling.spills:  # psums come unless they start, and go unless they are done
            moves = (not tile.starts_psums) + (not tile.ends_psums)
            words += need_ofmap * psum_words * moves
            transfers += moves
    assert products == shape.macs
    assert words == tiling.dram_words
    extents = (tiling.images, tiling.rows, tiling.filters, tiling.channels)
    spilled = psum_words if tiling.spills else 0
    assert (words, transfers) == _traffic(shape, *extents, tiling.weights_outer, spilled)
    cycles = [
        ARRAY.compute_cycles(*tile_gemm(shape, tile), resume=not tile.starts_psums)
        for tile in tiling.tiles()
    ]
    assert (sum(cycles), len(cycles)) == _cost(shape, extents, ARRAY)


def test_channels_come_in_order_and_innermost():
    """The order of a sum, and so its bits, must not depend on the tiling."""
    shape = LayerShape(n=1, m=8, c=9, h=6, w=6, r=3, s=3)
    tiling = choose_tiling(shape, Budget(120, 80, 60, 1), ARRAY, layer="x")
    assert tiling.channels < 9
    runs = [[]]
    for tile in tiling.tiles():
        if tile.starts_psums:
            runs.append([])
        runs[-1].append((tile.channels.start, tile.channels.stop))
    for spans in runs[1:]:
        assert spans[0][0] == 0
        assert spans[-1][1] == 9
        assert all(a[1] == b[0] for a, b in pairwise(spans))


def test_where_a_transfer_is_dear_a_layer_that_fits_is_one_tile():
    shape = LayerShape(n=2, m=4, c=3, h=8, w=8, r=3, s=3)
    slow = replace(ARRAY, dram_latency_cycles=10**5)
    tiling = choose_tiling(shape, Budget(10**6, 10**6, 10**6, 1), slow, layer="x")
    assert len(list(tiling.tiles())) == 1
    assert tiling.dram_words == 2 * 3 * 64 + 4 * 27 + 2 * 4 * 36


def test_where_transfers_are_free_tiles_overlap():
    """With tiles the array works while the next one comes; alone in the GLB it would wait."""
    shape = LayerShape(n=2, m=4, c=3, h=8, w=8, r=3, s=3)
    free = replace(ARRAY, dram_latency_cycles=0)
    tiling = choose_tiling(shape, Budget(10**6, 10**6, 10**6, 1), free, layer="x")
    assert len(list(tiling.tiles())) > 1


def test_is_deterministic_and_says_what_it_chose():
    shape = LayerShape(n=1, m=32, c=8, h=14, w=14, r=3, s=3, padding=(1, 1))
    budget = Budget(700, 700, 700, 1)
    first, second = (choose_tiling(shape, budget, ARRAY, layer="x") for _ in range(2))
    assert first == second
    assert first.reason.startswith("fewest cycles of ")
    assert first.why == f"n1 p{first.rows} m{first.filters} c{first.channels}, " + (
        "weights outer" if first.weights_outer else "ifmap outer"
    )


@given(shapes(), *[st.integers(20, 2000)] * 3, st.integers(0, 2000), st.booleans())
def test_the_least_traffic_never_grows_with_the_glb_and_is_the_least(
    shape, ifmap, weight, ofmap, more, spills
):
    def words(objective, extra, spills):
        budget = Budget(ifmap + extra, weight + extra, ofmap + extra, 1)
        tiling = choose_tiling(shape, budget, ARRAY, layer="x", objective=objective, spills=spills)
        return tiling.dram_words

    try:
        least = words("traffic", 0, spills)
    except MappingError:
        return
    assert words("traffic", more, spills) <= least <= words("cycles", 0, spills)
    assert words("traffic", 0, True) <= words("traffic", 0, False)


def test_psums_are_spilled_where_the_weights_are_dear():
    """16 filters of 64 channels on 8 rows of a pixel: 512 activations, 1,024 weights, 128 outputs.

    A tile may have 64 activations, 144 weights and biases, 16 psums. The best without spilling
    cuts rows in 2, filters in 4, channels in 4, for which everything is fetched anew: 4 * 512
    + 2 * 1,024 + 128 words. Spilled, 8 filters' 16 channels stay while 4 places pass: weights are
    fetched once, activations twice, and the psums go out and come back 3 times: 2 * 512 + 1,024 +
    (1 + 2 * 3) * 128 words.
    """
    shape = LayerShape(n=1, m=16, c=64, h=8, w=1)
    budget = Budget(64, 8 * 16 + 16, 16, 1)
    kept, spilled = (
        choose_tiling(shape, budget, ARRAY, layer="x", objective="traffic", spills=spills)
        for spills in (False, True)
    )
    assert not kept.spills
    assert spilled.spills
    assert (kept.dram_words, spilled.dram_words) == (4224, 2944)
    assert spilled.why.endswith("outer, psums spilled")
    assert spilled.reason.startswith("least DRAM traffic of ")


@pytest.mark.parametrize(
    ("budget", "partition"),
    [
        (Budget(10, 10**6, 10**6, 1), "glb.ifmap_kib holds tiles of 10 words, .* needs 48"),
        (Budget(10**6, 9, 10**6, 1), "glb.weight_kib holds tiles of 9 words, .* needs 10"),
        (Budget(10**6, 10**6, 20, 2), "glb.ofmap_kib holds tiles of 20 words, .* needs 28"),
    ],
)
def test_rejects_a_layer_that_cannot_fit_and_says_why(budget, partition):
    shape = LayerShape(n=1, m=4, c=4, h=16, w=16, r=3, s=3)
    with pytest.raises(MappingError, match=f"layer 'conv9' fits no tiling, .*{partition}"):
        choose_tiling(shape, budget, ARRAY, layer="conv9")
    with pytest.raises(MappingError, match="layer 'conv10' fits no tiling"):
        choose_tiling(shape, budget, ARRAY, layer="conv10")


@pytest.mark.parametrize(
    ("runs", "run_words", "stride", "opened", "wait"),
    [
        (1, 1000, 5000, 2, 0),  # 500 words a row, 250 cycles: longer than it takes to open one
        (40, 10, 5000, 40, 15),  # a row for each run, 5 of the 20 cycles under its words
        (40, 10, 100, 8, 0),  # five runs of a row: 50 words, 25 cycles
        (40, 2, 100, 8, 15),
        (40, 0, 100, 0, 0),  # an ifmap of padding alone
    ],
)
def test_words_that_lie_apart_wait_for_rows(runs, run_words, stride, opened, wait):
    rows = replace(ARRAY, dram_row_words=512, dram_row_cycles=20)
    assert rows.opening_cycles(runs, run_words, stride) == opened * wait
    assert ARRAY.opening_cycles(runs, run_words, stride) == 0


def test_a_dram_with_rows_gets_tiles_of_longer_runs():
    """Of a linear layer, whose filters lie far apart: 82 words take as long as opening a row."""
    shape, budget = LayerShape(n=1, m=512, c=2048), Budget(2048, 2048, 2048, 1)
    rows = replace(ARRAY, dram_row_words=512, dram_row_cycles=40)
    flat, aware = (choose_tiling(shape, budget, one, layer="fc") for one in (ARRAY, rows))
    assert (flat.channels, aware.channels) == (7, 82)
