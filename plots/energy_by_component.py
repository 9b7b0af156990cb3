"""Energy by component on the default machine, exact beside approximate: the gallery's picture.

The results were made, and are made again, by::

    accelsim simulate lenet5_digits -m exact_fp32 -m ax_fpm --out plots/results/edge_16x16
"""

from pathlib import Path

from accelsim.figures import energy_by_component
from accelsim.results import load_runs

HERE = Path(__file__).parent

runs = load_runs([HERE / "results" / "edge_16x16"])
energy_by_component(runs).savefig(HERE / "energy_by_component.png", dpi=120)
