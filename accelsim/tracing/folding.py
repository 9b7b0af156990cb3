"""Batch norms in evaluation mode, folded into the convolution or linear layer before them.

With y = w x + b behind it, s y + t = (s w) x + (s b + t), filter by filter. It is torch's module
that is folded, so that trace, machine and `accelsim.nn.approximate` see the same weights.
"""

from __future__ import annotations

import copy
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from accelsim.errors import TraceError
from accelsim.tracing.builder import path_of
from accelsim.tracing.torch_export import exported
from accelsim.vector_functions.rows import scale_and_shift

if TYPE_CHECKING:
    import torch

__all__ = ["fold_batch_norms"]

_FOLLOWED = ("aten.conv1d.", "aten.conv2d.", "aten.linear.")


def fold_batch_norms(model: torch.nn.Module, images: np.ndarray) -> torch.nn.Module:
    """Return a copy of *model* with the batch norms that follow a layer of weights folded into it.

    Folded is what torch.export finds to be the only reader of an `nn.Conv1d`, `nn.Conv2d` or
    `nn.Linear` that is called once, and is an `nn.BatchNorm` that is called once, in evaluation
    mode: it becomes an `nn.Identity`. Others stay, and run on the vector unit. The folded weights
    and biases are computed in float64 and rounded once; outputs are the same within float32's
    rounding errors, and not in their bits.

    Parameters
    ----------
    model : torch.nn.Module
        In evaluation mode; it stays as it is.
    images : float32 array, (N, C, H, W)
        An input, to find who reads what.

    Raises
    ------
    TraceError
        torch.export cannot trace the model, or it is in training mode.

    Examples
    --------
    >>> import torch
    >>> net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2)).eval()
    >>> fold_batch_norms(net, np.zeros((1, 1, 4, 4), np.float32))[1]
    Identity()
    """
    import torch

    if model.training:
        raise TraceError(
            f"{type(model).__name__} is in training mode, where a batch norm is none of its "
            "weights; call model.eval() first"
        )
    program, folded = exported(model, images, type(model).__name__), copy.deepcopy(model)
    signature = program.graph_signature
    names = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    norms = [one for one in program.graph.nodes if str(one.target) == "aten.batch_norm.default"]
    calls = Counter(node.args[3].name for node in norms)
    for node in norms:
        layer = _layer_before(node, folded, names)
        norm = folded.get_submodule(path_of(node))
        if layer is None or calls[node.args[3].name] > 1:
            continue
        if not isinstance(norm, torch.nn.modules.batchnorm._BatchNorm):
            continue
        _fold(layer, norm)
        parent, _, name = path_of(node).rpartition(".")
        setattr(folded.get_submodule(parent), name, torch.nn.Identity())
    return folded


def _layer_before(node: Any, model: torch.nn.Module, names: dict[str, str]) -> Any:
    """Return the module of *model* whose outputs batch norm *node* alone reads, None for others."""
    import torch

    before = node.args[0]
    if not str(before.target).startswith(_FOLLOWED) or len(before.users) > 1:
        return None
    if str(before.target).startswith("aten.linear.") and before.meta["val"].dim() != 2:
        return None
    weight = before.args[1]
    owner, _, name = names.get(weight.name, "").rpartition(".")
    layer = model.get_submodule(owner)
    kinds = torch.nn.Conv1d | torch.nn.Conv2d | torch.nn.Linear
    biases = before.args[2:3]
    shared = any(one is not None and len(one.users) > 1 for one in (weight, *biases))
    return layer if name == "weight" and isinstance(layer, kinds) and not shared else None


def _fold(layer: Any, norm: Any) -> None:
    import torch

    gain, offset, bias = (
        None if one is None else one.detach().double().numpy()
        for one in (norm.weight, norm.bias, layer.bias)
    )
    mean, variance, weight = (
        one.detach().double().numpy() for one in (norm.running_mean, norm.running_var, layer.weight)
    )
    scale, shift = scale_and_shift(gain, offset, mean, variance, norm.eps, np.float64)
    weight = weight * scale.reshape(-1, *(1,) * (weight.ndim - 1))
    bias = shift if bias is None else bias * scale + shift
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight))
    layer.bias = torch.nn.Parameter(torch.from_numpy(bias.astype(np.float32)))
