"""A systolic array in RTL: sources, test bench and vectors.

The array does what `accelsim.dataflows` says without overlap: it takes `compute_cycles` for any
product that its test bench has room for, and its psums are `accelsim.kernels.accumulate`'s, bit for
bit. A PE multiplies for ``multiply_cycles`` and takes an operand pair every ``multiply_interval``;
the adder likewise. Registers behind the logic are for the synthesis to move.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.dataflows import DATAFLOWS, MatrixDataflow, PeTiming
from accelsim.errors import ConfigError, MappingError
from accelsim.kernels import accumulate
from accelsim.rtl.files import hex_words, makefile, parameters, source
from accelsim.rtl.units import UnitRtl

__all__ = ["LARGEST", "ArrayDesign"]

LARGEST = 64
"""Most rows and columns that a test bench is written for: simulators take minutes to build more."""
INDEX_BITS = 16
MOST_WORDS = 1 << 20
"""Of a memory of the test bench."""
LEAST_WORDS = 1 << 10

_SOURCES = ("tokens.sv", "pipe.sv", "lanes.sv", "controller.sv", "pe_os.sv", "pe_ws.sv")
_STATIONARY = {"os": 0, "ws": 1, "is": 1}
"""Dataflow -> whether an operand stays in the PEs, or the psum."""


@dataclass(frozen=True)
class ArrayDesign:
    """One array.

    Attributes
    ----------
    unit : UnitRtl
        The multiplier of its PEs.
    dataflow : str
        ``os``, ``ws`` or ``is``.
    rows, cols : int
    timing : PeTiming

    Raises
    ------
    ConfigError, MappingError
        A size out of range, or a dataflow that has no RTL.
    """

    unit: UnitRtl
    dataflow: str
    rows: int
    cols: int
    timing: PeTiming = field(default_factory=PeTiming)

    def __post_init__(self) -> None:
        self._flow()
        for what, size in (("rows", self.rows), ("cols", self.cols)):
            if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= LARGEST:
                raise ConfigError(
                    f"an exported array must have 1..{LARGEST} {what}, which its test bench can "
                    f"still simulate, got {size!r}; cycles of larger ones are "
                    "accelsim.DATAFLOWS[...].compute_cycles"
                )

    @property
    def usual_product(self) -> tuple[int, int, int]:
        """A small product (m, n, k) with full and partly filled passes in every dataflow."""
        size = max(self.rows, self.cols) + 1
        return size, size, 2 * size - 1

    def _flow(self) -> MatrixDataflow:
        """Return the dataflow, if it has RTL."""
        flow = DATAFLOWS[self.dataflow]
        if not isinstance(flow, MatrixDataflow) or flow.name not in _STATIONARY:
            raise MappingError(f"dataflow {flow.name!r} has no RTL; use {', '.join(_STATIONARY)}")
        return flow

    def cycles(self, m: int, n: int, k: int, resume: bool = False) -> int:
        """Return the closed form of what the array takes."""
        return self._flow().compute_cycles(
            m, n, k, rows=self.rows, cols=self.cols, timing=self.timing, resume=resume
        )

    def facts(self) -> dict[str, Any]:
        """Return what the design is, for a manifest."""
        return {
            "multiplier": self.unit.unit.name,
            "style": self.unit.style,
            "accumulator": self.unit.accumulator.name,
            "dataflow": self.dataflow,
            "rows": self.rows,
            "cols": self.cols,
            "timing": vars(self.timing),
        }

    def files(self, m: int, n: int, k: int, resume: bool = False, seed: int = 0) -> dict[str, str]:
        """Return all files of the export, name -> text, with the `vectors` of one product."""
        vectors = self.vectors(m, n, k, resume, seed)
        chosen = self._parameters()
        nan = self.unit.nan_parameters(self.unit.psum_bits)
        words = max(LEAST_WORDS, 1 << (max(m * n, m * k, n * k) - 1).bit_length())
        sources = {
            "arithmetic.sv": self.unit.arithmetic,
            **{name: source(name) for name in _SOURCES},
            "systolic.sv": _preset(source("systolic.sv"), chosen),
            "bench.v": source("bench_array.v"),
        }
        return {
            **sources,
            "parameters.vh": parameters({**chosen, "WORDS": words, **nan}),
            **vectors,
            "Makefile": makefile(sources),
        }

    def vectors(
        self, m: int, n: int, k: int, resume: bool = False, seed: int = 0
    ) -> dict[str, str]:
        """Return the hex files of a random (m x k) times (k x n) product, name -> text.

        One test bench runs all that fit into its memories (WORDS in ``parameters.vh``).

        Parameters
        ----------
        m, n, k : int
            Output pixels, filters, products per output.
        resume : bool
            The sums go on from stored psums.
        seed : int

        Raises
        ------
        ConfigError
            A size below 1 or too large for the test bench.
        """
        for what, size in (("m", m), ("n", n), ("k", k)):
            if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size < 2**INDEX_BITS:
                raise ConfigError(f"{what} must be an int in 1..{2**INDEX_BITS - 1}, got {size!r}")
        if max(m * n, m * k, n * k) > MOST_WORDS:
            raise ConfigError(
                f"a product of m={m}, n={n}, k={k} has a matrix of more than {MOST_WORDS} words, "
                "for which the test bench has no room; export a smaller one"
            )
        rng = np.random.default_rng(seed)
        activations, weights = self.unit.operands(rng, (k, m)), self.unit.operands(rng, (n, k))
        psums = np.zeros((n, m), self.unit.accumulator.dtype)
        if resume:
            psums[...] = 100 * rng.standard_normal((n, m))
        results = psums.copy()
        accumulate(self.unit.unit, self.unit.accumulator, activations, weights, results)
        left, top = np.ascontiguousarray(activations.T), weights
        if self.dataflow == "is":
            left, top = top, left
        else:
            psums, results = psums.T, results.T
        numbers = [*psums.shape, k, int(resume), self.cycles(m, n, k, resume)]
        return {
            "gemm.hex": hex_words(numbers, 32),
            "left.hex": self.unit.operand_words(left),
            "top.hex": self.unit.operand_words(top),
            "psums.hex": self._psum_words(psums),
            "expected.hex": self._psum_words(results),
        }

    def _psum_words(self, psums: NDArray[Any]) -> str:
        bits = self.unit.psum_bits
        patterns = np.ascontiguousarray(psums).view(f"uint{bits}").ravel()
        return hex_words(map(int, patterns), bits)

    def _parameters(self) -> dict[str, int]:
        return {
            "ROWS": self.rows,
            "COLS": self.cols,
            "OPERAND": self.unit.operand_bits,
            "PSUM": self.unit.psum_bits,
            "INDEX": INDEX_BITS,
            "MULTIPLY_CYCLES": self.timing.multiply_cycles,
            "MULTIPLY_INTERVAL": self.timing.multiply_interval,
            "ADD_CYCLES": self.timing.add_cycles,
            "ADD_INTERVAL": self.timing.add_interval,
            "STATIONARY": _STATIONARY[self.dataflow],
            "SWAPPED": int(self.dataflow == "is"),
        }


def _preset(text: str, chosen: Mapping[str, int]) -> str:
    """Return the text of a module whose parameters have the *chosen* values."""
    for name, value in chosen.items():
        text = re.sub(rf"(parameter (?:int|bit) {name} = )\d+", rf"\g<1>{value}", text)
    return text
