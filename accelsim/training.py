"""Training of a workload's weights by its fixed recipe; no choice is made on the test images."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import math
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelsim.datasets import SPLITS, Split, fingerprint
from accelsim.errors import ConfigError, DataError
from accelsim.files import check_writable, write_atomically
from accelsim.version import __version__
from accelsim.workload import WORKLOADS, Recipe, Workload, workload_split

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["train"]

Progress = Callable[[int, int, float], None]


def train(
    workload: str | Workload,
    *,
    epochs: int | None = None,
    seed: int = 0,
    out: str | PathLike[str],
    data: str | PathLike[str] | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train a workload's network from scratch, write weights and card, and return the card.

    The weights of the last epoch are kept. The test images are looked at once, after that, for the
    accuracy in the card. With the same seed, torch version and kind of CPU the weights come out
    with the same bits; torch's global random state and thread count are left as they were.

    Parameters
    ----------
    workload : str or Workload
        What to train, by name or as it is.
    epochs : int, optional
        Instead of the recipe's number.
    seed : int
        Draws the initial weights and the order of the images.
    out : path
        The weights file, ending in ``.safetensors``. The card (JSON: data, recipe, seed, accuracy,
        date, versions, SHA-256 of the weights) gets the same name with ``.json``. Each is written
        whole or not at all.
    data : path, optional
        The data folder, or a set of one's own instead of the workload's: see
        `accelsim.datasets.read_split`. Missing training batches are noted in the card.
    progress : callable, optional
        Called after each epoch with (epoch from 1, epochs, mean training loss in nats).

    Returns
    -------
    dict
        The card.

    Raises
    ------
    UnknownNameError
        If no workload has that name.
    ConfigError
        If *epochs*, *seed* or *out* cannot be used.
    DataError
        If the data cannot be read or are not what the network takes, or *out* cannot be written,
        which are found out before the training starts; or if it diverges.
    """
    entry = WORKLOADS[workload] if isinstance(workload, str) else workload
    path = Path(out)
    if path.suffix != ".safetensors":
        raise ConfigError(f"out must be a file name ending in .safetensors, got {str(path)!r}")
    recipe = entry.recipe
    if recipe is None:
        raise ConfigError(f"{entry.name} has no recipe of training; train it where it was made")
    if epochs is not None:
        recipe = dataclasses.replace(recipe, epochs=_checked_int("epochs", epochs, least=1))
    seed = _checked_int("seed", seed, least=0, most=2**63 - 1)
    _write(check_writable, path)
    splits = {split: workload_split(entry, split, data) for split in SPLITS}
    with _reproducible(seed, recipe.threads):
        model, loss = _fit(entry, recipe, splits["train"], progress)
        accuracies = {name: _accuracy(model, split) for name, split in splits.items()}
    content = _to_safetensors(model)
    card = _card(entry, recipe, splits, seed, model, loss, accuracies, content)
    _write(write_atomically, path, content)
    text = json.dumps(card, indent=2) + "\n"
    _write(write_atomically, path.with_suffix(".json"), text.encode())
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
    import torch

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


def _fit(
    workload: Workload, recipe: Recipe, data: Split, progress: Progress | None
) -> tuple[nn.Module, float]:
    """Return the trained model and the mean loss of its last epoch."""
    import torch

    images, labels = torch.from_numpy(data.images), torch.from_numpy(data.labels)
    model = workload.build().train()
    optimizer = torch.optim.Adam(
        model.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    steps = recipe.epochs * math.ceil(len(images) / recipe.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    mean_loss = math.nan
    for epoch in range(1, recipe.epochs + 1):
        total = 0.0
        for batch in torch.randperm(len(images)).split(recipe.batch_size):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(images[batch]), labels[batch])
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(batch)
        mean_loss = total / len(images)
        if not math.isfinite(mean_loss):
            raise DataError(
                f"training of {workload.name!r} diverged in epoch {epoch} (loss {mean_loss}); "
                "lower the learning rate of its recipe"
            )
        if progress is not None:
            progress(epoch, recipe.epochs, mean_loss)
    return model.eval(), mean_loss


def _accuracy(model: nn.Module, data: Split) -> float:
    import torch

    images, labels = torch.from_numpy(data.images), torch.from_numpy(data.labels)
    with torch.inference_mode():
        predicted = torch.cat([model(part).argmax(1) for part in images.split(500)])
    return float((predicted == labels).double().mean())


def _to_safetensors(model: nn.Module) -> bytes:
    from safetensors.torch import save

    state: dict[str, Tensor] = {
        name: tensor.detach().contiguous() for name, tensor in model.state_dict().items()
    }
    return save(state)


def _card(
    workload: Workload,
    recipe: Recipe,
    splits: Mapping[str, Split],
    seed: int,
    model: nn.Module,
    loss: float,
    accuracies: dict[str, float],
    content: bytes,
) -> dict[str, Any]:
    return {
        "workload": workload.name,
        "title": workload.title,
        "dataset": splits["train"].dataset,
        "data": {
            name: {"images": len(split), "sha256": fingerprint(split.images, split.labels)}
            for name, split in splits.items()
        },
        "data_notes": [note for split in splits.values() for note in split.notes],
        "recipe": dataclasses.asdict(recipe),
        "optimizer": "Adam, cross entropy, learning rate falling along a half cosine to 0",
        "seed": seed,
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
