"""Energy by component on the default machine, exact beside approximate: the gallery's picture.

The results were made, and are made again, by::

    accelsim simulate lenet5_digits -m exact_fp32 -m ax_fpm --out plots/results/edge_16x16
"""

from pathlib import Path

from accelsim.cli import script
from accelsim.figures import energy_by_component
from accelsim.results import load_runs

HERE = Path(__file__).parent


def main() -> None:
    """Read and draw."""
    runs = load_runs([HERE / "results" / "edge_16x16"])
    energy_by_component(runs).savefig(HERE / "energy_by_component.png", dpi=120)


if __name__ == "__main__":
    script(main, about=__doc__)
