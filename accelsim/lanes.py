"""Vectors of LANES numbers in jitted code, for loops that Numba and LLVM do not vectorize well.

A function of a few operators (``+``, ``*``, ``&``, ``|``) and of the conversions below
compiles for numbers and, the same function, for `Lanes` of them. LLVM lowers vectors of any length
to what the processor has. Without compilation (``NUMBA_DISABLE_JIT=1``) they are NumPy arrays.

Lanes of 32 bits are kept in the order in which 256-bit processors leave the low words of two
vectors of 64 bits: loads and stores, which are rare, put them in order instead of `word_at`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, models, register_model

__all__ = [
    "LANES",
    "as_float32",
    "as_float64",
    "bits_of",
    "float32_of",
    "load",
    "load_word",
    "spread",
    "spread_word",
    "store",
    "word_at",
]

LANES = 8
_ORDER = (0, 1, 4, 5, 2, 3, 6, 7)
"""Of 32-bit lanes; its own inverse."""


class Lanes(types.Type):
    """Numba's type of LANES numbers of one dtype."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        super().__init__(f"Lanes({dtype})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Lanes) -> None:
        element = manager.lookup(kind.dtype).get_value_type()
        super().__init__(manager, kind, ir.VectorType(element, LANES))


def _spread(builder: Any, number: Any) -> Any:
    first = builder.insert_element(_undefined(number.type), number, ir.IntType(32)(0))
    return _shuffled(builder, first, (0,) * LANES)


def _undefined(element: Any) -> Any:
    return ir.Constant(ir.VectorType(element, LANES), ir.Undefined)


def _shuffled(builder: Any, vector: Any, order: Sequence[int]) -> Any:
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(order)), list(order))
    return builder.shuffle_vector(vector, ir.Constant(vector.type, ir.Undefined), mask)


def _ordered(builder: Any, vector: Any, dtype: Any) -> Any:
    return _shuffled(builder, vector, _ORDER) if dtype.bitwidth == 32 else vector


def _register_operator(function: Callable[..., Any], on_floats: str, on_integers: str) -> None:
    """Let jitted code apply *function* to Lanes, and to Lanes and numbers of their dtype."""

    @infer_global(function)
    class _Typing(AbstractTemplate):
        key = function

        def generic(self, arguments: Any, keywords: Any) -> Any:
            found = [kind for kind in arguments if isinstance(kind, Lanes)]
            if not found or any(kind != found[0] for kind in found):
                return None
            operands = [kind if isinstance(kind, Lanes) else found[0].dtype for kind in arguments]
            return signature(found[0], *operands)

    def generate(context: Any, builder: Any, form: Any, arguments: Any) -> Any:
        vectors = [
            value if isinstance(kind, Lanes) else _spread(builder, value)
            for kind, value in zip(form.args, arguments, strict=True)
        ]
        floating = isinstance(form.return_type.dtype, types.Float)
        return getattr(builder, on_floats if floating else on_integers)(*vectors)

    for kinds in ((Lanes, Lanes), (Lanes, types.Number), (types.Number, Lanes)):
        lower_builtin(function, *kinds)(generate)


_register_operator(operator.add, "fadd", "add")
_register_operator(operator.mul, "fmul", "mul")
_register_operator(operator.and_, "", "and_")
_register_operator(operator.or_, "", "or_")


def _place(context: Any, builder: Any, array_type: Any, array: Any, index: Any, kind: Any) -> Any:
    """Return the pointer to element *index* of a C-contiguous array as one of *kind* elements."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(builder.bitcast(data, kind.as_pointer()), [index])


def _loader(word: bool, spread_out: bool) -> Callable[..., Any]:
    """Return the intrinsic's typing of `load` and its like."""

    def load_lanes(typing: Any, array: Any, index: Any) -> Any:
        dtype = types.float32 if word else array.dtype

        def generate(context: Any, builder: Any, form: Any, arguments: Any) -> Any:
            array, index = arguments
            element = context.get_value_type(dtype)
            place = _place(context, builder, form.args[0], array, index, element)
            if spread_out:
                return _spread(builder, builder.load(place))
            vector = ir.VectorType(element, LANES)
            value = builder.load(builder.bitcast(place, vector.as_pointer()))
            value.align = dtype.bitwidth // 8
            return _ordered(builder, value, dtype)

        return Lanes(dtype)(array, types.intp), generate

    return load_lanes


def _store(typing: Any, array: Any, index: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, form: Any, arguments: Any) -> Any:
        array, index, vector = arguments
        place = _place(context, builder, form.args[0], array, index, vector.type.element)
        place = builder.bitcast(place, vector.type.as_pointer())
        dtype = form.args[2].dtype
        builder.store(_ordered(builder, vector, dtype), place).align = dtype.bitwidth // 8
        return context.get_dummy_value()

    return types.void(array, types.intp, value), generate


