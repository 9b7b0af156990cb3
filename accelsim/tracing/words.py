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
    "Matrices",
    "MixedImagesError",
    "NeedsCopyError",
    "Words",
    "axes",
    "matrices",
    "merged",
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
    """A tensor of the graph: which words of a layer's output it is.

    Parameters
    ----------
    source : str
        The layer.
    images : int
    image_words : int
        Words of an image in the layer's output.
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


def merged(several: Iterable[Axis]) -> Axes:
    """Return the same axes, those that go on where the next ones end made one with them."""
    found: list[Axis] = []
    for axis in several:
        if found and not found[-1].of_images and not axis.of_images:
            outer = found[-1]
            if outer.stride == axis.stride * axis.size:
                found[-1] = Axis(outer.size * axis.size, axis.stride)
                continue
        found.append(axis)
    return tuple(found)


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
    pairs = [_aligned(*dims) for dims in zip(*batches, strict=True)]
    inner = [pair for dim in pairs for pair in dim if not pair[0].of_images]
    return Matrices(
        first.view([*([pair[0]] for pair in inner), *first.dims[-2:]]),
        second.view([*([pair[1]] for pair in inner), *second.dims[-2:]]),
        tuple(tuple(pair[0] for pair in dim) for dim in pairs),
    )


def _aligned(first: Axes, second: Axes) -> list[tuple[Axis, Axis]]:
    """Return the axes of two dimensions in pairs of one size; one of size 1 is read repeatedly."""
    if not first or not second:
        longer = first or second
        if any(axis.of_images for axis in longer):
            raise MixedImagesError
        first, second = (
            one or tuple(Axis(axis.size, 0) for axis in longer) for one in (first, second)
        )
    left, right = (list(reversed(one)) for one in (first, second))
    pairs = []
    while left:
        one, other = left.pop(), right.pop()
        if one.of_images != other.of_images:
            raise MixedImagesError
        if one.size > other.size:
            one, rest = one.split(other.size)
            left.append(rest)
        elif other.size > one.size:
            other, rest = other.split(one.size)
            right.append(rest)
        pairs.append((one, other))
    return pairs
