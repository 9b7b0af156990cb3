import itertools

import numpy as np
import pytest

from accelsim.errors import DataError
from accelsim.importing import import_multiplier

DECLARED = {
    "name": "unit", "bits": 8, "signed": True, "operand_order": "activation,weight"
}  # fmt: skip


def test_gets_values_and_may_be_any_callable(table):
    class Shift:
        def __call__(self, x, y):
            return np.where(y < 0, -(x & ~3), x & ~3) * np.abs(y)

    unit = import_multiplier(Shift(), **DECLARED)
    assert unit.product(-5, 7) == -8 * 7
    assert unit.source.file.endswith("Shift")
    assert import_multiplier(np.multiply, **DECLARED).errors.ep_percent == 0
    narrow = import_multiplier(lambda a, w: (a * w).astype(np.int16), **DECLARED)
    assert narrow.product(-128, -128) == 16384


def counter(start=0):
    calls = itertools.count(start)
    return lambda a, w: a * w + next(calls)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda a, w: a if a > 0 else w, "raised ValueError .*must be vectorized"),
        (lambda a: a, "raised TypeError for arrays"),
        (lambda a, w: 7, r"must return an array of \(65536,\) products .*, got int"),
        (lambda a, w: (a * w)[:9], r"must return an array of .*, got \(9,\); is it vectorized"),
        (lambda a, w: (a * w).tolist(), r"must return an array of .*, got list"),
        (lambda a, w: a / 2, "must return integers, got float64"),
        (lambda a, w: a > w, "must return integers, got bool"),
        (counter(), "when it was called in another order"),
        (lambda a, w: np.random.default_rng().integers(0, 9, a.shape), "in another order"),
        (lambda a, w: a * w[0], "in another order; it must be vectorized"),
        (lambda a, w: a * w + len(a), "in another order"),
        (lambda a, w: np.arange(len(a)), "in another order"),
        (lambda a, w: a * w + (np.diff(a, prepend=a[0]) != 0), "in another order"),
    ],
)
def test_rejects_what_is_no_vectorized_function_of_its_operands(function, message):
    with pytest.raises(DataError, match=message):
        import_multiplier(function, **DECLARED)


def test_a_function_cannot_change_the_operands():
    def destructive(a, w):
        a *= w
        return a

    assert import_multiplier(destructive, **DECLARED).errors.ep_percent == 0


def test_the_source_text_is_its_checksum():
    one = import_multiplier(lambda a, w: a * w, **DECLARED)
    assert len(one.source.sha256) == 64
    assert import_multiplier(np.multiply, **DECLARED).source.sha256 == ""
