"""The attacks: one file each; a new one is on the shelf as soon as its file registers it."""

from __future__ import annotations

from accelsim.registry import Registry, modules_of
from accelsim.robustness.attack import Attack

__all__ = ["ATTACKS"]

ATTACKS: Registry[Attack] = Registry("attack", modules_of("accelsim.robustness.attacks"))
