"""DRAM timing against a reference that goes word by word, and against hand-worked transfers."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.config import Accelerator
from accelsim.dataflows.mapper import choose_tiling
from accelsim.errors import DataError, UnknownNameError
from accelsim.layer import INPUT, LayerShape, MacLayer, Trace
from accelsim.machine import run_machine
from accelsim.machine.array import array_model, budget_of
from accelsim.machine.block import Block
from accelsim.machine.dram_kinds import DramKind, dram_kind, dram_kinds, load_kinds
from accelsim.machine.dram_timing import DeviceTiming, SimpleTiming, dram_timing, row_segments
from accelsim.machine.machine import run_program
from accelsim.machine.program import compile_program

# Bursts of 16 bytes (4 words) take 4 ns, rows hold 4 bursts, 2 banks; 1000 MHz: 1 cycle a ns.
KIND = DramKind("test", 1000, 32, 4, 2, 64, 5, 6, 20, 3, 2, 4, 1, "made up", "")
WIDE = SimpleTiming(10**6, 0)


def device(kind=KIND, link=WIDE, channels=1):
    return DeviceTiming(kind, channels, link, 1000)


def dense(address, words):
    return Block(address, (words,), (1,))


@st.composite
def blocks(draw):
    """Dense and strided blocks whose addresses rise, as those of tensors do."""
    counts = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    strides, extent = [], 1
    for count in reversed(counts):
        stride = extent + draw(st.integers(0, 20)) * draw(st.integers(0, 1))
        strides.insert(0, stride)
        extent = stride * count
    return Block(draw(st.integers(0, 200)), tuple(counts), tuple(strides))


@given(blocks(), st.data())
def test_the_order_of_a_blocks_dimensions_does_not_matter(block, data):
    """A transposed matrix is walked by its addresses all the same."""
    order = data.draw(st.permutations(range(len(block.counts))))
    turned = Block(
        block.address,
        tuple(block.counts[at] for at in order),
        tuple(block.strides[at] for at in order),
    )
    for got, expected in zip(row_segments(turned, 4, 4), row_segments(block, 4, 4), strict=True):
        np.testing.assert_array_equal(got, expected)


def walk(block, kind, state):
    """Return (time, hits, misses) burst by burst; *state* is bank -> open row."""
    bursts = []
    for index in product(*map(range, block.counts)):
        word = block.address + sum(i * s for i, s in zip(index, block.strides, strict=True))
        burst = word * 4 // kind.burst_bytes
        if not bursts or bursts[-1] != burst:
            bursts.append(burst)
    # [row, time of its bursts, opening, was it opened]
    groups = []
    hits = misses = 0
    for burst in bursts:
        row = burst // (kind.row_bytes // kind.burst_bytes)
        bank = row % kind.banks
        if state.get(bank) == row:
            hits += 1
            if not groups or groups[-1][0] != row:
                groups.append([row, 0, 0])
        else:
            misses += 1
            groups.append([row, 0, kind.t_rcd_ns + (kind.t_rp_ns if bank in state else 0)])
            state[bank] = row
        groups[-1][1] += kind.burst_ns
    now = 0.0
    for index, (row, data, opening) in enumerate(groups):
        if index == 0:
            now += opening
        elif opening:
            before, shown, opened = groups[index - 1]
            if before % kind.banks == row % kind.banks:
                # Its bank may not close the row before until tRAS after it was opened.
                age = kind.t_rcd_ns + shown if opened else kind.t_ras_ns
                now += max(kind.t_ras_ns - age, 0) + opening
            else:
                now += max(opening - shown, 0)
        now += data
    return now, hits, misses


@given(st.lists(blocks(), min_size=1, max_size=4), st.sampled_from([1, 2, 5]))
def test_rows_and_times_are_those_of_a_walk_word_by_word(transfers, banks):
    kind = DramKind("test", 1000, 32, 4, banks, 64, 5, 6, 20, 3, 2, 4, 1, "made up", "")
    timing, state = device(kind), {}
    for block in transfers:
        got = timing.transfer(block, write=False)
        time_ns, hits, misses = walk(block, kind, state)
        assert (got.row_hits, got.row_misses) == (hits, misses)
        assert got.data_cycles == time_ns


def test_a_dense_transfer_opens_each_row_once_under_the_data_before():
    """32 words are 8 bursts in 2 rows of 2 banks: 5 ns to open the first, 8 * 4 ns of data."""
    got = device().transfer(dense(0, 32), write=False)
    assert got == (3, 0, 37, 6, 2)


def test_open_rows_are_hit_by_the_next_transfer_and_closed_by_another_row():
    timing = device()
    assert timing.transfer(dense(0, 4), write=False).data_cycles == 5 + 4
    assert timing.transfer(dense(4, 4), write=False).data_cycles == 4
    assert timing.transfer(dense(32, 4), write=False).data_cycles == 6 + 5 + 4  # row 2, bank 0


def test_a_strided_column_misses_the_row_with_every_word():
    """Rows 0, 2, 4 of bank 0: each is opened for one burst, and stays open for tRAS = 20 ns.

    5 + 4, then 11 left of tRAS, 6 + 5 + 4, and the same again.
    """
    got = device().transfer(Block(0, (3, 1), (32, 1)), write=False)
    assert got[2:] == (9 + 2 * (11 + 15), 0, 3)


def test_words_are_moved_in_whole_bursts():
    timing = device()
    assert timing.transfer(dense(3, 2), write=False)[2:] == (5 + 2 * 4, 1, 1)
    # Two runs that share a burst: words 0 to 2 and 3 to 5 of which 3 lies in the first burst.
    rows, bursts = row_segments(Block(0, (2, 2), (3, 1)), burst_words=4, row_bursts=4)
    assert (rows.tolist(), bursts.tolist()) == ([0], [2])


def test_turning_the_bus_round():
    """Write to read: tWTR and then the read's tCL; read to write: tRTW."""
    timing = device()
    gaps = [timing.transfer(dense(0, 4), write=w).gap_cycles for w in (False, True, True, False)]
    assert gaps == [0, 1, 0, 4 + 3]


