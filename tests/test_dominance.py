"""Which points no other one betters, against the definition."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from accelsim.dominance import undominated

POINTS = st.tuples(st.integers(0, 12), st.integers(1, 4)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.integers(-2, 2).map(float))
)


@given(POINTS)
def test_no_other_is_as_good_in_all_and_better_in_one(costs):
    for point, best in zip(costs, undominated(costs), strict=True):
        betters = (costs <= point).all(axis=1) & (costs < point).any(axis=1)
        assert best == (not betters.any())


def test_a_curve_is_all_front_and_what_lies_behind_it_is_not():
    along = np.linspace(0, 1, 500)
    curve = np.column_stack([along, 1 - along])
    best = undominated(np.concatenate([curve + 1, curve]))
    assert best.tolist() == [False] * 500 + [True] * 500
