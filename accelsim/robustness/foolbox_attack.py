"""FoolboxAttack: what the attacks that Foolbox runs share."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from accelsim.robustness.attack import Attack
from accelsim.robustness.classifier import Classifier, check_foolbox

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["FoolboxAttack"]


class FoolboxAttack(Attack):
    """A search for the nearest example that fools, a batch of images at a time.

    A subclass supplies the settings and `batch`.
    """

    norm = "l2"
    aim = "minimum"
    skips_wrong = True

    @abstractmethod
    def batch(self, classifier: Classifier, images: Tensor, labels: Tensor) -> Tensor:
        """Return one example an image; anything that does not fool where none is found."""

    def generate(
        self,
        classifier: Classifier,
        images: NDArray[np.float32],
        labels: NDArray[np.int64],
        epsilon: float,
    ) -> NDArray[np.float32]:
        """Return the examples, found in batches of the classifier's size."""
        check_foolbox()
        import torch

        parts = []
        for first in range(0, len(images), classifier.batch_size):
            some = slice(first, first + classifier.batch_size)
            these = torch.from_numpy(images[some].copy()), torch.from_numpy(labels[some].copy())
            parts.append(self.batch(classifier, *these).detach().numpy())
        return np.concatenate(parts)

    @staticmethod
    def search(model: Any, method: Any, images: Tensor, labels: Tensor, **settings: Any) -> Tensor:
        """Let a ``foolbox.attacks.MinimizationAttack`` search for images of other classes."""
        from foolbox import Misclassification

        return method.run(model, images, Misclassification(labels), **settings)
