"""Hashemi et al., "DRUM: A dynamic range unbiased multiplier ...", ICCAD 2015: 16 bits, k = 3 to 8.

Published: mean and greatest absolute relative error, %, over random uniform operands.
"""

import numpy as np
import pytest

from accelsim.multipliers import MULTIPLIERS

PUBLISHED = {
    3: (11.91, 56.2),
    4: (5.89, 26.5),
    5: (2.94, 12.9),
    6: (1.47, 6.31),
    7: (0.73, 3.11),
    8: (0.37, 1.53),
}


@pytest.mark.parametrize("k", PUBLISHED)
def test_errors_of_16_bits(k):
    """Two million uniform pairs, seeded.

    The mean is within four standard errors and half a printed digit. The greatest error that there
    is, ``(1 + 2^-(k - 1))^2 - 1``, takes two operands that are powers of two; the published ones
    are a sample's of two or three digits, within 0.0625 points of it, and no sample may be above.
    """
    mean, greatest = PUBLISHED[k]
    unit = MULTIPLIERS[f"drum{k}_u16"]
    a, w = np.random.default_rng(2015).integers(1, 65536, (2, 2_000_000))
    error = 100 * np.abs(unit.product(a, w) / (a * w) - 1)
    tolerance = 4 * error.std() / np.sqrt(error.size) + 0.005
    assert error.mean() == pytest.approx(mean, abs=tolerance)
    limit = 100 * ((1 + 2.0 ** (1 - k)) ** 2 - 1)
    assert 100 * (unit.product(1 << 15, 1 << 14) / 2.0**29 - 1) == limit
    assert error.max() <= limit
    assert abs(limit - greatest) <= 0.0625
    # A sampled pair this near to two powers of two is missing once in e^10 samples at most.
    assert error.max() > limit - 200 * np.sqrt(2 * 10 / error.size) * (1 + 2.0 ** (1 - k))
