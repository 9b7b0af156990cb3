"""Tracing: a torch module and its images become a `Trace`."""

from accelsim.tracing.folding import fold_batch_norms
from accelsim.tracing.registration import register_operator
from accelsim.tracing.torch_export import trace

__all__ = ["fold_batch_norms", "register_operator", "trace"]
