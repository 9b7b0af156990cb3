import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from accelsim.formats import IntegerFormat
from accelsim.multipliers import measures
from accelsim.multipliers.measures import measure_table


def underdesigned(a, w, bits):
    """2x2 blocks whose 3 x 3 is 7, put together exactly."""
    if bits == 2:
        return a * w - 2 * ((a == 3) & (w == 3))
    half = bits // 2
    halves = [((x & ((1 << half) - 1)), x >> half) for x in (a, w)]
    return sum(
        underdesigned(x, y, half) << (half * (i + j))
        for i, x in enumerate(halves[0])
        for j, y in enumerate(halves[1])
    )


@pytest.mark.parametrize(
    ("bits", "rate", "mean"), [(2, "6.25", "1.39"), (4, "19", "2.60"), (8, "46", "3.25")]
)
def test_kulkarni2011_error_of_the_underdesigned_multiplier(bits, rate, mean):
    """Kulkarni, Gupta, Ercegovac, VLSI Design 2011: error rates, mean and greatest relative error.

    The paper counts products with a zero operand in the mean, EvoApproxLib does not; and it cuts
    some figures (46.73 % to 46 %), so they may differ by less than one unit of their last digit.
    """
    values = np.arange(1 << bits)
    table = underdesigned(values[:, None], values, bits).astype(np.int32)
    errors = measure_table(table, IntegerFormat(bits, signed=False))
    with_zeros = errors.mre_percent * (1 - 0.5**bits) ** 2
    for measured, printed in ((errors.ep_percent, rate), (with_zeros, mean)):
        decimals = len(printed.partition(".")[2])
        assert abs(measured - float(printed)) < 10.0**-decimals
    assert f"{errors.wcre_percent:.2f}" == "22.22"
    assert (errors.asymmetric, errors.nonzero_for_zero) == (0, 0)


@pytest.mark.parametrize("chunk", [1, 40, 1 << 20])
@pytest.mark.parametrize("signed", [False, True])
@given(table=arrays.arrays(np.int32, (8, 8), elements=st.integers(-(2**31), 2**31 - 1)))
def test_measures_are_their_definitions(chunk, signed, table):
    operands = IntegerFormat(3, signed)
    pairs = [(int(a), int(w)) for a in operands.values() for w in operands.values()]
    products = {(a, w): int(table[a & 7, w & 7]) for a, w in pairs}
    errors = [products[a, w] - a * w for a, w in pairs]
    ratios = [abs(products[a, w] - a * w) / abs(a * w) for a, w in pairs if a * w]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measures, "_CHUNK", chunk)
        found = measure_table(table, operands)
    expected = {
        "ep_percent": 100 * sum(error != 0 for error in errors) / 64,
        "mae": sum(map(abs, errors)) / 64,
        "mae_percent": 100 * sum(map(abs, errors)) / 64 / 64,
        "wce": max(map(abs, errors)),
        "wce_percent": 100 * max(map(abs, errors)) / 64,
        "mre_percent": 100 * sum(ratios) / len(ratios),
        "wcre_percent": 100 * max(ratios),
        "mse": sum(error**2 for error in errors) / 64,
        "bias": sum(errors) / 64,
        "nonzero_for_zero": sum(products[a, w] != 0 for a, w in pairs if 0 in (a, w)),
        "asymmetric": sum(products[a, w] != products[w, a] for a, w in pairs),
    }
    assert found.as_dict() == pytest.approx(expected, rel=1e-12)
    swapped = measure_table(np.ascontiguousarray(table.T), operands)
    assert swapped.as_dict() == pytest.approx(expected, rel=1e-12)


def test_measures_go_by_their_published_names():
    table = np.outer(range(4), range(4)).astype(np.int32)
    table[0, 3] = 1
    named = measure_table(table, IntegerFormat(2, signed=False)).by_name()
    assert named == {
        "EP%": 6.25, "MAE": 0.0625, "MAE%": 0.390625, "WCE": 1, "WCE%": 6.25,
        "MRE%": 0, "WCRE%": 0, "MSE": 0.0625,
    }  # fmt: skip
