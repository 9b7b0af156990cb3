"""Functions that IEEE 754 says to the last bit: sums, products, quotients, comparisons, signs.

Where two operands are read the second one is broadcast; a setting in its place is made float32. A
sign costs nothing, its words pass the lanes like any others.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accelsim.kernels.vector import relu
from accelsim.vector_functions.base import VECTOR_FUNCTIONS, VectorFunction

__all__: list[str] = []


def _prelu(x: NDArray[np.float32], slope: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.where(x > 0, x, x * slope)


for _function in (
    VectorFunction("copy", "the same words in another order", np.array),
    VectorFunction("concat", "several tensors as one", np.array),
    VectorFunction("relu", "max(x, 0)", relu, 1, {"compare": 1}),
    VectorFunction("add", "x + y", np.add, 2, {"add": 1}),
    VectorFunction("sub", "x - y", np.subtract, 2, {"add": 1}),
    VectorFunction("rsub", "y - x", lambda x, y: np.subtract(y, x), 2, {"add": 1}),
    VectorFunction("mul", "x * y", np.multiply, 2, {"multiply": 1}),
    VectorFunction("div", "x / y", np.divide, 2, {"divide": 1}),
    VectorFunction("rdiv", "y / x", lambda x, y: np.divide(y, x), 2, {"divide": 1}),
    VectorFunction("prelu", "x above 0, else y x", _prelu, 2, {"compare": 1, "multiply": 1}),
    VectorFunction(
        "masked_fill",
        "a number where the mask y is not 0, else x",
        lambda x, mask, value: np.where(mask != 0, np.float32(value), x),
        3,
        {"compare": 1},
    ),
    VectorFunction("maximum", "max(x, y)", np.maximum, 2, {"compare": 1}),
    VectorFunction("minimum", "min(x, y)", np.minimum, 2, {"compare": 1}),
    VectorFunction("reciprocal", "1 / x", lambda x: 1 / x, 1, {"divide": 1}),
    VectorFunction("square", "x * x", np.square, 1, {"multiply": 1}),
    VectorFunction("neg", "-x, a sign", np.negative),
    VectorFunction("abs", "|x|, a sign", np.abs),
):
    VECTOR_FUNCTIONS.register(_function.name, _function)
