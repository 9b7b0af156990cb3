"""The closed form of cell arrays of AMA5, AMA4 and exact cells: against the array, cell by cell."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from accelsim.multipliers.cell_array import cells_below
from accelsim.multipliers.cell_bands import fast_form_of
from accelsim.multipliers.heap import BANDS, heap

TOPS = np.arange(1 << 11, dtype=np.uint32) << 12
"""Fractions whose 11 upper bits are all there are."""


def by_fast_form(fast, a, w):
    """The products of pairs in range."""
    split_activation, split_weight, combine = fast.split_activation, fast.split_weight, fast.combine

    @numba.njit(error_model="numpy")
    def fill(a, w, out):
        for i in range(out.size):
            out[i] = combine(split_activation(a[i]), split_weight(w[i]))

    out = np.empty_like(a)
    fill(a, w, out)
    return out


@pytest.mark.parametrize("bands", [BANDS, [(41, "ama5"), (47, "ama4")], [(43, "ama5")]])
def test_equals_the_array_for_all_upper_bits(bands):
    """All pairs of the bits that are not just passed on, each with other lower ones and signs."""
    unit, rng = heap("bands", bands), np.random.default_rng(4)
    others = rng.integers(0, 1 << 12, (2, TOPS.size, TOPS.size), np.uint32)
    signs = rng.integers(0, 2, others.shape, np.uint32) << 31
    fractions = np.stack(np.broadcast_arrays(TOPS[:, None], TOPS)) | others
    a, w = (signs | 127 << 23 | fractions).view(np.float32).reshape(2, -1)
    expected = np.empty_like(a)
    unit.batch(a, w, expected)
    got = by_fast_form(unit.fast, a, w)
    np.testing.assert_array_equal(got.view(np.uint32), expected.view(np.uint32))


@pytest.mark.parametrize(
    "bands",
    [
        [(36, "ama5"), (43, "ama4")],  # AMA4 in seven places
        [(41, "ama5")],  # an exact cell in place 41
        [(42, "ama4")],
        [(36, "ama4"), (42, "ama5")],
        [(30, "ama3"), (36, "ama5"), (42, "ama4")],
    ],
)
def test_other_bands_have_no_fast_form(bands):
    assert fast_form_of(cells_below(24, bands)) is None


@pytest.mark.parametrize(("row", "column"), [(1, 0), (12, 23), (22, 23), (17, 19)])
def test_one_other_cell_and_there_is_no_fast_form(row, column):
    cells = [list(names) for names in cells_below(24, BANDS)]
    cells[row - 1][column] = "ama2"
    assert heap("other", cells).fast is None
