"""Delay, area and energy of a product, of every listed unit that has a gate netlist.

Writes ``results/unit_costs.csv``: sums over the netlist's cells at the voltage in its row, energies
the mean over random uniform pairs of operands, without glitches and with all of them.
"""

from pathlib import Path

import pandas as pd

import accelsim
from accelsim.circuits.cells import SUPPLY_V, TECHNOLOGY_NM
from accelsim.costs import CIRCUIT_PAIRS, circuit_cost

rows = [
    {
        "unit": name,
        "gates": len(unit.circuit.netlist.gates),
        **cost._asdict(),
        "technology_nm": TECHNOLOGY_NM,
        "voltage_v": SUPPLY_V,
        "pairs": CIRCUIT_PAIRS,
    }
    for name, unit in accelsim.MULTIPLIERS.items()
    if (cost := circuit_cost(unit)) is not None
]
table = pd.DataFrame(rows)
file = Path(__file__).parent / "results" / "unit_costs.csv"
table.to_csv(file, index=False, float_format="%.4g")
print(table.round(3).to_string(index=False))
