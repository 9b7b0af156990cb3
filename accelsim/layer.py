"""Layers as the machine sees them: loop bounds, windows, and the graph that a trace is.

Loop letters are the field's: N images, M filters, C channels, H x W ifmap, R x S kernel,
P x Q ofmap. A linear layer is a 1 x 1 convolution with C = inputs: of a 1 x 1 ifmap, or, on a
sequence, of an ifmap whose pixels are the rows.

A matmul (..., m, k) times (..., k, n) of two activations is a layer in groups, one for each matrix
of the batch, images included: the first operand is its ifmap of k channels and m rows, the second
one its weights, n filters of k channels. As units need not commute, which is which is part of the
bits: the first operand is the unit's activation, the second its weight.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from accelsim.errors import TraceError

if TYPE_CHECKING:
    import numpy as np

    from accelsim.quantization import Calibration
    from accelsim.windows import Window

__all__ = [
    "INPUT",
    "WORD_BYTES",
    "Layer",
    "LayerShape",
    "MacLayer",
    "Operand",
    "Parameter",
    "Trace",
    "VectorLayer",
    "View",
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


class View(NamedTuple):
    """Where the elements of a tensor lie among the words of another, dense one."""

    shape: tuple[int, ...]
    """Images first."""
    strides: tuple[int, ...]
    """Words from one element to the next in each dimension; 0 where a word is read again."""
    offset: int = 0
    """Word of the first element."""

    @classmethod
    def dense(cls, shape: tuple[int, ...]) -> View:
        """Return the view of all words, the last dimension innermost.

        >>> View.dense((2, 3, 4)).strides
        (12, 4, 1)
        """
        return cls(shape, tuple(prod(shape[axis + 1 :]) for axis in range(len(shape))))

    def batch(self, images: int) -> View:
        """Return the view of so many images."""
        return self._replace(shape=(images, *self.shape[1:]))


class Operand(NamedTuple):
    """A layer's output as the operand of another layer."""

    source: str
    """Name of the layer (or `INPUT`)."""
    view: View


@dataclass(frozen=True, eq=False)
class Parameter:
    """An array of the network's own as the operand of a layer of the vector unit."""

    values: np.ndarray
    """float32."""
    view: View
    """Where its elements lie in *values*; the stride of the images is 0."""


@dataclass(frozen=True)
class LayerShape:
    """Loop bounds of a convolution, a linear layer or a matmul.

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

    @classmethod
    def of_matmul(cls, groups: int, m: int, n: int, k: int) -> LayerShape:
        """Return the bounds of *groups* products (m x k) times (k x n).

        >>> LayerShape.of_matmul(6, 5, 4, 3).gemm
        Gemm(m=5, n=4, k=3)
        """
        return cls(n=1, m=groups * n, c=groups * k, h=m, groups=groups)

    @cached_property
    def p(self) -> int:
        """Rows of the ofmap."""
        reach = self.dilation[0] * (self.r - 1) + 1
        return (self.h + 2 * self.padding[0] - reach) // self.stride[0] + 1

    @cached_property
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


@dataclass(frozen=True, eq=False)
class MacLayer:
    """A layer whose products run on the PE array."""

    name: str
    op: str
    """``conv2d``, ``linear`` or ``matmul``."""
    source: str
    """Name of the layer (or `INPUT`) whose output this layer reads."""
    shape: LayerShape
    weight: np.ndarray | Operand
    """float32, (M, C / groups, R, S); of a matmul its second operand, (N, ..., k, n)."""
    bias: np.ndarray | None
    """float32, (M,)."""
    activation_range: tuple[float, float] | None = None
    """Least and greatest activation that calibration saw; units of integers need it."""
    weight_range: tuple[float, float] | None = None
    """The same of a matmul's second operand."""
    view: View | None = None
    """Where the ifmap lies in the source's output: (N, C, H, W) of a convolution, (N, H, W, C) of a
    linear layer, (N, ..., m, k) of a matmul. None: all of it, dense, (N, C, H, W)."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the layers whose outputs it reads, one for each operand."""
        second = (self.weight.source,) if isinstance(self.weight, Operand) else ()
        return (self.source, *second)

    @property
    def ranges(self) -> tuple[tuple[float, float], ...]:
        """Ranges of the activations that it reads, as far as they are known."""
        both = (self.activation_range, self.weight_range)
        return tuple(one for one in both if one is not None)

    @property
    def ifmap(self) -> View:
        """Where the ifmap lies in the source's output."""
        shape = self.shape
        return self.view or View.dense((shape.n, shape.c, shape.h, shape.w))

    @property
    def images(self) -> int:
        """Images of the batch."""
        return self.ifmap.shape[0]

    @property
    def channels_last(self) -> bool:
        """Whether ifmap and output are (N, H, W, C): those of a linear layer on a sequence."""
        return self.op == "linear" and self.view is not None

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the output, which is dense.

        (N, M, P, Q); on sequences a linear layer's is (N, P, Q, M), a matmul's (N, ..., m, n).
        """
        shape = self.shape
        if isinstance(self.weight, Operand):
            return (*self.ifmap.shape[:-1], shape.m // shape.groups)
        if self.channels_last:
            return (shape.n, shape.p, shape.q, shape.m)
        return (shape.n, shape.m, shape.p, shape.q)


@dataclass(frozen=True, eq=False)
class VectorLayer:
    """A layer that runs exactly, on the vector unit."""

    name: str
    op: str
    """A name of `accelsim.vector_functions`, or what is done with the windows."""
    source: str
    """Name of the layer (or `INPUT`) whose output this layer reads."""
    input_shape: tuple[int, ...]
    """(N, ..., C, H, W)."""
    output_shape: tuple[int, ...]
    """(N, ..., C, P, Q), dense."""
    window: Window | None = None
    """Which pixels make a pixel; None where each makes one."""
    view: View | None = None
    """Where the ifmap lies in the source's output; None: all of it, dense."""
    others: tuple[Operand | Parameter, ...] = ()
    """What the function reads besides the ifmap, each of the ifmap's shape by its view."""
    settings: tuple[float, ...] = ()
    """Numbers that the function takes after its operands."""
    places: tuple[View, ...] = ()
    """Of a concatenation: where in the output each operand goes, the ifmap first; each has a shape
    of its own."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the layers whose outputs it reads, one for each operand that is one."""
        others = (one.source for one in self.others if isinstance(one, Operand))
        return (self.source, *others)

    @property
    def ifmap(self) -> View:
        """Where the ifmap lies in the source's output."""
        return self.view or View.dense(self.input_shape)

    @property
    def parts(self) -> tuple[tuple[View, View], ...]:
        """What is done one after the other: where it is read, and where in the output it goes.

        One part for all but concatenations, which have one for each operand.
        """
        if not self.places:
            return ((self.ifmap, View.dense(self.output_shape)),)
        read = (self.ifmap, *(one.view for one in self.others))
        return tuple(zip(read, self.places, strict=True))

    def ifmap_rows(self, first: int, stop: int) -> tuple[int, int]:
        """Return the ifmap rows [start, stop) that ofmap rows [first, stop) need."""
        if self.window is None:
            return first, stop
        height = self.input_shape[-2]
        start, end = self.window.ifmap_rows(first, stop)
        return min(max(start, 0), height), min(max(end, 0), height)


