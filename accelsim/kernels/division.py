"""How the work of a matrix product is divided among threads: never inside of a sum."""

from __future__ import annotations

import functools
from collections.abc import Callable

from accelsim.threads import run_parts, shares, worthwhile

__all__ = ["GroupKernel", "run_divided"]

GroupKernel = Callable[[tuple[int, int], tuple[int, int, int, int]], object]
"""Takes (first group, last) and (first filter, last, first column, last)."""

GRAIN = 1 << 19
"""Products that are worth a thread: handing a part over takes some 50 us."""
EDGE = 8
"""Filters or columns that the kernels take together: parts are multiples."""


def run_divided(
    kernel: GroupKernel, groups: int, shape: tuple[int, int, int], along_columns: bool
) -> None:
    """Call *kernel* once per thread, each time for psums of its own.

    Parameters
    ----------
    kernel : callable
    groups : int
    shape : (int, int, int)
        Filters, k and columns of each group.
    along_columns : bool
        Whether parts of less than a group are of all filters and some columns, not the other way
        around.
    """
    n, k, m = shape
    parts = worthwhile(groups * n * k * m, GRAIN)
    if parts == 1:
        # A small layer takes some 50 us, a tenth of which the arithmetic below would be.
        kernel((0, groups), (0, n, 0, m))
        return
    if groups >= parts:
        pieces = [(own, (0, n, 0, m)) for own in shares(groups, parts)]
    elif along_columns:
        pieces = [((0, groups), (0, n, *own)) for own in shares(m, parts, EDGE)]
    else:
        pieces = [((0, groups), (*own, 0, m)) for own in shares(n, parts, EDGE)]
    run_parts([functools.partial(kernel, *piece) for piece in pieces])
