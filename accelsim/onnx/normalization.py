"""Normalizations as they are in inference."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from accelsim.onnx.base import Call, Operator, Table

__all__ = ["NORMALIZATION"]


def _batch(
    call: Call, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor
) -> Tensor:
    for name, expected in (("training_mode", 0), ("spatial", 1)):
        call.refuse(name, expected)
    return functional.batch_norm(x, mean, variance, scale, bias, eps=call["epsilon"])


def _layer(call: Call, x: Tensor, scale: Tensor, bias: Tensor | None) -> Tensor:
    call.refuse("stash_type", 1)
    axis = call.axis(call["axis"], x.dim())
    shape = x.shape[axis:]
    scale = scale.expand(shape)
    bias = None if bias is None else bias.expand(shape)
    return functional.layer_norm(x, shape, scale, bias, call["epsilon"])


def _group(call: Call, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    return functional.group_norm(x, call["num_groups"], scale, bias, call["epsilon"])


def _instance(call: Call, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    return functional.instance_norm(x, weight=scale, bias=bias, eps=call["epsilon"])


def _local_response(call: Call, x: Tensor) -> Tensor:
    if call["size"] % 2 == 0:
        raise call.error(f"its size must be odd, as torch has it, got {call['size']}")
    return functional.local_response_norm(
        x, call["size"], call["alpha"], call["beta"], call["bias"]
    )


NORMALIZATION: Table = {
    "BatchNormalization": Operator(_batch, buffers=(3, 4)),
    "LayerNormalization": Operator(_layer),
    "GroupNormalization": Operator(_group),
    "InstanceNormalization": Operator(_instance),
    "LRN": Operator(_local_response),
}
"""Operator -> how it is computed."""
