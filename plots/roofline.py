"""Layers below the roofs of their machine: the gallery's picture.

The results were made, and are made again, by::

    accelsim simulate lenet5_digits -m exact_fp32 -m ax_fpm \
        --accelerator edge_16x16_multicycle --out plots/results/edge_16x16_multicycle
"""

from pathlib import Path

from accelsim.cli import script
from accelsim.figures import roofline
from accelsim.results import load_runs

HERE = Path(__file__).parent


def main() -> None:
    """Read and draw."""
    runs = load_runs([HERE / "results" / "edge_16x16_multicycle"])
    roofline(runs).savefig(HERE / "roofline.png", dpi=120)


if __name__ == "__main__":
    script(main, about=__doc__)
