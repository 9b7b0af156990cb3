"""Torch modules whose products go through a functional unit, bit for bit as the hardware's do.

Two nets are spread during the forward pass, one below the other. The upper one
(`torch.overrides.TorchFunctionMode`) catches every call of conv2d and linear, whoever makes it: an
`nn.Conv2d` or `nn.Linear`, a subclass, `F.conv2d` in somebody's forward, an exported graph. The
lower one (`TorchDispatchMode`) lets no other operator through that multiplies and accumulates: a
product that nobody has modeled is an error, never silently exact.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from accelsim.accumulators import AUTO, accumulator_of
from accelsim.errors import ConfigError, TraceError, nearest
from accelsim.multipliers import MULTIPLIERS
from accelsim.nn.operators import Unit

__all__ = ["GRADIENTS", "ApproximateModule", "approximate"]

GRADIENTS = ("exact", "none")


def approximate(
    model: nn.Module,
    *,
    multiplier: str = "ax_fpm",
    accumulator: str = AUTO,
    gradient: str = "exact",
) -> ApproximateModule:
    """Return a copy of *model* whose convolutions and linear layers run on a functional unit.

    Parameters
    ----------
    model : torch.nn.Module
        Any module, on the CPU in float32. It is copied and stays as it is.
    multiplier : str
        Key of `accelsim.multipliers.MULTIPLIERS`; operands are (activation, weight).
    accumulator : str
        Key of `accelsim.accumulators.ACCUMULATORS`: the type in which the products are summed;
        ``"auto"``: the usual one of the multiplier, ``"float32"`` for floating-point units.
    gradient : str
        ``"exact"``: the backward pass is the exact layer's, as if the unit were exact
        (straight-through), with respect to inputs, weights and biases. ``"none"``: outputs carry no
        gradient.

    Returns
    -------
    ApproximateModule
        Call it as the original. Its outputs do not depend on how the images are batched.

    Raises
    ------
    UnknownNameError
        If no multiplier or accumulator has that name.
    ConfigError
        If *gradient* is unknown, or a module of *model* cannot be converted; it is named.

    Notes
    -----
    The forward pass raises `DataError` for operands that are not float32 on the CPU, and
    `TraceError` for products other than conv2d and linear (matmul, conv1d, attention, recurrent
    layers). Products that a module computes outside torch, or elementwise with ``*``, cannot be
    seen; elementwise operators stay exact, as they are on the vector unit.

    >>> layer = nn.Linear(2, 1, bias=False)
    >>> _ = nn.init.constant_(layer.weight, 0.5)
    >>> approximate(layer, multiplier="exact_fp32")(torch.ones(1, 2)).item()
    1.0
    """
    if gradient not in GRADIENTS:
        raise ConfigError(
            f"gradient must be one of {', '.join(GRADIENTS)}, got {gradient!r}."
            f"{nearest(gradient, GRADIENTS)}"
        )
    _check_module(model)
    # Unknown names are told before the copy.
    accumulator_of(MULTIPLIERS[multiplier], accumulator)
    try:
        network = copy.deepcopy(model)
    except (RuntimeError, TypeError, pickle.PickleError) as error:
        raise ConfigError(
            f"model {type(model).__name__!r} must be copied to be approximated, and cannot: {error}"
        ) from error
    return ApproximateModule(network, multiplier, accumulator, gradient)


class ApproximateModule(nn.Module):
    """A network on a functional unit, made by `approximate`.

    ``state_dict()`` has the names of the original network and loads its weights, so the two are
    exchangeable for whoever saves, loads or attacks them. Only a call of the whole module goes
    through the unit; parts of it are reached by approximating the part.

    Attributes
    ----------
    network : torch.nn.Module
        The copied network. Called by itself it is exact.
    multiplier, accumulator, gradient : str
        As given to `approximate`.
    """

    def __init__(
        self, network: nn.Module, multiplier: str, accumulator: str, gradient: str
    ) -> None:
        super().__init__()
        self.network = network
        self.multiplier = multiplier
        self.accumulator = accumulator
        self.gradient = gradient
        self.training = network.training
        self.register_state_dict_post_hook(_strip_prefix)
        self.register_load_state_dict_pre_hook(_add_prefix)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return the network's outputs, every product made by the unit."""
        unit = Unit(self.multiplier, self.accumulator, self.network)
        gradient = torch.is_grad_enabled() and self.gradient != "none"
        guard = _Guard()
        try:
            with torch.set_grad_enabled(gradient), guard, _Interceptor(unit, guard):
                return self.network(*args, **kwargs)
        except RuntimeError as error:
            # A scripted function tells our error in its own words only.
            if guard.refusal is not None:
                raise guard.refusal from error
            raise

    def extra_repr(self) -> str:
        """Return the unit's settings for the module's ``repr``."""
        return (
            f"multiplier={self.multiplier!r}, accumulator={self.accumulator!r}, "
            f"gradient={self.gradient!r}"
        )


