"""Fitting: a network's weights to training images, step by step, with its state at hand."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from accelsim.errors import DataError
from accelsim.recipe import Recipe
from accelsim.training.augmentation import augmented
from accelsim.training.batch_norm import fold_batch_norm, insert_batch_norm
from accelsim.training.checkpoint import Checkpoint

__all__ = ["Fit"]

CHECKPOINT_SECONDS = 60.0
"""So often a state is kept within an epoch; one is kept after each epoch anyway."""

PEAK = 0.25
"""Share of all batches at which a triangle is highest."""

Progress = Callable[[int, int, str], None]


class Fit:
    """A network on its way from initial to trained weights.

    Randomness comes from torch's global generator: for each epoch the order of the images, and for
    each batch what augmentation and dropout draw.

    Parameters
    ----------
    name : str
        The network's, for messages.
    model : torch.nn.Module
        With its initial weights; changed in place.
    recipe : Recipe
    images : (N, C, H, W) float32
    labels : (N,) int64
    """

    def __init__(
        self, name: str, model: nn.Module, recipe: Recipe, images: Tensor, labels: Tensor
    ) -> None:
        self._name, self._model, self._recipe = name, model.train(), recipe
        self._images, self._labels = images, labels
        if recipe.batch_norm:
            insert_batch_norm(model)
        self._epoch_batches = math.ceil(len(images) / recipe.batch_size)
        self._batches = max(1, round(recipe.epochs * self._epoch_batches))
        self._optimizer = _optimizer(model, recipe)
        self._schedule = _schedule(self._optimizer, recipe, self._batches)
        self._done = 0
        self._order = torch.empty(0, dtype=torch.int64)
        self._loss_sum = 0.0

    def state(self) -> dict[str, Any]:
        """Return all that the batches to come depend on, torch's random state included."""
        return {
            "model": self._model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "done": self._done,
            "order": self._order,
            "loss_sum": self._loss_sum,
            "random": torch.get_rng_state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned, in a training of the same settings."""
        self._model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        self._done, self._order = state["done"], state["order"]
        self._loss_sum = state["loss_sum"]
        torch.set_rng_state(state["random"])

    def run(self, checkpoint: Checkpoint | None = None, progress: Progress | None = None) -> float:
        """Train to the end and return the mean loss of the last epoch, in nats.

        Afterwards the network is in eval mode, with batch normalization folded away.

        Parameters
        ----------
        checkpoint : Checkpoint, optional
            Where the state is kept after each epoch, at the end, and every `CHECKPOINT_SECONDS`
            within an epoch.
        progress : callable, optional
            Called after each batch with (batches done, batches in all, epoch and loss in words).

        Raises
        ------
        DataError
            If the loss is no longer finite, or the checkpoint cannot be written.
        """
        kept = time.monotonic()
        mean = math.nan if self._done == 0 else self._mean_loss()
        while self._done < self._batches:
            self._step()
            mean = self._mean_loss()
            epoch = math.ceil(self._done / self._epoch_batches)
            if not math.isfinite(mean):
                raise DataError(
                    f"training of {self._name!r} diverged in epoch {epoch} (loss {mean}); lower "
                    "the learning rate of its recipe"
                )
            whole = self._done % self._epoch_batches == 0 or self._done == self._batches
            late = time.monotonic() - kept >= CHECKPOINT_SECONDS
            if checkpoint is not None and (whole or late):
                checkpoint.write(self.state())
                kept = time.monotonic()
            if progress is not None:
                text = f"epoch {epoch} of {self._recipe.epochs:g}, loss {mean:.4f}"
                progress(self._done, self._batches, text)
        fold_batch_norm(self._model)
        self._model.eval()
        return mean

    def _step(self) -> None:
        """Train on one batch; before the first of an epoch draw its order."""
        place, size = self._done % self._epoch_batches, self._recipe.batch_size
        if place == 0:
            self._order, self._loss_sum = torch.randperm(len(self._images)), 0.0
        chosen = self._order[place * size : (place + 1) * size]
        self._optimizer.zero_grad()
        loss = nn.functional.cross_entropy(
            self._model(augmented(self._images[chosen], self._recipe)),
            self._labels[chosen],
            label_smoothing=self._recipe.label_smoothing,
        )
        loss.backward()
        self._optimizer.step()
        self._schedule.step()
        self._loss_sum += loss.item() * len(chosen)
        self._done += 1

    def _mean_loss(self) -> float:
        """Return the mean loss over the images that the epoch has seen so far."""
        batches = (self._done - 1) % self._epoch_batches + 1
        return self._loss_sum / min(batches * self._recipe.batch_size, len(self._images))


def _optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    rate, decay = recipe.learning_rate, recipe.weight_decay
    if recipe.optimizer == "adam":
        return torch.optim.Adam(model.parameters(), lr=rate, weight_decay=decay)
    return torch.optim.SGD(
        model.parameters(), lr=rate, weight_decay=decay, momentum=recipe.momentum, nesterov=True
    )


def _schedule(
    optimizer: torch.optim.Optimizer, recipe: Recipe, batches: int
) -> torch.optim.lr_scheduler.LRScheduler:
    if recipe.schedule == "cosine":
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=batches)

    def triangle(done: int) -> float:
        """Return the share of the peak rate for the batch after *done* others."""
        share = (done + 1) / (batches + 1)
        return min(share / PEAK, (1 - share) / (1 - PEAK))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, triangle)