def test_the_link_bounds_the_device_and_adds_its_latency():
    timing = device(link=SimpleTiming(bytes_per_cycle=1, latency_cycles=7))
    assert timing.transfer(dense(0, 32), write=False)[:3] == (7 + 3, 0, 128)


def test_channels_in_lockstep_are_a_wider_bus():
    """Bursts of 8 words and rows of 32: 32 words are one row, 4 bursts."""
    assert device(channels=2).transfer(dense(0, 32), write=False)[2:] == (5 + 4 * 4, 3, 1)


@pytest.mark.parametrize("name", [kind for kind in dram_kinds() if kind != "simple"])
def test_a_long_dense_read_comes_close_to_the_peak_bandwidth(name):
    """Row misses hide under the data of the rows before: within 2 % of data rate times width."""
    machine = Accelerator.preset("edge_16x16").replace(
        **{"dram.kind": name, "dram.bytes_per_cycle": 2**20}
    )
    kind = dram_kind(name)
    words = 2**20
    cycles = dram_timing(machine).transfer(dense(0, words), write=False).data_cycles
    peak_ns = words * 4 / (kind.data_rate_mtps * kind.bus_width_bits / 8) * 1e3
    assert peak_ns <= cycles * 5 <= 1.02 * peak_ns


def test_times_are_cycles_of_the_machines_clock():
    machine = Accelerator.preset("edge_16x16").replace(
        **{"dram.kind": "ddr4_2400", "dram.latency_cycles": 0, "dram.bytes_per_cycle": 64}
    )
    latencies = [
        dram_timing(machine.replace(clock_mhz=clock)).transfer(dense(0, 1), write=False)[0]
        for clock in (100, 1000)
    ]
    assert latencies == [2, 15]  # tCL = 14.11 ns


def test_rejects_an_unknown_kind_and_names_the_nearest():
    with pytest.raises(UnknownNameError, match="no DRAM kind named 'ddr4'; known: simple, ddr4"):
        dram_timing(Accelerator.preset("tiny_4x4").replace(**{"dram.kind": "ddr4"}))


GOOD = "x,1000,32,4,2,64,5,6,20,3,2,4,1,somewhere,"
HEADER = ",".join(DramKind.__dataclass_fields__)


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ("a,b", "1: columns must be kind,data_rate_mtps"),
        (f"{HEADER}\n{GOOD}\n{GOOD}", "3: kind 'x' is there already"),
        (f"{HEADER}\n{GOOD.replace('somewhere', '')}", "2: kind and source must not be empty"),
        (
            f"{HEADER}\n{GOOD.replace('64', '60')}",
            "2: row_bytes must be a multiple of a burst's 16",
        ),
        (f"{HEADER}\n{GOOD.replace('64', '64.5')}", "2: row_bytes must be a positive int"),
        (f"{HEADER}\n{GOOD.replace('1000', '0')}", "2: data_rate_mtps must be a positive float"),
    ],
)
def test_rejects_a_table_with_faults_and_says_where(tmp_path, rows, fault):
    path = tmp_path / "kinds.csv"
    path.write_text(rows + "\n")
    with pytest.raises(DataError, match=f"{path}:{fault}"):
        load_kinds(path)


def test_every_shipped_kind_has_a_source():
    for name in dram_kinds()[1:]:
        assert dram_kind(name).source
    assert np.all([dram_kind(name).burst_bytes == 64 for name in dram_kinds()[1:]])


def test_the_mapper_keeps_a_linear_layer_from_opening_rows():
    """Tiles of many filters and few channels open a row for each filter: three times as slow."""
    shape = LayerShape(n=1, m=1024, c=4096)
    layer = MacLayer("fc", "linear", INPUT, shape, np.zeros((1024, 4096, 1, 1), np.float32), None)
    trace = Trace("net", (layer,), np.zeros((1, 4096, 1, 1), np.float32), "fc")
    machine = Accelerator.preset("edge_16x16").replace(
        clock_mhz=1000, **{"dram.kind": "lpddr4_3200", "array.adder_delay_ps": 500}
    )
    (record,) = run_machine(trace, machine, values=False).layers
    program = compile_program(trace, machine)
    (step,) = program.steps
    blind = replace(array_model(machine), dram_row_words=0)
    tiling = choose_tiling(shape, budget_of(machine), blind, layer="fc")
    blindly = replace(program, steps=(replace(step, tiling=tiling),))
    (other,) = run_program(blindly, trace, machine, values=False).layers
    assert 2 * record.total_cycles < other.total_cycles
