"""Dominance: which of many points no other one betters."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["undominated"]


def undominated(costs: ArrayLike) -> NDArray[np.bool_]:
    """Return for each point whether no other costs as little in every respect and less in one.

    Points that cost the same do not better each other.

    Parameters
    ----------
    costs : array-like of float, (points, respects)
        Finite; of what is worth having, the negative.

    Returns
    -------
    array of bool, (points,)

    >>> undominated([[1, -0.8], [2, -0.9], [2, -0.8]])
    array([ True,  True, False])
    """
    different, which = np.unique(np.asarray(costs, np.float64), axis=0, return_inverse=True)
    front = np.empty_like(different)
    best = np.zeros(len(different), np.bool_)
    found = 0
    # Whoever is bettered is bettered by one that is before it in this order.
    for place, point in enumerate(different):
        if not (front[:found] <= point).all(axis=1).any():
            front[found] = point
            best[place] = True
            found += 1
    return best[which]
