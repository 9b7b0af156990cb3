"""Error metrics of a unit: how far its products are from exact ones, by named conventions.

M is the exact product of a pair of operands, M' the unit's, E = M' - M. The exact product of two
integers is their product; that of two float32 numbers is the real number, which float64 holds. So a
format's rounding is part of a floating-point unit's error.

Papers mean different things by one name, so each metric here says its convention, and where two are
in use both are given: NMED divided by the greatest exact product or by 2^(2N), MRED over pairs with
M != 0 alone or over all pairs with those of M = 0 counted 0.

Over all pairs a metric is exact and its interval is the value. Over a sample the interval holds
95 %: Wilson's for shares, the normal approximation for means; the greatest error seen is then a
lower bound of the worst case, and its interval has no upper end.

Sources
-------
Liang, Han, Lombardi, "New Metrics for the Reliability of Approximate and Probabilistic Adders",
IEEE Trans. Computers 62(9), 2013; Jiang et al., "Approximate Arithmetic Circuits: A Survey,
Characterization, and Recent Applications", Proc. IEEE 108(12), 2020 (ER, MED, NMED, MRED, average
error); the headers of EvoApproxLib (EP, MAE, WCE in % of 2^(2N), MRE and WCRE over M != 0).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.multipliers import IntegerMultiplier, Multiplier
from accelsim.operands import OperandPairs
from accelsim.statistics import RunningMean, RunningShare

__all__ = ["Metric", "Metrics", "exact_product", "measure"]


@dataclass(frozen=True)
class Metric:
    """One number with its 95 % interval and what it means.

    Attributes
    ----------
    value : float
        Shares and relative errors are fractions, not percent; NaN where no pair counts.
    low, high : float
        Bounds of the interval; both *value* when all pairs were measured, NaN where none is known.
    convention : str
        Over which pairs, relative to what.
    """

    value: float
    low: float
    high: float
    convention: str


@dataclass(frozen=True)
class Metrics(Mapping[str, Metric]):
    """Metrics of one unit over one set of operand pairs, by name.

    Attributes
    ----------
    unit, operands : str
        The unit's name, and the pairs in words.
    pairs : int
    exhaustive : bool
        Whether the pairs are all there are.
    """

    unit: str
    operands: str
    pairs: int
    exhaustive: bool
    values_by_name: dict[str, Metric]

    def __getitem__(self, name: str) -> Metric:
        return self.values_by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_name)

    def __len__(self) -> int:
        return len(self.values_by_name)


def exact_product(a: NDArray[Any], w: NDArray[Any]) -> NDArray[np.float64]:
    """Return the exact products of integers of up to 16 bits, or of float32 numbers, as float64.

    Both fit: 32 bits, and 48 bits with an exponent far inside of float64's.
    """
    return a.astype(np.float64) * w.astype(np.float64)


def measure(
    unit: Multiplier,
    pairs: OperandPairs,
    progress: Callable[[int, int], None] | None = None,
) -> Metrics:
    """Return the error metrics of *unit* over *pairs*.

    Parameters
    ----------
    unit : Multiplier
    pairs : OperandPairs
        From `accelsim.operands`.
    progress : callable, optional
        Called with (pairs done, pairs in all).

    Raises
    ------
    DataError
        The operands are not of the unit's format.

    Notes
    -----
    Besides the metrics of single products there are: ``inflated``, the share of products that are
    larger in magnitude than exact ones; ``not_commuting`` and ``commutation_gap``, the share
    of pairs whose product changes when the operands change places, and the mean change;
    ``zero_operand_wrong`` and ``zero_operand_worst``, how many products with a zero operand are not
    zero, and the largest; for floating-point units ``not_finite``, the share of products that
    overflow or are NaN. Those are wrong, and count in no mean.
    """
    tally = _Tally(unit, pairs.exhaustive)
    for a, w in pairs.chunks():
        tally.add(a, w)
        if progress is not None:
            progress(tally.wrong.trials, pairs.count)
    return Metrics(unit.name, pairs.text, pairs.count, pairs.exhaustive, tally.metrics())


@dataclass
class _Tally:
    """All sums that the metrics are made from."""

    unit: Multiplier
    exhaustive: bool
    wrong: RunningShare = field(default_factory=RunningShare)
    exact_zero: RunningShare = field(default_factory=RunningShare)
    inflated: RunningShare = field(default_factory=RunningShare)
    not_finite: RunningShare = field(default_factory=RunningShare)
    swapped: RunningShare = field(default_factory=RunningShare)
    change: RunningMean = field(default_factory=RunningMean)
    error: RunningMean = field(default_factory=RunningMean)
    distance: RunningMean = field(default_factory=RunningMean)
    square: RunningMean = field(default_factory=RunningMean)
    relative: RunningMean = field(default_factory=RunningMean)
    relative_distance: RunningMean = field(default_factory=RunningMean)
    relative_or_zero: RunningMean = field(default_factory=RunningMean)
    relative_or_one: RunningMean = field(default_factory=RunningMean)
    worst: float = 0.0
    worst_relative: float = 0.0
    largest: float = 0.0
    sample: tuple[NDArray[Any], NDArray[Any]] | None = None
    """Operands to try with zeros: those of the first chunk."""

    def add(self, a: NDArray[Any], w: NDArray[Any]) -> None:
        exact, product = exact_product(a, w), self.unit.product(a, w)
        if self.sample is None:
            self.sample = a, w
        self.wrong.add(product != _rounded(exact, product.dtype))
        finite = np.isfinite(product)
        self.not_finite.add(~finite)
        self._add_swapped(product, self.unit.product(w, a))
        exact, got = exact[finite], product[finite].astype(np.float64)
        if exact.size:
            self._add_errors(exact, got)

    def _add_swapped(self, product: NDArray[Any], swapped: NDArray[Any]) -> None:
        both_nan = np.isnan(product) & np.isnan(swapped)
        self.swapped.add((product != swapped) & ~both_nan)
        finite = np.isfinite(product) & np.isfinite(swapped)
        there, back = (side[finite].astype(np.float64) for side in (product, swapped))
        self.change.add(np.abs(there - back))

    def _add_errors(self, exact: NDArray[np.float64], got: NDArray[np.float64]) -> None:
        error = got - exact
        distance, magnitude = np.abs(error), np.abs(exact)
        zero = exact == 0
        relative = error[~zero] / exact[~zero]
        ratio = np.zeros_like(distance)
        np.divide(distance, magnitude, out=ratio, where=~zero)
        self.exact_zero.add(zero)
        self.inflated.add(np.abs(got) > magnitude)
        self.error.add(error)
        self.distance.add(distance)
        self.square.add(error**2)
        self.relative.add(relative)
        self.relative_distance.add(ratio[~zero])
        self.relative_or_zero.add(ratio)
        self.relative_or_one.add(distance / np.maximum(1.0, magnitude))
        self.worst = max(self.worst, float(distance.max()))
        self.worst_relative = max(self.worst_relative, float(ratio.max()))
        self.largest = max(self.largest, float(magnitude.max()))

    def metrics(self) -> dict[str, Metric]:
        """Return all metrics by name."""
        integer = isinstance(self.unit, IntegerMultiplier)
        truth = "M" if integer else "M rounded to float32"
        nonzero = "over pairs with M != 0"
        deviation = math.sqrt(self.relative.variance)
        square = self._metric(self.square, "mean E^2 over all pairs")
        unknown = deviation if self.exhaustive else math.nan
        found = {
            "error_rate": self._metric(self.wrong, f"share of pairs with M' != {truth} (ER, EP)"),
            "med": self._metric(self.distance, "mean |E| over all pairs (MED, MAE)"),
            **self._normalized(),
            "mred": self._metric(self.relative_distance, f"mean |E| / |M| {nonzero} (MRED, MRE)"),
            "mred_all_pairs": self._metric(
                self.relative_or_zero, "mean |E| / |M| over all pairs, 0 where M = 0"
            ),
            "mred_max_1": self._metric(
                self.relative_or_one, "mean |E| / max(1, |M|) over all pairs"
            ),
            "bias": self._metric(self.relative, f"mean (M' - M) / M {nonzero}"),
            "relative_error_std": Metric(
                deviation, unknown, unknown, f"standard deviation of (M' - M) / M {nonzero}"
            ),
            "mean_error": self._metric(self.error, "mean E over all pairs"),
            "wce": self._worst(self.worst, "greatest |E| (WCE)"),
            "wcre": self._worst(self.worst_relative, f"greatest |E| / |M| {nonzero} (WCRE)"),
            "mse": square,
            "rmse": Metric(
                math.sqrt(square.value),
                math.sqrt(max(0.0, square.low)),
                math.sqrt(square.high),
                "square root of mse",
            ),
            "inflated": self._metric(self.inflated, "share of pairs with |M'| > |M|"),
            "exact_zero": self._metric(self.exact_zero, "share of pairs with M = 0"),
            "not_finite": self._metric(self.not_finite, "share of products inf or NaN"),
            "not_commuting": self._metric(self.swapped, "share of pairs with M'(a,w) != M'(w,a)"),
            "commutation_gap": self._metric(self.change, "mean |M'(a,w) - M'(w,a)| over all pairs"),
            **self._with_zeros(),
        }
        for name in ("not_finite",) if integer else ("mred_max_1",):
            del found[name]
        return found

    def _metric(
        self, running: RunningMean | RunningShare, convention: str, divisor: float = 1.0
    ) -> Metric:
        value, low, high = running.estimate()
        if self.exhaustive:
            low = high = value
        return Metric(value / divisor, low / divisor, high / divisor, convention)

    def _worst(self, value: float, what: str) -> Metric:
        if self.exhaustive:
            return Metric(value, value, value, what)
        return Metric(value, value, math.inf, f"{what}; of a sample: a lower bound")

    def _normalized(self) -> dict[str, Metric]:
        """Return NMED by each divisor in use."""
        if not isinstance(self.unit, IntegerMultiplier):
            what = f"med / greatest |M| of these pairs, {self.largest:.4g}"
            return {"nmed": self._metric(self.distance, what, self.largest or math.nan)}
        operands = self.unit.operands
        largest = max(-operands.low, operands.high) ** 2
        span = 1 << 2 * operands.bits
        return {
            "nmed": self._metric(self.distance, f"med / greatest |M|, {largest:,}", largest),
            "nmed_span": self._metric(
                self.distance, f"med / 2^(2N), {span:,} (EvoApproxLib's MAE)", span
            ),
        }

    def _with_zeros(self) -> dict[str, Metric]:
        """Return how products with a zero operand come out.

        Operands are all values of an integer format, or the floats of the first chunk.
        """
        products = np.abs(np.concatenate(list(self._zero_products())).astype(np.float64))
        wrong = float(np.count_nonzero(products))  # NaN is not zero
        tried = f"of {products.size:,} products with a zero operand"
        worst = float(products.max())
        return {
            "zero_operand_wrong": Metric(wrong, wrong, wrong, f"how many are not zero, {tried}"),
            "zero_operand_worst": Metric(worst, worst, worst, f"greatest magnitude {tried}"),
        }

    def _zero_products(self) -> Iterator[NDArray[Any]]:
        if isinstance(self.unit, IntegerMultiplier):
            values = self.unit.operands.values()
            zero = np.zeros(1, np.int64)
            yield self.unit.product(values, zero)
            yield self.unit.product(zero, values[values != 0])
        elif self.sample is not None:
            activations, weights = self.sample
            for sign in (0.0, -0.0):
                yield self.unit.product(activations, np.full_like(activations, sign))
                yield self.unit.product(np.full_like(weights, sign), weights)


def _rounded(exact: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return *exact* as an exact unit of that product type would give it."""
    # Too large for float32 is infinity, too small zero, as IEEE 754 has it.
    with np.errstate(over="ignore", under="ignore"):
        return exact.astype(dtype)
