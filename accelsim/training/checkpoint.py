"""Checkpoint of a training: what it takes to go on with the same bits after it was killed."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from accelsim.errors import DataError
from accelsim.files import write_atomically

__all__ = ["Checkpoint", "checkpoint_path"]


def checkpoint_path(out: Path) -> Path:
    """Return where the training that writes *out* keeps its checkpoint.

    >>> checkpoint_path(Path("runs/lenet5.safetensors")).as_posix()
    'runs/lenet5.checkpoint'
    """
    return out.with_suffix(".checkpoint")


class Checkpoint:
    """The file that keeps a training's state, for trainings of the same settings alone.

    Parameters
    ----------
    path : pathlib.Path
        The file; it need not exist.
    settings : mapping of str
        What determines the bits of the weights, as JSON can keep it.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self.path = path
        self._settings = json.loads(json.dumps(settings))

    def read(self) -> dict[str, Any] | None:
        """Return the state kept there, or None if there is no such file.

        Raises
        ------
        DataError
            If the file is damaged, no checkpoint, or that of a training with other settings.
        """
        if not self.path.exists():
            return None
        try:
            kept = torch.load(self.path, map_location="cpu", weights_only=True)
            settings, state = json.loads(kept["settings"]), dict(kept["state"])
        except (pickle.UnpicklingError, EOFError, KeyError, OSError, RuntimeError, TypeError,
                ValueError) as error:  # fmt: skip
            raise DataError(
                f"checkpoint {self.path} is damaged or none ({type(error).__name__}); remove it, "
                "or begin anew with --restart (restart=True)"
            ) from error
        names = sorted(
            name
            for name in settings.keys() | self._settings.keys()
            if settings.get(name) != self._settings.get(name)
        )
        if names:
            told = "; ".join(
                f"{name} {settings.get(name)!r} there, {self._settings.get(name)!r} here"
                for name in names
            )
            raise DataError(
                f"checkpoint {self.path} is of another training: {told}. Give the same settings to "
                "go on with it, another --out, or --restart (restart=True) to begin anew"
            )
        return state

    def write(self, state: Mapping[str, Any]) -> None:
        """Keep *state*, tensors and plain values in dicts and lists, in place of the one before.

        Raises
        ------
        DataError
            If the file cannot be written.
        """
        buffer = io.BytesIO()
        torch.save({"settings": json.dumps(self._settings), "state": dict(state)}, buffer)
        try:
            write_atomically(self.path, buffer.getvalue())
        except OSError as error:
            raise DataError(f"checkpoint {self.path} cannot be written: {error.strerror}") from None

    def remove(self) -> None:
        """Remove the file, if there is one."""
        self.path.unlink(missing_ok=True)
