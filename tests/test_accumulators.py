"""Accumulators: one addition rounds to the psum's dtype; metadata is complete."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from accelsim import import_multiplier, simulate, trace
from accelsim.accumulators import ACCUMULATORS, DEPTH, accumulator_of, check_depth
from accelsim.config import Accelerator
from accelsim.errors import ConfigError, UnknownNameError
from accelsim.kernels import accumulate
from accelsim.multipliers import MULTIPLIERS
from accelsim.nn import approximate


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


def table_unit(greatest, bits=8):
    """A unit by table with one product of magnitude *greatest*, a negative one."""

    def product(a, w):
        return np.where((a == 3) & (w == 5), -greatest, a & w)

    return import_multiplier(
        product, name="mine", bits=bits, signed=False, operand_order="activation,weight"
    )


@pytest.mark.parametrize(
    ("greatest", "bits", "usual"),
    [
        ((2**31 - 1) // DEPTH, 8, "int32"),
        ((2**31 - 1) // DEPTH + 1, 8, "int64"),
        (2**31 - 1, 4, "int64"),
        (1000, 9, "int64"),
    ],
)
def test_auto_has_room_for_the_products_of_a_table(greatest, bits, usual):
    """int32 up to 8 bits where DEPTH of the greatest products fit: they add up without wrapping."""
    unit = table_unit(greatest, bits)
    accumulator = accumulator_of(unit)
    assert accumulator.name == usual
    operands = np.array([3, 5], unit.operands.dtype)
    activations, weights = (np.repeat(one, DEPTH) for one in operands)
    psums = np.zeros((1, 1), accumulator.dtype)
    accumulate(unit, accumulator, activations[:, None], weights[None], psums)
    assert psums.item() == -greatest * DEPTH


def test_auto_rejects_sums_too_deep_for_it():
    """uint8: 255^2 x 33025 = 2147450625 fits into int32, 33026 products do not."""
    unit = MULTIPLIERS["exact_uint8"]
    check_depth(unit, "auto", 33025, "layer 'x'")
    with pytest.raises(
        ConfigError,
        match="^layer 'x': sums of 33026 products of exact_uint8, each of magnitude up to 65025, "
        "might overflow int32, which accumulator 'auto' stands for; use 'int64'",
    ):
        check_depth(unit, "auto", 33026, "layer 'x'")
    for name in ("int32", "int32_saturating", "int64"):
        check_depth(unit, name, 33026, "layer 'x'")
    check_depth(MULTIPLIERS["exact_int8"], "auto", 131071, "layer 'x'")
    check_depth(MULTIPLIERS["exact_uint16"], "auto", 1 << 40, "layer 'x'")
    check_depth(MULTIPLIERS["exact_fp32"], "auto", 1 << 40, "layer 'x'")


def test_a_layer_too_deep_for_auto_is_named():
    """In a module and on the machine; with int64 the module's outputs are those of int32's sums."""
    layer = nn.Linear(33026, 1, bias=False)
    model, images = nn.Sequential(nn.Flatten(), layer), torch.ones(1, 33026, 1, 1)
    settings = {"multiplier": "exact_uint8", "calibration": images}
    with pytest.raises(ConfigError, match="^layer '1': sums of 33026 products of exact_uint8"):
        approximate(model, **settings)(images)
    assert torch.equal(
        approximate(model, **settings, accumulator="int64")(images),
        approximate(model, **settings, accumulator="int32")(images),
    )
    traced = trace(model, images.numpy(), calibration=images)
    machine = Accelerator.preset("edge_16x16").replace(multiplier="exact_uint8")
    with pytest.raises(ConfigError, match="^layer '.*': sums of 33026 products of exact_uint8"):
        simulate(traced, machine, values=False)
    simulate(traced, machine.replace(accumulator="int64"), values=False)


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
