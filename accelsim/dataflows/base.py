"""What every dataflow supplies: passes with their cycles and accesses, and a closed form."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from accelsim.errors import ConfigError, nearest

__all__ = ["Dataflow", "Pass", "PeTiming"]


@dataclass(frozen=True)
class PeTiming:
    """Timing of one PE.

    The defaults are a PE that multiplies and accumulates within one cycle.
    """

    interval_cycles: int = 1
    """Cycles from one operand pair to the next that may enter the PE."""
    latency_cycles: int = 1
    """Cycles from an operand pair's entry to the psum that includes its product."""


@dataclass(frozen=True, slots=True)
class Pass:
    """One filling of the array: `pixels` x `filters` outputs, `k` products each."""

    first_pixel: int
    pixels: int
    first_filter: int
    filters: int
    k: int
    preload_cycles: int
    """Shifting earlier psums into the PEs; 0 where a sum starts."""
    fill_cycles: int
    """Skew until the last PE has its first operand pair."""
    stream_cycles: int
    """From there until the last product is in its psum."""
    drain_cycles: int
    """Shifting the psums out."""

    @property
    def cycles(self) -> int:
        """Cycles that the pass occupies the array."""
        return self.preload_cycles + self.fill_cycles + self.stream_cycles + self.drain_cycles


class Dataflow(ABC):
    """One mapping of a matrix product (m pixels x k) times (k x n filters) onto the array."""

    name: str
    title: str

    @abstractmethod
    def passes(
        self, m: int, n: int, k: int, *, rows: int, cols: int, timing: PeTiming, resume: bool
    ) -> Iterator[Pass]:
        """Yield the passes in order; with *resume* the psums start from stored ones."""

    @abstractmethod
    def _closed_forms(
        self, m: int, n: int, k: int, rows: int, cols: int, timing: PeTiming, resume: bool
    ) -> dict[str, int]:
        """Return compute cycles by convention."""

    @abstractmethod
    def rf_accesses(self, one: Pass, psum_words: int) -> tuple[int, int]:
        """Return (reads, writes) of 32-bit PE registers in one pass, psums of *psum_words*."""

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
            other, so its conventions ignore it.
        resume : bool
            The psums start from stored ones, which are shifted in first.

        Raises
        ------
        ConfigError
            A bound below 1 or an unknown convention.
        """
        for name, value in {"m": m, "n": n, "k": k, "rows": rows, "cols": cols}.items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigError(f"{name} must be an int >= 1, got {value!r}")
        forms = self._closed_forms(m, n, k, rows, cols, timing or PeTiming(), resume)
        if convention not in forms:
            raise ConfigError(
                f"no cycle convention {convention!r} for dataflow {self.name!r}; known: "
                f"{', '.join(forms)}.{nearest(convention, forms)}"
            )
        return forms[convention]
