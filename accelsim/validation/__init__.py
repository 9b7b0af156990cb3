"""What is modeled against what others measured or published.

Nothing is fitted to it but one power, named and tested in `eyeriss_energy`.
"""

from accelsim.validation.evoapprox import rank_correlations, rank_evoapprox
from accelsim.validation.eyeriss import eyeriss_array, eyeriss_layers, validate_eyeriss
from accelsim.validation.eyeriss_energy import power_shares, validate_eyeriss_energy
from accelsim.validation.tpu import validate_tpu

__all__ = [
    "eyeriss_array",
    "eyeriss_layers",
    "power_shares",
    "rank_correlations",
    "rank_evoapprox",
    "validate_eyeriss",
    "validate_eyeriss_energy",
    "validate_tpu",
]
