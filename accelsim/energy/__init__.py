"""Energy: sourced tables, and action counts times a table."""

from accelsim.energy.account import energy_by_component
from accelsim.energy.dilution import LEVELS, diluted
from accelsim.energy.table import EnergyTable, load_table, tables

__all__ = ["LEVELS", "EnergyTable", "diluted", "energy_by_component", "load_table", "tables"]
