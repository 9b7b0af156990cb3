"""Functions that IEEE 754 says to the last bit: sums, products, quotients, comparisons, signs.

Where two operands are read the second one is broadcast; a setting in its place is made float32.
"""

from __future__ import annotations

import numpy as np

from accelsim.kernels.vector import relu
from accelsim.vector_functions.base import VECTOR_FUNCTIONS, VectorFunction

for _function in (
    VectorFunction("copy", "the same words in another order", np.array),
    VectorFunction("relu", "max(x, 0)", relu, 1, {"compare": 1}),
    VectorFunction("add", "x + y", np.add, 2, {"add": 1}),
    VectorFunction("sub", "x - y", np.subtract, 2, {"add": 1}),
    VectorFunction("rsub", "y - x", lambda x, y: np.subtract(y, x), 2, {"add": 1}),
    VectorFunction("mul", "x * y", np.multiply, 2, {"multiply": 1}),
    VectorFunction("div", "x / y", np.divide, 2, {"divide": 1}),
    VectorFunction("rdiv", "y / x", lambda x, y: np.divide(y, x), 2, {"divide": 1}),
):
    VECTOR_FUNCTIONS.register(_function.name, _function)