Layer = MacLayer | VectorLayer


@dataclass(frozen=True, eq=False)
class Trace:
    """A network and the operands of a given input: what the machine executes.

    Layers are in execution order; a layer reads the output of earlier layers or the input, and
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
            It does not have one range for each of the activations that they read.
        """
        readers = [layer for layer in self.layers if isinstance(layer, MacLayer)]
        operands = sum(len(layer.sources) for layer in readers)
        if operands != len(calibration.ranges):
            raise TraceError(
                f"calibration has {len(calibration.ranges)} ranges, but {self.name} has "
                f"{len(readers)} convolutions, linear layers and matmuls "
                f"({', '.join(layer.name for layer in readers)}), which read {operands} "
                "activations; calibrate this very network: accelsim.nn.calibrate(model, images)"
            )
        ranges = iter(calibration.ranges)
        layers = tuple(
            _with_ranges(layer, [next(ranges) for _ in layer.sources])
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
            _with_ranges(layer, []) if isinstance(layer, MacLayer) else layer
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
                if isinstance(layer.weight, Operand):
                    digest.update(repr(layer.weight).encode())
                else:
                    digest.update(layer.weight.tobytes())
                digest.update(b"" if layer.bias is None else layer.bias.tobytes())
                for one in (layer.activation_range, layer.weight_range, layer.view):
                    digest.update(b"" if one is None else repr(one).encode())
            else:
                digest.update(repr(replace(layer, others=())).encode())
                for other in layer.others:
                    if isinstance(other, Parameter):
                        digest.update(other.values.tobytes() + repr(other.view).encode())
                    else:
                        digest.update(repr(other).encode())
        digest.update(self.output.encode())
        return digest.hexdigest()[:16]


def _with_ranges(layer: MacLayer, ranges: list[tuple[float, float]]) -> MacLayer:
    """Return *layer* with the ranges of the activations that it reads, or without any."""
    first, second = (*ranges, None, None)[:2]
    return replace(layer, activation_range=first, weight_range=second)


def _with_batch(layer: Layer, images: int) -> Layer:
    view = None if layer.view is None else layer.view.batch(images)
    if isinstance(layer, VectorLayer):
        return replace(
            layer,
            input_shape=(images, *layer.input_shape[1:]),
            output_shape=(images, *layer.output_shape[1:]),
            view=view,
            others=tuple(_operand_of(one, images) for one in layer.others),
            places=tuple(place.batch(images) for place in layer.places),
        )
    if not isinstance(layer.weight, Operand):
        return replace(layer, shape=replace(layer.shape, n=images), view=view)
    (m, n, k), heads = layer.shape.gemm, layer.shape.groups // layer.images
    second = layer.weight._replace(view=layer.weight.view.batch(images))
    shape = LayerShape.of_matmul(images * heads, m, n, k)
    return replace(layer, shape=shape, weight=second, view=view)


def _operand_of(operand: Operand | Parameter, images: int) -> Operand | Parameter:
    view = operand.view.batch(images)
    if isinstance(operand, Operand):
        return operand._replace(view=view)
    return replace(operand, view=view)
