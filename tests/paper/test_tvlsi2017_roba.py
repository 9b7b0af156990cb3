"""Zendegani et al., "RoBA multiplier ...", IEEE TVLSI 2017: the greatest error is 11.1 %."""

import numpy as np
import pytest

from accelsim.multipliers import MULTIPLIERS


@pytest.mark.parametrize("bits", [8, 10])
def test_greatest_error(bits):
    """1/9: both operands 3 * 2^(p - 1), rounded up by a third or, 3 itself, down."""
    values = np.arange(1, 1 << bits)
    error = MULTIPLIERS[f"roba_u{bits}"].table[1:, 1:] / (values[:, None] * values) - 1
    assert np.abs(error).max() == pytest.approx(1 / 9, abs=1e-15)
    assert f"{100 * np.abs(error).max():.1f}" == "11.1"
