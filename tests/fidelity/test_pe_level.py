"""The array register by register against the dataflows' cycles and the kernels' bits."""

import itertools
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim import pe_level
from accelsim.accumulators import ACCUMULATORS
from accelsim.dataflows import DATAFLOWS, PeTiming
from accelsim.dataflows.output_stationary import OutputStationary
from accelsim.errors import ConfigError, DataError, MappingError, ScheduleError, UnknownNameError
from accelsim.formats import IntegerFormat
from accelsim.kernels import accumulate
from accelsim.multipliers import MULTIPLIERS, IntegerMultiplier

UNITS = [
    ("exact_fp32", "float32"),
    ("ax_fpm", "float32"),
    ("ax_fpm", "float64"),
    ("exact_int8", "int32"),
]
ARRAYS = st.fixed_dictionaries(
    {
        "dataflow": st.sampled_from(["os", "ws", "is"]),
        "rows": st.integers(1, 6),
        "cols": st.integers(1, 6),
        "overlap": st.sampled_from(["none", "load", "drain", "both"]),
        "timing": st.builds(
            lambda multiply, add, pipelined: PeTiming(
                multiply, add, *((1, 1) if pipelined else (max(1, multiply), add))
            ),
            st.integers(0, 3),
            st.integers(1, 3),
            st.booleans(),
        ),
    }
)
BOUNDS = st.tuples(st.integers(1, 20), st.integers(1, 20), st.integers(1, 20))


def values_of(unit, shape, rng):
    """Return operands, some of them zeros."""
    if isinstance(unit, IntegerMultiplier):
        values = unit.operands.values()
        return rng.integers(values.min(), values.max() + 1, shape).astype(unit.operands.dtype)
    return (rng.standard_normal(shape) * (rng.random(shape) < 0.8)).astype(np.float32)


def product_of(unit, adder, bounds, resume, seed=0):
    """Return activations (m, k), weights (k, n), stored psums or None, and what the kernels sum."""
    (m, n, k), rng = bounds, np.random.default_rng(seed)
    unit = MULTIPLIERS.get(unit, unit)
    activations, weights = values_of(unit, (m, k), rng), values_of(unit, (k, n), rng)
    psums = (100 * rng.standard_normal((m, n))).astype(ACCUMULATORS[adder].dtype)
    sums = psums.T.copy() if resume else np.zeros((n, m), psums.dtype)
    accumulate(unit, adder, activations.T, weights.T, sums)
    return activations, weights, psums if resume else None, sums.T


def ones(m, n, k):
    return np.ones((m, k), np.float32), np.ones((k, n), np.float32)


@pytest.mark.parametrize(("unit", "adder"), UNITS)
@given(ARRAYS, BOUNDS, st.booleans(), st.integers(0, 99))
def test_cycles_are_the_dataflows_and_bits_the_kernels(unit, adder, array, bounds, resume, seed):
    activations, weights, psums, sums = product_of(unit, adder, bounds, resume, seed)
    got = pe_level.run(
        activations, weights, multiplier=unit, accumulator=adder, psums=psums, **array
    )
    assert got.psums.dtype == sums.dtype
    assert got.psums.tobytes() == sums.tobytes()

    how = {name: value for name, value in array.items() if name != "dataflow"} | {"resume": resume}
    flow = DATAFLOWS[array["dataflow"]]
    passes = list(flow.passes(*bounds, **how))
    assert got.cycles == flow.compute_cycles(*bounds, **how)
    assert got.cycles == sum(one.cycles for one in passes)
    assert got.cycles == got.stored_cycles.max() + 1
    # A pass starts behind its load, and its first psum leaves when it has been through the array.
    assert got.starts[0] == passes[0].load_cycles
    assert len(got.starts) == len(passes)


@given(ARRAYS, BOUNDS, st.booleans(), st.data())
def test_passes_may_start_later_and_the_count_says_so(array, bounds, resume, data):
    """The cycles are not the dataflow's sum, but those until the last psum was there."""
    activations, weights, psums, sums = product_of("exact_fp32", "float32", bounds, resume)
    soon = pe_level.run(activations, weights, psums=psums, **array)
    delays = [0, *data.draw(st.lists(st.integers(0, 9), max_size=5))]
    late = list(itertools.accumulate(delays))
    late += late[-1:] * len(soon.starts)
    starts = [start + more for start, more in zip(soon.starts, late, strict=False)]
    got = pe_level.run(activations, weights, psums=psums, starts=starts, **array)
    assert got.psums.tobytes() == sums.tobytes()
    assert got.cycles == soon.cycles + late[len(starts) - 1]


