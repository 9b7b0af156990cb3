"""LSA: greedy local search for few pixels by the model's scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from accelsim.errors import ConfigError, nearest
from accelsim.robustness.attack import check_at_least
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.classifier import Classifier
from accelsim.robustness.foolbox_attack import FoolboxAttack

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["SCORES", "LocalSearchAttack"]

SCORES = ("prob", "margin")


@dataclass(frozen=True)
class LocalSearchAttack(FoolboxAttack):
    """Local search attack (LocSearchAdv): few pixels, found greedily by the scores of candidates.

    On the image less 1/2, range [-1/2, 1/2], of which only pixels are changed, all channels alike:

    1. The first candidates are a random `share` of the pixels.
    2. Each candidate pixel in turn is set to ``p * sign(value)`` (which may be far outside the
       range) and the score of the result is asked for.
    3. The `pixels` candidates with the lowest scores are changed for good, to ``r * value``, which
       re-enters the range at its other end: -1/2 becomes 1/4 with r = 3/2.
    4. If the image fools, it is finished. Else the next candidates are all pixels in the squares of
       2 * `side` + 1 around those just changed, without those changed in the last `barred` rounds;
       a random choice of `candidates` if they are more.

    p is raised by a tenth after a round with a mean probability above 0.95 and lowered after one
    below 0.3. Deviations: the paper says that the chosen candidates come first in descending order
    of scores, which would raise the true class; it gives no factor for p and no limit of
    candidates (128 is Foolbox 1's).

    A saturated softmax leaves ``"prob"`` flat, and then the search is blind: a network with larger
    logits looks robust. This attack alone is no evidence of robustness.

    Sources
    -------
    Narodytska, Kasiviswanathan, "Simple Black-Box Adversarial Perturbations for Deep Networks",
    arXiv 1612.06299, algorithms 2 and 3 and section 6.
    """

    title = "local search over pixels by scores"
    norm = "l0"
    access = "score"

    score: str = "prob"
    """What is lowered: ``"prob"``, the softmax of the true class, or ``"margin"``, its logit less
    the best other, which does not saturate."""
    rounds: int = 150
    """R; as in the paper."""
    pixels: int = 5
    """t, changed each round; as in the paper."""
    side: int = 5
    """d, half the side of the squares; as in the paper."""
    r: float = 1.5
    """In [0, 2]; as in the paper."""
    p: float = 10.0
    """The first; Foolbox 1's."""
    share: float = 0.1
    """Of the pixels that are candidates first; as in the paper."""
    candidates: int = 128
    """At most, a round."""
    barred: int = 30
    """Rounds for which a changed pixel is left alone; as in the paper."""

    def __post_init__(self) -> None:
        if self.score not in SCORES:
            raise ConfigError(
                f"score must be one of {', '.join(SCORES)}, got {self.score!r}."
                f"{nearest(str(self.score), SCORES)}"
            )
        check_at_least(
            1, rounds=self.rounds, pixels=self.pixels, side=self.side, candidates=self.candidates
        )
        check_at_least(0, barred=self.barred)
        check_at_least(0.0, r=self.r, p=self.p, share=self.share)
        if self.r > 2 or self.share > 1:
            raise ConfigError(
                f"r must be at most 2 and share at most 1, got r={self.r!r}, share={self.share!r}"
            )

    @property
    def loss(self) -> str:
        """What `score` says."""
        return "probability" if self.score == "prob" else "margin"

    def batch(self, classifier: Classifier, images: Tensor, labels: Tensor) -> Tensor:
        """Return the examples, from `candidates` + 1 forwards an image and round at most."""
        model = classifier.foolbox
        from accelsim.robustness.methods.local_search import LocalSearch

        method = LocalSearch(**self.settings, batch_size=classifier.batch_size)
        return self.search(model, method, images, labels)


ATTACKS.register("lsa", LocalSearchAttack())
