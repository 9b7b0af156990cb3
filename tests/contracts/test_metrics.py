"""What the metrics of every unit must fulfil, whatever its arithmetic."""

from __future__ import annotations

import math

import numpy as np
import pytest

from accelsim.metrics import measure
from accelsim.multipliers import MULTIPLIERS, IntegerMultiplier
from accelsim.multipliers.measures import measure_table
from accelsim.operands import choose_pairs
from accelsim.surfaces import error_surface


@pytest.mark.parametrize("name", list(MULTIPLIERS))
def test_metrics_of_every_unit_fit_each_other(name):
    unit = MULTIPLIERS[name]
    found = measure(unit, choose_pairs(unit, 5000))
    value = {metric: entry.value for metric, entry in found.items()}
    assert all(math.isfinite(one) for one in value.values()), value
    for metric, entry in found.items():
        assert entry.convention, metric
        assert not entry.low > entry.value, metric
        assert not entry.high < entry.value, metric
    assert abs(value["mean_error"]) <= value["med"] <= value["wce"]
    assert value["med"] <= value["rmse"] * (1 + 1e-12)
    assert abs(value["bias"]) <= value["mred"] * (1 + 1e-12) <= value["wcre"] * (1 + 2e-12)
    assert value["mred_all_pairs"] <= value["mred"] * (1 + 1e-12)
    assert value["rmse"] == pytest.approx(math.sqrt(value["mse"]))
    assert (value["zero_operand_wrong"] == 0) == (value["zero_operand_worst"] == 0)
    assert (value["not_commuting"] == 0) == (value["commutation_gap"] == 0)
    if isinstance(unit, IntegerMultiplier):
        assert value["inflated"] <= value["error_rate"]
        assert found.exhaustive == (unit.operands.bits <= 8)
    if name.startswith("exact_") and isinstance(unit, IntegerMultiplier):
        wrong = {metric: one for metric, one in value.items() if one and metric != "exact_zero"}
        assert wrong == {}


@pytest.mark.parametrize("name", list(MULTIPLIERS))
def test_every_unit_has_an_error_surface(name):
    surface = error_surface(MULTIPLIERS[name])
    assert np.isfinite(surface.error).all()
    assert surface.error.shape[0] == surface.error.shape[1] <= 256


@pytest.mark.parametrize(
    "name", [n for n, u in MULTIPLIERS.items() if isinstance(u, IntegerMultiplier)]
)
def test_import_and_characterize_measure_the_same(name):
    """`measures` is what an import compares with headers, `metrics` what characterize prints."""
    unit = MULTIPLIERS[name]
    if unit.operands.bits > 8:
        return
    errors = measure_table(unit.table, unit.operands)
    found = measure(unit, choose_pairs(unit, 5000))
    span = 4.0**unit.operands.bits
    for metric, other in {
        "error_rate": errors.ep_percent / 100,
        "med": errors.mae,
        "nmed_span": errors.mae_percent / 100,
        "wce": errors.wce,
        "mred": errors.mre_percent / 100,
        "wcre": errors.wcre_percent / 100,
        "mse": errors.mse,
        "mean_error": errors.bias,
        "zero_operand_wrong": errors.nonzero_for_zero,
    }.items():
        assert found[metric].value == pytest.approx(other, rel=1e-12), metric
    assert errors.wce_percent / 100 == pytest.approx(errors.wce / span)
