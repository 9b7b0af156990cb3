"""APGD: projected gradient descent that sets its own step size, on one of two losses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import ConfigError
from accelsim.robustness.attack import LINF_EPSILON, Attack, check_at_least
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.classifier import Classifier
from accelsim.robustness.verdict import judge

__all__ = ["ApgdCe", "ApgdDlr"]


@dataclass(frozen=True)
class _Apgd(Attack):
    """What both have in common: the search, which `ApgdCe` describes."""

    default_epsilon = LINF_EPSILON
    skips_wrong = True
    art_loss: ClassVar[str]
    needs_classes: ClassVar[int] = 2

    steps: int = 100
    """As of Croce and Hein."""
    restarts: int = 1
    """Random starts, each for the images that the ones before did not fool."""

    def __post_init__(self) -> None:
        check_at_least(1, steps=self.steps, restarts=self.restarts)

    def generate(
        self,
        classifier: Classifier,
        images: NDArray[np.float32],
        labels: NDArray[np.int64],
        epsilon: float,
    ) -> NDArray[np.float32]:
        """Return the examples of largest loss, from a gradient and two forwards a step.

        Raises
        ------
        ConfigError
            If the network has too few classes for the loss, or returns probabilities.
        """
        attack = self._attack(classifier, epsilon)
        examples = images.copy()
        left = np.arange(len(images))
        for _ in range(self.restarts):
            if not len(left):
                break
            for first in range(0, len(left), classifier.batch_size):
                some = left[first : first + classifier.batch_size]
                # The library leaves out what is wrong already, judged by this very call.
                right = attack.estimator.predict(images[some]).argmax(axis=1) == labels[some]
                if right.any():
                    attack.generate(images[some], labels[some])
                    examples[some[right]] = attack.x_max
            left = left[judge(classifier.model, examples[left], labels[left], len(left)).right]
        return examples

    def _attack(self, classifier: Classifier, epsilon: float) -> Any:
        from art.attacks.evasion import AutoProjectedGradientDescent

        if classifier.classes < self.needs_classes:
            raise ConfigError(
                f"attack {type(self).__name__} needs {self.needs_classes} classes or more for its "
                f"loss, got {classifier.classes}; take apgd_ce"
            )
        estimator = classifier.art
        try:
            return AutoProjectedGradientDescent(
                estimator,
                norm=np.inf,
                eps=epsilon,
                eps_step=2 * epsilon,
                max_iter=self.steps,
                targeted=False,
                nb_random_init=1,
                batch_size=classifier.batch_size,
                loss_type=self.art_loss,
                verbose=False,
            )
        except ValueError as error:
            raise ConfigError(f"attack {type(self).__name__} cannot be used: {error}") from error


class ApgdCe(_Apgd):
    """Auto-PGD on the cross entropy: projected gradient descent that sets its own step size.

    From a uniform random start in the ball of radius epsilon
    ``z = project(x[i] + step * sign(d loss(x[i], y) / d x[i]))``,
    ``x[i+1] = project(x[i] + 0.75 (z - x[i]) + 0.25 (x[i] - x[i-1]))``. *step* is 2 epsilon at
    first; at checkpoints that grow denser it is halved, and the search taken back to the best
    point so far, where the loss rose in fewer than 75 % of the steps since the last one, or neither
    step nor best loss changed. Run by the Adversarial Robustness Toolbox, except that the point of
    largest loss counts, as in the paper: the library returns the last point if it fools, else the
    random start. Images that are wrong already stay as they are.

    A limit: the library stops a batch as soon as all its losses are 0. In float32 the cross entropy
    is 0 from a margin of about 17 on, although its gradient is not yet; where logits are large,
    trust `ApgdDlr`.

    Sources
    -------
    Croce, Hein, "Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse
    Parameter-free Attacks", ICML 2020 (arXiv 2003.01690), section 3, algorithm 1.
    """

    title = "PGD with a step size of its own, on the cross entropy"
    loss = "cross entropy"
    art_loss = "cross_entropy"


class ApgdDlr(_Apgd):
    """Auto-PGD on the difference of logits ratio, which does not depend on the logits' scale.

    The search of `ApgdCe`, on ``loss = -(z[y] - max over i != y of z[i]) / (z(1) - z(3))``, z(k)
    being the k-th largest logit: positive exactly where the image is misclassified, and the same
    for logits multiplied by a constant, whose cross entropy may have no gradient left. It takes
    three classes.

    Sources
    -------
    Croce, Hein, "Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse
    Parameter-free Attacks", ICML 2020 (arXiv 2003.01690), section 4.
    """

    title = "PGD with a step size of its own, on the ratio of logit differences"
    loss = "margin"
    art_loss = "difference_logits_ratio"

    needs_classes = 3


ATTACKS.register("apgd_ce", ApgdCe())
ATTACKS.register("apgd_dlr", ApgdDlr())
