"""A run with a memo is the run without: cycles, counts and energy of every layer."""

import pandas as pd
import pytest
import torch
from torch import nn

import accelsim
from accelsim.config import Accelerator
from accelsim.errors import ConfigError
from accelsim.machine import LayerMemo


class Repeating(nn.Module):
    """Equal layers in a row, a residual sum, a concatenation, a matmul: each kind of step."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.again = nn.ModuleList(nn.Conv2d(6, 6, 3, padding=1) for _ in range(3))
        self.pool = nn.MaxPool2d(2)

    def forward(self, images):
        made = self.first(images).relu()
        for layer in self.again:
            made = made + layer(made).relu()
        made = self.pool(torch.cat([made, self.again[0](made)], dim=1))
        return (made @ made.transpose(-1, -2)).flatten(1)


@pytest.fixture(scope="module")
def repeating():
    torch.manual_seed(0)
    return accelsim.trace(Repeating().eval(), torch.rand(2, 3, 12, 12).numpy(), name="repeating")


BASE = Accelerator.preset("tiny_4x4")
UNIFIED = {"glb.unified": True, "glb.forwarding": True}
MACHINES = {
    "plain": {},
    "another table": {"name": "other", "energy_table": "cmos22"},
    "another unit": {"multiplier": "ax_fpm"},
    "float64 psums": {"accumulator": "float64"},
    "integers": {"multiplier": "exact_int8", "quantization.weights": "affine"},
    "another array": {"array.rows": 3},
    "another clock": {"clock_mhz": 900},
    "ws": {"array.dataflow": "ws"},
    "spills": {"array.dataflow": "ws", "mapper.spills": True, "glb.ofmap_kib": 1},
    "overlap": {"array.dataflow": "is", "array.overlap": "both"},
    "rs": {"array.dataflow": "rs", "array.rows": 6},
    "contended": {"glb.banks": 1},
    "single-buffered": {"glb.double_buffered": False},
    "queue": {"dma.queue_depth": 3},
    "device": {"dram.kind": "ddr4_2400"},
    "forwarding": UNIFIED,
    "device and forwarding": {"dram.kind": "ddr4_2400", **UNIFIED},
    "lanes": {"vector_unit.lanes": 1},
}


def test_every_run_equals_the_one_without(repeating):
    """One memo for all, so that what belongs to one machine would be found by another."""
    memo = LayerMemo()
    for changes in (*MACHINES.values(), *MACHINES.values()):
        machine = BASE.replace(**changes)
        plain = accelsim.simulate(repeating, machine, values=False)
        shared = accelsim.simulate(repeating, machine, values=False, memo=memo)
        for table in ("layers", "actions", "summary"):
            pd.testing.assert_frame_equal(
                getattr(shared, table), getattr(plain, table), check_exact=True
            )
        assert shared.timeline.empty
        assert len(plain.timeline)


def misses(memo, trace, **changes):
    """How many layers a run on this machine had to run."""
    before = memo.misses
    accelsim.simulate(trace, BASE.replace(**changes), values=False, memo=memo)
    return memo.misses - before


def test_what_a_layer_does_not_feel_is_not_run_again(repeating):
    memo = LayerMemo()
    layers = len(accelsim.simulate(repeating, BASE, values=False).layers)
    assert 0 < misses(memo, repeating) < layers  # the equal convolutions and sums once
    assert misses(memo, repeating) == 0
    assert misses(memo, repeating, name="b", energy_table="cmos22") == 0
    assert misses(memo, repeating, clock_mhz=120) == 0
    assert misses(memo, repeating, clock_mhz=900) > 0
    # Of the vector unit nothing feels the array; of the array everything feels it.
    table = accelsim.simulate(repeating, BASE, values=False).layers
    products = len(table.loc[table["macs"] > 0, ["op", "macs"]].drop_duplicates())
    assert misses(memo, repeating, **{"array.rows": 8}) == products


def test_units_of_one_timing_share_all_but_their_names(repeating):
    memo, delay = LayerMemo(), {"array.multiplier_delay_ps": 900.0}
    assert misses(memo, repeating, multiplier="exact_fp32", **delay) > 0
    assert misses(memo, repeating, multiplier="ax_fpm", **delay) == 0
    machine = BASE.replace(multiplier="ax_fpm", **delay)
    run = accelsim.simulate(repeating, machine, values=False, memo=memo)
    assert {c for c in run.actions["component"] if c.startswith("mult")} == {"multiplier.ax_fpm"}


def test_open_rows_of_the_dram_are_part_of_the_state(repeating):
    """Equal layers find other rows open, and other addresses: none is taken for another."""
    memo = LayerMemo()
    layers = len(accelsim.simulate(repeating, BASE, values=False).layers)
    assert misses(memo, repeating, **{"dram.kind": "ddr4_2400"}) == layers
    assert misses(memo, repeating, **{"dram.kind": "ddr4_2400"}) == 0


def test_the_oldest_records_go_first(repeating):
    memo = LayerMemo(limit=2)
    accelsim.simulate(repeating, BASE, values=False, memo=memo)
    assert len(memo) == 2


def test_rejects_a_memo_with_values(repeating):
    with pytest.raises(ConfigError, match="values=False"):
        accelsim.simulate(repeating, BASE, memo=LayerMemo())
