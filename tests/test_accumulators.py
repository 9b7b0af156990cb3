"""Accumulators: one addition rounds to the psum's dtype; metadata is complete."""

from __future__ import annotations

import numpy as np
import pytest

from accelsim.accumulators import ACCUMULATORS, accumulator_of
from accelsim.errors import ConfigError, UnknownNameError
from accelsim.multipliers import MULTIPLIERS


@pytest.mark.parametrize("name", list(ACCUMULATORS))
def test_entry_is_complete(name):
    entry = ACCUMULATORS[name]
    assert entry.name == name
    assert entry.title
    assert entry.delay_source
    assert entry.bytes == np.zeros(1, entry.dtype).nbytes
    assert entry.latency_cycles(1e-3) == 1
    assert entry.latency_cycles(1e6 / entry.delay_ps * 2.5) == 3


@pytest.mark.parametrize("name", [n for n, entry in ACCUMULATORS.items() if not entry.integer])
def test_add_rounds_to_the_dtype_each_time(name):
    entry = ACCUMULATORS[name]
    psum, small = entry.dtype.type(1.0), np.float32(2.0**-24)
    added = entry.add(entry.add(psum, small), small)
    assert added == entry.dtype.type(entry.dtype.type(psum + small) + small)


def test_float32_loses_what_float64_keeps():
    """1 + 2^-24 is a tie that rounds to the even 1 in float32 and is exact in float64."""
    one, small = np.float32(1.0), np.float32(2.0**-24)
    assert ACCUMULATORS["float32"].add(one, small) == 1.0
    assert ACCUMULATORS["float64"].add(np.float64(one), small) == 1.0 + 2.0**-24


def test_int32_wraps_and_saturates():
    top = np.int32(2**31 - 1)
    assert ACCUMULATORS["int32"].add(top, 1) == -(2**31)
    assert ACCUMULATORS["int32_saturating"].add(top, 1) == top
    assert ACCUMULATORS["int32_saturating"].add(-top, -5) == -(2**31)
    assert ACCUMULATORS["int64"].add(np.int64(top), 1) == 2**31


@pytest.mark.parametrize(
    ("multiplier", "usual"),
    [("ax_fpm", "float32"), ("exact_int8", "int32"), ("exact_uint16", "int64")],
)
def test_auto_is_the_usual_accumulator(multiplier, usual):
    assert accumulator_of(MULTIPLIERS[multiplier]).name == usual
    assert accumulator_of(MULTIPLIERS[multiplier], usual).name == usual


def test_rejects_an_accumulator_of_the_other_kind():
    with pytest.raises(ConfigError, match="'int32' adds integers, but multiplier 'ax_fpm' makes f"):
        accumulator_of(MULTIPLIERS["ax_fpm"], "int32")


def test_latency_is_whole_cycles_at_the_edge():
    """5000 ps is one period of 200 MHz exactly, and more than one at 200.1 MHz."""
    assert ACCUMULATORS["float64"].latency_cycles(200) == 1
    assert ACCUMULATORS["float64"].latency_cycles(200.1) == 2
    assert ACCUMULATORS["float32"].latency_cycles(1000) == 4


@pytest.mark.parametrize("clock", [0, -1.0, float("nan"), float("inf")])
def test_rejects_a_clock_that_does_not_tick(clock):
    with pytest.raises(ConfigError, match="clock_mhz must be a finite number > 0"):
        ACCUMULATORS["float32"].latency_cycles(clock)


def test_rejects_an_unknown_name():
    with pytest.raises(UnknownNameError, match="Did you mean 'float32'"):
        ACCUMULATORS["float23"]
