"""Accumulators: one addition rounds to the psum's dtype; metadata is complete."""

from __future__ import annotations

import numpy as np
import pytest

from accelsim.accumulators import ACCUMULATORS
from accelsim.errors import ConfigError, UnknownNameError


@pytest.mark.parametrize("name", list(ACCUMULATORS))
def test_entry_is_complete(name):
    entry = ACCUMULATORS[name]
    assert entry.name == name
    assert entry.title
    assert entry.delay_source
    assert entry.bytes == np.zeros(1, entry.dtype).nbytes
    assert entry.latency_cycles(1e-3) == 1
    assert entry.latency_cycles(1e6 / entry.delay_ps * 2.5) == 3


@pytest.mark.parametrize("name", list(ACCUMULATORS))
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