def test_an_output_stationary_array_by_hand():
    """2 x 2 outputs, 3 products, one-cycle PEs: PE (1, 1) gets its third pair in cycle 2 + 2.

    So its psum is there in cycle 5, in which row 1 is stored, and row 0 in cycle 6.
    """
    got = pe_level.run(*ones(2, 2, 3), dataflow="os", rows=4, cols=3)
    assert got.stored_cycles.tolist() == [[6, 6], [5, 5]]
    assert got.cycles == 7
    assert got.psums.tolist() == [[3, 3], [3, 3]]


def test_a_weight_stationary_array_by_hand():
    """3 pixels, 2 filters, k = 2: loaded in cycles 0 and 1, pixel 0 enters in cycle 2.

    It is in row 1, column j in cycle 2 + 1 + j, and leaves at the end of that. A multiplier of a
    cycle and an adder of two: two cycles of skew, and two more of latency.
    """
    got = pe_level.run(*ones(3, 2, 2), dataflow="ws", rows=4, cols=3)
    assert got.stored_cycles.tolist() == [[3, 4], [4, 5], [5, 6]]
    got = pe_level.run(*ones(3, 2, 2), dataflow="ws", rows=4, cols=3, timing=PeTiming(1, 2))
    assert got.stored_cycles.tolist() == [[6, 7], [7, 8], [8, 9]]
    got = pe_level.run(*ones(2, 3, 2), dataflow="is", rows=4, cols=3, timing=PeTiming(1, 2))
    assert got.stored_cycles.tolist() == [[6, 7, 8], [7, 8, 9]]


TWO_BY_TWO = {"rows": 2, "cols": 2}
ONE = {"rows": 1, "cols": 1}


@pytest.mark.parametrize(
    ("bounds", "array", "resume", "starts", "message"),
    [
        # PE (0, 0) has its sum from the end of cycle 2 on; it leaves from cycle 5 on, with row 1's.
        ((2, 4, 3), {"dataflow": "os", **TWO_BY_TWO}, False, (0, 3),
         r"PE \(0, 0\), cycle 3, pass 1: a psum register is overwritten before"),
        # Drained in cycles 5 and 6: row 0 is free from the end of 5 on, but still shifted in 6.
        ((2, 4, 3), {"dataflow": "os", **TWO_BY_TWO}, False, (0, 5),
         r"PE \(0, 0\), cycle 6, pass 0: a psum register is shifted before its sum is complete"),
        # With second registers the sum of cycle 5 is shifted to PE (1, 0), as its own arrives.
        ((2, 4, 3), {"dataflow": "os", "overlap": "drain", **TWO_BY_TWO}, False, (0, 3),
         r"PE \(1, 0\), cycle 6, pass 1: a psum register is overwritten before"),
        # Loaded in cycles 4 and 5, in which the psums of pass 0 take their first products.
        ((2, 4, 3), {"dataflow": "os", **TWO_BY_TWO}, True, (2, 6),
         r"PE \(1, 1\), cycle 4, pass 1: a psum register is overwritten"),
        # Loaded in cycles 8 and 9, drained in 7 and 8.
        ((2, 4, 3), {"dataflow": "os", **TWO_BY_TWO}, True, (2, 10),
         r"PE \(0, 0\), cycle 8, pass 1: a row should be loaded while .* drained"),
        # Weights are loaded in cycle 3 into the only register; pixel 3 comes in cycle 4.
        ((5, 1, 2), {"dataflow": "ws", **ONE}, False, (1, 4),
         r"PE \(0, 0\), cycle 4, pass 0: .* its stationary operand is not there"),
        # Into second registers in cycles 2 and 3; row 1 takes its weight over in cycle 3.
        ((3, 2, 4), {"dataflow": "ws", "overlap": "both", **TWO_BY_TWO}, False, (2, 4),
         r"PE \(1, 0\), cycle 3, pass 0: .* its stationary operand is not there"),
        ((3, 2, 4), {"dataflow": "ws", "overlap": "both", **TWO_BY_TWO}, False, (2, 3),
         r"PE \(0, 0\), cycle 2, pass 1: a row should be loaded while rows of another pass"),
        # Pixel 2 enters in cycle 3.
        ((3, 1, 2), {"dataflow": "ws", "overlap": "both", **ONE}, False, (1, 3),
         r"cycle 4, pass 1: the edge should drive an operand while it still drives those"),
        # The sum is loaded at the end of cycle 3.
        ((1, 1, 2), {"dataflow": "ws", "overlap": "both", "timing": PeTiming(0, 3), **ONE}, False,
         (1, 3), r"PE \(0, 0\), cycle 3, pass 1: a psum is read before it was stored"),
        # Pixel 3 of pass 0 leaves row 1 when pixel 0 of pass 1 leaves row 0.
        ((4, 1, 3), {"dataflow": "ws", "overlap": "both", "rows": 2, "cols": 1}, False, (2, 6),
         r"PE \(0, 0\), cycle 6, pass 1: two psums leave a column at once"),
        # Pixels of pass 0 enter in cycles 1 and 4, and take three cycles each.
        ((2, 1, 2), {"dataflow": "ws", "overlap": "both", "timing": PeTiming(3, 1, 3), **ONE},
         False, (1, 6), r"PE \(0, 0\), cycle 6, pass 1: an operand pair enters a busy multiplier"),
        ((2, 1, 2), {"dataflow": "ws", "overlap": "both", "timing": PeTiming(0, 2, 1, 2), **ONE},
         False, (1, 4), r"PE \(0, 0\), cycle 4, pass 1: a product enters a busy adder"),
    ],
)  # fmt: skip
def test_detects_a_pass_that_starts_too_early(bounds, array, resume, starts, message):
    m, n, _ = bounds
    psums = np.zeros((m, n), np.float32) if resume else None
    with pytest.raises(ScheduleError, match=message):
        pe_level.run(*ones(*bounds), psums=psums, starts=starts, **array)


