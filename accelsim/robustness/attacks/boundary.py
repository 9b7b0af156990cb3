"""Boundary attack: a random walk along the boundary, by classes only."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from accelsim.robustness.attack import check_at_least
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.label_attack import LabelAttack

if TYPE_CHECKING:
    from torch import Tensor

    from accelsim.robustness.methods.questions import Questions

__all__ = ["Boundary"]

HALVINGS = 10
"""On the line from the image to the start: to a thousandth of its length."""


@dataclass(frozen=True)
class Boundary(LabelAttack):
    """Boundary attack in L2: random steps that keep the distance, then one towards the image.

    Each step draws a random direction, moves x' along the sphere around the image by
    ``spherical_step * |x' - x|_2`` and then towards the image by ``source_step`` of the distance;
    x' is replaced if the result fools. Both steps adapt to how often that happens. The walk starts
    where the line from the image to the start meets the boundary. Run by Foolbox.

    Sources
    -------
    Brendel, Rauber, Bethge, "Decision-Based Adversarial Attacks: Reliable Attacks Against Black-Box
    Machine Learning Models", ICLR 2018 (arXiv 1712.04248), algorithm 1.
    """

    title = "boundary attack, a random walk by classes only"

    spherical_step: float = 0.01
    """The first; as in the authors' code."""
    source_step: float = 0.01
    """The first; as in the authors' code."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(0.0, spherical_step=self.spherical_step, source_step=self.source_step)

    def walk(self, questions: Questions, model: Any, points: Tensor) -> None:
        """Walk until no question is left or the steps are too small to matter."""
        from foolbox.attacks import BoundaryAttack

        low, high = questions.images, points
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            fooled = questions.fools(middle[None])[0][:, None, None, None]
            low, high = middle.where(~fooled, low), middle.where(fooled, high)
        method = BoundaryAttack(
            steps=questions.left,
            spherical_step=self.spherical_step,
            source_step=self.source_step,
        )
        with warnings.catch_warnings():
            # Foolbox takes means of answers of which there are none yet.
            warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
            self.search(model, method, questions.images, questions.labels, starting_points=high)


ATTACKS.register("boundary", Boundary())
