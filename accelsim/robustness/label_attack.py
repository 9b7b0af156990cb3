"""LabelAttack: what the attacks share that see classes only."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from accelsim.robustness.attack import check_at_least
from accelsim.robustness.classifier import Classifier
from accelsim.robustness.foolbox_attack import FoolboxAttack

if TYPE_CHECKING:
    from torch import Tensor

    from accelsim.robustness.methods.questions import Questions

__all__ = ["LabelAttack"]

# A network that takes noise for one class takes nearly all noise for it: more draws seldom help.
STARTS = 10


@dataclass(frozen=True)
class LabelAttack(FoolboxAttack):
    """A walk from an image of another class to the nearest example, within a number of questions.

    Starts from uniform noise, else from another image of the batch with another label.
    """

    access = "label"

    queries: int = 5000
    """Questions an image, never exceeded: the middle of the 1,000, 5,000 and 20,000 for which Chen
    et al. report their distances."""

    def __post_init__(self) -> None:
        check_at_least(50, queries=self.queries)

    @abstractmethod
    def walk(self, questions: Questions, model: Any, points: Tensor) -> None:
        """Ask *questions* (in Foolbox's form: *model*) from examples *points* on, as long as it
        answers."""

    def batch(self, classifier: Classifier, images: Tensor, labels: Tensor) -> Tensor:
        """Return the nearest examples of all that were asked about."""
        from accelsim.robustness.methods.questions import (
            NoQuestionsLeftError,
            Questions,
            starting_points,
        )

        points, found, asked = starting_points(classifier, images, labels, STARTS)
        examples = images.clone()
        if found.any():
            questions = Questions(classifier, images[found], labels[found], self.queries - asked)
            model = classifier.for_foolbox(questions)
            with suppress(NoQuestionsLeftError):
                self.walk(questions, model, points[found])
            examples[found] = questions.nearest
        return examples
