"""Tests of accelsim.recipe."""

import pytest

from accelsim.errors import ConfigError
from accelsim.recipe import Recipe

NUMBERS = {"epochs": 1, "batch_size": 8, "learning_rate": 0.1}


def test_the_text_names_optimizer_and_schedule():
    text = Recipe(**NUMBERS, optimizer="sgd", schedule="triangle", momentum=0.5).text
    assert "Nesterov momentum 0.5, cross entropy, learning rate rising" in text


@pytest.mark.parametrize(
    ("field", "value", "near"), [("optimizer", "adma", "adam"), ("schedule", "cosinus", "cosine")]
)
def test_rejects_unknown_words(field, value, near):
    with pytest.raises(
        ConfigError, match=rf"Recipe\.{field} must be one of .*got '{value}'.*{near}"
    ):
        Recipe(**NUMBERS, **{field: value})
