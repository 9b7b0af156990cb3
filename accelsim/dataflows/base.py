"""What every dataflow supplies: passes with their cycles and accesses, and a closed form."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from accelsim.errors import ConfigError, nearest

__all__ = ["Axis", "Dataflow", "MatrixDataflow", "Overlap", "Pass", "PeBlock", "PeTiming"]

Overlap = Literal["none", "load", "drain", "both"]
"""What of a pass is hidden under its neighbors, see `accelsim.config.ArrayConfig.overlap`."""

Axis = Literal["pixels", "filters", "k"]
"""A dimension of a matrix product, (m pixels x k) times (k x n filters)."""


@dataclass(frozen=True)
class PeTiming:
    """Timing of one PE.

    The defaults are a PE that multiplies and accumulates within one cycle.
    """

    multiply_cycles: int = 0
    """Cycles from an operand pair's entry to its product; 0: the addition takes it at once."""
    add_cycles: int = 1
    """Cycles of one addition."""
    multiply_interval: int = 1
    """Cycles from one operand pair to the next that the multiplier takes."""
    add_interval: int = 1
    """Cycles from one addition to the next that does not wait for it."""

    def __post_init__(self) -> None:
        fits = self.multiply_cycles >= 0 and self.add_cycles >= 1
        fits &= 1 <= self.multiply_interval <= max(1, self.multiply_cycles)
        if not (fits and 1 <= self.add_interval <= self.add_cycles):
            raise ConfigError(
                f"{self}: expected intervals of at least 1 and at most the cycles of the unit, "
                "multiply_cycles >= 0, add_cycles >= 1"
            )

    @property
    def latency_cycles(self) -> int:
        """Cycles from an operand pair's entry to the psum that includes its product."""
        return self.multiply_cycles + self.add_cycles

    @property
    def free_interval(self) -> int:
        """Cycles from one operand pair to the next whose addition does not wait for it."""
        return max(self.multiply_interval, self.add_interval)


@dataclass(frozen=True, slots=True)
class Pass:
    """One filling of the array: `pixels` x `filters` outputs, `k` products each."""

    first_pixel: int
    pixels: int
    first_filter: int
    filters: int
    first_k: int
    k: int
    reads_psums: bool
    """The sums go on from stored psums; else they start."""
    load_cycles: int
    """Shifting stationary operands, or the psums that stay, into the PEs."""
    fill_cycles: int
    """Skew until the last PE has its first operand pair."""
    stream_cycles: int
    """From there until the last product is in its psum."""
    drain_cycles: int
    """Shifting psums out that stayed in the PEs."""
    hidden_cycles: int = 0
    """Of these, those that run while the pass behind this one is in the array."""

    @property
    def cycles(self) -> int:
        """Cycles from the pass's start until the array is free for the pass behind it."""
        return self.whole_cycles - self.hidden_cycles

    @property
    def whole_cycles(self) -> int:
        """Cycles that the pass takes alone."""
        return self.load_cycles + self.fill_cycles + self.stream_cycles + self.drain_cycles

    def span(self, axis: Axis) -> tuple[int, int]:
        """Return (first, size) of the pass along *axis*."""
        if axis == "k":
            return self.first_k, self.k
        if axis == "pixels":
            return self.first_pixel, self.pixels
        return self.first_filter, self.filters


class PeBlock(NamedTuple):
    """Neighboring PEs, rows and columns [start, stop), that do the same in a pass."""

    row_start: int
    row_stop: int
    col_start: int
    col_stop: int
    macs: int
    """Of each of these PEs."""


class Dataflow(ABC):
    """One way of laying a layer's products on the array, in space and in time."""

    name: str
    title: str

    @abstractmethod
    def interval(self, timing: PeTiming) -> int:
        """Return the cycles from one operand pair to the next of a PE."""


class MatrixDataflow(Dataflow):
    """One mapping of a matrix product (m pixels x k) times (k x n filters) onto the array."""

    @abstractmethod
    def passes(
        self,
        m: int,
        n: int,
        k: int,
        *,
        rows: int,
        cols: int,
        timing: PeTiming,
        resume: bool,
        overlap: Overlap = "none",
    ) -> Iterator[Pass]:
        """Yield the passes in order; with *resume* all sums go on from stored psums."""

    @abstractmethod
    def pe_block(self, one: Pass) -> PeBlock:
        """Return the PEs that one pass uses, the uppermost and leftmost, and what each does."""

    @abstractmethod
    def rf_accesses(self, one: Pass, psum_words: int) -> tuple[int, int]:
        """Return (reads, writes) of 32-bit PE registers in one pass, psums of *psum_words*."""

    @abstractmethod
    def folds(self, m: int, n: int, k: int, rows: int, cols: int) -> int:
        """Return the number of passes."""

    @abstractmethod
    def machine_cycles(
        self,
        m: int,
        n: int,
        k: int,
        rows: int,
        cols: int,
        timing: PeTiming,
        resume: bool,
        overlap: Overlap,
    ) -> int:
        """Return the closed form of what the machine takes; bounds are not checked."""

    @abstractmethod
    def _scalesim_pass_cycles(self, m: int, n: int, k: int, rows: int, cols: int) -> dict[str, int]:
        """Return SCALE-Sim's cycles of one fold by convention."""

    def compute_cycles(
        self,
        m: int,
        n: int,
        k: int,
        *,
        rows: int = 32,
        cols: int = 32,
        convention: str = "accelsim",
        timing: PeTiming | None = None,
        resume: bool = False,
        overlap: Overlap = "none",
    ) -> int:
        """Return the array's busy cycles for an (m x k) times (k x n) product, in closed form.

        Parameters
        ----------
        m, n, k : int
            Output pixels, filters, products per output.
        rows, cols : int
            PEs of the array.
        convention : str
            ``"accelsim"``: what the machine takes, fill and drain included, partly filled passes
            only as large as they are. ``"scalesim3"``: what SCALE-Sim 3.0.0 reports.
            ``"scalesim_paper"``: the form of SCALE-Sim's paper, all passes of full size.
        timing : PeTiming, optional
            Timing of a PE; one cycle for a multiply-accumulate by default. SCALE-Sim knows no
            other, so its conventions ignore it, as they do *resume* and *overlap*.
        resume : bool
            The sums go on from stored psums.
        overlap : str
            What of a pass is hidden under its neighbors: ``none``, ``load``, ``drain``, ``both``.

        Raises
        ------
        ConfigError
            A bound below 1, an unknown convention or overlap.
        """
        for name, value in {"m": m, "n": n, "k": k, "rows": rows, "cols": cols}.items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigError(f"{name} must be an int >= 1, got {value!r}")
        overlaps = get_args(Overlap)
        if overlap not in overlaps:
            raise ConfigError(
                f"no overlap {overlap!r}; known: {', '.join(overlaps)}.{nearest(overlap, overlaps)}"
            )
        if convention == "accelsim":
            return self.machine_cycles(m, n, k, rows, cols, timing or PeTiming(), resume, overlap)
        forms = self._scalesim_pass_cycles(m, n, k, rows, cols)
        if convention not in forms:
            known = ["accelsim", *forms]
            raise ConfigError(
                f"no cycle convention {convention!r} for dataflow {self.name!r}; known: "
                f"{', '.join(known)}.{nearest(convention, known)}"
            )
        # What SCALE-Sim 3.0.0 reports is the index of the last cycle, not the number of cycles.
        last = int(convention == "scalesim3")
        return self.folds(m, n, k, rows, cols) * forms[convention] - last
