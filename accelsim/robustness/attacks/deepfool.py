"""DeepFool: repeated steps to the nearest boundary of the linearized model."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from accelsim.robustness.attack import check_at_least
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.classifier import Classifier
from accelsim.robustness.foolbox_attack import FoolboxAttack

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["DeepFool"]


@dataclass(frozen=True)
class DeepFool(FoolboxAttack):
    """DeepFool in L2: to the nearest hyperplane on which another class ties with the true one.

    With ``f_k = z_k - z_y`` (logits) and ``w_k`` its gradient at the present x', the class with the
    least ``|f_k| / |w_k|_2`` is chosen and x' moves by ``|f_k| w_k / |w_k|_2^2`` (plus 1e-4 for
    stability); all moves together are lengthened by 1 + overshoot and clipped to [0, 1]. An image
    is finished, and not run again, as soon as it fools. Run by Foolbox.

    Sources
    -------
    Moosavi-Dezfooli, Fawzi, Frossard, "DeepFool: a simple and accurate method to fool deep neural
    networks", CVPR 2016 (arXiv 1511.04599), algorithm 2.
    """

    title = "DeepFool, steps to the nearest linearized boundary"
    loss = "margin"

    steps: int = 50
    """At most; as in the authors' code."""
    candidates: int = 10
    """Classes of the largest logits that are considered, the true one included; as there."""
    overshoot: float = 0.02
    """As in the paper, section 4."""

    def __post_init__(self) -> None:
        check_at_least(1, steps=self.steps)
        check_at_least(2, candidates=self.candidates)
        check_at_least(0.0, overshoot=self.overshoot)

    def batch(self, classifier: Classifier, images: Tensor, labels: Tensor) -> Tensor:
        """Return the examples, from `candidates` - 1 gradients an image and step."""
        from accelsim.robustness.methods.unfinished import Unfinished

        model = classifier.for_foolbox(Unfinished(classifier.model, labels))
        from foolbox.attacks import L2DeepFoolAttack

        method = L2DeepFoolAttack(
            steps=self.steps, candidates=self.candidates, overshoot=self.overshoot
        )
        with _unlogged():
            return self.search(model, method, images, labels)


@contextmanager
def _unlogged() -> Iterator[None]:
    """Keep Foolbox's call of ``logging.info`` from configuring the program's logging."""
    handler = logging.NullHandler()
    logging.root.addHandler(handler)
    try:
        yield
    finally:
        logging.root.removeHandler(handler)


ATTACKS.register("deepfool", DeepFool())
