"""Sweeps: a space of configurations, searched, in processes or on a cluster, and kept."""

from accelsim.sweeps.driver import STORE, sweep
from accelsim.sweeps.search import SEARCHES
from accelsim.sweeps.space import Range, parse_values

__all__ = ["SEARCHES", "STORE", "Range", "parse_values", "sweep"]
