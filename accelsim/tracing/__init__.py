"""Tracing: a torch module and its images become a `Trace`."""

from accelsim.tracing.torch_export import trace

__all__ = ["trace"]
