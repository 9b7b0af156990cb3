"""The figures in the headers of EvoApproxLib (Mrazek et al., DATE 2017), by their definitions.

MAE% = 100 MAE / 2^16 and WCE% = 100 WCE / 2^16 for 8 x 8 bits, EP% over all pairs, MRE% and WCRE%
over the pairs whose exact product is not 0. Recomputed here in the plainest way for a multiplier of
our own: an 8-bit array without the partial products of its five lowest columns.
"""

import numpy as np
import pytest

from accelsim.compilation import jit
from accelsim.formats import IntegerFormat
from accelsim.metrics import measure
from accelsim.multipliers import IntegerMultiplier
from accelsim.operands import all_pairs


@jit
def _cut(a, w):
    total = 0
    for i in range(8):
        for j in range(8):
            if i + j >= 5:
                total += ((a >> i) & 1) * ((w >> j) & 1) << (i + j)
    return total


@pytest.mark.parametrize("offset", [0, 3])
def test_headers(offset):
    """With *offset* 3 the lowest weights give too much, also for zero operands."""
    values = np.arange(256)
    table = np.array([[_cut(a, w) + offset * (w < 4) for w in range(256)] for a in range(256)])
    unit = IntegerMultiplier(
        name="cut",
        title="t",
        description="d",
        delay_ps=None,
        delay_source="x",
        sources=("s",),
        operands=IntegerFormat(8, signed=False),
        values=table.astype(np.int32),
    )
    found = measure(unit, all_pairs(unit.operands))
    exact = [int(a) * int(w) for a in values for w in values]
    errors = [abs(int(got) - want) for got, want in zip(table.ravel(), exact, strict=True)]
    ratios = [error / want for error, want in zip(errors, exact, strict=True) if want]
    header = {
        "MAE%": 100 * sum(errors) / len(errors) / 65536,
        "WCE%": 100 * max(errors) / 65536,
        "WCRE%": 100 * max(ratios),
        "EP%": 100 * sum(error > 0 for error in errors) / len(errors),
        "MRE%": 100 * sum(ratios) / len(ratios),
        "MSE": sum(error**2 for error in errors) / len(errors),
    }
    ours = {
        "MAE%": 100 * found["nmed_span"].value,
        "WCE%": 100 * found["wce"].value / 65536,
        "WCRE%": 100 * found["wcre"].value,
        "EP%": 100 * found["error_rate"].value,
        "MRE%": 100 * found["mred"].value,
        "MSE": found["mse"].value,
    }
    assert ours == pytest.approx(header)
    assert found["zero_operand_wrong"].value == (0 if offset == 0 else 256 + 3)
