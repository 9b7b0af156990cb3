"""How much of a unit's effect is a constant factor: gain and noise of each layer, and what is left.

Run ``python plots/layer_gain.py [WORKLOAD ...]``; where the data are says ``ACCELSIM_DATA``. Writes
``results/layer_gain.csv`` (the first 500 training images) and ``results/constant_factor.csv`` (the
first 1,000 test images), unit by unit: interrupted, the same command goes on. Draws
``layer_gain.png`` and ``constant_factor.png``. In the second table ``p`` tells a network from the
exact one, ``p_unit`` from the unit, on the same images; its rows of multiplier ``exact_fp32`` are
controls without any unit: weights of few bits, of powers of two.
"""

from pathlib import Path

import pandas as pd
from growing import GrowingTable
from study import UNITS, images, network, on_unit, workloads

from accelsim.cli import script
from accelsim.figures import constant_factor, gain_by_layer
from accelsim.robustness.analyses import confidence_summary, layer_gains
from accelsim.robustness.controls import (
    exact_times_gain,
    gaussian_noise,
    power_of_two_weights,
    quantized_weights,
    unit_over_gain,
)
from accelsim.robustness.verdict import logits_of

HERE = Path(__file__).parent
TRAINING = 500
TEST = 1000
BATCH = 50
BITS = (8, 6, 4, 3, 2)


def variants(workload: str, multiplier: str, layers: pd.DataFrame) -> dict:
    """Return the networks that are judged beside the exact one."""
    model, unit = network(workload), on_unit(workload, multiplier)
    if multiplier == "exact_fp32":
        rounded = {f"weights of {bits} bits": quantized_weights(model, bits) for bits in BITS}
        return {**rounded, "weights 2^k": power_of_two_weights(model)}
    return {
        "unit": unit,
        "exact x gain": exact_times_gain(model, layers),
        "unit / gain": unit_over_gain(unit, layers),
        "exact + noise": gaussian_noise(model, layers),
        "(exact + noise) x gain": gaussian_noise(model, layers, gain=True),
    }


def main() -> None:
    """Measure what is missing, print the tables, draw them."""
    gains, effects = GrowingTable("layer_gain"), GrowingTable("constant_factor")
    for workload in workloads():
        training, _ = images(workload, "train", TRAINING)
        test, labels = images(workload, "test", TEST)
        exact = logits_of(on_unit(workload, "exact_fp32"), test, BATCH)
        for multiplier in ["exact_fp32", *UNITS]:
            if not gains.has(workload, multiplier):
                layers = layer_gains(on_unit(workload, multiplier), training)
                gains.add(workload, multiplier, layers)
            if not effects.has(workload, multiplier):
                rows = gains.rows
                mine = (rows["workload"] == workload) & (rows["multiplier"] == multiplier)
                networks = variants(workload, multiplier, rows[mine])
                logits = {name: logits_of(one, test, BATCH) for name, one in networks.items()}
                judged = {"exact": exact, **logits}
                table = confidence_summary(judged, labels, "exact")
                if "unit" in judged:
                    table["p_unit"] = confidence_summary(judged, labels, "unit")["p"]
                effects.add(workload, multiplier, table)
                print(workload, multiplier, dict(zip(table["network"], table["accuracy"],
                                                     strict=True)), flush=True)  # fmt: skip
    gain_by_layer(gains.rows).savefig(HERE / "layer_gain.png", dpi=120)
    constant_factor(effects.rows).savefig(HERE / "constant_factor.png", dpi=120)


if __name__ == "__main__":
    script(main, about=__doc__)
