"""FGSM: one step of size epsilon along the sign of the loss gradient."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accelsim.robustness.attack import LINF_EPSILON, Attack
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.classifier import Classifier

__all__ = ["Fgsm"]


class Fgsm(Attack):
    """Fast gradient sign method: ``x' = clip(x + epsilon * sign(d loss(x, y) / d x), 0, 1)``.

    The loss is the cross entropy against the true label *y* (untargeted). Run by the Adversarial
    Robustness Toolbox.

    Sources
    -------
    Goodfellow, Shlens, Szegedy, "Explaining and Harnessing Adversarial Examples", ICLR 2015
    (arXiv 1412.6572), section 4.
    """

    title = "fast gradient sign method, one step"
    loss = "cross entropy"
    many_steps = "pgd"
    default_epsilon = LINF_EPSILON

    def generate(
        self,
        classifier: Classifier,
        images: NDArray[np.float32],
        labels: NDArray[np.int64],
        epsilon: float,
    ) -> NDArray[np.float32]:
        """Return the examples, from one gradient an image."""
        estimator = classifier.art
        from art.attacks.evasion import FastGradientMethod

        attack = FastGradientMethod(
            estimator,
            norm=np.inf,
            eps=epsilon,
            eps_step=epsilon,
            targeted=False,
            num_random_init=0,
            batch_size=classifier.batch_size,
        )
        return attack.generate(images, labels)


ATTACKS.register("fgsm", Fgsm())
