"""Multipliers: one functional unit per file, found on first look-up.

A new unit is a file here that registers one `Multiplier`: the jitted scalar product, which is its
definition, and facts with their sources. Kernels, modules and tests find it by its name.

>>> MULTIPLIERS["ax_fpm"].title
'approximate fp32 multiplier of Defensive Approximation (tiled AMA5 mantissa array)'
"""

from __future__ import annotations

from accelsim.multipliers.base import FastForm, Multiplier
from accelsim.registry import Registry, modules_of

__all__ = ["MULTIPLIERS", "FastForm", "Multiplier"]

MULTIPLIERS: Registry[Multiplier] = Registry("multiplier", modules_of("accelsim.multipliers"))
