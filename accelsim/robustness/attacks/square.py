"""Square attack: random squares of full budget, kept where they lower the margin."""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import ConfigError
from accelsim.robustness.attack import LINF_EPSILON, Attack, check_at_least
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.classifier import Classifier
from accelsim.robustness.verdict import judge

__all__ = ["Square"]

# Of 10,000 queries, those after which the share of the image that a square covers is halved.
HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)


@dataclass(frozen=True)
class Square(Attack):
    """Square attack: a random search that asks for logits only, and follows no gradient.

    It starts with vertical stripes, ``clip(x +- epsilon)`` with a random sign for each column and
    channel. A step proposes a square at a random place, set to ``clip(x +- epsilon)`` with a random
    sign for each channel, and keeps it if the margin (logit of the true class less the largest
    other) falls. A square covers the share *first_share* of the image at first and half as much
    after each query of `HALVINGS`, scaled to *queries*. An image that is fooled is done; one
    that is wrong already stays as it is and costs one look.

    Written here and not run by a library: the Adversarial Robustness Toolbox asks three times a
    step, also about images that are done, and fails on images of fewer than 5 pixels a side.
    Where it deviates from the authors' code: each image has squares of its own, as in the paper,
    and these reach the last row and column; a square that changes nothing is not asked about.

    Sources
    -------
    Andriushchenko, Croce, Flammarion, Hein, "Square Attack: a query-efficient black-box adversarial
    attack via random search", ECCV 2020 (arXiv 1912.00049), algorithms 1 and 2, section 3.
    """

    title = "random search by squares, from logits alone"
    loss = "margin"
    access = "score"
    default_epsilon = LINF_EPSILON
    skips_wrong = True

    queries: int = 1000
    """Most looks at logits an image, beside the one at the image itself."""
    first_share: float = 0.8
    """As of AutoAttack (Croce and Hein, arXiv 2003.01690); the paper chooses it by data set."""

    def __post_init__(self) -> None:
        check_at_least(1, queries=self.queries)
        check_at_least(0.0, first_share=self.first_share)
        if not 0 < self.first_share <= 1:
            raise ConfigError(f"first_share must be in (0, 1], got {self.first_share!r}")

    def generate(
        self,
        classifier: Classifier,
        images: NDArray[np.float32],
        labels: NDArray[np.int64],
        epsilon: float,
    ) -> NDArray[np.float32]:
        """Return the examples, from at most ``queries + 1`` forwards an image."""
        # All images draw in every step: what one gets does not depend on when another is done.
        draw = np.random.default_rng(np.random.randint(2**32))
        count, channels, height, width = images.shape
        low, high = (np.clip(images + np.float32(side), 0, 1) for side in (-epsilon, epsilon))
        examples = images.copy()
        margin = np.full(count, np.inf)
        left = judge(classifier.model, images, labels, classifier.batch_size).right
        for query in range(self.queries):
            if query == 0:
                upper = draw.integers(2, size=(count, channels, 1, width), dtype=np.uint8)
                proposal = np.where(upper, high, low)
            else:
                inside = _squares(draw, images.shape, self._side(query, height, width))
                upper = draw.integers(2, size=(count, channels, 1, 1), dtype=np.uint8)
                proposal = np.where(inside, np.where(upper, high, low), examples)
            asked = np.flatnonzero(left & (proposal != examples).any(axis=(1, 2, 3)))
            if asked.size:
                proposal = proposal[asked]
                verdict = judge(classifier.model, proposal, labels[asked], classifier.batch_size)
                better = (verdict.margin < margin[asked]) | ~verdict.right
                examples[asked[better]] = proposal[better]
                margin[asked[better]] = verdict.margin[better]
                left[asked] = verdict.right
            if not left.any():
                break
        return examples

    def _side(self, query: int, height: int, width: int) -> int:
        """Return the side of the squares of this query, in pixels."""
        share = self.first_share / 2 ** bisect.bisect_left(HALVINGS, query * 10000 / self.queries)
        return min(max(round(math.sqrt(share * height * width)), 1), height, width)


def _squares(draw: np.random.Generator, shape: tuple[int, ...], side: int) -> NDArray[np.bool_]:
    """Return (N, 1, H, W): where each image's random square lies."""
    count, _, height, width = shape
    top = draw.integers(height - side + 1, size=(count, 1, 1, 1))
    left = draw.integers(width - side + 1, size=(count, 1, 1, 1))
    rows, columns = np.arange(height)[:, np.newaxis], np.arange(width)
    return (top <= rows) & (rows < top + side) & (left <= columns) & (columns < left + side)


ATTACKS.register("square", Square())
