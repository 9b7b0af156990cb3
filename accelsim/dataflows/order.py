"""Orders of additions other than the plain one, which is k ascending, one product after another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["AccumulationOrder"]


@dataclass(frozen=True, eq=False)
class AccumulationOrder:
    """In which order an output's k products are added.

    .. code-block:: none

        for each segment of the permuted products:       # what one PE adds up
            own = 0;  own += product, one after the other
            psum += own
    """

    permutation: np.ndarray
    """int64, (k,): indices of products, (channel, kernel row, kernel column) flattened."""
    sizes: np.ndarray
    """int64: so many products, one segment after the other, a PE sums up from zero."""

    def total(self, products: np.ndarray) -> np.ndarray:
        """Return the sums over the first axis of *products*, (k, ...), in their dtype and order."""
        psum = np.zeros(products.shape[1:], products.dtype)
        start = 0
        for size in self.sizes:
            own = np.zeros_like(psum)
            for index in self.permutation[start : start + size]:
                own = own + products[index]
            psum = psum + own
            start += size
        return psum
