"""tf32 against float16, which has the same fraction bits, and at the ends of float32's range."""

import numpy as np
import torch

from accelsim.multipliers import MULTIPLIERS

UNIT = MULTIPLIERS["tf32"]


def test_is_the_exact_product_of_float16_operands_where_those_are_normal(rng):
    a, w = (rng.choice([-1, 1], (2, 500_000)) * 2.0 ** rng.uniform(-14, 15.9, (2, 500_000))).astype(
        np.float32
    )
    left, right = (torch.from_numpy(side).half().float().numpy() for side in (a, w))
    np.testing.assert_array_equal(UNIT.product(a, w), left * right)


def test_halves_go_to_even_not_away_from_zero():
    step = 2.0**-10
    assert UNIT.product(1 + step / 2, 1.0) == 1
    assert UNIT.product(1 + 1.5 * step, 1.0) == np.float32(1 + 2 * step)
    assert UNIT.product(-1 - step / 2, 1.0) == -1


def test_products_keep_all_their_bits():
    """(2 - 2^-10)^2 = 4 - 2^-8 + 2^-20: 22 bits."""
    assert UNIT.product(2 - 2.0**-10, 2 - 2.0**-10) == np.float32(4 - 2.0**-8 + 2.0**-20)


def test_has_float32s_exponents():
    assert UNIT.product(np.finfo(np.float32).max, 1.0) == np.inf
    assert UNIT.product(2.0**-136, 1.0) == np.float32(2.0**-136)
    assert UNIT.product(2.0**-137, 1.0) == 0
    # A subnormal product is rounded by float32: 1.5 * 2^-149 goes to the even one.
    assert UNIT.product(2.0**-100, 1.5 * 2.0**-49) == np.float32(2.0**-148)
