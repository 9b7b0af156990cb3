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
from accelsim.quantization import Calibration, Scheme

__all__ = [
    "CALIBRATION_IMAGES",
    "GRADIENTS",
    "OBSERVERS",
    "WORKLOAD_CALIBRATION",
    "ApproximateModule",
    "Calibration",
    "Scheme",
    "approximate",
    "calibrate",
    "calibrate_workload",
]
