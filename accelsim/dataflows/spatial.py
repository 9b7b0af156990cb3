"""A PE array with register files, its NoCs and its share of the GLB: what a mapping must fit."""

from __future__ import annotations

from dataclasses import dataclass, fields

from accelsim.dataflows.base import PeTiming
from accelsim.dataflows.tiling import Budget
from accelsim.errors import ConfigError

__all__ = ["SpatialArray"]

ONE_CYCLE = PeTiming()
OWN_TYPES = ("timing", "budget")
"""Fields that are no numbers, and check themselves."""


@dataclass(frozen=True)
class SpatialArray:
    """A PE array with RFs, its NoC and its GLB; words are operands, whatever their bits.

    A NoC width of None is an ideal one, whose words take no time.
    """

    rows: int
    cols: int
    ifmap_rf_words: int
    filter_rf_words: int
    psum_rf_words: int
    glb_words: int
    """Of ifmaps and psums together, divided between them layer by layer."""
    filter_buffer_words: int
    """Of filters on their way to the RFs."""
    ifmap_words_per_cycle: int | None
    filter_words_per_cycle: int | None
    psum_words_per_cycle: int | None
    """In each direction: GLB to PEs, and PEs to GLB."""
    hop_cycles: int
    """From the psum of a PE to that of the PE above it."""
    psum_add_cycles: int
    """In which a PE adds the psum from below instead of a product; 0: beside products."""
    timing: PeTiming = ONE_CYCLE
    """Of a PE."""
    budget: Budget | None = None
    """What one tile may occupy besides, in a GLB that is divided or shared otherwise. Filters then
    have their biases beside them."""
    slots: int = 1
    """Tiles of an operand that the GLB has room for."""

    def __post_init__(self) -> None:
        for field in fields(self):
            if field.name in OWN_TYPES:
                continue
            value, ideal = getattr(self, field.name), field.name.endswith("_per_cycle")
            least = 0 if field.name in ("hop_cycles", "psum_add_cycles") else 1
            if value is None and ideal:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ConfigError(
                    f"SpatialArray.{field.name} must be an int >= {least}"
                    f"{' or None' if ideal else ''}, got {value!r}"
                )

    @property
    def psum_words(self) -> int:
        """Words of one psum."""
        return 1 if self.budget is None else self.budget.psum_words

    @property
    def bias_words(self) -> int:
        """Words beside the weights of each filter in their buffer."""
        return 0 if self.budget is None else 1

    def step_cycles(self, pe_filters: int) -> int:
        """Return the cycles in which a PE adds a product to each of its sums.

        A sum takes in no product before the last one is in it.
        """
        return max(pe_filters * self.timing.free_interval, self.timing.add_cycles)

    def drain_cycles(self, pe_filters: int) -> int:
        """Return the cycles from the end of the last step until its last product is in its sum."""
        started = (pe_filters - 1) * self.timing.free_interval
        return started + self.timing.latency_cycles - self.step_cycles(pe_filters)

    def glb_needs(self, ifmap: int, filters: int, psums: int) -> dict[str, tuple[int, int]]:
        """Return the limits of GLB and filter buffer in words: what -> (needed, there)."""
        needs = {
            "GLB words (psums and ifmaps)": (ifmap + psums, self.glb_words),
            "filter buffer words": (filters, self.filter_buffer_words),
        }
        if self.budget is not None:
            needs["GLB words of ifmaps"] = (ifmap, self.budget.ifmap_words)
            needs["GLB words of psums"] = (psums, self.budget.ofmap_words)
            if self.budget.total_words is not None:
                needs["GLB words of a tile"] = (ifmap + filters + psums, self.budget.total_words)
        return needs

    def psum_room(self, ifmap: int, filters: int) -> int:
        """Return the psums that fit the GLB beside these words; not positive: the words do not."""
        room = self.glb_words - ifmap
        if self.budget is not None:
            room = min(room, self.budget.ofmap_words)
            if self.budget.total_words is not None:
                room = min(room, self.budget.total_words - ifmap - filters)
            if ifmap > self.budget.ifmap_words:
                room = 0
        return room // self.psum_words

    def holds_the_next(self, ifmap: int, psums: int) -> bool:
        """Return whether the next ifmaps have room beside these words."""
        return self.slots > 1 or 2 * ifmap + psums <= self.glb_words
