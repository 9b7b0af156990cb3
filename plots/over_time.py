"""DRAM bandwidth and blocks over time on the default machine: the gallery's pictures.

The results were made, and are made again, by::

    accelsim simulate lenet5_digits -m exact_fp32 -m ax_fpm --out plots/results/edge_16x16
"""

from pathlib import Path

from accelsim.cli import script
from accelsim.figures import bandwidth_over_time, block_timeline
from accelsim.results import load_run

HERE = Path(__file__).parent
PART = (246_000, 276_000)
"""Cycles: the end of the first pooling, and the first tiles of the second convolution."""


def main() -> None:
    """Read and draw."""
    run = load_run(HERE / "results" / "edge_16x16" / "ax_fpm")
    bandwidth_over_time([run]).savefig(HERE / "bandwidth_over_time.png", dpi=120)
    block_timeline([run], cycles=PART).savefig(HERE / "block_timeline.png", dpi=120)


if __name__ == "__main__":
    script(main, about=__doc__)
