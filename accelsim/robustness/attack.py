"""Attack: what an attack file supplies, and the base that verifies and trusts no attack."""

from __future__ import annotations

import math
import numbers
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import ConfigError, DataError
from accelsim.robustness.art_bridge import Classifier, seeded
from accelsim.workload import check_images, check_labels

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "BUDGET_TOLERANCE",
    "LINF_EPSILON",
    "Attack",
    "AttackResult",
    "checked_epsilon",
    "checked_seed",
]

# An x' that is meant to lie at x + epsilon may miss it by the rounding of that float32 sum, at most
# 2**-24 = 6e-8 for pixels up to 1, and again where an attack projects; more is a wrong attack.
BUDGET_TOLERANCE = 1e-6

# The default budget of the attacks in the infinity norm, one for all so that they can be compared.
# On the shipped LeNet-5 it lets FGSM fool the exact network on 61 % and PGD on 70 % of the test
# images: enough examples for a transfer rate, and room to be better or worse. The 0.3 customary for
# MNIST (Madry et al., 2018) is past the ceiling here: everything fools everybody.
LINF_EPSILON = 0.1

_SEED_LIMIT = 2**32


@dataclass(frozen=True)
class AttackResult:
    """What an attack made, checked.

    Attributes
    ----------
    examples : (N, C, H, W) float32 in [0, 1], at most epsilon + 1e-6 from the images
    epsilon : float
        The budget, in units of the pixel range.
    forwards_per_image : float
        How often the model was run, per image: what the attack costs on slow hardware.
    """

    examples: NDArray[np.float32]
    epsilon: float
    forwards_per_image: float


class Attack(ABC):
    """An untargeted attack within the ball ``|x' - x|_inf <= epsilon`` of images in [0, 1].

    A subclass supplies the class attributes and `generate`; `run` checks what goes in and what
    comes out. Whether an example fools anyone is judged by the caller, never by the attack.

    Attributes
    ----------
    title : str
        One line for a listing.
    norm : str
        ``"linf"``; the only one so far.
    default_epsilon : float
        The budget if none is given; the reason stands beside it.
    """

    title: ClassVar[str]
    norm: ClassVar[str]
    default_epsilon: ClassVar[float]

    @abstractmethod
    def generate(
        self,
        classifier: Classifier,
        images: NDArray[np.float32],
        labels: NDArray[np.int64],
        epsilon: float,
    ) -> NDArray[np.float32]:
        """Return one adversarial example an image, of the same shape."""

    def run(
        self,
        model: nn.Module,
        images: NDArray[np.float32],
        labels: NDArray[np.int64],
        *,
        classes: int,
        epsilon: float | None = None,
        seed: int = 0,
        batch_size: int = 64,
    ) -> AttackResult:
        """Attack *model* at *images* with true *labels*; *model* is copied, not changed.

        The global random states of NumPy and torch are seeded for the attack, then restored.

        Parameters
        ----------
        model : torch.nn.Module
            Returns (N, classes) logits.
        images : (N, C, H, W) float32 in [0, 1]
        labels : (N,) integers in 0..classes-1
        classes : int
        epsilon : float, optional
            Budget in (0, 1]; the attack's default if None.
        seed : int
        batch_size : int

        Raises
        ------
        ConfigError
            If *epsilon* or *seed* cannot be used.
        DataError
            If images or labels are not as above, or the attack's examples are not: another shape,
            not finite, outside [0, 1] or beyond the budget by more than `BUDGET_TOLERANCE`.
        """
        epsilon = self.default_epsilon if epsilon is None else checked_epsilon(epsilon)
        seed = checked_seed(seed)
        _check_pixels(check_images(images))
        labels = check_labels(labels, len(images), classes)
        classifier = Classifier(model, images.shape[1:], classes, batch_size)
        with seeded(seed):
            examples = self.generate(classifier, images.copy(), labels, epsilon)
        return AttackResult(
            examples=self._verified(examples, images, epsilon),
            epsilon=epsilon,
            forwards_per_image=classifier.forwards / len(images),
        )

    def _verified(
        self, examples: NDArray[np.float32], images: NDArray[np.float32], epsilon: float
    ) -> NDArray[np.float32]:
        who = f"attack {type(self).__name__}"
        if not isinstance(examples, np.ndarray) or examples.shape != images.shape:
            got = getattr(examples, "shape", type(examples).__name__)
            raise DataError(f"{who} must return examples of shape {images.shape}, got {got}")
        if not np.isfinite(examples).all():
            raise DataError(f"{who} returned NaN or infinite pixels")
        distance = float(np.abs(examples.astype(np.float64) - images).max())
        if distance > epsilon + BUDGET_TOLERANCE:
            raise DataError(
                f"{who} left its budget: |x' - x|_inf must be <= {epsilon}, got {distance:.9g}"
            )
        low, high = float(examples.min()), float(examples.max())
        if low < -BUDGET_TOLERANCE or high > 1 + BUDGET_TOLERANCE:
            raise DataError(f"{who} left the pixel range [0, 1]: got {low:.9g}..{high:.9g}")
        return np.clip(examples, 0, 1).astype(np.float32)


def checked_epsilon(epsilon: object) -> float:
    """Return *epsilon* as a float if it is a number in (0, 1], else raise `ConfigError`."""
    good = isinstance(epsilon, numbers.Real) and not isinstance(epsilon, bool)
    value = float(epsilon) if good else math.nan  # type: ignore[arg-type]
    if not 0 < value <= 1:
        raise ConfigError(
            "epsilon must be a number in (0, 1], in units of the pixel range [0, 1], got "
            f"{epsilon!r}; for 8 of 255 give 8/255"
        )
    return value


def checked_seed(seed: object) -> int:
    """Return *seed* if it is an int in 0..2^32-1, else raise `ConfigError`."""
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < _SEED_LIMIT:
        raise ConfigError(f"seed must be an int in 0..{_SEED_LIMIT - 1}, got {seed!r}")
    return seed


def _check_pixels(images: NDArray[np.float32]) -> None:
    low, high = float(images.min()), float(images.max())
    if low < 0 or high > 1:
        raise DataError(
            f"images must lie in [0, 1] to be attacked, got {low:.9g}..{high:.9g}; scale them to "
            "that range and let the model normalize"
        )
