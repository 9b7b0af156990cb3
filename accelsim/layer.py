"""Layers as the machine sees them: loop bounds, windows, and the graph that a trace is.

Loop letters are the field's: N images, M filters, C channels, H x W ifmap, R x S kernel,
P x Q ofmap. A linear layer is a convolution of a 1 x 1 ifmap with C = inputs.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from accelsim.errors import TraceError

if TYPE_CHECKING:
    import numpy as np

    from accelsim.quantization import Calibration

__all__ = [
    "INPUT",
    "WORD_BYTES",
    "Layer",
    "LayerShape",
    "MacLayer",
    "Pooling",
    "Trace",
    "VectorLayer",
]

WORD_BYTES = 4
"""Bytes of a word: every operand is a float32."""

INPUT = "input"
"""Name of the tensor that holds the images; no layer may be called so."""


class Gemm(NamedTuple):
    """The matrix product that one group of a layer is: (m x k) times (k x n)."""

    m: int
    """Output pixels, N * P * Q."""
    n: int
    """Filters of one group."""
    k: int
    """Products that are summed for one output, C / groups * R * S."""


@dataclass(frozen=True)
class LayerShape:
    """Loop bounds of a convolution or linear layer.

    >>> LayerShape(n=1, m=32, c=1, h=28, w=28, r=3, s=3, padding=(1, 1)).macs
    225792
    """

    n: int
    m: int
    c: int
    h: int = 1
    w: int = 1
    r: int = 1
    s: int = 1
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    def __post_init__(self) -> None:
        for name in ("n", "m", "c", "h", "w", "r", "s", "groups"):
            if getattr(self, name) < 1:
                raise TraceError(
                    f"LayerShape.{name} must be an int >= 1, got {getattr(self, name)}"
                )
        if self.c % self.groups or self.m % self.groups:
            raise TraceError(
                f"groups must divide C and M, got groups={self.groups}, C={self.c}, M={self.m}"
            )
        if self.p < 1 or self.q < 1:
            raise TraceError(
                f"a {self.r}x{self.s} kernel with dilation {self.dilation} does not fit into a "
                f"{self.h}x{self.w} ifmap with padding {self.padding}"
            )

    @property
    def p(self) -> int:
        """Rows of the ofmap."""
        reach = self.dilation[0] * (self.r - 1) + 1
        return (self.h + 2 * self.padding[0] - reach) // self.stride[0] + 1

    @property
    def q(self) -> int:
        """Columns of the ofmap."""
        reach = self.dilation[1] * (self.s - 1) + 1
        return (self.w + 2 * self.padding[1] - reach) // self.stride[1] + 1

    @property
    def gemm(self) -> Gemm:
        """The matrix product of one group."""
        k = self.c // self.groups * self.r * self.s
        return Gemm(self.n * self.p * self.q, self.m // self.groups, k)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the layer, those with padding zeros included."""
        m, n, k = self.gemm
        return self.groups * m * n * k

    def ifmap_rows(self, first: int, rows: int) -> tuple[int, int]:
        """Return the ifmap rows [start, stop) that ofmap rows [first, first + rows) need."""
        start = first * self.stride[0] - self.padding[0]
        last = (first + rows - 1) * self.stride[0] - self.padding[0]
        stop = last + self.dilation[0] * (self.r - 1) + 1
        return min(max(start, 0), self.h), max(min(stop, self.h), 0)


@dataclass(frozen=True)
class Pooling:
    """Window of a pooling layer, with torch's meaning of every field."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    count_include_pad: bool = True
    divisor: int | None = None


@dataclass(frozen=True, eq=False)
class MacLayer:
    """A layer whose products run on the PE array."""

    name: str
    op: str
    """``conv2d`` or ``linear``."""
    source: str
    """Name of the layer (or `INPUT`) whose output this layer reads."""
    shape: LayerShape
    weight: np.ndarray
    """float32, (M, C / groups, R, S)."""
    bias: np.ndarray | None
    """float32, (M,)."""
    activation_range: tuple[float, float] | None = None
    """Least and greatest activation that calibration saw; units of integers need it."""

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the ofmap, (N, M, P, Q)."""
        return (self.shape.n, self.shape.m, self.shape.p, self.shape.q)


