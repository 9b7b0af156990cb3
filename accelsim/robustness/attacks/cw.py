"""C&W: the nearest example in L2 by descent on distance plus a penalty for not fooling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from accelsim.robustness.attack import check_at_least
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.classifier import Classifier
from accelsim.robustness.foolbox_attack import FoolboxAttack

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["CarliniWagner"]


@dataclass(frozen=True)
class CarliniWagner(FoolboxAttack):
    """Carlini and Wagner's L2 attack, untargeted, run by Foolbox.

    Adam minimizes ``|x' - x|_2^2 + c * max(0, z_y - max_{i != y} z_i + confidence)`` over u, where
    ``x' = (tanh(u) + 1) / 2`` keeps the pixels in [0, 1] and z are the logits of x'. For every
    image c is searched for: ten times larger until an example is found, then halved intervals. The
    nearest example over all steps counts. Foolbox ends a descent early where the sum of the batch's
    losses has not fallen by 0.01 % over a tenth of the steps.

    Sources
    -------
    Carlini, Wagner, "Towards Evaluating the Robustness of Neural Networks", IEEE S&P 2017
    (arXiv 1608.04644), sections V and VI.
    """

    title = "Carlini and Wagner's descent on distance plus penalty"
    loss = "margin"

    confidence: float = 0.0
    """kappa: by how much another logit must exceed the true one, in units of the logits."""
    steps: int = 200
    """Of Adam for each c. The authors' code takes up to 10,000 with a step size of 0.01; on eight
    images of `lenet5_mnist` 1,000 of those came 0.4 % nearer than 200 with 0.05, at five times the
    cost."""
    step_size: float = 0.05
    searches: int = 9
    """Values of c; as in the authors' code."""
    initial_c: float = 0.01
    """The first c."""

    def __post_init__(self) -> None:
        check_at_least(1, steps=self.steps, searches=self.searches)
        check_at_least(
            0.0, confidence=self.confidence, step_size=self.step_size, initial_c=self.initial_c
        )

    def batch(self, classifier: Classifier, images: Tensor, labels: Tensor) -> Tensor:
        """Return the examples, from at most `steps` x `searches` gradients an image."""
        model = classifier.foolbox
        from foolbox.attacks import L2CarliniWagnerAttack

        method = L2CarliniWagnerAttack(
            binary_search_steps=self.searches,
            steps=self.steps,
            stepsize=self.step_size,
            confidence=self.confidence,
            initial_const=self.initial_c,
        )
        return self.search(model, method, images, labels)


ATTACKS.register("cw", CarliniWagner())
