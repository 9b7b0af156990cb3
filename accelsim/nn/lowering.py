"""Convolutions of every form as the one that the array runs: in two dimensions, evenly padded.

The same steps as `accelsim.tracing` takes, so that the bits are the same.
"""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor
from torch.nn import functional

from accelsim.errors import ConfigError, DataError

__all__ = ["pair", "padded", "transposed"]

Pair = tuple[int, int]


def pair(value: int | Iterable[int], rank: int, missing: int = 1) -> Pair:
    """Return one number or *rank* of them as a pair; of rank 1 *missing* stands for the columns."""
    items = (value,) if isinstance(value, int) else tuple(int(item) for item in value)
    if len(items) not in (1, rank):
        raise ConfigError(
            f"conv{rank}d: stride, padding and dilation take one or {rank} numbers, got {items}"
        )
    return items[0], missing if rank == 1 else items[-1]


def padded(
    images: Tensor, weight: Tensor, padding: str | Pair, dilation: Pair
) -> tuple[Tensor, Pair]:
    """Return images and symmetric padding; where 'same' is lopsided the images come padded."""
    if not isinstance(padding, str):
        return images, padding
    if padding == "valid":
        return images, (0, 0)
    totals = [d * (size - 1) for d, size in zip(dilation, weight.shape[2:], strict=True)]
    bottom, right = (total % 2 for total in totals)
    if bottom or right:
        images = functional.pad(images, (0, right, 0, bottom))
    return images, (totals[0] // 2, totals[1] // 2)


def transposed(
    images: Tensor,
    weight: Tensor,
    stride: Pair,
    padding: Pair,
    output_padding: Pair,
    dilation: Pair,
    groups: int,
) -> tuple[Tensor, Tensor, Pair]:
    """Return images, weight and padding of the convolution that a transposed one is.

    Its images have ``stride - 1`` zeros between pixels, its kernel is turned by 180 degrees, its
    padding is what the kernel reaches less *padding*. Where that is negative, pixels are cut off.

    Parameters
    ----------
    images : (N, C, H, W)
    weight : (C, M / groups, R, S)

    Returns
    -------
    (N, C, H', W'), (M, C / groups, R, S), and the padding.
    """
    if any(o >= max(s, d) for o, s, d in zip(output_padding, stride, dilation, strict=True)):
        raise DataError(
            f"output_padding {output_padding} must be smaller than stride {stride} or dilation "
            f"{dilation}"
        )
    n, c, *extents = images.shape
    sizes = [
        (extent - 1) * step + 1 + more
        for extent, step, more in zip(extents, stride, output_padding, strict=True)
    ]
    spread = images.new_zeros((n, c, *sizes))
    ends = [size - more for size, more in zip(sizes, output_padding, strict=True)]
    spread[:, :, : ends[0] : stride[0], : ends[1] : stride[1]] = images
    reach = [d * (size - 1) for d, size in zip(dilation, weight.shape[2:], strict=True)]
    margins = [total - cut for total, cut in zip(reach, padding, strict=True)]
    top, left = (max(0, -margin) for margin in margins)
    spread = spread[:, :, top : sizes[0] - top, left : sizes[1] - left]
    turned = weight.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1).flip(2, 3)
    return spread, turned, (max(0, margins[0]), max(0, margins[1]))
