"""Two nets spread below a network while it runs, so that no product escapes the unit.

The upper one (`torch.overrides.TorchFunctionMode`) catches every call of conv1d, conv2d, their
transposed forms, linear, matmul and scaled-dot-product attention, whoever makes it: an `nn.Conv2d`
or `nn.Linear`, a subclass, `F.conv2d` or ``@`` in somebody's forward, an exported graph. The lower
one (`TorchDispatchMode`) lets no other operator through that multiplies and accumulates: a product
that nobody has modeled is an error, never silently exact. It also has softmax, norms, activation
functions, means and interpolations computed by the vector unit's functions, below torch's graph:
gradients are those of torch's own operators.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterable, Mapping
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from accelsim.errors import ConfigError, DataError, TraceError
from accelsim.nn.operators import Unit
from accelsim.nn.vector import vector_function

__all__ = ["copied", "evaluated", "run"]


def run(unit: Unit, network: nn.Module, *args: Any, **kwargs: Any) -> Any:
    """Return what *network* returns for the arguments, every product made by *unit*.

    Raises
    ------
    TraceError
        For products other than those of convolutions in one or two dimensions, linear and matmul.
    """
    guard = _Guard()
    try:
        with guard, _Interceptor(unit, guard):
            return network(*args, **kwargs)
    except RuntimeError as error:
        # A scripted function tells our error in its own words only.
        if guard.refusal is not None:
            raise guard.refusal from error
        raise


def evaluated(operator: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Return what *operator* returns where a network that runs on a unit calls it, no gradient."""
    with torch.no_grad(), _Guard():
        return operator(*args, **kwargs)


def copied(model: nn.Module) -> nn.Module:
    """Return a copy of *model*, which can be run on a unit.

    Raises
    ------
    ConfigError
        If it is no module, cannot be copied, or holds a module that cannot be run; it is named.
    DataError
        If a parameter holds NaN or infinity.
    """
    _check_module(model)
    try:
        return copy.deepcopy(model)
    except (RuntimeError, TypeError, pickle.PickleError) as error:
        raise ConfigError(
            f"model {type(model).__name__!r} must be copied to be approximated, and cannot: {error}"
        ) from error


_aten = torch.ops.aten
_OPERATORS: dict[str, tuple[Callable[..., Any], ...]] = {
    "convolution": (
        torch.conv1d,
        _aten.conv1d,
        _aten.conv1d.default,
        _aten.conv1d.padding,
        torch.conv2d,
        _aten.conv2d,
        _aten.conv2d.default,
        _aten.conv2d.padding,
    ),
    "transposed": (
        torch.conv_transpose1d,
        _aten.conv_transpose1d,
        _aten.conv_transpose1d.default,
        torch.conv_transpose2d,
        _aten.conv_transpose2d,
        _aten.conv_transpose2d.input,
    ),
    "linear": (nn.functional.linear, _aten.linear, _aten.linear.default),
    "matmul": (
        torch.matmul,
        torch.bmm,
        torch.mm,
        torch.linalg.matmul,
        Tensor.matmul,
        Tensor.__matmul__,
        Tensor.bmm,
        Tensor.mm,
        _aten.matmul,
        _aten.matmul.default,
        _aten.bmm,
        _aten.bmm.default,
        _aten.mm,
        _aten.mm.default,
    ),
    "baddbmm": (torch.baddbmm, Tensor.baddbmm, _aten.baddbmm, _aten.baddbmm.default),
    "attention": (
        nn.functional.scaled_dot_product_attention,
        _aten.scaled_dot_product_attention,
        _aten.scaled_dot_product_attention.default,
    ),
}
_METHODS = {function: name for name, several in _OPERATORS.items() for function in several}
"""Function of torch -> the unit's method that stands for it."""

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


def _inside_out(function: Any) -> FunctionType:
    """Return a *function* of torch's in Python that does its work instead of handing it to modes.

    Torch hands the call as a whole to a mode, which then is not asked for what it calls inside.
    """
    unasked = {"has_torch_function": lambda arguments: False}
    made = FunctionType(
        function.__code__, function.__globals__ | unasked, function.__name__, function.__defaults__
    )
    made.__kwdefaults__ = function.__kwdefaults__
    return made


_multi_head_attention = _inside_out(nn.functional.multi_head_attention_forward)


class _Interceptor(TorchFunctionMode):
    """Sends what has products to the unit, tells the guard what else is being called."""

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
        method = _METHODS.get(func)
        if method is not None and "out" not in kwargs:
            named = {"other" if name == "mat2" else name: value for name, value in kwargs.items()}
            return getattr(self.unit, method)(*args, **named)
        if func is nn.functional.multi_head_attention_forward:
            with self:
                return _multi_head_attention(*args, **kwargs)
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
        function = vector_function(func)
        if function is not None:
            return function(func, args, kwargs or {})
        if str(func.overloadpacket) in _MAC_OPERATORS:
            shapes = [tuple(value.shape) for value in args if isinstance(value, Tensor)]
            name = None if self.called is None else resolve_name(self.called)
            self.refusal = TraceError(
                f"operator {name or 'of a compiled module'} ({func.overloadpacket}, operands "
                f"{shapes}) multiplies and accumulates, but only conv1d, conv2d, their transposed "
                "forms, linear, matmul and scaled_dot_product_attention run on a functional unit; "
                "write it as one of these"
            )
            raise self.refusal
        if torch.is_inference_mode_enabled():
            # Only there do operators arrive that are made of others, softmax and norms among them.
            with self:
                made = func.decompose(*args, **(kwargs or {}))
            if made is not NotImplemented:
                return made
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
    for name, value in model.named_parameters():
        if not value.isfinite().all():
            raise DataError(f"parameter {name!r} holds NaN or infinity; its weights are damaged")
