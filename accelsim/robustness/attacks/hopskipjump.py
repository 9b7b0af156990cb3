"""HopSkipJump: along the boundary by directions that are estimated from classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from accelsim.robustness.attack import check_at_least
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.label_attack import LabelAttack

if TYPE_CHECKING:
    from torch import Tensor

    from accelsim.robustness.methods.questions import Questions

__all__ = ["HopSkipJump"]


@dataclass(frozen=True)
class HopSkipJump(LabelAttack):
    """HopSkipJump in L2: the normal of the boundary by asking around, a jump along it, and back.

    Step t starts at x' on the boundary, found by halving the line to the image. ``first_directions
    * sqrt(t)`` random directions u of length delta are asked about; their mean, those that fool
    positive and the others negative, is the estimated normal. x' jumps along it by ``|x' - x|_2 /
    sqrt(t)``, halved until it fools, and returns to the boundary. Run by Foolbox, but for the
    estimate of the normal, whose length Foolbox takes over the batch and not an image.

    Sources
    -------
    Chen, Jordan, Wainwright, "HopSkipJumpAttack: A Query-Efficient Decision-Based Attack", IEEE S&P
    2020 (arXiv 1904.02144), algorithm 2 and section V.
    """

    title = "HopSkipJump, classes only"

    first_directions: int = 100
    """In the first step; as in the paper."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(1, first_directions=self.first_directions)

    def walk(self, questions: Questions, model: Any, points: Tensor) -> None:
        """Jump until no question is left."""
        from accelsim.robustness.methods import hop_skip_jump

        method = hop_skip_jump.HopSkipJump(
            questions, initial_gradient_eval_steps=self.first_directions
        )
        self.search(model, method, questions.images, questions.labels, starting_points=points)


ATTACKS.register("hopskipjump", HopSkipJump())
