"""`accumulate` with integer units against the plain loops, whichever way the kernels take."""

from __future__ import annotations

import dataclasses
import gc
import os
import subprocess
import sys
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.accumulators import ACCUMULATORS
from accelsim.compilation import jit
from accelsim.formats import IntegerFormat
from accelsim.kernels import accumulate, integers
from accelsim.multipliers import MULTIPLIERS
from accelsim.multipliers.base import IntegerMultiplier

INTEGER_ACCUMULATORS = [name for name, entry in ACCUMULATORS.items() if entry.integer]

SHAPES = {
    (1, 1, 1): "dot",
    (3, 5, 1): "dot",
    (300, 41, 2): "dot",
    (1, 6, 40): "row",
    (2, 9, 33): "row",
    (5, 7, 300): "lanes",
    (16, 6, 500): "lanes",
    (23, 1, 401): "lanes",
    (600, 3, 9): "other lanes",
    (500, 8, 16): "other lanes",
}
"""(n, k, m) -> the way that is cheapest for 8-bit operands."""


def any_unit(bits, signed, seed=0, low=-(1 << 15), high=1 << 15):
    """A unit without rhyme or reason: no symmetry hides a swapped operand."""
    table = np.random.default_rng(seed).integers(low, high, (1 << bits, 1 << bits))
    return IntegerMultiplier(
        name="any",
        title="random products",
        description="Random products.",
        delay_ps=None,
        delay_source="none",
        sources=("none",),
        operands=IntegerFormat(bits, signed),
        values=table.astype(np.int32),
    )


def operands(unit, shape, seed=0):
    n, k, m = shape
    rng = np.random.default_rng(seed)
    form = unit.operands
    for size in ((k, m), (n, k)):
        yield rng.integers(form.low, form.high + 1, size).astype(form.dtype)


def plain(unit, adder, activations, weights, psums):
    """The definition: one product after the other."""
    for kk in range(activations.shape[0]):
        x, w = np.meshgrid(activations[kk], weights[:, kk])
        products = unit.product(x, w)
        total = psums.astype(np.int64) + products
        if adder.overflow == "saturates":
            total = np.clip(total, -(1 << 31), (1 << 31) - 1)
        psums = total.astype(adder.dtype)
    return psums


def check(unit, accumulator, activations, weights, start=0):
    __tracebackhide__ = True
    adder = ACCUMULATORS[accumulator]
    psums = np.full((weights.shape[0], activations.shape[1]), start, adder.dtype)
    expected = plain(unit, adder, activations, weights, psums.copy())
    accumulate(unit, adder, activations, weights, psums)
    np.testing.assert_array_equal(psums, expected)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_shapes_take_all_ways(shape):
    assert integers._way(256, shape[0], shape[2]) == SHAPES[shape]


@pytest.mark.parametrize("accumulator", INTEGER_ACCUMULATORS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("signed", [True, False])
def test_bits_of_the_plain_loops(shape, signed, accumulator):
    unit = any_unit(8, signed)
    check(unit, accumulator, *operands(unit, shape), start=-7)


@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 12), st.integers(1, 40)),
    bits=st.integers(2, 10),
    signed=st.booleans(),
    accumulator=st.sampled_from(INTEGER_ACCUMULATORS),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_width(shape, bits, signed, accumulator, seed):
    unit = any_unit(bits, signed)
    check(unit, accumulator, *operands(unit, shape, seed))


@pytest.mark.parametrize("accumulator", INTEGER_ACCUMULATORS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_sums_at_the_ends_of_the_accumulator(shape, accumulator):
    """Products of up to 2^31: every int32 sum overflows, and when it does depends on the order."""
    unit = any_unit(8, signed=True, low=-(1 << 31), high=1 << 31)
    check(unit, accumulator, *operands(unit, shape))


@pytest.mark.parametrize("start", [(1 << 31) - 1, -(1 << 31), (1 << 31) - 4 * 16384])
def test_a_psum_near_the_end_saturates_in_order(start):
    """Products are small, but the psums they are added to are not."""
    unit = MULTIPLIERS["exact_int8"]
    for shape in SHAPES:
        check(unit, "int32_saturating", *operands(unit, shape), start)


@pytest.mark.parametrize("accumulator", INTEGER_ACCUMULATORS)
@pytest.mark.parametrize("name", ["exact_int16", "exact_uint16"])
@pytest.mark.parametrize("shape", [(3, 9, 40), (9, 40, 3), (2, 17, 1)])
def test_units_without_a_table(name, shape, accumulator):
    """16-bit products overflow an int32 at the second one."""
    unit = MULTIPLIERS[name]
    check(unit, accumulator, *operands(unit, shape), start=5)


def test_an_accumulator_of_unknown_overflow_adds_one_by_one():
    @jit
    def add(psum, product):
        return np.int32((np.int64(psum) >> 1) + product)

    adder = dataclasses.replace(ACCUMULATORS["int32"], add=add, overflow="")
    unit = MULTIPLIERS["exact_int8"]
    activations, weights = operands(unit, (16, 6, 500))
    psums = expected = np.zeros((16, 500), np.int32)
    for kk in range(6):
        product = unit.product(activations[kk], weights[:, kk, None])
        expected = ((expected >> 1) + product).astype(np.int32)
    integers.accumulate_by_table(unit, adder, activations[None], weights[None], psums[None])
    np.testing.assert_array_equal(psums, expected)


def test_tables_are_packed_once_and_go_with_their_unit():
    unit = any_unit(3, signed=False)
    assert integers.tables_of(unit) is integers.tables_of(unit)
    gone = weakref.ref(unit)
    del unit
    gc.collect()
    assert gone() is None


def test_vector_steps_have_a_plain_form():
    """Without compilation they are NumPy, and give the same."""
    code = (
        "import numpy as np\n"
        "from accelsim.kernels import accumulate\n"
        "a = np.arange(-128, 127, dtype=np.int8).reshape(3, 85).repeat(5, axis=1)\n"
        "w = np.arange(-50, 49, 3, dtype=np.int8).reshape(11, 3)\n"
        "psums = np.zeros((11, 425), np.int32)\n"
        "accumulate('exact_int8', 'int32', a, w, psums)\n"
        "assert (psums == w.astype(int) @ a.astype(int)).all()\n"
    )
    assert integers._way(256, 11, 425) == "lanes"
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=120)
