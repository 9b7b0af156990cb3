"""ONNX files as torch modules: every node of the graph is a submodule that carries its name.

A new operator is a row in one of the tables of `accelsim.onnx.operators`. What none of its inputs
takes from the images - shapes, indices, constants - is computed by ONNX's own reference.
"""

from accelsim.onnx.module import OnnxModule, read_onnx

__all__ = ["OnnxModule", "read_onnx"]
