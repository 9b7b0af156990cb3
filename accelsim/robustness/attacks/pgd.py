"""PGD: many small steps along the sign of the gradient, each projected back into the budget."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accelsim.robustness.art_bridge import Classifier
from accelsim.robustness.attack import LINF_EPSILON, Attack
from accelsim.robustness.attacks import ATTACKS

__all__ = ["Pgd"]


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
    norm = "linf"
    default_epsilon = LINF_EPSILON
    # Madry et al. for MNIST.
    steps = 40
    # Steps of 2.5 * epsilon / steps can cross the ball and come back (Madry et al., section 5).
    relative_step = 2.5

    def generate(
        self,
        classifier: Classifier,
        images: NDArray[np.float32],
        labels: NDArray[np.int64],
        epsilon: float,
    ) -> NDArray[np.float32]:
        """Return the examples, from `steps` gradients an image."""
        from art.attacks.evasion import ProjectedGradientDescent

        attack = ProjectedGradientDescent(
            classifier.art,
            norm=np.inf,
            eps=epsilon,
            eps_step=min(epsilon, self.relative_step * epsilon / self.steps),
            max_iter=self.steps,
            targeted=False,
            num_random_init=1,
            batch_size=classifier.batch_size,
            verbose=False,
        )
        return attack.generate(images, labels)


ATTACKS.register("pgd", Pgd())
