"""Training of a workload's weights by its fixed recipe; no choice is made on the test images."""

from accelsim.training.checkpoint import checkpoint_path
from accelsim.training.trainer import train

__all__ = ["checkpoint_path", "train"]
