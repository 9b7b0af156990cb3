"""Error surfaces: each cell is where it says it is."""

from __future__ import annotations

import numpy as np
import pytest

from accelsim.compilation import jit
from accelsim.formats import IntegerFormat
from accelsim.multipliers import FloatMultiplier, IntegerMultiplier
from accelsim.surfaces import error_surface

FACTS = {"title": "t", "description": "d", "delay_ps": None, "delay_source": "x", "sources": ("s",)}


@jit
def _too_large_by_the_activation(a, w):
    return a * w + a


@jit
def _weight_squared(a, w):
    return np.float32(a * w * w)


@pytest.mark.parametrize(("bits", "signed"), [(3, True), (8, False), (16, True)])
def test_rows_are_activations_in_ascending_order(bits, signed):
    unit = IntegerMultiplier(
        name="u",
        operands=IntegerFormat(bits, signed),
        scalar=_too_large_by_the_activation,
        **FACTS,
    )
    surface = error_surface(unit)
    cells = min(256, 1 << bits)
    width = (1 << bits) // cells
    assert (surface.low, surface.high) == (unit.operands.low, unit.operands.high + 1)
    assert surface.draws == (1 if bits <= 8 else 16)
    starts = unit.operands.low + width * np.arange(cells)
    assert (surface.error >= starts[:, None]).all()
    assert (surface.error <= starts[:, None] + width - 1).all()


def test_floats_are_significands_and_errors_relative():
    unit = FloatMultiplier(name="u", scalar=_weight_squared, **FACTS)
    surface = error_surface(unit)
    assert (surface.low, surface.high, surface.relative) == (1, 2, True)
    centers = 1 + (np.arange(256) + 0.5) / 256
    # a w^2 is too large by w - 1.
    np.testing.assert_allclose(surface.error, np.tile(centers - 1, (256, 1)), atol=0.5 / 256)
