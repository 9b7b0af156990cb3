"""Scaled-dot-product attention: matmul, scale, mask, softmax, matmul, in this order.

`accelsim.nn.approximate` takes it apart in the same way; both ask here for scale and mask.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from accelsim.errors import TraceError
from accelsim.tracing.arguments import Arguments
from accelsim.tracing.builder import Builder, shape_of, where
from accelsim.tracing.operators import add_matmul
from accelsim.tracing.rows import add_softmax

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ATTENTION", "additive_mask", "check_attention", "scale_of"]


def scale_of(scale: float | None, width: int) -> float:
    """Return what the scores are multiplied by: *scale*, or 1 / sqrt of the queries' *width*."""
    return 1 / math.sqrt(width) if scale is None else float(scale)


def check_attention(dropout: float, grouped: bool) -> None:
    """Raise TraceError for what of an attention is not modelled."""
    if dropout:
        raise TraceError(
            f"attention with dropout_p={dropout:g} is not modelled; call model.eval() first, or "
            "pass 0.0"
        )
    if grouped:
        raise TraceError(
            "attention with enable_gqa=True is not modelled; give it as many keys and values as "
            "queries: repeat them with expand"
        )


def additive_mask(mask: Tensor | None, causal: bool, shape: tuple[int, int]) -> Tensor | None:
    """Return what is added to scores of *shape* (queries, keys), float32, None for nothing.

    A mask of bools says which scores count.

    Raises
    ------
    TraceError
        A query would attend to nothing, or there are two masks.
    """
    import torch

    if causal:
        if mask is not None:
            raise TraceError("attention takes attn_mask or is_causal, not both")
        mask = torch.ones(shape, dtype=torch.bool).tril()
    if mask is None:
        return None
    if mask.dtype == torch.bool:
        mask = torch.zeros(mask.shape).masked_fill(~mask, -math.inf)
    if (mask == -math.inf).all(dim=-1).any():
        raise TraceError(
            "attention with a mask that leaves a query nothing to attend to is not modelled; its "
            "softmax has no value. Let it attend to itself"
        )
    return mask


def _attention(builder: Builder, node: Any, arguments: Arguments) -> None:
    query, key, value = (builder.words(node, arguments[name]) for name in ("query", "key", "value"))
    queries, width = shape_of(node, arguments["query"])[-2:]
    keys = shape_of(node, arguments["key"])[-2]
    given = arguments["attn_mask"]
    if given is not None and not builder.is_constant(given):
        raise TraceError(
            f"{where(node)}: attn_mask must not depend on the images, got {given}; add it to the "
            "scores in operators of its own"
        )
    try:
        check_attention(arguments["dropout_p"], arguments["enable_gqa"])
        mask = additive_mask(
            None if given is None else builder.constants[given.name],
            arguments["is_causal"],
            (queries, keys),
        )
    except TraceError as error:
        raise TraceError(f"{where(node)}: {error}") from None
    rank = len(key.dims)
    transposed = key.permuted([*range(rank - 2), rank - 1, rank - 2])
    scores = add_matmul(builder, node, builder.name(node, "_scores"), query, transposed)
    scores = builder.elementwise(
        node,
        builder.name(node, "_scale"),
        "mul",
        scores,
        settings=(scale_of(arguments["scale"], width),),
    )
    if mask is not None:
        name = builder.name(node, "_mask")
        added = builder.parameter(f"{name}.values", mask.numpy(), scores.images)
        scores = builder.elementwise(node, name, "add", scores, added)
    weights = add_softmax(builder, node, builder.name(node, "_softmax"), "softmax", scores, -1)
    builder.put(node, add_matmul(builder, node, builder.name(node), weights, value))


ATTENTION = {"aten.scaled_dot_product_attention.default": _attention}
"""Operator -> what adds a node of it to a builder."""
