"""Kernels: matrix products and convolutions whose products go through a unit.

Every output is the sum of the unit's scalar products in ascending k, or in the order of a dataflow
that is given, each addition rounded to the accumulator's dtype: the same bits as the three plain
loops, many times faster, and for any number of threads, see `accelsim.threads`.
``benchmarks/units.py`` measures them and says what bounds each.
"""

from __future__ import annotations

from accelsim.kernels.columns import im2col
from accelsim.kernels.convolution import conv2d, convolve, linear
from accelsim.kernels.gemm import accumulate, finish
from accelsim.kernels.matmul import matmul, matmul_quantized
from accelsim.kernels.quantized import conv2d_quantized, linear_quantized
from accelsim.kernels.vector import relu
from accelsim.kernels.windows import windowed

__all__ = [
    "accumulate",
    "conv2d",
    "conv2d_quantized",
    "convolve",
    "finish",
    "im2col",
    "linear",
    "linear_quantized",
    "matmul",
    "matmul_quantized",
    "relu",
    "windowed",
]
