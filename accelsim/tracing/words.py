"""Tensors of a traced graph as words of a layer's output, and what torch's views make of them.

A dimension is a list of axes, outermost first; an axis is so many elements, a number of words
apart. Splitting, merging and moving dimensions, as attention does with its heads, then costs
nothing and loses nothing: a merged dimension has two axes. A layer that needs one where there are
two must read a copy.

The images of a batch are an axis of their own, wherever it goes. It is neither split nor cut: what
a trace says holds for any number of images.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import NamedTuple

from accelsim.layer import View

__all__ = [
    "Axis",
    "Elements",
    "Matrices",
    "MixedImagesError",
    "NeedsCopyError",
    "Words",
    "axes",
    "elements",
    "matrices",
    "merged",
    "rows_of",
    "side_by_side",
]

IMAGES = -1
"""The stride of the images' axis: an image's words, however many these are."""


class NeedsCopyError(Exception):
    """No strides say it: the words must be brought into another order first."""


class MixedImagesError(Exception):
    """An element would not belong to one image any more."""


class Axis(NamedTuple):
    """So many elements, a number of words apart."""

    size: int
    stride: int

    @property
    def of_images(self) -> bool:
        """Whether it goes from image to image."""
        return self.stride == IMAGES

    def split(self, outer: int) -> tuple[Axis, Axis]:
        """Return an axis of *outer* elements and one of the rest within each of them."""
        if self.of_images:
            raise MixedImagesError
        if self.size % outer:
            raise NeedsCopyError
        inner = self.size // outer
        return Axis(outer, self.stride * inner), Axis(inner, self.stride)


Axes = tuple[Axis, ...]


@dataclass(frozen=True)
class Words:
    """A tensor of the graph: which words of a layer's output it is, or of a parameter.

    Parameters
    ----------
    source : str
        The layer, or the graph's node of the parameter.
    images : int
    image_words : int
        Words of an image in the layer's output; 0 for a parameter, which is the same for all.
    dims : tuple of Axes
        Of each dimension its axes, none of size 1.
    offset : int
        First word, counted within an image.
    """

    source: str
    images: int
    image_words: int
    dims: tuple[Axes, ...]
    offset: int = 0

    @classmethod
    def dense(cls, source: str, shape: Sequence[int]) -> Words:
        """Return the whole output, of *shape* (N, ...), of a layer."""
        images, *inner = shape
        strides = View.dense(tuple(inner)).strides
        dims = (axes(images, IMAGES), *map(axes, inner, strides))
        return cls(source, images, prod(inner), dims)

    @classmethod
    def parameter(cls, source: str, images: int, shape: Sequence[int]) -> Words:
        """Return the words of a dense parameter, which is read by so many images."""
        return cls(source, images, 0, tuple(map(axes, shape, View.dense(tuple(shape)).strides)))

    @property
    def is_parameter(self) -> bool:
        """Whether it is a parameter, and no layer's output."""
        return self.image_words == 0

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the tensor."""
        return tuple(prod(axis.size for axis in dim) for dim in self.dims)

    @property
    def inner(self) -> Axes:
        """All axes within an image, in the order of the dimensions."""
        return tuple(axis for dim in self.dims for axis in dim if not axis.of_images)

    @property
    def images_first(self) -> bool:
        """Whether the first dimension is the images, and nothing else."""
        return bool(self.dims) and self.dims[0] == axes(self.images, IMAGES)

    @property
    def whole(self) -> bool:
        """Whether the tensor is all of the layer's output, in whatever order."""
        by_stride = sorted(self.inner, key=lambda axis: axis.stride, reverse=True)
        return self.offset == 0 and merged(by_stride) == axes(self.image_words, 1)

    @property
    def in_order(self) -> bool:
        """Whether the tensor is all of the layer's output, each image's words in their order."""
        return self.offset == 0 and merged(self.inner) == axes(self.image_words, 1)

    def reshaped(self, shape: Sequence[int]) -> Words:
        """Return the tensor in another *shape*, the last dimension innermost."""
        left = list(reversed(merged([axis for dim in self.dims for axis in dim])))
        dims = []
        for size in shape:
            dim: list[Axis] = []
            while size > 1:
                axis = left.pop()
                if size % axis.size:
                    axis, rest = axis.split(size)
                    left.append(rest)
                dim.append(axis)
                size //= axis.size
            dims.append(tuple(dim))
        return replace(self, dims=tuple(dims))

    def permuted(self, order: Sequence[int]) -> Words:
        """Return the tensor with its dimensions in another order."""
        return replace(self, dims=tuple(self.dims[at] for at in order))

    def expanded(self, shape: Sequence[int]) -> Words:
        """Return the tensor with dimensions of size 1, and new ones in front, read repeatedly."""
        dims = ((),) * (len(shape) - len(self.dims)) + self.dims
        return replace(
            self, dims=tuple(dim or axes(size, 0) for dim, size in zip(dims, shape, strict=True))
        )

    def cut(self, at: int, start: int, count: int, step: int) -> Words:
        """Return the tensor with *count* elements of one dimension, from *start* on."""
        if count == self.shape[at]:
            return self
        if any(axis.of_images for axis in self.dims[at]):
            raise MixedImagesError
        axis, *more = merged(self.dims[at])
        if more:
            raise NeedsCopyError
        dims = (*self.dims[:at], axes(count, axis.stride * step), *self.dims[at + 1 :])
        return replace(self, dims=dims, offset=self.offset + start * axis.stride)

    def without(self, at: int) -> Words:
        """Return the tensor without a dimension, whose size is 1."""
        return replace(self, dims=self.dims[:at] + self.dims[at + 1 :])

    def within(self, at: int) -> Words:
        """Return the tensor with a dimension of size 1 before dimension *at*."""
        return replace(self, dims=(*self.dims[:at], (), *self.dims[at:]))

    def view(self, dims: Iterable[Sequence[Axis]]) -> View:
        """Return the view (images, *dims), each of which must be one axis within the image."""
        found = [(self.images, self.image_words)]
        for dim in dims:
            if any(axis.of_images for axis in dim):
                raise MixedImagesError
            axis, *more = merged(dim) or (Axis(1, 1),)
            if more:
                raise NeedsCopyError
            found.append(axis)
        shape, strides = zip(*found, strict=True)
        return View(shape, strides, self.offset)

    def made_by(self, name: str, dims: Sequence[Axes]) -> Words:
        """Return the dense output of a layer, with as many elements as *dims* have.

        Whatever the place of the images among the dimensions, they are outermost in memory.
        """
        stride, found = 1, list[Axes]()
        for dim in reversed(dims):
            dense: list[Axis] = []
            for axis in reversed(dim):
                dense.insert(0, axis if axis.of_images else Axis(axis.size, stride))
                stride *= 1 if axis.of_images else axis.size
            found.insert(0, merged(dense))
        return Words(name, self.images, stride, tuple(found))


