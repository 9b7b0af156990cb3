"""How sure of the truth networks are, on each unit, and how much of that is a factor of the logits.

Run ``python plots/confidence.py [WORKLOAD ...]``; where the data are says ``ACCELSIM_DATA``. Writes
``results/confidence.csv`` (a row per network), ``confidence_quantiles.csv`` and
``confidence_reliability.csv``, of the first 2,000 test images, unit by unit: interrupted, the same
command goes on. Draws ``confidence.png`` and ``calibration.png``. The factor is fitted on the first
500 training images; ``exact logits x gain`` are the exact network's logits times it.
"""

from pathlib import Path

from growing import GrowingTable
from study import UNITS, images, on_unit, workloads

from accelsim.cli import script
from accelsim.figures import calibration_by_unit, confidence_by_unit
from accelsim.robustness.analyses import (
    confidence_quantiles,
    confidence_summary,
    logit_gain,
    reliability,
)
from accelsim.robustness.verdict import logits_of

HERE = Path(__file__).parent
TRAINING = 500
TEST = 2000
BATCH = 50
EXACT = "exact_fp32"


def main() -> None:
    """Measure what is missing, print the table, draw it."""
    quantiles, bins, summary = (
        GrowingTable(name)
        for name in ("confidence_quantiles", "confidence_reliability", "confidence")
    )
    for workload in workloads():
        training, _ = images(workload, "train", TRAINING)
        test, labels = images(workload, "test", TEST)
        exact = [logits_of(on_unit(workload, EXACT), some, BATCH) for some in (training, test)]
        for multiplier in [EXACT, *UNITS]:
            if summary.has(workload, multiplier):
                continue
            net = on_unit(workload, multiplier)
            gain = logit_gain(exact[0], logits_of(net, training, BATCH))
            logits = {"unit": logits_of(net, test, BATCH), "exact logits x gain": gain * exact[1]}
            table = confidence_summary({"exact": exact[1], **logits}, labels, "exact")
            table = table[table["network"] != "exact"].assign(gain=gain, temperature=1 / gain)
            quantiles.add(workload, multiplier, confidence_quantiles(logits, labels))
            bins.add(workload, multiplier, reliability(logits, labels))
            summary.add(workload, multiplier, table)
            print(table.round(4).assign(on=multiplier).to_string(index=False), flush=True)
    confidence_by_unit(quantiles.rows).savefig(HERE / "confidence.png", dpi=120)
    calibration_by_unit(bins.rows).savefig(HERE / "calibration.png", dpi=120)


if __name__ == "__main__":
    script(main, about=__doc__)
