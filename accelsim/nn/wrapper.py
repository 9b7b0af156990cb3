"""A network inside a module that goes by the names of the network's own parameters."""

from __future__ import annotations

from typing import Any

from torch import nn

__all__ = ["Wrapper"]


class Wrapper(nn.Module):
    """A module around *network*, with the network's ``state_dict`` and training mode.

    Attributes
    ----------
    network : torch.nn.Module
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.training = network.training
        self.register_state_dict_post_hook(_strip_prefix)
        self.register_load_state_dict_pre_hook(_add_prefix)


def _strip_prefix(
    module: nn.Module, state: dict[str, Any], prefix: str, local_metadata: dict[str, Any]
) -> None:
    _rename(state, prefix + "network.", prefix)


def _add_prefix(module: nn.Module, state: dict[str, Any], prefix: str, *rest: Any) -> None:
    _rename(state, prefix, prefix + "network.")


def _rename(state: dict[str, Any], old: str, new: str) -> None:
    for key in [key for key in state if key.startswith(old)]:
        state[new + key.removeprefix(old)] = state.pop(key)
