"""Energy, latency, accuracy and robustness of units at once: the gallery's picture.

Run ``python plots/pareto.py``. Writes ``results/pareto_lenet5_digits.csv``, unit by unit:
interrupted, the same command goes on. Energy and latency are of an image on the machine whose
products are not pipelined, timing only, 4 images as one batch; accuracies of 200 test images,
robust accuracy under the worse of FGSM and PGD at epsilon 0.1, made on the exact network.
"""

from pathlib import Path

from growing import GrowingTable

import accelsim
from accelsim.cli import script
from accelsim.figures import pareto
from accelsim.nn import calibrate_workload
from accelsim.robustness import evaluate, summarize
from accelsim.statistics import wilson

HERE = Path(__file__).parent
WORKLOAD = "lenet5_digits"
UNITS = (
    *("exact_fp32", "ax_fpm", "ax_fpm_flat", "exact_bfloat16", "ax_bfloat16", "exact_float16"),
    *("mitchell_fp32", "exact_int8"),
)
IMAGES, BATCH = 200, 4
ATTACKS = ("fgsm", "pgd")


def main() -> None:
    """Measure what is missing, print the table, draw it."""
    table = GrowingTable("pareto_lenet5_digits")
    model, images, labels = accelsim.load_workload(WORKLOAD, limit=IMAGES)
    trace = accelsim.trace(model, images[:BATCH], name=WORKLOAD)
    machine = accelsim.Accelerator.preset("edge_16x16_multicycle")
    for unit in UNITS:
        if table.has(WORKLOAD, unit):
            continue
        run = accelsim.simulate(trace, machine.replace(multiplier=unit), values=False)
        outcomes = evaluate(
            model,
            images,
            labels,
            attacks=ATTACKS,
            multipliers=[unit],
            epsilon=0.1,
            calibration=calibrate_workload(WORKLOAD, model),
        )
        rates, row = summarize(outcomes), run.summary.iloc[0]
        costs = {
            "latency_ns": 1e3 * row["latency_us_per_image"],
            "energy_pj": 1e6 * row["energy_uj_per_image"],
        }
        point = rates[:1][["clean_accuracy"]].rename(columns={"clean_accuracy": "accuracy"})
        table.add(
            WORKLOAD, unit, point.assign(robust_accuracy=rates["robust_accuracy"].min(), **costs)
        )
    shown = table.rows.assign(
        latency_us=table.rows["latency_ns"] / 1e3, energy_uj=table.rows["energy_pj"] / 1e6
    )
    print(shown.to_string(index=False))
    for end, bound in (("low", 1), ("high", 2)):
        shown[f"robust_accuracy_{end}"] = [
            wilson(round(share * IMAGES), IMAGES)[bound] for share in shown["robust_accuracy"]
        ]
    title = f"{WORKLOAD}: cost of an image and accuracy, clean and under FGSM and PGD 0.1 (95 %)"
    figure = pareto(shown, title, x="energy_uj", size="latency_us", label="multiplier")
    figure.savefig(HERE / "pareto.png", dpi=120)


if __name__ == "__main__":
    script(main, about=__doc__)
