"""The paper's unit over exact baselines, by structure, buffers, cells nobody reads and glitches.

Writes ``results/paper_unit.csv``: areas, delays, energies from the gate netlists, and ratios.
"""

from pathlib import Path

import pandas as pd

from accelsim.circuits.comparison import paper_unit_comparison

RESULT = Path(__file__).parent / "results" / "paper_unit.csv"

table = pd.concat(
    [
        pd.DataFrame(paper_unit_comparison(cleanup=cleanup)).assign(cleanup=cleanup)
        for cleanup in ("none", "unread")
    ]
)
table.to_csv(RESULT, index=False, float_format="%.4g")
ratios = [column for column in table if column.endswith("_ratio")]
names = ["structure", "buffers", "cleanup", "baseline"]
print(table[names + ratios].round(3).to_string(index=False))
