"""JSMA: the two values that the saliency map names are raised, again and again, few in all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import ConfigError
from accelsim.robustness.attack import Attack, check_at_least
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.classifier import Classifier
from accelsim.robustness.verdict import judge

__all__ = ["Jsma"]


@dataclass(frozen=True)
class Jsma(Attack):
    """Jacobian-based saliency map attack: few values change, each by much.

    Towards a wrong class *t*, until the network says *t*: ``theta`` is added to the two values
    whose increase raises the logit of *t* most (for a negative *theta* lowers it most), clipped to
    [0, 1]; one at its end is out. It gives up before more than *gamma* of the image's values
    (pixels times channels) would have changed. The attack knows targets only; untargeted, *t* is
    the runner-up among the logits of the image, then the next of the *targets* likeliest wrong
    classes where that fails. The first that fools counts. Run by the Adversarial Robustness
    Toolbox.

    Where it deviates: the paper scores a pair by the product of what it does for *t* and against
    the other classes, and takes the derivatives of the softmax or the logits; the library looks at
    the logit of *t* alone. The paper chooses the target at random or tries all.

    Sources
    -------
    Papernot, McDaniel, Jha, Fredrikson, Celik, Swami, "The Limitations of Deep Learning in
    Adversarial Settings", EuroS&P 2016 (arXiv 1511.07528), section IV (MNIST: theta 1, 14.5 %).
    """

    title = "saliency map: few values, changed by much"
    loss = "margin"
    norm = "l0"
    aim = "minimum"
    skips_wrong = True

    theta: float = 1.0
    """What is added to a value, in -1..1 but 0; 1 as of the paper: to its end at once."""
    gamma: float = 0.145
    """Largest share of values that change, as of the paper for MNIST."""
    targets: int = 1
    """Wrong classes tried in turn, likeliest first."""

    def __post_init__(self) -> None:
        check_at_least(-1.0, theta=self.theta)
        check_at_least(0.0, gamma=self.gamma)
        check_at_least(1, targets=self.targets)
        if self.theta == 0 or self.theta > 1:
            raise ConfigError(f"theta must be in -1..1 and not 0, got {self.theta!r}")
        if not 0 < self.gamma <= 1:
            raise ConfigError(f"gamma must be a share in (0, 1], got {self.gamma!r}")

    def generate(
        self,
        classifier: Classifier,
        images: NDArray[np.float32],
        labels: NDArray[np.int64],
        epsilon: float,
    ) -> NDArray[np.float32]:
        """Return the examples, from a gradient and two forwards for each pair of values."""
        attack = self._attack(classifier)
        logits = classifier.art.predict(images, batch_size=classifier.batch_size)
        likeliest = np.argsort(-logits, axis=1, kind="stable")
        examples = images.copy()
        left = np.flatnonzero(likeliest[:, 0] == labels)
        for rank in range(1, 1 + min(self.targets, classifier.classes - 1)):
            if not left.size:
                break
            tried = attack.generate(images[left], likeliest[left, rank])
            right = judge(classifier.model, tried, labels[left], classifier.batch_size).right
            examples[left[~right]] = tried[~right]
            left = left[right]
        return examples

    def _attack(self, classifier: Classifier) -> Any:
        from art.attacks.evasion import SaliencyMapMethod

        values = int(np.prod(classifier.input_shape))
        most = int(self.gamma * values)
        if most < 2:
            raise ConfigError(
                f"attack Jsma changes values in pairs, but gamma {self.gamma} of {values} values "
                f"are {most}; raise gamma to {2 / values:.3g} or more"
            )
        return SaliencyMapMethod(
            classifier.art,
            theta=self.theta,
            # It goes on with the next pair while the share is at most this.
            gamma=(most - 1.5) / values,
            # Of a batch it runs all images until the last is done.
            batch_size=1,
            verbose=False,
        )


ATTACKS.register("jsma", Jsma())
