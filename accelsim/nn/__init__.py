"""Torch modules whose products go through a functional unit: values of the hardware, for torch."""

from __future__ import annotations

from accelsim.nn.calibration import (
    CALIBRATION_IMAGES,
    OBSERVERS,
    WORKLOAD_CALIBRATION,
    calibrate,
    calibrate_workload,
)
from accelsim.nn.module import GRADIENTS, ApproximateModule, approximate
from accelsim.nn.slopes import slope_ratio
from accelsim.nn.smoothing import SmoothedModule, smoothed
from accelsim.nn.surrogates import SurrogateModule, surrogate
from accelsim.quantization import Calibration, Scheme

__all__ = [
    "CALIBRATION_IMAGES",
    "GRADIENTS",
    "OBSERVERS",
    "WORKLOAD_CALIBRATION",
    "ApproximateModule",
    "Calibration",
    "Scheme",
    "SmoothedModule",
    "SurrogateModule",
    "approximate",
    "calibrate",
    "calibrate_workload",
    "slope_ratio",
    "smoothed",
    "surrogate",
]
