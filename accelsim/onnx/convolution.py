"""Convolutions, and the products of matrices."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, matmul
from torch.nn import functional

from accelsim.onnx.base import Call, Operator, Table, torch_pads

__all__ = ["CONVOLUTIONS", "margins", "window"]

Sizes = tuple[int, ...]


def window(call: Call, extents: Sequence[int], kernel: Sequence[int]) -> tuple[Sizes, ...]:
    """Return stride, dilation, and what is padded before and after each dimension.

    Parameters
    ----------
    call : Call
    extents : sequence of int
        The input's spatial dimensions.
    kernel : sequence of int
    """
    rank = len(kernel)
    if len(extents) != rank:
        raise call.error(f"its kernel {tuple(kernel)} does not fit an input of {tuple(extents)}")
    if tuple(call.get("kernel_shape") or kernel) != tuple(kernel):
        raise call.error(f"kernel_shape {call.get('kernel_shape')} is not its weight's {kernel}")
    stride, dilation = call.ints("strides", rank, 1), call.ints("dilations", rank, 1)
    if min(*stride, *dilation, *kernel) < 1:
        raise call.error(f"strides {stride}, dilations {dilation}, kernel {kernel}: not all >= 1")
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    totals = [
        max(0, (-(-extent // step) - 1) * step + size - extent)
        for extent, step, size in zip(extents, stride, reach, strict=True)
    ]
    before, after = margins(call, totals)
    call.check_size([sum(one) for one in zip(extents, before, after, strict=True)])
    return stride, dilation, before, after


def margins(call: Call, totals: Sequence[int]) -> tuple[Sizes, Sizes]:
    """Return what ``auto_pad`` and ``pads`` say; *totals* is what 'same' pads altogether."""
    mode, rank = call.get("auto_pad", "NOTSET"), len(totals)
    if mode == "VALID":
        return (0,) * rank, (0,) * rank
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        less, more = [n // 2 for n in totals], [n - n // 2 for n in totals]
        return (tuple(less), tuple(more)) if mode == "SAME_UPPER" else (tuple(more), tuple(less))
    if mode not in ("NOTSET", ""):
        raise call.error(f"auto_pad must be NOTSET, VALID, SAME_UPPER or SAME_LOWER, got {mode!r}")
    pads = call.ints("pads", 2 * rank, 0)
    if min(pads, default=0) < 0:
        raise call.error(f"its pads must be >= 0, got {pads}")
    return pads[:rank], pads[rank:]


def _conv(call: Call, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    _check_rank(call, weight)
    stride, dilation, before, after = window(call, x.shape[2:], weight.shape[2:])
    if before != after:
        x = functional.pad(x, torch_pads(zip(before, after, strict=True)))
        before = (0,) * len(before)
    convolve = functional.conv1d if weight.dim() == 3 else functional.conv2d
    return convolve(x, weight, bias, stride, before, dilation, call["group"])


def _conv_transpose(call: Call, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    _check_rank(call, weight)
    kernel = weight.shape[2:]
    rank = len(kernel)
    stride, dilation = call.ints("strides", rank, 1), call.ints("dilations", rank, 1)
    more, wanted = call.ints("output_padding", rank, 0), call.get("output_shape")
    whole = [
        (extent - 1) * s + d * (k - 1) + 1
        for extent, s, d, k in zip(x.shape[2:], stride, dilation, kernel, strict=True)
    ]
    call.check_size(whole)
    if wanted:
        sizes = tuple(wanted)[-rank:]
    else:
        sizes = tuple(extent * s for extent, s in zip(x.shape[2:], stride, strict=True))
    totals = [size + o - want for size, o, want in zip(whole, more, sizes, strict=True)]
    if wanted and call.get("auto_pad", "NOTSET") != "SAME_UPPER":
        # As ONNX has it: the odd one goes to the front unless it is SAME_UPPER.
        before = tuple(total - total // 2 for total in totals)
        after = tuple(total // 2 for total in totals)
    else:
        before, after = margins(call, totals)
    if min(*before, *after) < 0:
        raise call.error(f"it would pad its output by {before} and {after}; give smaller outputs")
    convolve = functional.conv_transpose1d if rank == 1 else functional.conv_transpose2d
    common = [min(b, a) for b, a in zip(before, after, strict=True)]
    # A margin that is wider behind is less of an output padding, one that is wider before is cut.
    extra = tuple(o - (a - c) for o, a, c in zip(more, after, common, strict=True))
    made = convolve(
        x, weight, bias, stride, common, tuple(map(_positive, extra)), call["group"], dilation
    )
    for at, (b, c, e) in enumerate(zip(before, common, extra, strict=True), start=2):
        start, cut = b - c, max(0, -e)
        if start or cut:
            made = made.narrow(at, start, made.shape[at] - start - cut)
    return made


def _positive(number: int) -> int:
    return max(0, number)


def _check_rank(call: Call, weight: Tensor) -> None:
    if weight.dim() not in (3, 4):
        raise call.error(
            f"convolutions have one spatial dimension or two, its weight is {tuple(weight.shape)}"
        )


def _gemm(call: Call, a: Tensor, b: Tensor, c: Tensor | None) -> Tensor:
    alpha, beta = call["alpha"], call["beta"]
    rows = a.t() if call["transA"] else a
    columns = b if call["transB"] else b.t()
    if c is not None and c.dim() < 2 and alpha == beta == 1 and c.numel() == len(columns):
        return functional.linear(rows, columns, c)
    made = functional.linear(rows, columns)
    if alpha != 1:
        made = made * alpha
    if c is None or beta == 0:
        return made
    return made + (c if beta == 1 else c * beta)


def _matmul(call: Call, a: Tensor, b: Tensor) -> Tensor:
    return matmul(a, b)


CONVOLUTIONS: Table = {
    "Conv": Operator(_conv),
    "ConvTranspose": Operator(_conv_transpose),
    "Gemm": Operator(_gemm),
    "MatMul": Operator(_matmul),
}
"""Operator -> how it is computed."""
