"""Attack: what an attack file supplies, and the base that verifies and trusts no attack."""

from __future__ import annotations

import copy
import dataclasses
import math
import numbers
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import ConfigError, DataError, nearest
from accelsim.robustness.classifier import Classifier, seeded
from accelsim.robustness.distances import distances
from accelsim.robustness.verdict import judge
from accelsim.workload import check_images, check_labels

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "ACCESSES",
    "AIMS",
    "BUDGET_TOLERANCE",
    "CAUSES",
    "LINF_EPSILON",
    "LOSSES",
    "NORMS",
    "Attack",
    "AttackResult",
    "check_at_least",
    "checked_epsilon",
    "checked_seed",
]

NORMS = ("linf", "l2", "l0")
AIMS = ("budget", "minimum")
ACCESSES = ("gradient", "score", "label", "none")
LOSSES = ("cross entropy", "margin", "probability", "")

CAUSES = ("no gradient", "clipped", "budget", "gave up")
"""Why an attack failed on an image.

``no gradient``: an attack that follows gradients found that of the cross entropy to be 0 in every
pixel of the image; ``clipped``: more than half of the pixels could not use the budget since they
are at 0 or 1; ``budget``: it was used to 99 %; ``gave up``: none of these.
"""

CAUSE_TYPE = f"<U{max(map(len, CAUSES))}"
USED = 0.99
"""Share of the budget from which on it counts as used."""

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
    examples : (N, C, H, W) float32 in [0, 1]
        At most epsilon + 1e-6 from the images, where there is a budget.
    epsilon : float
        The budget, in units of the pixel range; NaN where the attack has none.
    right, success : (N,) bool
        What the attacked model classifies correctly, and what of that it gets wrong under attack,
        as judged here.
    cause : (N,) str
        One of `CAUSES` where the attack failed on an image that is right, else empty.
    forwards_per_image, gradients_per_image : float
        How often the model was run and gradients were asked for, per image: what the attack costs
        on slow hardware.
    """

    examples: NDArray[np.float32]
    epsilon: float
    right: NDArray[np.bool_]
    success: NDArray[np.bool_]
    cause: NDArray[np.str_]
    forwards_per_image: float
    gradients_per_image: float


class Attack(ABC):
    """An untargeted attack on images in [0, 1]; a frozen dataclass of its settings.

    A subclass supplies the class attributes, the settings as fields with defaults, and `generate`;
    `run` checks what goes in and what comes out. Whether an example fools anyone is judged here and
    by the caller, never by the attack.

    Attributes
    ----------
    title : str
        One line for a listing.
    norm : str
        One of `NORMS`: what is bounded or made small.
    aim : str
        ``"budget"``: the best example within ``|x' - x| <= epsilon``; ``"minimum"``: the nearest
        that fools.
    access : str
        What the attacker goes by, one of `ACCESSES`: gradients (and logits), logits, the class, or
        nothing but chance.
    loss : str
        What it makes large or small, one of `LOSSES`: the cross entropy; a margin, any function of
        logits that their gain does not saturate; the softmax probability; or none.
    many_steps : str or None
        Of an attack of one step: the key of that which takes many such steps.
    default_epsilon : float or None
        The budget if none is given, with the reason beside it; None for aim ``"minimum"``.
    skips_wrong : bool
        Whether images that the model gets wrong already are left as they are and cost nothing. Not
        where the examples shall fool other models, too.
    """

    title: ClassVar[str]
    norm: ClassVar[str] = "linf"
    aim: ClassVar[str] = "budget"
    access: ClassVar[str] = "gradient"
    many_steps: ClassVar[str | None] = None
    default_epsilon: ClassVar[float | None] = None
    skips_wrong: ClassVar[bool] = False

    @abstractmethod
    def generate(
        self,
        classifier: Classifier,
        images: NDArray[np.float32],
        labels: NDArray[np.int64],
        epsilon: float,
    ) -> NDArray[np.float32]:
        """Return one example an image, of the same shape.

        *epsilon* is NaN for aim ``"minimum"``: then what does not fool is replaced by the image.
        """

    @property
    def loss(self) -> str:
        """One of `LOSSES`; it may depend on the settings."""
        return ""

    @property
    def settings(self) -> dict[str, Any]:
        """The settings by name."""
        if not dataclasses.is_dataclass(self):
            return {}
        return {one.name: getattr(self, one.name) for one in dataclasses.fields(self)}

    def replace(self, **settings: Any) -> Self:
        """Return this attack with other settings.

        Raises
        ------
        ConfigError
            If it has no such setting, or a value cannot be used.
        """
        for name in settings:
            if name not in self.settings:
                known = ", ".join(self.settings) or "none"
                raise ConfigError(
                    f"attack {type(self).__name__} has no setting {name!r}; it has: {known}."
                    f"{nearest(name, self.settings)}"
                )
        return dataclasses.replace(self, **settings) if settings else self  # type: ignore[type-var]

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

        What is right is judged on a copy that the attack never sees. A setting ``queries`` of the
        attack is held against the forwards that were counted, one look at each image itself aside.

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
            If *epsilon* or *seed* cannot be used, or the attack follows gradients and the model's
            logits carry none.
        DataError
            If images or labels are not as above, *model* classifies none correctly, the attack
            asked more than its ``queries``, or its examples are not as they must be: another shape,
            not finite, outside [0, 1] or beyond the budget by more than `BUDGET_TOLERANCE`.
        """
        epsilon = self.budget(epsilon)
        seed = checked_seed(seed)
        _check_pixels(check_images(images))
        labels = check_labels(labels, len(images), classes)
        classifier = Classifier(model, images.shape[1:], classes, batch_size)
        network = copy.deepcopy(model).eval()
        before = judge(network, images, labels, batch_size)
        if not before.right.any():
            raise DataError(
                f"the model classifies none of the {len(images)} images correctly, so there is "
                "nothing to attack; check its weights, and that the labels belong to the images"
            )
        if self.access == "gradient":
            self._check_gradient(classifier, images[:1])
        some = before.right if self.skips_wrong else np.ones_like(before.right)
        classifier.forwards = classifier.gradients = 0
        with seeded(seed):
            found = self.generate(classifier, images[some], labels[some], epsilon)
        forwards, gradients = classifier.forwards, classifier.gradients
        self._check_queries(forwards / len(images[some]))
        examples = images.copy()
        examples[some] = self._verified(found, images[some], epsilon)
        right = judge(network, examples, labels, batch_size).right
        if self.aim == "minimum":
            examples[right] = images[right]
        failed = before.right & right
        cause = np.zeros(len(images), CAUSE_TYPE)
        if failed.any():
            these = images[failed], labels[failed], examples[failed]
            cause[failed] = self._causes(classifier, *these, epsilon)
        return AttackResult(
            examples=examples,
            epsilon=epsilon,
            right=before.right,
            success=before.right & ~right,
            cause=cause,
            forwards_per_image=forwards / len(images),
            gradients_per_image=gradients / len(images),
        )

    def budget(self, epsilon: float | None) -> float:
        """Return what *epsilon* stands for, NaN where there is no budget; or `ConfigError`."""
        if self.aim == "minimum":
            if epsilon is not None:
                raise ConfigError(
                    f"attack {type(self).__name__} looks for the smallest perturbation and takes "
                    f"no epsilon, got {epsilon!r}"
                )
            return math.nan
        return checked_epsilon(self.default_epsilon if epsilon is None else epsilon)

    def _check_gradient(self, classifier: Classifier, images: NDArray[np.float32]) -> None:
        import torch

        with torch.enable_grad():
            logits = classifier.model(torch.from_numpy(images.copy()).requires_grad_())
        if not logits.requires_grad:
            raise ConfigError(
                f"attack {type(self).__name__} follows gradients, but the model's logits carry "
                "none; approximate it with another gradient than 'none', or take an attack that "
                "needs logits or classes only"
            )

    def _check_queries(self, forwards: float) -> None:
        """Raise `DataError` if *forwards* an image, counted, are more than the attack may ask."""
        queries = self.settings.get("queries")
        if queries is not None and forwards > queries + 1:
            raise DataError(
                f"attack {type(self).__name__} left its budget of queries: it may ask {queries} an "
                f"image, beside one look at the image itself, got {forwards:.9g}"
            )

    def _causes(
        self,
        classifier: Classifier,
        images: NDArray[np.float32],
        labels: NDArray[np.int64],
        examples: NDArray[np.float32],
        epsilon: float,
    ) -> NDArray[np.str_]:
        """Return why the attack failed on each of these images."""
        cause = np.full(len(images), "gave up", dtype=CAUSE_TYPE)
        cause[distances(images, examples)[self.norm] >= USED * epsilon] = "budget"
        if self.aim == "budget" and self.norm == "linf":
            short = np.abs(examples - images) < USED * epsilon
            stuck = short & ((examples == 0) | (examples == 1))
            cause[stuck.reshape(len(images), -1).mean(axis=1) > 0.5] = "clipped"
        if self.access == "gradient":
            cause[_without_gradient(classifier, images, labels)] = "no gradient"
        return cause

    def _verified(
        self, examples: NDArray[np.float32], images: NDArray[np.float32], epsilon: float
    ) -> NDArray[np.float32]:
        who = f"attack {type(self).__name__}"
        if not isinstance(examples, np.ndarray) or examples.shape != images.shape:
            got = getattr(examples, "shape", type(examples).__name__)
            raise DataError(f"{who} must return examples of shape {images.shape}, got {got}")
        if not np.isfinite(examples).all():
            raise DataError(f"{who} returned NaN or infinite pixels")
        distance = float(distances(images, examples)[self.norm].max())
        if distance > epsilon + BUDGET_TOLERANCE:
            kind = {"linf": "inf", "l2": "2", "l0": "0"}[self.norm]
            raise DataError(
                f"{who} left its budget: |x' - x|_{kind} must be <= {epsilon}, got {distance:.9g}"
            )
        low, high = float(examples.min()), float(examples.max())
        if low < -BUDGET_TOLERANCE or high > 1 + BUDGET_TOLERANCE:
            raise DataError(f"{who} left the pixel range [0, 1]: got {low:.9g}..{high:.9g}")
        return np.clip(examples, 0, 1).astype(np.float32)


def _without_gradient(
    classifier: Classifier, images: NDArray[np.float32], labels: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return where the cross entropy has no gradient in any pixel."""
    import torch
    from torch.nn.functional import cross_entropy

    parts = []
    for first in range(0, len(images), classifier.batch_size):
        some = slice(first, first + classifier.batch_size)
        pixels = torch.from_numpy(images[some].copy()).requires_grad_()
        with torch.enable_grad():
            truth = torch.from_numpy(labels[some].copy())
            loss = cross_entropy(classifier.model(pixels), truth, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, pixels)
        parts.append((gradient == 0).flatten(1).all(dim=1).numpy())
    return np.concatenate(parts)


def check_at_least(low: float, **settings: object) -> None:
    """Raise `ConfigError` unless every setting is a number >= *low*, an int where *low* is one."""
    kind = numbers.Integral if isinstance(low, int) else numbers.Real
    for name, value in settings.items():
        if isinstance(value, bool) or not isinstance(value, kind) or not value >= low:  # type: ignore[operator]
            what = "an int" if kind is numbers.Integral else "a number"
            raise ConfigError(f"{name} must be {what} >= {low}, got {value!r}")


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
