"""Dataflows: pure mappings from a matrix product and an array to a schedule of passes."""

from accelsim.dataflows.base import Dataflow, MatrixDataflow, Overlap, Pass, PeTiming
from accelsim.registry import Registry, modules_of

__all__ = ["DATAFLOWS", "Dataflow", "MatrixDataflow", "Overlap", "Pass", "PeTiming"]

DATAFLOWS: Registry[Dataflow] = Registry("dataflow", modules_of("accelsim.dataflows"))
