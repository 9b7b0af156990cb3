"""Share of products that come out larger than they are, over what is multiplied.

Writes ``results/product_inflation.csv``: a million pairs uniform in (-1, 1), all pairs of integers
of 8 bits. Draws ``product_inflation.png``.
"""

from pathlib import Path

import pandas as pd
from study import UNITS

from accelsim.figures import inflation_by_operands
from accelsim.multipliers import MULTIPLIERS
from accelsim.operands import choose_pairs
from accelsim.robustness.analyses import product_inflation

HERE = Path(__file__).parent

units = [MULTIPLIERS[name] for name in UNITS]
table = pd.concat([product_inflation(unit, choose_pairs(unit)) for unit in units])
table.to_csv(HERE / "results" / "product_inflation.csv", index=False, float_format="%.5g")
print(table[table["over"] == "all"].round(4).to_string(index=False))
inflation_by_operands(table).savefig(HERE / "product_inflation.png", dpi=120)