def axes(size: int, stride: int) -> Axes:
    """Return the axes of a dimension of *size*: one, or none where there is nothing to count."""
    return () if size == 1 else (Axis(size, stride),)


def rows_of(dims: Sequence[Axes]) -> tuple[Axes, Axes]:
    """Return the axes of all *dims* but the images' as (H, W), of H alone where one is enough."""
    rows = merged(axis for dim in dims for axis in dim if not axis.of_images)
    return (rows, ()) if len(rows) < 2 else (rows[:-1], rows[-1:])


def side_by_side(first: View, second: View) -> tuple[View, View]:
    """Return two views of one shape (N, ...) with as few dimensions as both take, four at least.

    >>> views = View.dense((2, 3, 4, 5)), View((2, 3, 4, 5), (99, 20, 5, 1), 7)
    >>> [view.shape for view in side_by_side(*views)]
    [(2, 60, 1, 1), (2, 60, 1, 1)]
    """
    axes_of = zip(first.shape[1:], first.strides[1:], second.strides[1:], strict=True)
    joined = _merged((Axis(n, one), Axis(n, other)) for n, one, other in axes_of if n > 1)
    missing = [(Axis(1, 1), Axis(1, 1))] * (3 - len(joined))
    found = []
    for view, inner in zip((first, second), zip(*joined, *missing, strict=True), strict=True):
        shape, strides = zip((view.shape[0], view.strides[0]), *inner, strict=True)
        found.append(View(shape, strides, view.offset))
    return found[0], found[1]


def merged(several: Iterable[Axis]) -> Axes:
    """Return the same axes, those that go on where the next ones end made one with them."""
    return tuple(axis for (axis,) in _merged((axis,) for axis in several))


