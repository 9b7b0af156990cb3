"""EvoApproxLib's multipliers as published beside what the cell table makes of their netlists.

``python plots/evoapprox_ranking.py FOLDER``: FOLDER holds the library's netlists, a checkout of
https://github.com/ehw-fit/evoapproxlib or some of its files. Writes
``results/evoapprox_ranking.csv`` and ``evoapprox_ranking.png``, and prints how published power,
area and delay correlate with energy, area and delay here.
"""

import argparse
import sys
from pathlib import Path

from accelsim.cli import script
from accelsim.figures import published_and_modeled
from accelsim.validation import rank_correlations, rank_evoapprox

HERE = Path(__file__).parent


def main() -> None:
    """Rank, write, draw, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", help="with the library's netlists, in it or below")
    parser.add_argument(
        "--figures",
        metavar="FILE",
        help="CSV of columns circuit, power_mw, area_um2, delay_ns, where netlists do not state "
        "them",
    )
    asked = parser.parse_args()
    table = rank_evoapprox(
        asked.folder,
        asked.figures,
        progress=lambda done, total, name: print(f"{done + 1}/{total} {name}", file=sys.stderr),
    )
    correlations = rank_correlations(table)
    table.to_csv(HERE / "results" / "evoapprox_ranking.csv", index=False, float_format="%.5g")
    published_and_modeled(table).savefig(HERE / "evoapprox_ranking.png", dpi=120)
    print(table.round(4).to_string(index=False), "\n")
    print(correlations.round(4).to_string(index=False))


if __name__ == "__main__":
    script(main)
