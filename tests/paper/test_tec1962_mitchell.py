"""Mitchell, "Computer multiplication and division using binary logarithms", IRE TEC 1962."""

import numpy as np
import pytest

from accelsim.multipliers import MULTIPLIERS


@pytest.mark.parametrize("bits", [8, 10])
def test_error_lies_between_minus_11_1_percent_and_zero(bits):
    """Published: -11.1 %, which is -1/9, reached at 3 x 3 and all fractions of one half."""
    values = np.arange(1, 1 << bits)
    error = MULTIPLIERS[f"mitchell_u{bits}"].table[1:, 1:] / (values[:, None] * values) - 1
    assert error.max() == 0
    assert error.min() == pytest.approx(-1 / 9, abs=1e-15)
    assert f"{100 * error.min():.1f}" == "-11.1"
