"""Topologies: networks by the shapes of their layers alone, for cycles and energy."""

from accelsim.topology.network import Topology, check_no_data, check_operands, is_topology
from accelsim.topology.reader import read_topology

__all__ = ["Topology", "check_no_data", "check_operands", "is_topology", "read_topology"]
