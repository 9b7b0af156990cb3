"""Noise of convolutions against the correlation of input patch and filter, layer by layer.

Run ``python plots/convolution_noise.py [WORKLOAD ...]``; where the data are says ``ACCELSIM_DATA``.
Writes ``results/convolution_noise.csv`` (quartiles in bins of the cosine) and
``results/convolution_noise_trends.csv`` (rank correlations), of up to 20,000 outputs of each layer
over 200 test images, unit by unit: interrupted, the same command goes on. Draws
``convolution_noise_WORKLOAD.png``. Gains are those of 200 training images.
"""

from pathlib import Path

from growing import GrowingTable
from study import UNITS, images, on_unit, workloads

from accelsim.cli import script
from accelsim.figures import noise_by_correlation
from accelsim.robustness.analyses import (
    by_correlation,
    correlation_trends,
    layer_gains,
    sample_outputs,
)

HERE = Path(__file__).parent
IMAGES = 200
OUTPUTS = 20_000
DRAWN = ["ax_fpm", "ax_fpm_flat", "exact_bfloat16", "mitchell_fp32", "drum4_u8"]


def main() -> None:
    """Measure what is missing, print the trends, draw the bins."""
    bins, trends = GrowingTable("convolution_noise"), GrowingTable("convolution_noise_trends")
    for workload in workloads():
        training, _ = images(workload, "train", IMAGES)
        test, _ = images(workload, "test", IMAGES)
        for multiplier in UNITS:
            if not trends.has(workload, multiplier):
                net = on_unit(workload, multiplier)
                samples = sample_outputs(net, test, layer_gains(net, training), outputs=OUTPUTS)
                bins.add(workload, multiplier, by_correlation(samples))
                trends.add(workload, multiplier, correlation_trends(samples))
                print(workload, multiplier, flush=True)
        mine = bins.rows[bins.rows["workload"] == workload]
        figure = noise_by_correlation(mine[mine["multiplier"].isin(DRAWN)], workload)
        figure.savefig(HERE / f"convolution_noise_{workload}.png", dpi=110)
    print(trends.rows.drop(columns="weights").round(2).to_string(index=False))


if __name__ == "__main__":
    script(main, about=__doc__)
