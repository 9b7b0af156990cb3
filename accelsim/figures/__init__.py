"""Figures: each function takes a result table and returns a matplotlib Figure."""

from accelsim.figures.accuracy import accuracy_by_unit
from accelsim.figures.attacks import accuracy_by_attack, noise_by_attack
from accelsim.figures.claims import claims_by_level
from accelsim.figures.confidence import calibration_by_unit, confidence_by_unit
from accelsim.figures.energy import energy_by_component
from accelsim.figures.latency import latency_by_layer
from accelsim.figures.over_time import bandwidth_over_time, block_timeline
from accelsim.figures.pareto import pareto
from accelsim.figures.points import cost_by_point
from accelsim.figures.product_error import error_magnitude, error_surfaces
from accelsim.figures.robustness import (
    accuracy_by_epsilon,
    transfer_by_margin,
    transfer_matrix,
)
from accelsim.figures.roofline import roofline
from accelsim.figures.style import rendered
from accelsim.figures.sums import (
    constant_factor,
    gain_by_layer,
    inflation_by_operands,
    noise_by_correlation,
)
from accelsim.figures.utilization import utilization_by_pe
from accelsim.figures.validation import (
    measured_and_simulated,
    power_by_component,
    published_and_modeled,
)

__all__ = [
    "accuracy_by_attack",
    "accuracy_by_epsilon",
    "accuracy_by_unit",
    "bandwidth_over_time",
    "block_timeline",
    "calibration_by_unit",
    "claims_by_level",
    "confidence_by_unit",
    "constant_factor",
    "cost_by_point",
    "energy_by_component",
    "error_magnitude",
    "error_surfaces",
    "gain_by_layer",
    "inflation_by_operands",
    "latency_by_layer",
    "measured_and_simulated",
    "noise_by_attack",
    "noise_by_correlation",
    "pareto",
    "power_by_component",
    "published_and_modeled",
    "rendered",
    "roofline",
    "transfer_by_margin",
    "transfer_matrix",
    "utilization_by_pe",
]
