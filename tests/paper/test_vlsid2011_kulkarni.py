"""Kulkarni et al., "Trading accuracy for power with an underdesigned multiplier ...", VLSID 2011.

Published: share of wrong products, mean and greatest relative error, %. In their mean a product of
0 counts, as one without error.
"""

import numpy as np
import pytest

from accelsim.multipliers import MULTIPLIERS


@pytest.mark.parametrize(
    ("bits", "wrong", "mean"), [(2, "6.25", "1.39"), (4, "19", "2.60"), (8, "46", "3.25")]
)
def test_all_pairs(bits, wrong, mean):
    """Within one of the last printed digit, since some are cut off, not rounded.

    Measured: 6.25, 19.14, 46.73 % wrong; means 1.389, 2.608, 3.255 %.
    """
    values = np.arange(1 << bits)
    exact = values[:, None] * values
    table = MULTIPLIERS[f"kulkarni_u{bits}"].table
    assert str(100 * (table != exact).mean()).startswith(wrong)
    error = 100 * (exact - table) / np.maximum(exact, 1)
    assert error.min() == 0
    assert error.mean() == pytest.approx(float(mean), abs=0.01)
    assert f"{error.max():.2f}" == "22.22"


def test_16_bits():
    """Two million uniform pairs, seeded: 81 % wrong, 3.32 % mean error.

    Four standard errors: 4 x sqrt(0.81 x 0.19 / 2*10^6) = 0.11 % of the share and 4 x 6.2 % /
    sqrt(2*10^6) = 0.018 % of the mean, and the printed digits.
    """
    a, w = np.random.default_rng(2011).integers(0, 65536, (2, 2_000_000))
    exact = a * w
    error = 100 * (exact - MULTIPLIERS["kulkarni_u16"].product(a, w)) / np.maximum(exact, 1)
    assert error.std() < 6.2
    assert 100 * (error > 0).mean() == pytest.approx(81, abs=0.5 + 0.11)
    assert error.mean() == pytest.approx(3.32, abs=0.005 + 0.018)
    assert error.max() <= 100 * 2 / 9 + 1e-9
