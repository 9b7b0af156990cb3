"""Views of words against torch's own views of a tensor that holds the words' numbers."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from accelsim.tracing.words import (
    Axis,
    MixedImagesError,
    NeedsCopyError,
    Words,
    matrices,
    merged,
)


def elements(words):
    """Return the number of the word that each element is, counted over all images."""
    flat = [axis for dim in words.dims for axis in dim]
    found = np.full((1,), words.offset)
    for axis in flat:
        step = words.image_words if axis.of_images else axis.stride
        found = found[:, None] + np.arange(axis.size) * step
        found = found.reshape(-1)
    return found.reshape(words.shape)


def factors(draw, total):
    """Return a shape with so many elements."""
    shape = []
    while total > 1:
        size = draw(st.sampled_from([d for d in range(2, total + 1) if total % d == 0]))
        shape.append(size)
        total //= size
    shape.insert(draw(st.integers(0, len(shape))), 1)
    return tuple(shape)


def step(draw, words, tensor):
    """Apply the same random view to both."""
    rank = len(words.dims)
    kind = draw(st.sampled_from(["reshape", "permute", "cut", "select", "expand"]))
    if kind == "reshape" or rank == 0:
        shape = factors(draw, tensor.numel())
        return words.reshaped(shape), tensor.reshape(shape)
    if kind == "permute":
        order = draw(st.permutations(range(rank)))
        return words.permuted(order), tensor.permute(*order)
    at = draw(st.integers(0, rank - 1))
    if kind == "select":
        index = draw(st.integers(0, tensor.shape[at] - 1))
        return words.cut(at, index, 1, 1).without(at), tensor.select(at, index)
    if kind == "cut":
        start = draw(st.integers(0, tensor.shape[at] - 1))
        stop = draw(st.integers(start + 1, tensor.shape[at]))
        by = draw(st.integers(1, 3))
        cut = tensor[(slice(None),) * at + (slice(start, stop, by),)]
        return words.cut(at, start, cut.shape[at], by), cut
    shape = (2, *(3 if size == 1 else size for size in tensor.shape))
    return words.expanded(shape), tensor.expand(shape)


@given(st.data())
def test_views_of_views_are_torchs(data):
    """Whatever is done, or else refused: in what order words are read is what torch says."""
    images = data.draw(st.integers(1, 3))
    shape = (images, *data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=3)))
    words = Words.dense("layer", shape)
    tensor = torch.arange(int(np.prod(shape))).reshape(shape)
    for _ in range(data.draw(st.integers(1, 6))):
        if tensor.numel() > 500:
            break
        try:
            words, tensor = step(data.draw, words, tensor)
        except (NeedsCopyError, MixedImagesError):
            continue
        assert words.shape == tuple(tensor.shape)
        np.testing.assert_array_equal(elements(words), tensor.numpy())
        assert words.whole == (sorted(tensor.numpy().flat) == list(range(int(np.prod(shape)))))


@given(st.data())
def test_what_a_copy_makes_is_dense_and_never_needs_another(data):
    shape = data.draw(st.tuples(*[st.integers(1, 4)] * 4))
    order = data.draw(st.permutations(range(4)))
    words = Words.dense("layer", shape).permuted(order)
    copy = words.made_by("copy", words.dims)
    tensor = torch.arange(int(np.prod(shape))).reshape(shape).permute(*order)
    assert copy.shape == tuple(tensor.shape)
    image = order.index(0)
    # Images outermost, the other dimensions in the order that they have.
    dense = np.moveaxis(elements(copy), image, 0)
    np.testing.assert_array_equal(dense.ravel(), np.arange(dense.size))
    try:
        flat = copy.reshaped((tensor.numel(),))
    except MixedImagesError:
        pytest.fail("one dimension may hold the images with others")
    assert len(merged(flat.dims[0])) <= 3


def test_heads_that_were_moved_merge_into_a_dimension_of_two_axes():
    """(N, heads, T, d) to (N, T, heads * d): no strides say it, two axes do."""
    words = Words.dense("layer", (2, 3, 5, 4)).permuted((0, 2, 1, 3)).reshaped((2, 5, 12))
    assert words.dims[2] == (Axis(3, 20), Axis(4, 1))
    with pytest.raises(NeedsCopyError):
        words.view(words.dims[1:])
    copy = words.made_by("copy", words.dims)
    assert copy.view(copy.dims[1:]).strides == (60, 12, 1)


def test_images_are_neither_split_nor_cut_nor_folded_into_a_layers_dimensions():
    words = Words.dense("layer", (4, 6))
    for wrong in (
        lambda: words.reshaped((2, 12)),
        lambda: words.cut(0, 1, 3, 1),
        lambda: words.reshaped((24,)).view([words.reshaped((24,)).dims[0]]),
    ):
        with pytest.raises(MixedImagesError):
            wrong()
    assert words.reshaped((8, 3)).dims[0] == (Axis(4, -1), Axis(2, 3))


@pytest.mark.parametrize(
    ("first", "second", "batch"),
    [
        ((3, 2, 4, 5), (3, 2, 5, 6), (3, 2)),
        ((3, 2, 4, 5), (3, 1, 5, 6), (3, 2)),
        ((3, 1, 4, 5), (3, 2, 5, 6), (3, 2)),
        ((3, 4, 5), (3, 5, 6), (3,)),
        ((3, 2, 2, 4, 5), (3, 2, 2, 5, 6), (3, 2, 2)),
    ],
)
def test_batches_of_matrices_are_broadcast_as_torch_does_it(first, second, batch):
    found = matrices(Words.dense("a", first), Words.dense("b", second))
    read = [
        torch.as_strided(torch.arange(1000), view.shape, view.strides, view.offset)
        for view in (found.first, found.second)
    ]
    for one, shape in zip(read, (first, second), strict=True):
        whole = torch.arange(int(np.prod(shape))).reshape(shape)
        assert torch.equal(one, whole.expand(*batch, *shape[-2:]))
    sizes = tuple(int(np.prod([axis.size for axis in dim])) for dim in found.batch)
    assert sizes == batch


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (((2, 3, 3), (0, 1, 2)), ((2, 3, 3), (1, 0, 2))),  # images against rows
        (((2, 2, 3, 3), (0, 1, 2, 3)), ((2, 2, 3, 3), (1, 0, 2, 3))),  # images against heads
        (((2, 3, 4), (1, 0, 2)), ((2, 4, 3), (2, 1, 0))),  # images as rows and columns
        (((2, 3, 4), (2, 1, 0)), ((2, 3, 4), (2, 0, 1))),  # images summed over
    ],
)
def test_products_across_images_are_refused(first, second):
    with pytest.raises(MixedImagesError):
        matrices(*(Words.dense("x", shape).permuted(order) for shape, order in (first, second)))


def test_axes_that_do_not_meet_need_copies():
    a = Words.dense("a", (2, 2, 3, 4, 5)).permuted((0, 2, 1, 3, 4)).reshaped((2, 6, 4, 5))
    b = Words.dense("b", (2, 3, 2, 5, 4)).permuted((0, 2, 1, 3, 4)).reshaped((2, 6, 5, 4))
    with pytest.raises(NeedsCopyError):
        matrices(a, b)
    found = matrices(*(one.made_by("copy", one.dims) for one in (a, b)))
    assert (found.first.shape, found.second.shape) == ((2, 6, 4, 5), (2, 6, 5, 4))
