"""APGD: projected gradient descent that sets its own step size, on one of three losses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import ConfigError
from accelsim.robustness.attack import LINF_EPSILON, Attack, check_at_least
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.classifier import Classifier
from accelsim.robustness.verdict import judge

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ApgdCe", "ApgdDlr", "ApgdT", "TargetedDlr"]


@dataclass(frozen=True)
class _Apgd(Attack):
    """What all have in common: the search, which `ApgdCe` describes."""

    default_epsilon = LINF_EPSILON
    skips_wrong = True
    art_loss: ClassVar[str | None]
    """The library's name of the loss; None where the loss is ours."""
    needs_classes: ClassVar[int] = 2
    keeps_nearest: ClassVar[bool] = False
    """Of an image that no search fools: the example of least margin, or that of the last one."""

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
        margin = np.full(len(images), np.inf)
        left = np.arange(len(images))
        for turn in range(self._turns(classifier.classes)):
            if not len(left):
                break
            found = examples[left]
            for first in range(0, len(left), classifier.batch_size):
                some = slice(first, first + classifier.batch_size)
                these = left[some]
                logits = attack.estimator.predict(images[these])
                # The library leaves out what is wrong already, judged by this very call.
                right = logits.argmax(axis=1) == labels[these]
                if right.any():
                    attack.generate(images[these], self._truth(logits, labels[these], turn))
                    found[some][right] = attack.x_max
            verdict = judge(classifier.model, found, labels[left], len(left))
            kept = verdict.margin < margin[left] if self.keeps_nearest else np.full(len(left), True)
            examples[left[kept]] = found[kept]
            margin[left[kept]] = verdict.margin[kept]
            left = left[verdict.right]
        return examples

    def _turns(self, classes: int) -> int:
        """Return how many searches an image that withstands gets."""
        return self.restarts

    def _truth(
        self, logits: NDArray[np.float32], labels: NDArray[np.int64], turn: int
    ) -> NDArray[Any]:
        """Return what the library and the loss get for *labels*, of which it is the argmax."""
        return labels

    def _estimator(self, classifier: Classifier) -> Any:
        return classifier.art

    def _attack(self, classifier: Classifier, epsilon: float) -> Any:
        from art.attacks.evasion import AutoProjectedGradientDescent

        if classifier.classes < self.needs_classes:
            raise ConfigError(
                f"attack {type(self).__name__} needs {self.needs_classes} classes or more for its "
                f"loss, got {classifier.classes}; take apgd_ce"
            )
        estimator = self._estimator(classifier)
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


@dataclass(frozen=True)
class ApgdT(_Apgd):
    """Auto-PGD on the targeted difference of logits ratio, once for each of the likeliest classes.

    The search of `ApgdCe`, on ``loss = -(z[y] - z[t]) / (z(1) - (z(3) + z(4)) / 2)``, z(k) being
    the k-th largest logit: positive exactly where class *t* is above the true one, and the same for
    logits multiplied by a constant. *t* is the likeliest wrong class of the image itself, then, for
    the images that this did not fool, the next, up to *targets* of them. So a class has its turn
    even if it is at no step the runner-up, which `ApgdDlr` follows. It takes four classes. The
    defaults are those of APGD-T in AutoAttack's standard version.

    Limits: an image that withstands costs *targets* times what it costs `ApgdDlr`. A step that a
    third class wins counts by its loss, and not as one that fools; that class has its own turn. Of
    an image that no turn fools the example of least margin is returned.

    Sources
    -------
    Croce, Hein, "Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse
    Parameter-free Attacks", ICML 2020 (arXiv 2003.01690), section 4.1; targets in turn, and each
    for what is left, as in the code of AutoAttack.
    """

    title = "PGD with a step size of its own, towards each likely wrong class"
    loss = "margin"
    art_loss = None
    needs_classes = 4
    keeps_nearest = True

    targets: int = 9
    """Wrong classes tried, likeliest first, at most all; each with all steps and restarts."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(1, targets=self.targets)

    def _turns(self, classes: int) -> int:
        return self.restarts * min(self.targets, classes - 1)

    def _truth(
        self, logits: NDArray[np.float32], labels: NDArray[np.int64], turn: int
    ) -> NDArray[Any]:
        others = logits.copy()
        others[np.arange(len(labels)), labels] = -np.inf
        likeliest = np.argsort(-others, axis=1, kind="stable")
        return TargetedDlr.encode(labels, likeliest[:, turn // self.restarts], logits.shape[1])

    def _estimator(self, classifier: Classifier) -> Any:
        return classifier.for_art(TargetedDlr())


class TargetedDlr:
    """The loss of `ApgdT`, to be made large, as the library calls the loss of an estimator.

    The library knows one class an image. Here it gets rows of 2 for the true class, 1 for the
    target and 0 else, the argmax of which is the true class, and which it hands on: however it
    picks images, each has its own target.

    Attributes
    ----------
    reduction : str
        ``"mean"`` or ``"none"``, which the library sets.
    """

    def __init__(self) -> None:
        self.reduction = "mean"

    @staticmethod
    def encode(
        labels: NDArray[np.int64], targets: NDArray[np.int64], classes: int
    ) -> NDArray[np.float32]:
        """Return the rows, (N, classes), of (N,) *labels* and *targets*, which differ."""
        one = np.eye(classes, dtype=np.float32)
        return 2 * one[labels] + one[targets]

    def __call__(self, logits: Tensor, rows: Tensor) -> Tensor:
        """Return the loss of (N, classes) *logits*, one an image, or their mean."""
        import torch

        truth, target = rows.topk(2, dim=1).indices.split(1, dim=1)
        first, _, third, fourth = logits.topk(4, dim=1).values.split(1, dim=1)
        # As its authors do: logits may all be equal.
        scale = first - (third + fourth) / 2 + 1e-12
        loss = ((logits.gather(1, target) - logits.gather(1, truth)) / scale).squeeze(1)
        if self.reduction == "mean":
            return loss.mean()
        # The library ends a batch whose losses are all 0, which here is a tie, not the end.
        return torch.where(loss == 0, torch.finfo(loss.dtype).tiny, loss)


ATTACKS.register("apgd_ce", ApgdCe())
ATTACKS.register("apgd_dlr", ApgdDlr())
ATTACKS.register("apgd_t", ApgdT())
