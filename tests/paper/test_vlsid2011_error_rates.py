"""Error rates and mean errors of Kulkarni, Gupta, Ercegovac, VLSI Design 2011, by width.

Multipliers composed of 2 x 2 cells with 3 x 3 = 7, added exactly. The published mean errors are
reproduced only where products of zero count with error 0, so they name that convention; over the
pairs with M != 0 alone the 2-bit cell would have 2.47 %, not 1.39 %.
"""

import numpy as np
import pytest

from accelsim.formats import IntegerFormat
from accelsim.metrics import measure
from accelsim.multipliers import IntegerMultiplier
from accelsim.operands import all_pairs


def composed(bits):
    """The table of 2 x 2 cells, 4 x 4 of four of these, and so on."""
    if bits == 2:
        table = np.outer(range(4), range(4))
        table[3, 3] = 7
        return table
    half, inner = bits // 2, composed(bits // 2)
    values = np.arange(1 << bits)
    high, low = values >> half, values & ((1 << half) - 1)
    return (
        (inner[np.ix_(high, high)] << bits)
        + ((inner[np.ix_(high, low)] + inner[np.ix_(low, high)]) << half)
        + inner[np.ix_(low, low)]
    )


@pytest.mark.parametrize(
    ("bits", "error_rate", "mean_error"),
    [(2, 0.0625, 0.0139), (4, 0.19, 0.0260), (8, 0.46, 0.0325)],
)
def test_rates(bits, error_rate, mean_error):
    unit = IntegerMultiplier(
        name=f"composed_{bits}",
        title="t",
        description="d",
        delay_ps=None,
        delay_source="x",
        sources=("s",),
        operands=IntegerFormat(bits, signed=False),
        values=composed(bits).astype(np.int32),
    )
    found = measure(unit, all_pairs(unit.operands))
    # As printed: two digits of percent, cut off (0.1914, 0.4673) or rounded.
    assert error_rate <= found["error_rate"].value < error_rate + 0.01
    assert found["mred_all_pairs"].value == pytest.approx(mean_error, abs=1e-4)
    assert found["mred"].value > found["mred_all_pairs"].value
    assert found["wcre"].value == pytest.approx(2 / 9)
