"""Torch modules whose products go through a functional unit: values of the hardware, for torch."""

from __future__ import annotations

from accelsim.nn.module import GRADIENTS, ApproximateModule, approximate

__all__ = ["GRADIENTS", "ApproximateModule", "approximate"]
