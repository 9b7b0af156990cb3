"""The machine against silicon: measured chips beside what is simulated, nothing fitted."""

from accelsim.validation.eyeriss import eyeriss_array, eyeriss_layers, validate_eyeriss
from accelsim.validation.tpu import validate_tpu

__all__ = ["eyeriss_array", "eyeriss_layers", "validate_eyeriss", "validate_tpu"]
