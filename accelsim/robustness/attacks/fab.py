"""FAB: steps to the linearized boundary, held near the image; what is in the budget counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.robustness.attack import LINF_EPSILON, Attack, check_at_least
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.classifier import Classifier, missing_library

__all__ = ["Fab"]


@dataclass(frozen=True)
class Fab(Attack):
    """Fast adaptive boundary attack: looks for the nearest example, and reports it if near enough.

    A step linearizes the boundary between the true class and another at ``x[i]`` and projects both
    ``x[i]`` and the image x onto it, within [0, 1] and by the infinity norm; ``x[i+1]`` is a mean
    of the two, the more of the image's the nearer that is. On the other side it steps back to
    ``x + 0.9 (x[i+1] - x)`` and goes on. The nearest example of all steps counts if it is within
    *epsilon*; else the image itself, and so does one that is wrong already. It follows differences
    of logits and not a loss: logits multiplied by a constant change nothing. Run by pyautoattack,
    its authors' code, an extra of this package: ``pip install 'accelsim[fab]'``.

    Untargeted (``targets = 0``) a step takes the gradients of all logits, one backward pass a
    class, and goes for the class whose boundary is nearest by the linearization. Targeted, the
    *targets* likeliest wrong classes are tried one after the other, each with all steps and
    restarts: one backward pass a step however many classes there are, and a class that never
    looks nearest has its turn too. Against masked gradients the second is the stronger, and it is
    what the standard AutoAttack runs (9 targets, 1 restart).

    Sources
    -------
    Croce, Hein, "Minimally distorted Adversarial Examples with a Fast Adaptive Boundary Attack",
    ICML 2020 (arXiv 1907.02044), section 3; the targeted form as in the code of AutoAttack.
    """

    title = "fast adaptive boundary: nearest example, if within the budget"
    loss = "margin"
    default_epsilon = LINF_EPSILON
    skips_wrong = True

    steps: int = 100
    restarts: int = 1
    """The first from the image, others from random points at half of epsilon."""
    targets: int = 0
    """Wrong classes tried, at most all; 0: untargeted."""

    def __post_init__(self) -> None:
        check_at_least(1, steps=self.steps, restarts=self.restarts)
        check_at_least(0, targets=self.targets)

    def generate(
        self,
        classifier: Classifier,
        images: NDArray[np.float32],
        labels: NDArray[np.int64],
        epsilon: float,
    ) -> NDArray[np.float32]:
        """Return the examples within *epsilon*.

        Raises
        ------
        ConfigError
            If pyautoattack is not installed.
        """
        import torch

        attack = self._attack(classifier, epsilon)
        parts = []
        for first in range(0, len(images), classifier.batch_size):
            some = slice(first, first + classifier.batch_size)
            found = attack.perturb(torch.from_numpy(images[some]), torch.from_numpy(labels[some]))
            parts.append(found.numpy())
        return np.concatenate(parts)

    def _attack(self, classifier: Classifier, epsilon: float) -> Any:
        try:
            from pyautoattack.fab_pt import FABAttack_PT
        except ImportError as error:
            raise missing_library("pyautoattack", "accelsim[fab]", error) from error
        return FABAttack_PT(
            classifier.model,
            norm="Linf",
            n_restarts=self.restarts,
            n_iter=self.steps,
            eps=epsilon,
            seed=int(np.random.randint(2**31)),
            targeted=self.targets > 0,
            n_target_classes=min(self.targets, classifier.classes - 1),
            device="cpu",
        )


ATTACKS.register("fab", Fab())
