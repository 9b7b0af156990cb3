"""Vectors of LANES numbers in jitted code, for loops that Numba and LLVM do not vectorize well.

A function of a few operators (``+``, ``-``, ``*``, ``&``, ``|``, ``>>``) and of the conversions
below compiles for numbers and, the same function, for `Lanes` of them. LLVM lowers vectors of any
length to what the processor has. Without compilation (``NUMBA_DISABLE_JIT=1``) they are NumPy
arrays.

Lanes of 32 bits are kept in the order that costs `word_at` least: the first half of the lanes of 64
bits gives the words in the even places, the second half those in the odd ones. Loads and stores,
which are rare, put them in order. Between `store_words` and `load_words` they stay as they are.

How many lanes there are changes how fast the loops are, and no bit of what they compute.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np
from llvmlite import binding, ir
from numba.core import types
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, models, register_model

__all__ = [
    "LANES",
    "as_float32",
    "as_float64",
    "as_int32",
    "bits_of",
    "float32_of",
    "load",
    "load_words",
    "spread",
    "spread_word",
    "store",
    "store_words",
    "word_at",
]


def _vector_bits() -> int:
    """Return the widest vectors of the processor for which Numba compiles."""
    settings: Any = numba.config
    features = settings.CPU_FEATURES
    if features is None:
        generic = settings.CPU_NAME not in (None, "host")
        features = "" if generic else binding.get_host_cpu_features().flatten()
    return 512 if "+avx512f" in features.split(",") else 256


LANES = _vector_bits() // 32
_HALF = LANES // 2
_ORDER = tuple(lane // 2 + lane % 2 * _HALF for lane in range(LANES))
"""Place of a 32-bit lane -> element."""
_PLACE = tuple(lane % _HALF * 2 + lane // _HALF for lane in range(LANES))
"""Element -> place of its 32-bit lane."""


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


def _spread(builder: Any, number: Any, count: int = LANES) -> Any:
    undefined = ir.Constant(ir.VectorType(number.type, count), ir.Undefined)
    first = builder.insert_element(undefined, number, ir.IntType(32)(0))
    return _shuffled(builder, first, (0,) * count)


def _shuffled(builder: Any, vector: Any, order: Sequence[int]) -> Any:
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(order)), list(order))
    return builder.shuffle_vector(vector, ir.Constant(vector.type, ir.Undefined), mask)


def _placed(builder: Any, vector: Any, dtype: Any) -> Any:
    """Return a vector of elements as Lanes keep it."""
    return _shuffled(builder, vector, _ORDER) if dtype.bitwidth == 32 else vector


def _in_order(builder: Any, vector: Any, dtype: Any) -> Any:
    """Return Lanes as a vector of elements, the inverse of `_placed`."""
    return _shuffled(builder, vector, _PLACE) if dtype.bitwidth == 32 else vector


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
_register_operator(operator.sub, "fsub", "sub")
_register_operator(operator.mul, "fmul", "mul")
_register_operator(operator.rshift, "", "ashr")
_register_operator(operator.and_, "", "and_")
_register_operator(operator.or_, "", "or_")


def _place(context: Any, builder: Any, array_type: Any, array: Any, index: Any, kind: Any) -> Any:
    """Return the pointer to element *index* of a C-contiguous array as one of *kind* elements."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(builder.bitcast(data, kind.as_pointer()), [index])


def _load(typing: Any, array: Any, index: Any) -> Any:
    dtype = array.dtype

    def generate(context: Any, builder: Any, form: Any, arguments: Any) -> Any:
        value = _load_vector(context, builder, form.args[0], arguments, dtype)
        return _placed(builder, value, dtype)

    return Lanes(dtype)(array, types.intp), generate


def _load_words(typing: Any, array: Any, index: Any) -> Any:
    def generate(context: Any, builder: Any, form: Any, arguments: Any) -> Any:
        return _load_vector(context, builder, form.args[0], arguments, types.float32)

    return Lanes(types.float32)(array, types.intp), generate


def _load_vector(context: Any, builder: Any, array_type: Any, arguments: Any, dtype: Any) -> Any:
    element, (array, index) = context.get_value_type(dtype), arguments
    place = _place(context, builder, array_type, array, index, element)
    value = builder.load(builder.bitcast(place, ir.VectorType(element, LANES).as_pointer()))
    value.align = dtype.bitwidth // 8
    return value


def _spreader(word: bool) -> Callable[..., Any]:
    """Return the intrinsic's typing of `spread` and `spread_word`."""

    def spread_lanes(typing: Any, array: Any, index: Any) -> Any:
        dtype = types.float32 if word else array.dtype

        def generate(context: Any, builder: Any, form: Any, arguments: Any) -> Any:
            element, (array, index) = context.get_value_type(dtype), arguments
            place = _place(context, builder, form.args[0], array, index, element)
            return _spread(builder, builder.load(place))

        return Lanes(dtype)(array, types.intp), generate

    return spread_lanes


