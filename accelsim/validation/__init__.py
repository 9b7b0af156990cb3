"""What is modeled against what others measured or published, nothing fitted."""

from accelsim.validation.evoapprox import rank_correlations, rank_evoapprox
from accelsim.validation.eyeriss import eyeriss_array, eyeriss_layers, validate_eyeriss
from accelsim.validation.tpu import validate_tpu

__all__ = [
    "eyeriss_array",
    "eyeriss_layers",
    "rank_correlations",
    "rank_evoapprox",
    "validate_eyeriss",
    "validate_tpu",
]
