"""Energy: sourced tables, and action counts times a table."""

from accelsim.energy.account import (
    all_counts,
    by_component,
    check_node,
    energy_by_action,
    energy_by_component,
    energy_per_action,
    looked_up,
)
from accelsim.energy.dilution import LEVELS, diluted
from accelsim.energy.rows import rows_to_csv
from accelsim.energy.scaling import scale_table
from accelsim.energy.table import EnergyTable, load_table, tables

__all__ = [
    "LEVELS",
    "EnergyTable",
    "all_counts",
    "by_component",
    "check_node",
    "diluted",
    "energy_by_action",
    "energy_by_component",
    "energy_per_action",
    "load_table",
    "looked_up",
    "rows_to_csv",
    "scale_table",
    "tables",
]
