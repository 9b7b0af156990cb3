"""The space of a sweep: which fields vary, and over what."""

from __future__ import annotations

import itertools
import math
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from accelsim.errors import ConfigError

__all__ = ["Range", "Space", "parse_values"]

MAX_GRID = 1_000_000
"""Points of a grid; more is taken for a mistake."""

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(?::({_NUMBER}|log))?")


@dataclass(frozen=True)
class Range:
    """All numbers from *low* to *high*, both included.

    >>> Range(4, 16, step=4).values()
    [4, 8, 12, 16]
    """

    low: int | float
    high: int | float
    step: int | float | None = None
    """From one to the next; None: 1 between integers, else any number in between."""
    log: bool = False
    """Whether a search looks at all orders of magnitude alike; without a step."""

    def __post_init__(self) -> None:
        numbers = [one for one in (self.low, self.high, self.step) if one is not None]
        plain = all(isinstance(one, int | float) and not isinstance(one, bool) for one in numbers)
        if (
            not plain
            or not all(map(math.isfinite, numbers))
            or self.high < self.low
            or (self.step is not None and (self.step <= 0 or self.log))
            or (self.log and self.low <= 0)
        ):
            raise ConfigError(
                "a range is LOW..HIGH with LOW <= HIGH, LOW..HIGH:STEP with STEP > 0, or "
                f"LOW..HIGH:log with LOW > 0, got {self}"
            )

    def __str__(self) -> str:
        more = ":log" if self.log else "" if self.step is None else f":{self.step}"
        return f"{self.low}..{self.high}{more}"

    @property
    def whole(self) -> bool:
        """Whether it is of integers."""
        return all(isinstance(one, int) for one in (self.low, self.high, self.step or 1))

    @property
    def countable(self) -> bool:
        """Whether it has so many numbers and no more."""
        return self.whole or self.step is not None

    def __len__(self) -> int:
        # A step of 0.1 three times is not quite 0.3.
        return math.floor((self.high - self.low) / (self.step or 1) + 1e-9) + 1

    def values(self) -> list[int | float]:
        """Return its numbers, if they can be counted."""
        return [self.low + number * (self.step or 1) for number in range(len(self))]

    def draw(self, rng: random.Random) -> int | float:
        """Return one of its numbers, each as likely; of ``log`` each order of magnitude."""
        if self.log:
            drawn = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
            drawn = min(max(drawn, self.low), self.high)
            return round(drawn) if self.whole else drawn
        if self.countable:
            return self.low + rng.randrange(len(self)) * (self.step or 1)
        return rng.uniform(self.low, self.high)


Axis = Range | list[Any]


class Space:
    """Every combination of the values of some fields.

    Parameters
    ----------
    fields : mapping
        Field -> list of values or `Range`. A field is ``workload`` or a dotted one of the
        accelerator, whose values are checked when a point is made.

    Raises
    ------
    ConfigError
        Nothing varies, or a field has no values or no list of them.

    Examples
    --------
    >>> space = Space({"array.rows": Range(4, 8, step=4), "multiplier": ["exact_fp32", "ax_fpm"]})
    >>> len(space), next(space.grid())
    (4, {'array.rows': 4, 'multiplier': 'exact_fp32'})
    """

    def __init__(self, fields: Mapping[str, Sequence[object] | Range]) -> None:
        self.axes: dict[str, Axis] = {}
        for name, values in fields.items():
            if not isinstance(values, Range):
                if isinstance(values, str) or not hasattr(values, "__iter__"):
                    raise ConfigError(
                        f"{name} must have a list of values to vary over, or an "
                        f"accelsim.sweeps.Range, got {values!r}"
                    )
                values = [one.item() if hasattr(one, "item") else one for one in values]
            self.axes[name] = values
        if not self.axes or not all(map(len, self.axes.values())):
            raise ConfigError("the grid is empty; give every field to vary at least one value")

    def __len__(self) -> int:
        """Return how many points the grid has."""
        return math.prod(map(len, self.axes.values()))

    @property
    def countable(self) -> bool:
        """Whether it is a grid: no range of any number in between."""
        return all(not isinstance(axis, Range) or axis.countable for axis in self.axes.values())

    def grid(self) -> Iterator[dict[str, Any]]:
        """Return all points, the last field varying fastest.

        Raises
        ------
        ConfigError
            A range has no step, or is ``log``; or there are more points than anybody wants.
        """
        columns = []
        for name, axis in self.axes.items():
            if isinstance(axis, Range) and (axis.log or not axis.countable):
                raise ConfigError(
                    f"{name}={axis} has no step, so it has no grid; give one ({axis.low}.."
                    f"{axis.high}:STEP) or choose another search than grid"
                )
            columns.append(axis)
        if len(self) > MAX_GRID:
            raise ConfigError(
                f"the grid has {len(self):,} points, more than {MAX_GRID:,}; leave values out, or "
                "choose another search than grid"
            )
        lists = [axis.values() if isinstance(axis, Range) else axis for axis in columns]
        return (dict(zip(self.axes, values, strict=True)) for values in itertools.product(*lists))

    def draw(self, rng: random.Random) -> dict[str, Any]:
        """Return a point at random, each as likely."""
        return {
            name: axis.draw(rng) if isinstance(axis, Range) else rng.choice(axis)
            for name, axis in self.axes.items()
        }

    def described(self) -> dict[str, list[Any] | str]:
        """Return the fields as JSON can hold them."""
        return {
            name: str(axis) if isinstance(axis, Range) else axis for name, axis in self.axes.items()
        }


def parse_values(text: str, scalar: Any) -> Range | list[Any]:
    """Return what ``--vary FIELD=TEXT`` varies over: ``V1,V2`` or a range ``LOW..HIGH[:STEP|log]``.

    *scalar* reads one value.

    >>> parse_values("4..64:log", int)
    Range(low=4, high=64, step=None, log=True)
    """
    match = _RANGE.fullmatch(text.strip())
    if match is None:
        return [scalar(value.strip()) for value in text.split(",")]
    low, high, step = match.groups()
    if step == "log":
        return Range(_number(low), _number(high), log=True)
    return Range(_number(low), _number(high), None if step is None else _number(step))


def _number(text: str) -> int | float:
    return int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)
