"""Multipliers: one functional unit per file, found on first look-up.

A new unit is a file here that registers one multiplier: its definition, and facts with their
sources. Kernels, modules and tests find it by its name. A family of units that differ in numbers
(bits, columns) registers a pattern of names, and a few members that are listed.

>>> MULTIPLIERS["ax_fpm"].title
'approximate fp32 multiplier of Defensive Approximation (tiled AMA5 mantissa array)'
"""

from __future__ import annotations

from accelsim.multipliers.base import FastForm, FloatMultiplier, IntegerMultiplier, Multiplier
from accelsim.registry import Registry, modules_of

__all__ = ["MULTIPLIERS", "FastForm", "FloatMultiplier", "IntegerMultiplier", "Multiplier"]

MULTIPLIERS: Registry[Multiplier] = Registry("multiplier", modules_of("accelsim.multipliers"))