_CONV2D = {
    torch.conv2d,
    torch.ops.aten.conv2d,
    torch.ops.aten.conv2d.default,
    torch.ops.aten.conv2d.padding,
}
_LINEAR = {nn.functional.linear, torch.ops.aten.linear, torch.ops.aten.linear.default}

# Those that torch's own list of operators worth counting leaves out, by the name of their packet.
_UNCOUNTED = {
    "aten._cdist_forward",
    "aten._euclidean_dist",
    "aten._int_mm",
    "aten._native_multi_head_attention",
    "aten._scaled_dot_product_attention_math",
    "aten._scaled_dot_product_flash_attention_for_cpu",
    "aten._scaled_dot_product_fused_attention_overrideable",
    "aten._sparse_addmm",
    "aten._sparse_mm",
    "aten._thnn_fused_gru_cell",
    "aten._transformer_encoder_layer_fwd",
    "aten._trilinear",
    "aten._weight_int4pack_mm",
    "aten._weight_int8pack_mm",
    "aten.addbmm",
    "aten.addmv",
    "aten.addr",
    "aten.conv2d",
    "aten.dot",
    "aten.hspmm",
    "aten.linalg_vecdot",
    "aten.linear",
    "aten.matmul",
    "aten.mkldnn_convolution",
    "aten.mkldnn_linear",
    "aten.mkldnn_rnn_layer",
    "aten.mv",
    "aten.sspaddmm",
    "aten.vdot",
}
_MAC_OPERATORS = {str(p) for p in flop_registry if str(p).startswith("aten.")} | _UNCOUNTED


class _Interceptor(TorchFunctionMode):
    """Sends conv2d and linear to the unit, and tells the guard what else is being called."""

    def __init__(self, unit: Unit, guard: _Guard) -> None:
        super().__init__()
        self.unit = unit
        self.guard = guard

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func in _CONV2D:
            return self.unit.conv2d(*args, **kwargs)
        if func in _LINEAR:
            return self.unit.linear(*args, **kwargs)
        self.guard.called = func
        return func(*args, **kwargs)


class _Guard(TorchDispatchMode):
    """Refuses every multiply-accumulate operator that arrives below the interceptor."""

    def __init__(self) -> None:
        super().__init__()
        self.called: Callable[..., Any] | None = None
        self.refusal: TraceError | None = None

    def __torch_dispatch__(
        self,
        func: Any,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if str(func.overloadpacket) in _MAC_OPERATORS:
            shapes = [tuple(value.shape) for value in args if isinstance(value, Tensor)]
            name = None if self.called is None else resolve_name(self.called)
            self.refusal = TraceError(
                f"operator {name or 'of a compiled module'} ({func.overloadpacket}, operands "
                f"{shapes}) multiplies and accumulates, but only conv2d and linear run on a "
                "functional unit; write it as nn.Conv2d, nn.Linear, F.conv2d or F.linear"
            )
            raise self.refusal
        return func(*args, **(kwargs or {}))


def _check_module(model: nn.Module) -> None:
    if not isinstance(model, nn.Module):
        raise ConfigError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    for name, module in model.named_modules():
        where = f"module {name or '(the model itself)'!r} ({type(module).__name__})"
        if isinstance(module, torch.jit.ScriptModule):
            raise ConfigError(f"{where} is compiled; give the module it was scripted from")
        if type(module).__name__ == "OptimizedModule":
            raise ConfigError(f"{where} is compiled; give the module that torch.compile was given")
        if isinstance(module, nn.Conv2d) and module.padding_mode != "zeros":
            raise ConfigError(
                f"{where}: padding_mode must be 'zeros', got {module.padding_mode!r}; pad in a "
                "module of its own (nn.CircularPad2d, nn.ReflectionPad2d, nn.ReplicationPad2d)"
            )


def _strip_prefix(
    module: nn.Module, state: dict[str, Any], prefix: str, local_metadata: dict[str, Any]
) -> None:
    _rename(state, prefix + "network.", prefix)


def _add_prefix(module: nn.Module, state: dict[str, Any], prefix: str, *rest: Any) -> None:
    _rename(state, prefix, prefix + "network.")


def _rename(state: dict[str, Any], old: str, new: str) -> None:
    for key in [key for key in state if key.startswith(old)]:
        state[new + key.removeprefix(old)] = state.pop(key)
