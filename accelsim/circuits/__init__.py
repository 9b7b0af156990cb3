"""Circuits: gates, netlists built from them, and what they cost."""

from __future__ import annotations

from accelsim.circuits.full_adders import FULL_ADDERS, FullAdder

__all__ = ["FULL_ADDERS", "FullAdder"]
