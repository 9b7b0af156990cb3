"""Steps that Numba does not make of loops, as LLVM code: on vectors of LANES int32, and a copy.

LLVM lowers vectors of any length to what the processor has. Without compilation
(``NUMBA_DISABLE_JIT=1``) they are plain NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

__all__ = ["LANES", "add_rows", "copy_items", "interleave"]

LANES = 8

_VECTOR = ir.VectorType(ir.IntType(32), LANES)
# The two halves of each step of an 8 x 8 transposition: within 128 bits first, which is cheapest.
_STEPS = (
    (1, (0, 8, 1, 9, 4, 12, 5, 13), (2, 10, 3, 11, 6, 14, 7, 15)),
    (2, (0, 1, 8, 9, 4, 5, 12, 13), (2, 3, 10, 11, 6, 7, 14, 15)),
    (4, (0, 1, 2, 3, 8, 9, 10, 11), (4, 5, 6, 7, 12, 13, 14, 15)),
)
_ORDER = (0, 2, 1, 3, 4, 6, 5, 7)
"""Rows in which the steps leave the transposed vectors."""


def _add_rows(sums, i, first, x, second, y):  # type: ignore[no-untyped-def]
    """Add ``first[x] + second[y]`` to ``sums[i]``; all int32 with rows of LANES."""
    sums[i] += first[x] + second[y]


def _interleave(rows, x, pack):  # type: ignore[no-untyped-def]
    """Set ``pack[x + i, lane] = rows[lane][x + i]`` for LANES i; *rows* is a tuple of LANES."""
    for lane, row in enumerate(rows):
        pack[x : x + LANES, lane] = row[x : x + LANES]


def _copy_items(target, at, source, start, count):  # type: ignore[no-untyped-def]
    """Copy *count* items from ``source[start]`` on to ``target[at]`` on, of one dtype, both 1-D.

    For rows of a few items, on which a loop spends more time than it copies.
    """
    target[at : at + count] = source[start : start + count]


def _place(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    """Return the pointer to the vector at element *index* of a C-contiguous array."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), _VECTOR.as_pointer())


def _load(builder: Any, place: Any) -> Any:
    value = builder.load(place)
    value.align = 4
    return value


def _store(builder: Any, value: Any, place: Any) -> None:
    builder.store(value, place).align = 4


def _add_rows_intrinsic(typing: Any, sums: Any, i: Any, first: Any, x: Any, second: Any, y: Any):  # type: ignore[no-untyped-def]
    def generate(context: Any, builder: Any, signature: Any, arguments: Sequence[Any]) -> Any:
        places = [
            _place(
                context,
                builder,
                signature.args[n],
                arguments[n],
                builder.mul(arguments[n + 1], ir.Constant(arguments[n + 1].type, LANES)),
            )
            for n in (0, 2, 4)
        ]
        total = _load(builder, places[0])
        for place in places[1:]:
            total = builder.add(total, _load(builder, place))
        _store(builder, total, places[0])
        return context.get_dummy_value()

    return types.void(sums, types.intp, first, types.intp, second, types.intp), generate


def _interleave_intrinsic(typing: Any, rows: Any, x: Any, pack: Any):  # type: ignore[no-untyped-def]
    def generate(context: Any, builder: Any, signature: Any, arguments: Sequence[Any]) -> Any:
        rows, x, pack = arguments
        row_type = signature.args[0].dtype
        vectors = [
            _load(builder, _place(context, builder, row_type, builder.extract_value(rows, n), x))
            for n in range(LANES)
        ]
        for distance, low, high in _STEPS:
            low_mask, high_mask = (
                ir.Constant(ir.VectorType(ir.IntType(32), LANES), list(mask))
                for mask in (low, high)
            )
            for n in range(LANES):
                if not n & distance:
                    pair = vectors[n], vectors[n | distance]
                    vectors[n] = builder.shuffle_vector(*pair, low_mask)
                    vectors[n | distance] = builder.shuffle_vector(*pair, high_mask)
        for n, row in enumerate(_ORDER):
            index = builder.mul(
                builder.add(x, ir.Constant(x.type, row)), ir.Constant(x.type, LANES)
            )
            _store(builder, vectors[n], _place(context, builder, signature.args[2], pack, index))
        return context.get_dummy_value()

    return types.void(rows, types.intp, pack), generate


def _copy_items_intrinsic(  # type: ignore[no-untyped-def]
    typing: Any, target: Any, at: Any, source: Any, start: Any, count: Any
):
    def generate(context: Any, builder: Any, signature: Any, arguments: Sequence[Any]) -> Any:
        places = []
        for n in (0, 2):
            array = context.make_array(signature.args[n])(context, builder, arguments[n])
            places.append(builder.gep(array.data, [arguments[n + 1]]))
        size = signature.args[0].dtype.bitwidth // 8
        cgutils.raw_memcpy(builder, places[0], places[1], arguments[4], size)
        return context.get_dummy_value()

    return types.void(target, types.intp, source, types.intp, types.intp), generate


def _vector_form(plain: Callable[..., None], compiled: Callable[..., Any]) -> Any:
    settings: Any = numba.config
    return plain if settings.DISABLE_JIT else intrinsic(compiled)


add_rows = _vector_form(_add_rows, _add_rows_intrinsic)
copy_items = _vector_form(_copy_items, _copy_items_intrinsic)
interleave = _vector_form(_interleave, _interleave_intrinsic)
