"""A table under a wrong declaration is told, with the one that fits; a rough unit is not."""

import numpy as np
import pytest

from accelsim.formats import IntegerFormat
from accelsim.importing import import_multiplier
from accelsim.importing.doubts import correlation
from accelsim.multipliers import MULTIPLIERS

PATTERN = {"signed": True, "index_order": "pattern"}
ASCENDING = {"signed": True, "index_order": "ascending"}
UNSIGNED = {"signed": False}


def doubts(source, bits=8, **declared):
    unit = import_multiplier(
        source, name="mine", bits=bits, operand_order="activation,weight", **declared
    )
    return [text for text in unit.warnings if "hardly products" in text]


def in_index_order(unit, declared):
    """The unit's table as a file would hold it."""
    half = 1 << (unit.operands.bits - 1)
    shift = half if declared.get("index_order") == "ascending" else 0
    return np.roll(unit.table, (shift, shift), (0, 1))


@pytest.mark.parametrize("unit", ["exact_{}int4", "exact_{}int8", "drum3_{}8"])
@pytest.mark.parametrize("right", [PATTERN, ASCENDING, UNSIGNED])
@pytest.mark.parametrize("wrong", [PATTERN, ASCENDING, UNSIGNED])
def test_a_wrong_declaration_is_told_with_the_right_one(unit, right, wrong):
    sign = "" if right["signed"] else "u"
    name = unit.format(("u" if sign else "s") if "drum" in unit else sign)
    unit = MULTIPLIERS[name]
    found = doubts(in_index_order(unit, right), unit.operands.bits, **wrong)
    if wrong == right:
        assert found == []
        return
    (text,) = found
    assert text.startswith("these are hardly products (MRE ")
    order = right.get("index_order")
    option = f"--index {order})" if order else "--unsigned)"
    assert option in text
    assert ("signed operands and" in text) == (right["signed"] and not wrong["signed"])
    assert text.endswith("the MRE is 0 %") or "drum" in name


def test_a_function_has_no_index_order():
    """Patterns of a signed product, called with unsigned operands."""
    products = MULTIPLIERS["exact_int8"].table
    (text,) = doubts(lambda a, w: products[a & 255, w & 255] & 0xFFFF, signed=False)
    assert text.endswith("With signed operands (--signed) the MRE is 0 %")
    assert doubts(lambda a, w: products[a & 255, w & 255], signed=True) == []


def test_where_no_reading_fits_none_is_named():
    noise = np.random.default_rng(0).integers(0, 65026, (256, 256))
    (text,) = doubts(noise, signed=False)
    assert text.endswith("is signedness, width or index order other than declared?")
    (text,) = doubts(np.zeros((16, 16), int), 4, signed=False)
    assert "(MRE 100 %, correlation with the exact ones 0.00)" in text


def test_a_figure_that_agrees_leaves_no_doubt():
    zeros = np.zeros((16, 16), int)
    assert doubts(zeros, 4, signed=False, expected={"WCE": 225}) == []


@pytest.mark.parametrize(
    "name",
    ["ama5_u8", "ama4_u8", "drum2_s8", "truncated7_u8", "truncated6_s8", "bam_h0v12_u8",
     "perforated_j0k6_u8", "kulkarni_u8", "mbm_s3"],
)  # fmt: skip
def test_rough_units_are_not_doubted(name):
    unit = MULTIPLIERS[name]
    declared = PATTERN if unit.operands.signed else UNSIGNED
    assert doubts(unit.table, unit.operands.bits, **declared) == []


@pytest.mark.parametrize("signed", [False, True])
def test_correlation_is_numpys(signed):
    operands = IntegerFormat(5, signed)
    table = np.random.default_rng(1).integers(-9, 9, (32, 32)).astype(np.int32)
    exact = np.multiply.outer(operands.values(), operands.values())
    table += exact.astype(np.int32) // 16
    expected = np.corrcoef(table.ravel(), exact.ravel())[0, 1]
    assert correlation(table, operands) == pytest.approx(expected, rel=1e-12)
    table[:] = 2**31 - 1
    assert correlation(table, operands) == 0
    table[3, 4] -= 1
    assert abs(correlation(table, operands)) <= 1
