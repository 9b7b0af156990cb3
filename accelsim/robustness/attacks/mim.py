"""MIM: iterative FGSM along a running sum of the gradients, made to transfer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accelsim.robustness.attack import LINF_EPSILON, Attack, check_at_least
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.classifier import Classifier

__all__ = ["Mim"]


@dataclass(frozen=True)
class Mim(Attack):
    """Momentum iterative method: gradients are summed up, so that noise in them averages out.

    ``g[i+1] = decay * g[i] + d / |d|_1`` with ``d = d loss(x[i], y) / d x[i]``;
    ``x[i+1] = project(x[i] + step * sign(g[i+1]))`` from ``x[0] = x``, *project* clipping to [0, 1]
    and to at most *epsilon* from x. The loss is the cross entropy against the true label
    (untargeted). With decay 0 it is iterative FGSM. All images are attacked, also those that are
    wrong already. Run by the Adversarial Robustness Toolbox.

    Sources
    -------
    Dong, Liao, Pang, Su, Zhu, Hu, Li, "Boosting Adversarial Attacks with Momentum", CVPR 2018
    (arXiv 1710.06081), algorithm 1 (10 steps of epsilon / 10, decay 1).
    """

    title = "iterative FGSM with momentum, made for transfer"
    loss = "cross entropy"
    default_epsilon = LINF_EPSILON

    steps: int = 10
    relative_step: float = 1.0
    """The step is this share of epsilon / steps; at 1 the last step can just reach the budget."""
    decay: float = 1.0
    """Weight of what was summed up before."""

    def __post_init__(self) -> None:
        check_at_least(1, steps=self.steps)
        check_at_least(0.0, relative_step=self.relative_step, decay=self.decay)

    def generate(
        self,
        classifier: Classifier,
        images: NDArray[np.float32],
        labels: NDArray[np.int64],
        epsilon: float,
    ) -> NDArray[np.float32]:
        """Return the examples, from `steps` gradients an image."""
        from art.attacks.evasion import MomentumIterativeMethod

        attack = MomentumIterativeMethod(
            classifier.art,
            norm=np.inf,
            eps=epsilon,
            eps_step=min(epsilon, self.relative_step * epsilon / self.steps),
            decay=self.decay,
            max_iter=self.steps,
            targeted=False,
            batch_size=classifier.batch_size,
            verbose=False,
        )
        return attack.generate(images, labels)


ATTACKS.register("mim", Mim())