def _merged(several: Iterable[Axes]) -> list[Axes]:
    """Return the axes of tensors side by side, merged where this can be done in all of them."""
    found: list[Axes] = []
    for inner in several:
        if found and not any(axis.of_images for axis in (*found[-1], *inner)):
            pairs = list(zip(found[-1], inner, strict=True))
            if all(outer.stride == axis.stride * axis.size for outer, axis in pairs):
                found[-1] = tuple(
                    Axis(outer.size * axis.size, axis.stride) for outer, axis in pairs
                )
                continue
        found.append(inner)
    return found


class Elements(NamedTuple):
    """How a layer reads several tensors element by element."""

    views: tuple[View, ...]
    """(N, ...), in as few dimensions as they take."""
    dims: tuple[Axes, ...]
    """The result's dimensions, with the axes of the first tensor."""
    in_place: bool
    """Whether the results lie among themselves as the words of the first tensor's layer do."""


def elements(*operands: Words, rearranged: bool = False, kept: int = 0) -> Elements:
    """Return how a layer reads *operands*, broadcast against each other.

    Where the first one is all of its layer's output the order is that of its words in memory,
    unless they are to be *rearranged* into that of its dimensions, or so many last ones are *kept*
    as dimensions of their own.
    """
    rank = max(len(one.dims) for one in operands)
    dims = [((),) * (rank - len(one.dims)) + one.dims for one in operands]
    parameters = [one.is_parameter for one in operands]
    aligned = [_aligned(dim, parameters) for dim in zip(*dims, strict=True)]
    outer = aligned[: rank - kept]
    inner = [one for dim in outer for one in dim if not one[0].of_images]
    in_place = (
        not (rearranged or kept) and operands[0].whole and all(first.stride for first, *_ in inner)
    )
    if in_place:
        inner.sort(key=lambda one: one[0].stride, reverse=True)
    groups = [[one] for one in _merged(inner)] + aligned[rank - kept :]
    views = (
        one.view([[axes[at] for axes in group] for group in groups])
        for at, one in enumerate(operands)
    )
    return Elements(
        tuple(views), tuple(tuple(first for first, *_ in dim) for dim in aligned), in_place
    )


class Matrices(NamedTuple):
    """How a matmul reads its operands."""

    first: View
    """(N, ..., m, k)."""
    second: View
    """(N, ..., k, n)."""
    batch: tuple[Axes, ...]
    """The dimensions before, axis for axis as both views have them."""


def matrices(first: Words, second: Words) -> Matrices:
    """Return how a matmul reads its operands; dimensions of the batch are broadcast."""
    rank = max(len(first.dims), len(second.dims))
    batches = [((),) * (rank - len(one.dims)) + one.dims[:-2] for one in (first, second)]
    pairs = [_aligned(dims) for dims in zip(*batches, strict=True)]
    inner = [pair for dim in pairs for pair in dim if not pair[0].of_images]
    return Matrices(
        first.view([*([pair[0]] for pair in inner), *first.dims[-2:]]),
        second.view([*([pair[1]] for pair in inner), *second.dims[-2:]]),
        tuple(tuple(pair[0] for pair in dim) for dim in pairs),
    )


def _aligned(dims: Sequence[Axes], parameters: Sequence[bool] = (False, False)) -> list[Axes]:
    """Return the axes of a dimension of several tensors side by side, all of one size.

    One of size 1 is read repeatedly, by other images only if it is one of the *parameters*.
    """
    longest = next(filter(None, dims), ())
    left = [
        list(reversed(dim or tuple(_repeated(axis, parameter) for axis in longest)))
        for dim, parameter in zip(dims, parameters, strict=True)
    ]
    found = []
    while left[0]:
        heads = [axes.pop() for axes in left]
        if len({axis.of_images for axis in heads}) > 1:
            raise MixedImagesError
        size = min(axis.size for axis in heads)
        for at, axis in enumerate(heads):
            if axis.size > size:
                heads[at], rest = axis.split(size)
                left[at].append(rest)
        found.append(tuple(heads))
    return found


def _repeated(axis: Axis, parameter: bool) -> Axis:
    """Return an axis of the size of *axis* that reads the same words again."""
    if not axis.of_images:
        return Axis(axis.size, 0)
    if not parameter:
        raise MixedImagesError
    return axis
