"""What must hold of every vector function: no test here names one."""

from pathlib import Path

import numpy as np
import pytest

from accelsim.energy.actions import ACTIONS
from accelsim.errors import ConfigError, DataError
from accelsim.vector_functions import OPERATIONS, VECTOR_FUNCTIONS, VectorFunction

NAMES = sorted(VECTOR_FUNCTIONS)
PAGE = Path(__file__).parents[2] / "docs" / "operators.md"


def arguments(name):
    """Return operands (2, 3, 7, 5) for function *name*, all of one shape."""
    rng = np.random.default_rng(0)
    shape = (VECTOR_FUNCTIONS[name].arguments, 2, 3, 7, 5)
    # Settings among them are operands here: 1.5 lies within the domain of each.
    values = rng.uniform(0.5, 2.5, shape).astype(np.float32)
    return [values[0], *(np.float32(1.5) * np.ones_like(one) for one in values[1:])]


def call(name, operands):
    """Return the function's results with every further argument as the number it is."""
    first, *others = operands
    return VECTOR_FUNCTIONS[name](first, *(float(one.flat[0]) for one in others))


@pytest.mark.parametrize("name", NAMES)
def test_results_depend_neither_on_the_tile_nor_on_where_its_words_lie(name):
    operands = arguments(name)
    whole = call(name, operands)
    assert whole.dtype == np.float32
    assert whole.shape == operands[0].shape
    reduces = VECTOR_FUNCTIONS[name].reduces
    for image in range(2):
        for channel in range(3):
            cut = [one[image : image + 1, channel : channel + 1] for one in operands]
            assert np.array_equal(call(name, cut), whole[image : image + 1, channel : channel + 1])
    if reduces < 2:
        parts = [call(name, [one[:, :, row : row + 1] for one in operands]) for row in range(7)]
        assert np.array_equal(np.concatenate(parts, axis=2), whole)
    moved = [np.moveaxis(np.ascontiguousarray(np.moveaxis(one, 1, 3)), 3, 1) for one in operands]
    assert np.array_equal(call(name, moved), whole)


@pytest.mark.parametrize("name", NAMES)
def test_operations_are_those_of_the_energy_tables(name):
    function = VECTOR_FUNCTIONS[name]
    assert function.name == name
    assert function.title
    counted = function.count(30, rows=6)
    assert set(counted) <= set(OPERATIONS) <= set(ACTIONS["vector_unit"])
    assert all(count >= 0 for count in counted.values())
    assert bool(function.row_operations) == bool(function.reduces)


@pytest.mark.parametrize("name", NAMES)
def test_the_page_says_what_is_counted(name):
    function = VECTOR_FUNCTIONS[name]
    (row,) = (line for line in PAGE.read_text().splitlines() if line.startswith(f"| `{name}` |"))
    said = row.split("|")[-2].strip()
    counted = _said(function.operations)
    if function.row_operations:
        counted += f"; of a row {_said(function.row_operations)}"
    assert said == counted


def _said(operations):
    found = (f"{operations[one]} {one}" for one in OPERATIONS if operations.get(one))
    return ", ".join(found) or "none"


def test_rejects_operations_that_nobody_counts():
    with pytest.raises(ConfigError, match="vector function 'one': operations must be among .* 'e"):
        VectorFunction("one", "x", np.array, 1, {"exp": 1})


def test_rejects_results_of_another_shape():
    with pytest.raises(DataError, match=r"its first operand's shape \(2, 3\), got \(2,\)"):
        VectorFunction("one", "x", lambda x: x.sum(axis=1))(np.ones((2, 3), np.float32))
