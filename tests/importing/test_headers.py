from decimal import Decimal

import numpy as np
import pytest

from accelsim.errors import DataError
from accelsim.formats import IntegerFormat
from accelsim.importing.headers import contradictions, read_header, stated_measure
from accelsim.multipliers.measures import measure_table

NEW = """/***
* MAE = 7 of another circuit
***/
// MAE% = 0.081 %
// MAE = 53
// WCRE% = 300.00 %
// EP% = 74.61 %
// MSE = 72829.102e2
// PDK45_PWR = 0.301 mW
// PDK45_AREA = 558.9 um2
// PDK45_DELAY = 1.36 ns
int x; // y
WCE = 12;
"""
OLD = """// Library = some
// Area   (45) = 500.000000
// Delay  (45) = 0.870000
// Power  (45) = 0.213600
// Delay  (180) = 9.9
// MAE = 332.452360
// MRE = 7.050000 %
// WCE = 2193
// EP = 98.500000 %
"""


def test_reads_both_styles():
    new = read_header(NEW)
    assert new.stated == {
        "MAE%": "0.081", "MAE": "53", "WCRE%": "300.00", "EP%": "74.61", "MSE": "72829.102e2"
    }  # fmt: skip
    assert (new.power_mw, new.area_um2, new.delay_ns) == (0.301, 558.9, 1.36)
    old = read_header(OLD)
    assert old.stated == {
        "MAE": "332.452360", "MRE%": "7.050000", "WCE": "2193", "EP%": "98.500000"
    }  # fmt: skip
    assert (old.power_mw, old.area_um2, old.delay_ns) == (0.2136, 500, 0.87)
    assert read_header("int mul(int a, int b);").stated == {}


def test_rejects_a_figure_stated_twice():
    with pytest.raises(DataError, match=r"states EP% as 1.0 and as 2.0"):
        read_header("// EP% = 1.0 %\n// EP% = 2.0 %\n")


@pytest.mark.parametrize(
    ("text", "number", "half_unit"),
    [
        ("53", "53", "0.5"),
        ("12.30", "12.30", "0.005"),
        ("72829.102e2", "7282910.2", "0.05"),
        ("98.500000", "98.5", "0.05"),
        ("200.000000", "200", "0.5"),
        ("0.000000", "0.000000", "0.0000005"),
        ("332.452360", "332.45236", "0.000005"),
    ],
)
def test_the_digits_printed_count(text, number, half_unit):
    assert stated_measure("MAE", text) == (Decimal(number), Decimal(half_unit))


def test_finds_what_is_contradicted():
    table = np.outer(range(4), range(4)).astype(np.int32)
    table[3, 3] = 7  # EP 6.25 %, MAE 0.125, MRE 22.2 / 9 = 2.469 %
    errors = measure_table(table, IntegerFormat(2, signed=False))
    right = {"EP%": "6.25", "MAE": "0.1", "WCE": "2", "MRE%": "2.47", "WCRE%": "22.2222"}
    assert contradictions(right, errors) == []
    # Rounded half up, half to even: both are right.
    assert contradictions({"EP%": "6.3", "MAE": "0.13"}, errors) == []
    assert contradictions({"EP%": "6.2", "MAE": "0.12"}, errors) == []
    assert contradictions({"EP%": "6.24"}, errors) == ["EP% is stated as 6.24 but measures 6.25"]
    assert len(contradictions({"WCE": "3", "MRE%": "2.46", "MSE": "0.25"}, errors)) == 2
