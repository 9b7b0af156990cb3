"""How large the tiles of a layer of the vector unit are."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from math import prod

from accelsim.dataflows.tiling import Budget
from accelsim.errors import MappingError
from accelsim.layer import VectorLayer, View
from accelsim.machine.block import fetched
from accelsim.vector_functions import VECTOR_FUNCTIONS

__all__ = ["vector_tile"]


def vector_tile(layer: VectorLayer, budget: Budget, view: View, place: View) -> tuple[int, int]:
    """Return (channels, ofmap rows) of a tile: whole channels if one fits, else rows of one.

    Parameters
    ----------
    layer : VectorLayer
    budget : Budget
        Words of the GLB that a tile may take.
    view, place : View
        One of the layer's parts: what it reads as its ifmap, and where in the output it goes.

    Raises
    ------
    MappingError
        Not even an ofmap row of one channel fits.
    """
    *_, channels, _, width = view.shape
    *_, out_height, out_width = place.shape
    others = [] if layer.places else [one.view for one in layer.others]

    def words(channels: int, rows: int) -> tuple[int, int, int]:
        """Return the words of the ifmap, of the other operands and of the ofmap in a tile."""
        more = sum(prod(fetched((1, channels, rows, width), one.strides[-4:])) for one in others)
        ifmap = channels * _ifmap_rows(layer, rows) * width
        return ifmap, more, channels * rows * out_width

    def fits(channels: int, rows: int) -> bool:
        ifmap, more, ofmap = words(channels, rows)
        return (
            ifmap <= budget.ifmap_words
            and more <= budget.weight_words
            and ofmap <= budget.ofmap_words
            and (budget.total_words is None or ifmap + more + ofmap <= budget.total_words)
        )

    whole = _most(channels, lambda some: fits(some, out_height))
    if whole:
        return whole, out_height
    planes = layer.window is None and VECTOR_FUNCTIONS[layer.op].reduces > 1
    rows = 0 if planes else _most(out_height, lambda some: fits(1, some))
    if rows:
        return 1, rows
    ifmap, more, ofmap = words(1, out_height if planes else 1)
    room = f"{budget.ifmap_words}, {budget.weight_words} and {budget.ofmap_words}"
    if budget.total_words is not None:
        room = f"{budget.total_words} in all"
    raise MappingError(
        f"layer {layer.name!r} fits no tiling: one {'channel' if planes else 'ofmap row'} needs "
        f"{ifmap} ifmap words, {more} words of other operands and {ofmap} ofmap words, a tile's "
        f"share of the GLB is {room}. Enlarge glb, or set glb.double_buffered to false."
    )


def _most(limit: int, fits: Callable[[int], bool]) -> int:
    """Return the largest number up to *limit* that fits, 0 where none does."""
    return bisect_left(range(1, limit + 1), True, key=lambda number: not fits(number))


def _ifmap_rows(layer: VectorLayer, rows: int) -> int:
    """Return the most ifmap rows that so many ofmap rows need, wherever they lie."""
    if layer.window is None:
        return rows
    height = layer.output_shape[-2]
    spans = (layer.ifmap_rows(first, first + rows) for first in range(height - rows + 1))
    return max(stop - start for start, stop in spans)
