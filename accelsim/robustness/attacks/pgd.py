"""PGD: many small steps along the sign of the gradient, each projected back into the budget."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accelsim.robustness.attack import LINF_EPSILON, Attack, check_at_least
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.classifier import Classifier

__all__ = ["Pgd"]


@dataclass(frozen=True)
class Pgd(Attack):
    """Projected gradient descent from a random start in the ball of radius epsilon.

    ``x[0] = clip(x + uniform(-epsilon, epsilon))``;
    ``x[i+1] = project(x[i] + step * sign(d loss(x[i], y) / d x[i]))``, where *project* clips to
    [0, 1] and to at most *epsilon* from x. The loss is the cross entropy against the true label
    (untargeted). Run by the Adversarial Robustness Toolbox.

    Sources
    -------
    Madry, Makelov, Schmidt, Tsipras, Vladu, "Towards Deep Learning Models Resistant to Adversarial
    Attacks", ICLR 2018 (arXiv 1706.06083), sections 2 and 5 (MNIST: epsilon 0.3, 40 steps).
    """

    title = "projected gradient descent, 40 steps from one random start"
    loss = "cross entropy"
    default_epsilon = LINF_EPSILON

    steps: int = 40
    """As of Madry et al. for MNIST."""
    relative_step: float = 2.5
    """The step is this share of epsilon / steps: 2.5 can cross the ball and come back."""
    restarts: int = 1
    """Random starts; of an image's examples the first that fools counts, else the last."""

    def __post_init__(self) -> None:
        check_at_least(1, steps=self.steps, restarts=self.restarts)
        check_at_least(0.0, relative_step=self.relative_step)

    def generate(
        self,
        classifier: Classifier,
        images: NDArray[np.float32],
        labels: NDArray[np.int64],
        epsilon: float,
    ) -> NDArray[np.float32]:
        """Return the examples, from `steps` gradients an image."""
        estimator = classifier.art
        from art.attacks.evasion import ProjectedGradientDescent

        attack = ProjectedGradientDescent(
            estimator,
            norm=np.inf,
            eps=epsilon,
            eps_step=min(epsilon, self.relative_step * epsilon / self.steps),
            max_iter=self.steps,
            targeted=False,
            num_random_init=self.restarts,
            batch_size=classifier.batch_size,
            verbose=False,
        )
        return attack.generate(images, labels)


ATTACKS.register("pgd", Pgd())
