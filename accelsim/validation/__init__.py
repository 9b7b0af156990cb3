"""The machine against silicon: measured chips beside what is simulated.

Nothing is fitted to a measured row but one power, named and tested in `eyeriss_energy`.
"""

from accelsim.validation.eyeriss import eyeriss_array, eyeriss_layers, validate_eyeriss
from accelsim.validation.eyeriss_energy import power_shares, validate_eyeriss_energy
from accelsim.validation.tpu import validate_tpu

__all__ = [
    "eyeriss_array",
    "eyeriss_layers",
    "power_shares",
    "validate_eyeriss",
    "validate_eyeriss_energy",
    "validate_tpu",
]
