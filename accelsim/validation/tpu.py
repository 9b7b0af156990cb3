"""The TPU v1 as measured (ISCA 2017), beside a weight-stationary array that waits for weights.

The shapes of the six applications' layers are not public, so what is simulated is a bound: full
256 x 256 tiles of weights follow each other from DRAM, and each meets as many rows of activations
as the application has multiply-accumulates per byte of weights. Nothing else ever waits. Measured
throughput must lie below; why, docs/validation.md says.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from accelsim.dataflows import PeTiming
from accelsim.dataflows.weight_stationary import WeightStationary
from accelsim.machine.weight_stream import run_weight_stream

__all__ = ["validate_tpu"]

# Jouppi et al., ISCA 2017, sections 2 and 4.
SIDE = 256
CLOCK_MHZ = 700
WEIGHT_BYTES_PER_S = 34_000_000_000
FIFO_TILES = 4


def validate_tpu() -> pd.DataFrame:
    """Return a row an application: app, measured_tops, simulated_tops (the bound), error."""
    rows = []
    for _, row in pd.read_csv(Path(__file__).with_name("tpu_v1.csv")).iterrows():
        streamed = int(row["macs_per_weight_byte"])
        tiles = round(row["weights_m"] * 1e6 / SIDE**2)
        passes = list(
            WeightStationary().passes(
                streamed,
                SIDE * tiles,
                SIDE,
                rows=SIDE,
                cols=SIDE,
                timing=PeTiming(),
                resume=False,
                overlap="both",
            )
        )
        fetch = -(-(SIDE**2) * CLOCK_MHZ * 1_000_000 // WEIGHT_BYTES_PER_S)
        cycles = run_weight_stream(passes, fetch_cycles=fetch, fifo_tiles=FIFO_TILES)
        macs = streamed * SIDE**2 * tiles
        tops = 2e-12 * macs / (cycles / (CLOCK_MHZ * 1e6))
        rows.append(
            {
                "app": row["app"],
                "measured_tops": row["tops"],
                "simulated_tops": tops,
                "error": tops / row["tops"] - 1,
            }
        )
    return pd.DataFrame(rows)
