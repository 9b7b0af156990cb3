"""Mahdiani et al., "Bio-inspired imprecise computational blocks ...", IEEE TCAS-I 2010.

Leaving cells out can only lower a product. Which breaks are counted how is settled by the example
in the README of ArithsGen, whose generator builds the same circuit: h = 4, v = 4, 43 x 84 = 3440.
"""

import numpy as np
import pytest

from accelsim.multipliers import MULTIPLIERS


@pytest.mark.parametrize("breaks", ["h0v4", "h0v6", "h0v8", "h2v0", "h2v4", "h4v4", "h8v0"])
def test_never_above_the_exact_product(breaks):
    values = np.arange(256)
    assert (MULTIPLIERS[f"bam_{breaks}_u8"].table <= values[:, None] * values).all()


def test_the_generators_example():
    assert MULTIPLIERS["bam_h4v4_u8"].product(43, 84) == 3440
