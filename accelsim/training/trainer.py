"""A whole training: settings checked, weights and card written, a checkpoint in between."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from accelsim.datasets import SPLITS, Split, fingerprint
from accelsim.errors import ConfigError, DataError
from accelsim.files import check_writable, write_atomically
from accelsim.recipe import Recipe
from accelsim.training.checkpoint import Checkpoint, checkpoint_path
from accelsim.training.fitting import Fit, Progress
from accelsim.version import __version__
from accelsim.workload import WORKLOADS, Workload, workload_split

__all__ = ["train"]


def train(
    workload: str | Workload,
    *,
    epochs: int | None = None,
    seed: int = 0,
    out: str | PathLike[str],
    data: str | PathLike[str] | None = None,
    restart: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train a workload's network from scratch, write weights and card, and return the card.

    The weights of the last epoch are kept. The test images are looked at once, after that, for the
    accuracy in the card. With the same seed, torch version and kind of CPU the weights come out
    with the same bits; torch's global random state and thread count are left as they were.

    After each epoch, and once a minute, the state is kept in a checkpoint beside *out*. A training
    that was killed goes on from there when it is called again with the same settings, to the same
    bits as one that was not; at the end the checkpoint is removed.

    Parameters
    ----------
    workload : str or Workload
        What to train, by name or as it is.
    epochs : int, optional
        Instead of the recipe's number.
    seed : int
        Draws the initial weights, the order of the images and their augmentation.
    out : path
        The weights file, ending in ``.safetensors``. The card (JSON: data, recipe, seed, accuracy,
        date, versions, SHA-256 of the weights) gets the same name with ``.json``, the checkpoint
        with ``.checkpoint``. Each is written whole or not at all.
    data : path, optional
        The data folder, or a set of one's own instead of the workload's: see
        `accelsim.datasets.read_split`. Missing training batches are noted in the card.
    restart : bool
        Begin anew, whatever checkpoint there is.
    progress : callable, optional
        Called after each batch with (batches done, batches in all, epoch and mean training loss in
        words).

    Returns
    -------
    dict
        The card.

    Raises
    ------
    UnknownNameError
        If no workload has that name.
    ConfigError
        If *epochs*, *seed* or *out* cannot be used, or the workload has no recipe.
    DataError
        If the data cannot be read or are not what the network takes, the checkpoint is that of
        another training or damaged, or *out* cannot be written, which are found out before the
        training starts; or if it diverges.
    """
    entry = WORKLOADS[workload] if isinstance(workload, str) else workload
    path = Path(out)
    if path.suffix != ".safetensors":
        raise ConfigError(f"out must be a file name ending in .safetensors, got {str(path)!r}")
    recipe = entry.recipe
    if recipe is None:
        trained = [name for name, other in WORKLOADS.items() if other.recipe is not None]
        raise ConfigError(
            f"workload {entry.name!r} has no recipe to train it by; those that have one: "
            f"{', '.join(trained)}"
        )
    if epochs is not None:
        recipe = dataclasses.replace(recipe, epochs=_checked_int("epochs", epochs, least=1))
    seed = _checked_int("seed", seed, least=0, most=2**63 - 1)
    _write(check_writable, path)
    splits = {split: workload_split(entry, split, data) for split in SPLITS}
    described = _described(entry, recipe, splits, seed)
    settings = {**described, "torch": torch.__version__}
    checkpoint = Checkpoint(checkpoint_path(path), settings)
    if restart:
        checkpoint.remove()
    state = checkpoint.read()
    with _reproducible(seed, recipe.threads):
        model = entry.build()
        fit = Fit(entry.name, model, recipe, *_tensors(splits["train"]))
        if state is not None:
            fit.restore(state)
        loss = fit.run(checkpoint, progress)
        accuracies = {name: _accuracy(model, split) for name, split in splits.items()}
    content = _to_safetensors(model)
    card = _card(described, entry, recipe, splits, model, loss, accuracies, content)
    text = json.dumps(card, indent=2) + "\n"
    _write(write_atomically, path, content)
    _write(write_atomically, path.with_suffix(".json"), text.encode())
    checkpoint.remove()
    return card


def _write(action: Callable[..., None], path: Path, *content: bytes) -> None:
    try:
        action(path, *content)
    except OSError as error:
        raise DataError(f"out {str(path)!r} cannot be written: {error.strerror}") from None


def _checked_int(field: str, value: object, least: int, most: int = 10**9) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ConfigError(f"{field} must be an int in {least}..{most}, got {value!r}")
    return value


@contextmanager
def _reproducible(seed: int, threads: int) -> Iterator[None]:
    """Seed torch, fix its thread count and allow deterministic algorithms only; then restore."""
    old_threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    with torch.random.fork_rng(devices=[]):
        try:
            torch.manual_seed(seed)
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(True)
            yield
        finally:
            torch.set_num_threads(old_threads)
            torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)


def _tensors(split: Split) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(split.images), torch.from_numpy(split.truth)


def _accuracy(model: nn.Module, data: Split) -> float:
    images, labels = _tensors(data)
    with torch.inference_mode():
        predicted = torch.cat([model(part).argmax(1) for part in images.split(500)])
    return float((predicted == labels).double().mean())


def _to_safetensors(model: nn.Module) -> bytes:
    state: dict[str, Tensor] = {
        name: tensor.detach().contiguous() for name, tensor in model.state_dict().items()
    }
    return save(state)


def _described(
    workload: Workload, recipe: Recipe, splits: Mapping[str, Split], seed: int
) -> dict[str, Any]:
    """Return what determines the weights, but for the versions and the machine."""
    return {
        "workload": workload.name,
        "dataset": splits["train"].dataset,
        "data": {
            name: {"images": len(split), "sha256": fingerprint(split.images, split.truth)}
            for name, split in splits.items()
        },
        "recipe": dataclasses.asdict(recipe),
        "seed": seed,
    }


def _card(
    described: Mapping[str, Any],
    workload: Workload,
    recipe: Recipe,
    splits: Mapping[str, Split],
    model: nn.Module,
    loss: float,
    accuracies: Mapping[str, float],
    content: bytes,
) -> dict[str, Any]:
    return {
        **described,
        "title": workload.title,
        "data_notes": [note for split in splits.values() for note in split.notes],
        "optimizer": recipe.text,
        "train_loss": loss,
        "train_accuracy": accuracies["train"],
        "test_accuracy": accuracies["test"],
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "versions": {
            "python": platform.python_version(),
            "accelsim": __version__,
            **{name: version(name) for name in ("torch", "numpy", "scikit-learn")},
        },
        "cpu": platform.machine(),
        "sha256": hashlib.sha256(content).hexdigest(),
        "source": workload.source,
    }
