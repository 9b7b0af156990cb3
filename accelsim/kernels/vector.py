"""ReLU as the vector unit computes it, with torch's bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["relu"]

Values = NDArray[np.float32]


def relu(values: Values) -> Values:
    """Return *values* with the negative ones as +0; as in torch a NaN and -0 stay what they are."""
    return np.where(values < 0, np.float32(0), values)
