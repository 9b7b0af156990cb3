"""DDN: the nearest example in L2 by steps whose direction and length are decoupled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from accelsim.robustness.attack import check_at_least
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.classifier import Classifier
from accelsim.robustness.foolbox_attack import FoolboxAttack

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["DecoupledDirectionNorm"]


@dataclass(frozen=True)
class DecoupledDirectionNorm(FoolboxAttack):
    """Decoupled direction and norm: gradient steps on a sphere that shrinks while they fool.

    ``d += step * g / |g|_2``, where g is the gradient of the cross entropy at x + d; then d is
    scaled to the length ``norm``, which was multiplied by ``1 - gamma`` if x + d fooled and by
    ``1 + gamma`` if not, and x + d is clipped to [0, 1]. The step falls from 1 to 0.01 by a cosine.
    The nearest example over all steps counts. Run by Foolbox.

    Sources
    -------
    Rony, Hafemann, Oliveira, Ben Ayed, Sabourin, Granger, "Decoupling Direction and Norm for
    Efficient Gradient-Based L2 Adversarial Attacks and Defenses", CVPR 2019 (arXiv 1811.09600),
    algorithm 1.
    """

    title = "decoupled direction and norm, on a sphere that shrinks"
    loss = "cross entropy"

    steps: int = 100
    """Of the paper's 100, 300 and 1,000."""
    initial_norm: float = 1.0
    """The length of the first perturbation; as in the paper."""
    gamma: float = 0.05
    """By what share the length changes each step; as in the paper."""

    def __post_init__(self) -> None:
        check_at_least(1, steps=self.steps)
        check_at_least(0.0, initial_norm=self.initial_norm, gamma=self.gamma)

    def batch(self, classifier: Classifier, images: Tensor, labels: Tensor) -> Tensor:
        """Return the examples, from `steps` gradients an image."""
        model = classifier.foolbox
        from foolbox.attacks import DDNAttack

        method = DDNAttack(init_epsilon=self.initial_norm, steps=self.steps, gamma=self.gamma)
        return self.search(model, method, images, labels)


ATTACKS.register("ddn", DecoupledDirectionNorm())
