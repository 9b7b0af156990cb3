"""All operators that are read, and why others are refused."""

from __future__ import annotations

from accelsim.errors import nearest
from accelsim.onnx.base import Table
from accelsim.onnx.convolution import CONVOLUTIONS
from accelsim.onnx.elementwise import ELEMENTWISE
from accelsim.onnx.normalization import NORMALIZATION
from accelsim.onnx.pooling import POOLING
from accelsim.onnx.resizing import RESIZING
from accelsim.onnx.shapes import SHAPES
from accelsim.onnx.static import STATIC

__all__ = ["OPERATORS", "refusal"]

OPERATORS: Table = {
    **CONVOLUTIONS,
    **ELEMENTWISE,
    **NORMALIZATION,
    **POOLING,
    **RESIZING,
    **SHAPES,
}
"""Operator -> how it is computed of what comes from the images."""

_QUANTIZED = {
    "ConvInteger",
    "DequantizeLinear",
    "DynamicQuantizeLinear",
    "MatMulInteger",
    "QLinearConv",
    "QLinearMatMul",
    "QuantizeLinear",
}
_CONTROL = {"If", "Loop", "Scan", "SequenceMap"}


def refusal(op: str) -> str | None:
    """Return why operator *op* cannot be read and what to do, None if it can be."""
    if op in OPERATORS or op in STATIC:
        return None
    if op in _QUANTIZED:
        return (
            "the file is quantized; give the float model that it was made from, accelsim "
            "quantizes it itself for a unit of integers"
        )
    if op in _CONTROL:
        return (
            "control flow is not modelled: an accelerator's layers are the same for all images; "
            "export the model without it"
        )
    known = sorted({*OPERATORS, *STATIC})
    return (
        f"the operator is not modelled; modelled: {', '.join(known)}.{nearest(op, known)} "
        "Export the model with other operators, or cut the graph with onnx.utils.extract_model"
    )
