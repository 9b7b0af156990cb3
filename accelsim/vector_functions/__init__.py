"""Vector functions: what the vector unit computes besides pooling, by name.

Each says its float32 results, which depend on nothing but the operands (neither on the tile nor on
how its words lie), and the elementary operations that it is counted as.
"""

from __future__ import annotations

from accelsim.vector_functions.base import OPERATIONS, VECTOR_FUNCTIONS, VectorFunction

__all__ = ["OPERATIONS", "VECTOR_FUNCTIONS", "VectorFunction"]
