"""LocSearchAdv: greedy local search over pixels by the model's scores."""

from __future__ import annotations

from typing import Any

import torch
from foolbox import Model
from foolbox.attacks.base import MinimizationAttack, raise_if_kwargs
from foolbox.distances import l0
from torch import Tensor

__all__ = ["LocalSearch"]

# p grows where the candidates do not lower the scores and shrinks where they lower them much. The
# paper gives the second threshold, but no first one, no factor and no bounds.
UNCHANGED, LOWERED, FACTOR, LARGEST, SMALLEST = 0.95, 0.3, 1.1, 100.0, 0.1


class LocalSearch(MinimizationAttack):
    """LocSearchAdv on a batch of images, each stopped as soon as it fools.

    Images are centered, so that the pixel range [0, 1] is [-1/2, 1/2]. The parameters are the
    settings of `accelsim.robustness.attacks.lsa.LocalSearchAttack`; *batch_size* images go through
    the model at once.
    """

    distance = l0

    def __init__(
        self,
        *,
        rounds: int,
        pixels: int,
        side: int,
        r: float,
        p: float,
        share: float,
        candidates: int,
        barred: int,
        score: str,
        batch_size: int,
    ) -> None:
        self.rounds = rounds
        self.pixels = pixels
        self.side = side
        self.r = r
        self.p = p
        self.share = share
        self.candidates = candidates
        self.barred = barred
        self.score = score
        self.batch_size = batch_size

    def run(
        self,
        model: Model,
        inputs: Any,
        criterion: Any,
        *,
        early_stop: float | None = None,
        **kwargs: Any,
    ) -> Any:
        """Return one example an image; where none was found, the last that was tried.

        Early stopping at a distance does not apply: the first example of an image is its nearest.
        """
        raise_if_kwargs(kwargs)
        walks = [
            _Walk(self, image, int(label))
            for image, label in zip(inputs, criterion.labels.raw, strict=True)
        ]
        for number in range(self.rounds):
            asking = [walk for walk in walks if not walk.fooled and walk.choose(number)]
            if not asking:
                break
            sizes = [len(walk.chosen) for walk in asking]
            answers = self._answers(model, [one for walk in asking for one in walk.perturbed()])
            for walk, logits in zip(asking, answers.split(sizes), strict=True):
                walk.advance(number, logits)
            classes = self._answers(model, [walk.image for walk in asking]).argmax(dim=1)
            for walk, found in zip(asking, classes.tolist(), strict=True):
                walk.fooled = found != walk.label
        return torch.stack([walk.image for walk in walks]) + 0.5

    def _answers(self, model: Model, images: list[Tensor]) -> Tensor:
        size = self.batch_size
        return torch.cat(
            [
                model(torch.stack(images[first : first + size]) + 0.5)
                for first in range(0, len(images), size)
            ]
        )


class _Walk:
    """The search on one image.

    Attributes
    ----------
    image : (C, H, W) tensor
        Centered, with the changes so far.
    chosen : (K, 2) tensor
        Row and column of this round's candidates.
    fooled : bool
    """

    def __init__(self, search: LocalSearch, image: Tensor, label: int) -> None:
        self.search = search
        self.image = image - 0.5
        self.label = label
        self.p = search.p
        self.fooled = False
        height, width = image.shape[1:]
        places = torch.randperm(height * width)[: max(1, round(search.share * height * width))]
        self.near = torch.zeros(height, width, dtype=torch.bool)
        self.near.view(-1)[places] = True
        self.free_from = torch.zeros(height, width, dtype=torch.int64)
        self.chosen = torch.empty(0, 2, dtype=torch.int64)

    def choose(self, number: int) -> bool:
        """Choose the candidates of round *number*; return whether there are any."""
        places = torch.nonzero(self.near & (self.free_from <= number))
        self.chosen = places[torch.randperm(len(places))[: self.search.candidates]]
        return len(self.chosen) > 0

    def perturbed(self) -> Tensor:
        """Return (K, C, H, W): for each candidate, all its channels at p times their sign."""
        row, column = self.chosen.T
        copies = self.image.repeat(len(self.chosen), 1, 1, 1)
        copies[torch.arange(len(copies)), :, row, column] = (
            self.p * self.image[:, row, column].sign().T
        )
        return copies

    def advance(self, number: int, logits: Tensor) -> None:
        """Change the pixels whose candidates have the lowest scores, and look around them."""
        search = self.search
        prob = logits.softmax(dim=1)[:, self.label]
        mean = float(prob.mean())
        if mean > UNCHANGED:
            self.p = min(self.p * FACTOR, max(LARGEST, search.p))
        elif mean < LOWERED:
            self.p = max(self.p / FACTOR, min(SMALLEST, search.p))
        scores = prob if search.score == "prob" else _margin(logits, self.label)
        best = self.chosen[scores.argsort(stable=True)[: search.pixels]]
        self.near[:] = False
        for row, column in best.tolist():
            self.image[:, row, column] = _cyclic(search.r * self.image[:, row, column])
            self.free_from[row, column] = number + 1 + search.barred
            top, first = max(0, row - search.side), max(0, column - search.side)
            self.near[top : row + search.side + 1, first : column + search.side + 1] = True


def _margin(logits: Tensor, label: int) -> Tensor:
    others = logits.clone()
    others[:, label] = -torch.inf
    return logits[:, label] - others.max(dim=1).values


def _cyclic(values: Tensor) -> Tensor:
    """Bring values within twice the range [-1/2, 1/2] back into it from the other end."""
    return torch.where(values < -0.5, values + 1, torch.where(values > 0.5, values - 1, values))
