"""Noise: uniform random noise, the control that every attack must beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accelsim.robustness.attack import LINF_EPSILON, Attack, check_at_least
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.classifier import Classifier
from accelsim.robustness.verdict import judge

__all__ = ["Noise"]


@dataclass(frozen=True)
class Noise(Attack):
    """Uniform noise: ``x' = clip(x + uniform(-epsilon, epsilon), 0, 1)``, drawn until one fools.

    Of an image's draws the first that fools counts, else the last.

    Sources
    -------
    Carlini et al., "On Evaluating Adversarial Robustness", arXiv 1902.06705, section 4: an attack
    that does worse than random noise is broken.
    """

    title = "uniform random noise, the control"
    access = "none"
    default_epsilon = LINF_EPSILON
    skips_wrong = True

    draws: int = 100
    """At most, an image."""

    def __post_init__(self) -> None:
        check_at_least(1, draws=self.draws)

    def generate(
        self,
        classifier: Classifier,
        images: NDArray[np.float32],
        labels: NDArray[np.int64],
        epsilon: float,
    ) -> NDArray[np.float32]:
        """Return the examples, from at most `draws` forwards an image."""
        examples = images.copy()
        left = np.arange(len(images))
        for _ in range(self.draws):
            noise = np.random.uniform(-epsilon, epsilon, images[left].shape)
            examples[left] = np.clip(images[left] + noise, 0, 1)
            verdict = judge(classifier.model, examples[left], labels[left], classifier.batch_size)
            left = left[verdict.right]
            if not len(left):
                break
        return examples


ATTACKS.register("noise", Noise())