def _storer(words: bool) -> Callable[..., Any]:
    """Return the intrinsic's typing of `store` and `store_words`."""

    def store_lanes(typing: Any, array: Any, index: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, form: Any, arguments: Any) -> Any:
            array, index, vector = arguments
            place = _place(context, builder, form.args[0], array, index, vector.type.element)
            place = builder.bitcast(place, vector.type.as_pointer())
            dtype = form.args[2].dtype
            ordered = vector if words else _in_order(builder, vector, dtype)
            builder.store(ordered, place).align = dtype.bitwidth // 8
            return context.get_dummy_value()

        return types.void(array, types.intp, value), generate

    return store_lanes


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
        # The words of one half into the low places, those of the other into the high ones.
        halves = [_shuffled(builder, value, range(first, first + _HALF)) for first in (0, _HALF)]
        counts = [
            _spread(builder, count, _HALF)
            for count in (shift, builder.sub(ir.Constant(shift.type, 32), shift))
        ]
        shifted = builder.lshr(halves[0], counts[0]), builder.shl(halves[1], counts[1])
        words = [builder.bitcast(half, ir.VectorType(ir.IntType(32), LANES)) for half in shifted]
        places = [lane + lane % 2 * LANES for lane in range(LANES)]
        mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), places)
        return builder.shuffle_vector(*words, mask)

    if isinstance(value, Lanes):
        return Lanes(types.int32)(value, types.int64), generate
    return types.int32(types.int64, types.int64), generate


def _as_int32(typing: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, form: Any, arguments: Any) -> Any:
        given = form.args[0]
        if isinstance(given, Lanes) or given == types.int32:
            return arguments[0]
        return context.cast(builder, arguments[0], given, types.int32)

    if isinstance(value, Lanes):
        return (value(value), generate) if value.dtype == types.int32 else None
    return types.int32(value), generate


def _as_float32(typing: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, form: Any, arguments: Any) -> Any:
        value, given = arguments[0], form.args[0]
        if not isinstance(given, Lanes) or given.dtype == types.float32:
            return value
        vector = context.get_value_type(form.return_type)
        return _placed(builder, builder.fptrunc(value, vector), types.float32)

    return _converted(value, types.float32), generate


def _as_float64(typing: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, form: Any, arguments: Any) -> Any:
        value, given = arguments[0], form.args[0]
        if not isinstance(given, Lanes) or given.dtype == types.float64:
            return value
        vector = context.get_value_type(form.return_type)
        value = _in_order(builder, value, given.dtype)
        if isinstance(given.dtype, types.Float):
            return builder.fpext(value, vector)
        return builder.sitofp(value, vector)

    return _converted(value, types.float64), generate


def _converted(value: Any, dtype: Any) -> Any:
    """Return the signature of a conversion; Numba itself converts numbers."""
    return Lanes(dtype)(value) if isinstance(value, Lanes) else dtype(dtype)


def _plain_load(array, index):  # type: ignore[no-untyped-def]
    """Return Lanes of the elements from *index* on of a C-contiguous array of any shape."""
    return array.reshape(-1)[index : index + LANES].copy()


def _plain_load_words(array, index):  # type: ignore[no-untyped-def]
    """Return Lanes of float32 as `store_words` left them; the index counts in float32."""
    return array.reshape(-1).view(np.float32)[index : index + LANES].copy()


def _plain_spread(array, index):  # type: ignore[no-untyped-def]
    """Return Lanes of one element, LANES times."""
    return np.full(LANES, array.reshape(-1)[index])


def _plain_spread_word(array, index):  # type: ignore[no-untyped-def]
    """Return Lanes of one float32, LANES times, from an array of another dtype."""
    return np.full(LANES, array.reshape(-1).view(np.float32)[index])


def _plain_store(array, index, value):  # type: ignore[no-untyped-def]
    """Store Lanes to a C-contiguous array of any shape; the index counts in their own dtype."""
    array.reshape(-1).view(value.dtype)[index : index + LANES] = value


def _plain_store_words(array, index, value):  # type: ignore[no-untyped-def]
    """Store Lanes of float32, in the order they are in, into an array of any dtype."""
    array.reshape(-1).view(np.float32)[index : index + LANES] = value


def _plain_bits_of(value):  # type: ignore[no-untyped-def]
    """Return the patterns of float32 or float64 as int32 or int64."""
    return value.view(np.int32 if value.dtype == np.float32 else np.int64)


def _plain_float32_of(value):  # type: ignore[no-untyped-def]
    """Return the float32 with the patterns in the low 32 bits."""
    return value.astype(np.int32).view(np.float32)


def _plain_word_at(value, shift):  # type: ignore[no-untyped-def]
    """Return the 32 bits of int64 from bit *shift* on as int32."""
    return (value >> shift).astype(np.int32)


def _plain_as_int32(value):  # type: ignore[no-untyped-def]
    """Return the low 32 bits of a number; Lanes have 32 bits already."""
    return value.astype(np.int32) if isinstance(value, np.ndarray) else np.int32(value)


def _plain_as_float32(value):  # type: ignore[no-untyped-def]
    """Return the nearest float32."""
    return value.astype(np.float32) if isinstance(value, np.ndarray) else np.float32(value)


def _plain_as_float64(value):  # type: ignore[no-untyped-def]
    """Return the same value as float64."""
    return value.astype(np.float64) if isinstance(value, np.ndarray) else np.float64(value)


def _form(plain: Callable[..., Any], compiled: Callable[..., Any]) -> Any:
    settings: Any = numba.config
    return plain if settings.DISABLE_JIT else intrinsic(compiled)


load = _form(_plain_load, _load)
load_words = _form(_plain_load_words, _load_words)
spread = _form(_plain_spread, _spreader(word=False))
spread_word = _form(_plain_spread_word, _spreader(word=True))
store = _form(_plain_store, _storer(words=False))
store_words = _form(_plain_store_words, _storer(words=True))
bits_of = _form(_plain_bits_of, _bits_of)
float32_of = _form(_plain_float32_of, _float32_of)
word_at = _form(_plain_word_at, _word_at)
as_int32 = _form(_plain_as_int32, _as_int32)
as_float32 = _form(_plain_as_float32, _as_float32)
as_float64 = _form(_plain_as_float64, _as_float64)
