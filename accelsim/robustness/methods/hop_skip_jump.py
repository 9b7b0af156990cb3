"""HopSkipJump of Foolbox, mended: each image's direction has length 1."""

from __future__ import annotations

from typing import Any

import eagerpy
import torch
from foolbox.attacks import HopSkipJumpAttack

from accelsim.robustness.methods.questions import NoQuestionsLeftError, Questions

__all__ = ["HopSkipJump"]

# What a step asks beside the directions: some 15 halvings, the size of the step, 3 of Foolbox's
# own checks. Directions without the step that follows them would be wasted.
RESERVE = 25


class HopSkipJump(HopSkipJumpAttack):
    """HopSkipJump that goes on until no question is left, then raises `NoQuestionsLeftError`.

    Foolbox scales the directions of a batch by the length of all of them together, so that the
    steps of N images are about sqrt(N) too short. Here each is scaled by its own, as in the paper.

    Parameters
    ----------
    questions : Questions
        The model that it is run on.
    """

    def __init__(self, questions: Questions, **settings: Any) -> None:
        super().__init__(steps=questions.left, **settings)
        self.questions = questions

    def approximate_gradients(
        self, is_adversarial: Any, x_advs: Any, steps: int, delta: Any
    ) -> Any:
        """Return the direction in which more fools: the mean of random ones, by their answers.

        ``sum_b (phi_b - mean(phi)) * u_b``, phi_b being 1 where ``clip(x' + delta * u_b)`` fools
        and else -1, and u_b of length 1; where all answers are the same no mean is subtracted.
        """
        points, delta = x_advs.raw, delta.raw[:, None, None, None]
        count = min(steps, self.questions.left - RESERVE)
        if count < 1:
            raise NoQuestionsLeftError
        answers = torch.zeros(len(points))
        plain, weighted = torch.zeros_like(points), torch.zeros_like(points)
        size = max(1, self.questions.classifier.batch_size // len(points))
        for first in range(0, count, size):
            noise = torch.randn(min(size, count - first), *points.shape)
            noise /= noise.flatten(2).norm(dim=2)[..., None, None, None]
            candidates = (points + delta * noise).clamp(0, 1)
            phi = 2.0 * self.questions.fools(candidates) - 1.0
            used = (candidates - points) / (delta + 1e-8)
            answers += phi.sum(dim=0)
            plain += used.sum(dim=0)
            weighted += (phi[..., None, None, None] * used).sum(dim=0)
        mean = answers / count
        mean[mean.abs() == 1] = 0
        direction = weighted - mean[:, None, None, None] * plain
        direction /= direction.flatten(1).norm(dim=1)[:, None, None, None] + 1e-12
        return eagerpy.astensor(direction)
