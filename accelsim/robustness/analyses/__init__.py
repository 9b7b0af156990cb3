"""Analyses: what a unit does to products, sums and confidence, as tables; no attack is made.

Products one by one (`product_inflation`), sums of layers (`layer_gains`: a factor and the noise
that it leaves; `sample_outputs`, `by_correlation`, `correlation_trends`: noise against the
correlation of patch and filter), and logits (`logit_gain`, `confidence_summary`,
`confidence_quantiles`, `reliability`).
"""

from __future__ import annotations

from accelsim.robustness.analyses.confidence import (
    confidence_quantiles,
    confidence_summary,
    logit_gain,
    reliability,
)
from accelsim.robustness.analyses.correlation import (
    by_correlation,
    correlation_trends,
    sample_outputs,
)
from accelsim.robustness.analyses.gains import layer_gains
from accelsim.robustness.analyses.products import product_inflation

__all__ = [
    "by_correlation",
    "confidence_quantiles",
    "confidence_summary",
    "correlation_trends",
    "layer_gains",
    "logit_gain",
    "product_inflation",
    "reliability",
    "sample_outputs",
]