@dataclass(frozen=True, eq=False)
class VectorLayer:
    """A layer that runs exactly, on the vector unit."""

    name: str
    op: str
    """``relu``, ``max_pool2d`` or ``avg_pool2d``."""
    source: str
    """Name of the layer (or `INPUT`) whose output this layer reads."""
    input_shape: tuple[int, int, int, int]
    output_shape: tuple[int, int, int, int]
    pooling: Pooling | None = None
    """The window, None for ReLU."""


Layer = MacLayer | VectorLayer


@dataclass(frozen=True, eq=False)
class Trace:
    """A network and the operands of a given input: what the machine executes.

    Layers are in execution order; a layer reads the output of one earlier layer or the input, and
    several may read the same one. Shapes hold for `images` as they are.
    """

    name: str
    layers: tuple[Layer, ...]
    images: np.ndarray
    """float32, (N, C, H, W)."""
    output: str
    """Name of the layer whose output the network returns."""
    calibration: str | None = None
    """Where the layers' activation ranges come from."""

    def calibrated(self, calibration: Calibration) -> Trace:
        """Return the trace with the activation ranges of *calibration* in its MAC layers.

        Raises
        ------
        TraceError
            It does not have one range for each of them.
        """
        names = [layer.name for layer in self.layers if isinstance(layer, MacLayer)]
        if len(names) != len(calibration.ranges):
            raise TraceError(
                f"calibration has {len(calibration.ranges)} ranges, but {self.name} has "
                f"{len(names)} convolutions and linear layers ({', '.join(names)}); calibrate "
                "this very network: accelsim.nn.calibrate(model, images)"
            )
        ranges = dict(zip(names, calibration.ranges, strict=True))
        layers = tuple(
            replace(layer, activation_range=ranges[layer.name])
            if isinstance(layer, MacLayer)
            else layer
            for layer in self.layers
        )
        return replace(self, layers=layers, calibration=calibration.source)

    def batch(self, images: int) -> Trace:
        """Return the trace of the first *images* images."""
        available = len(self.images)
        if isinstance(images, bool) or not isinstance(images, int) or not 1 <= images <= available:
            raise TraceError(
                f"images must be an int in 1..{available} (the trace holds {available}), "
                f"got {images!r}"
            )
        return replace(
            self,
            images=self.images[:images],
            layers=tuple(_with_batch(layer, images) for layer in self.layers),
        )

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all layers for all images."""
        return sum(layer.shape.macs for layer in self.layers if isinstance(layer, MacLayer))

    @cached_property
    def network_fingerprint(self) -> str:
        """`fingerprint` without the ranges: the same for units of floats and of integers."""
        layers = tuple(
            replace(layer, activation_range=None) if isinstance(layer, MacLayer) else layer
            for layer in self.layers
        )
        return replace(self, layers=layers).fingerprint

    @cached_property
    def fingerprint(self) -> str:
        """First 16 hex digits of a SHA-256 over graph, weights, images and ranges."""
        digest = hashlib.sha256(self.images.tobytes())
        for layer in self.layers:
            if isinstance(layer, MacLayer):
                digest.update(repr((layer.name, layer.op, layer.source, layer.shape)).encode())
                digest.update(layer.weight.tobytes())
                digest.update(b"" if layer.bias is None else layer.bias.tobytes())
                if layer.activation_range is not None:
                    digest.update(repr(layer.activation_range).encode())
            else:
                digest.update(repr(layer).encode())
        digest.update(self.output.encode())
        return digest.hexdigest()[:16]


def _with_batch(layer: Layer, images: int) -> Layer:
    if isinstance(layer, MacLayer):
        return replace(layer, shape=replace(layer.shape, n=images))
    return replace(
        layer,
        input_shape=(images, *layer.input_shape[1:]),
        output_shape=(images, *layer.output_shape[1:]),
    )