def test_detects_a_dataflow_that_feeds_faster_than_it_adds():
    """The first sum is there in cycle 2, but the second product comes in cycle 1."""

    class Fast(OutputStationary):
        def interval(self, timing):
            return 1

    timing = PeTiming(0, 2)
    with pytest.raises(ScheduleError, match=r"PE \(0, 0\), cycle 1, .* before its psum is in"):
        pe_level.run(*ones(1, 1, 2), dataflow=Fast(), timing=timing, **ONE)


def test_runs_without_numba():
    code = (
        "import numpy as np; from accelsim.pe_level import run\n"
        "a, w = np.ones((3, 4), np.float32), np.ones((4, 2), np.float32)\n"
        "for flow in ('os', 'ws'): print(run(a, w, dataflow=flow, rows=2, cols=2).cycles)"
    )
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    expected = [DATAFLOWS[flow].compute_cycles(3, 2, 4, rows=2, cols=2) for flow in ("os", "ws")]
    assert [int(word) for word in done.stdout.split()] == expected


def test_a_unit_that_is_a_table():
    operands = IntegerFormat(4, signed=True)
    rng = np.random.default_rng(0)
    unit = IntegerMultiplier(
        name="mine", title="", description="", delay_ps=None, delay_source="", sources=(),
        operands=operands, values=rng.integers(-99, 99, (16, 16), np.int32),
    )  # fmt: skip
    activations, weights, psums, sums = product_of(unit, "int64", (7, 5, 9), True)
    got = pe_level.run(
        activations, weights, dataflow="is", rows=3, cols=4, multiplier=unit,
        accumulator="int64", psums=psums,
    )  # fmt: skip
    assert got.psums.tolist() == sums.tolist()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"dataflow": "wz"}, UnknownNameError, "no dataflow named 'wz'"),
        ({"rows": 0}, ConfigError, "rows must be an int >= 1, got 0"),
        ({"overlap": "all"}, ConfigError, "overlap must be none, load, drain or both, got 'all'"),
        ({"starts": (0,)}, ConfigError, r"starts must be 2 cycles.*the first 2 .*got \[0\]"),
        ({"starts": (0, 9)}, ConfigError, "starts must be 2 cycles"),
        ({"starts": (2, -1)}, ConfigError, "none negative"),
        ({"activations": np.ones((2, 3))}, DataError, "activations must be a float32 ndarray"),
        ({"weights": np.ones((3, 2), np.float32)}, DataError, r"differ in k; transpose one"),
        ({"weights": np.ones((4, 0), np.float32)}, ConfigError, "n must be an int >= 1, got 0"),
        ({"psums": np.ones((2, 2))}, DataError, r"psums must be \(2, 2\) of float32.*float64"),
        ({"psums": np.ones((2, 3), np.float32)}, DataError, r"got \(2, 3\)"),
        ({"psums": 0}, DataError, "got int"),
    ],
)
def test_rejects(changes, error, message):
    activations, weights = ones(2, 2, 4)
    arguments = {"activations": activations, "weights": weights, "dataflow": "ws", **TWO_BY_TWO}
    with pytest.raises(error, match=message):
        pe_level.run(**(arguments | changes))


def test_rejects_a_dataflow_that_is_not_systolic():
    with pytest.raises(MappingError, match="'nlr' does not run on a systolic array.* os, ws, is"):
        pe_level.run(*ones(2, 2, 2), dataflow=SimpleNamespace(name="nlr"), **ONE)
