"""Weights of a model: drawn by a seed, or read from a file without running code that it holds."""

from __future__ import annotations

import math
import pickle
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelsim.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["draw_model", "read_weights"]

COUNTER = ".num_batches_tracked"
"""End of a buffer's name: batches that a batch norm has seen, which only its training reads."""


def draw_model(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Return the network that *build* makes with random weights, the same for the same seed.

    They are those of torch's default initialization, those of convolutions and linear layers times
    sqrt(6): that is the variance 2 / inputs of He et al. (ICCV 2015), with which activations keep
    their size through ReLUs. torch's global random state is left as it was.

    Parameters
    ----------
    build : callable
        Returns a `torch.nn.Module`.
    seed : int
    """
    import torch
    from torch import nn

    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model = build()
        for module in model.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.weight.mul_(math.sqrt(6))
    return model


def read_weights(model: nn.Module, path: Path) -> None:
    """Load the weights file *path* into *model*, in place; all of it or, on an error, nothing.

    Parameters
    ----------
    model : torch.nn.Module
        Its state dict says which names and shapes the file must hold, no more and no fewer; but
        for the counters of batch norms, which may be missing and are not read.
    path : pathlib.Path
        A ``.safetensors`` file, or a state dict written by `torch.save`, which is read with
        ``weights_only=True``: code in the file is refused, not run.

    Raises
    ------
    DataError
        If the file is missing, truncated or not a state dict, or if a name, a shape, a dtype or a
        value is wrong; it names the file and the reason.
    """
    try:
        found = path.is_file()
    except OSError as error:
        raise DataError(f"weights file {path} cannot be read: {error.strerror}") from None
    if not found:
        raise DataError(f"weights file {path} does not exist")
    state = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    own = model.state_dict()
    counters = {name: tensor for name, tensor in own.items() if name.endswith(COUNTER)}
    state = {name: tensor for name, tensor in state.items() if not name.endswith(COUNTER)}
    _check_state(state, {name: own[name] for name in own if name not in counters}, path)
    model.load_state_dict({**state, **counters})


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise DataError(
            f"weights file {path} is not a complete safetensors file: {error}"
        ) from error


def _read_torch(path: Path) -> Mapping[str, Tensor]:
    import torch

    try:
        # A foreign file makes torch warn about its pickle protocol; the error below says enough.
        with warnings.catch_warnings(action="ignore"):
            state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise DataError(
            f"weights file {path} is not a plain state dict of tensors saved by torch; whatever "
            "code or objects it may hold were not run (a safetensors file must end in .safetensors)"
        ) from error
    except Exception as error:  # what torch raises for a file of another kind has no bounds
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(
            f"weights file {path} is not a complete state dict saved by torch (a safetensors file "
            f"must end in .safetensors): {reason}"
        ) from error
    _check_is_state_dict(state, path)
    return state


def _check_is_state_dict(state: Any, path: Path) -> None:
    import torch

    if not isinstance(state, Mapping):
        raise DataError(
            f"weights file {path} must hold a state dict (name -> tensor), got "
            f"{type(state).__name__}"
        )
    for name, value in state.items():
        if isinstance(value, torch.Tensor) and (value.layout != torch.strided or value.is_meta):
            raise DataError(f"weights file {path}: {name} must be a dense tensor with values")
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise DataError(
                f"weights file {path} must hold a state dict (name -> tensor), got "
                f"{name!r} -> {type(value).__name__}"
            )


def _check_state(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], path: Path) -> None:
    missing = [name for name in expected if name not in state]
    unexpected = [name for name in state if name not in expected]
    if missing or unexpected:
        parts = [
            f"{word} {', '.join(names)}"
            for word, names in (("missing", missing), ("unexpected", unexpected))
            if names
        ]
        raise DataError(f"weights file {path} is of another network: {'; '.join(parts)}")
    for name, tensor in state.items():
        want = expected[name]
        if tensor.shape != want.shape or tensor.dtype != want.dtype:
            raise DataError(
                f"weights file {path}: {name} must be {tuple(want.shape)} {want.dtype}, got "
                f"{tuple(tensor.shape)} {tensor.dtype}"
            )
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise DataError(f"weights file {path}: {name} holds NaN or infinity")