def _bits_of(typing: Any, value: Any) -> Any:
    dtype = value.dtype if isinstance(value, Lanes) else value
    bits = types.int32 if dtype.bitwidth == 32 else types.int64

    def generate(context: Any, builder: Any, form: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(form.return_type))

    return (Lanes(bits) if isinstance(value, Lanes) else bits)(value), generate


def _float32_of(typing: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, form: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(form.return_type))

    if isinstance(value, Lanes):
        return Lanes(types.float32)(value), generate
    return types.float32(types.int32), generate


def _word_at(typing: Any, value: Any, shift: Any) -> Any:
    def generate(context: Any, builder: Any, form: Any, arguments: Any) -> Any:
        value, shift = arguments
        if not isinstance(form.args[0], Lanes):
            return builder.trunc(builder.lshr(value, shift), ir.IntType(32))
        shifted = builder.lshr(value, _spread(builder, shift))
        words = builder.bitcast(shifted, ir.VectorType(ir.IntType(32), 2 * LANES))
        return _shuffled(builder, words, [2 * lane for lane in _ORDER])

    if isinstance(value, Lanes):
        return Lanes(types.int32)(value, types.int64), generate
    return types.int32(types.int64, types.int64), generate


def _converter(name: str) -> Callable[..., Any]:
    """Return the intrinsic's typing of `as_float32` and `as_float64`."""

    def convert(typing: Any, value: Any) -> Any:
        dtype = getattr(types, name)

        def generate(context: Any, builder: Any, form: Any, arguments: Any) -> Any:
            value, given = arguments[0], form.args[0]
            if not isinstance(given, Lanes) or given.dtype == dtype:
                return value
            vector = context.get_value_type(form.return_type)
            if dtype == types.float32:
                return _ordered(builder, builder.fptrunc(value, vector), dtype)
            return builder.fpext(_ordered(builder, value, given.dtype), vector)

        if isinstance(value, Lanes):
            return Lanes(dtype)(value), generate
        return dtype(dtype), generate

    return convert


def _plain_load(array, index):  # type: ignore[no-untyped-def]
    """Return Lanes of the elements from *index* on of a C-contiguous array of any shape."""
    return array.reshape(-1)[index : index + LANES].copy()


def _plain_load_word(array, index):  # type: ignore[no-untyped-def]
    """Return Lanes of float32 from an array of another dtype, counted in float32."""
    return array.reshape(-1).view(np.float32)[index : index + LANES].copy()


def _plain_spread(array, index):  # type: ignore[no-untyped-def]
    """Return Lanes of one element, LANES times."""
    return np.full(LANES, array.reshape(-1)[index])


def _plain_spread_word(array, index):  # type: ignore[no-untyped-def]
    """Return Lanes of one float32, LANES times, from an array of another dtype."""
    return np.full(LANES, array.reshape(-1).view(np.float32)[index])


def _plain_store(array, index, value):  # type: ignore[no-untyped-def]
    """Store Lanes to the elements from *index* on of a C-contiguous array of any shape."""
    array.reshape(-1)[index : index + LANES] = value


def _plain_bits_of(value):  # type: ignore[no-untyped-def]
    """Return the patterns of float32 or float64 as int32 or int64."""
    return value.view(np.int32 if value.dtype == np.float32 else np.int64)


def _plain_float32_of(value):  # type: ignore[no-untyped-def]
    """Return the float32 with the patterns in the low 32 bits."""
    return value.astype(np.int32).view(np.float32)


def _plain_word_at(value, shift):  # type: ignore[no-untyped-def]
    """Return the 32 bits of int64 from bit *shift* on as int32."""
    return (value >> shift).astype(np.int32)


def _plain_as_float32(value):  # type: ignore[no-untyped-def]
    """Return the nearest float32."""
    return value.astype(np.float32) if isinstance(value, np.ndarray) else np.float32(value)


def _plain_as_float64(value):  # type: ignore[no-untyped-def]
    """Return the same value as float64."""
    return value.astype(np.float64) if isinstance(value, np.ndarray) else np.float64(value)


def _form(plain: Callable[..., Any], compiled: Callable[..., Any]) -> Any:
    settings: Any = numba.config
    return plain if settings.DISABLE_JIT else intrinsic(compiled)


load = _form(_plain_load, _loader(word=False, spread_out=False))
load_word = _form(_plain_load_word, _loader(word=True, spread_out=False))
spread = _form(_plain_spread, _loader(word=False, spread_out=True))
spread_word = _form(_plain_spread_word, _loader(word=True, spread_out=True))
store = _form(_plain_store, _store)
bits_of = _form(_plain_bits_of, _bits_of)
float32_of = _form(_plain_float32_of, _float32_of)
word_at = _form(_plain_word_at, _word_at)
as_float32 = _form(_plain_as_float32, _converter("float32"))
as_float64 = _form(_plain_as_float64, _converter("float64"))
