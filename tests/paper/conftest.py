"""What the comparisons with published figures share."""

import numpy as np
import pytest

from accelsim.multipliers import MULTIPLIERS


@pytest.fixture
def assert_mean():
    """Assert that a sample's mean is a published figure, printed to a last digit.

    Allowed is half of that digit and four standard errors of the sample, which one run in 16,000
    exceeds by chance; the seed is fixed, so that it is none.
    """

    def check(sample, published, digit):
        __tracebackhide__ = True
        deviation = abs(np.mean(sample) - published)
        assert deviation <= digit / 2 + 4 * np.std(sample) / np.sqrt(np.size(sample))

    return check


@pytest.fixture
def relative_errors():
    """Return the signed relative errors of 10^6 products of operands uniform in (low, high)."""

    def errors(name, low, high, rounded=None):
        a, w = np.random.default_rng(1).uniform(low, high, (2, 1_000_000)).astype(np.float32)
        exact = a.astype(np.float64) * w
        product = MULTIPLIERS[name].product(a, w)
        return (product if rounded is None else rounded(product)) / exact - 1

    return errors
