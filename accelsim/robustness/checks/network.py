"""Checks 1 to 3 of a network on a unit: run, and told by the gradient that attackers follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from accelsim.accumulators import AUTO
from accelsim.robustness.checks.base import Check
from accelsim.robustness.checks.model import determinism, gradient_consistency, saturation
from accelsim.robustness.judges import judging_networks
from accelsim.workload import check_images, check_labels

if TYPE_CHECKING:
    from torch import nn

    from accelsim.config import Accelerator
    from accelsim.quantization import Calibration, Scheme

__all__ = ["NETWORK_IMAGES", "USUAL", "NetworkChecks", "network_checks"]

NETWORK_IMAGES = 64
"""Images that tell enough of a network: a median over them, and a share below 1 % is none."""

STEPS = (0.05, 0.2, 0.5)
"""Euclidean, of the check of gradients."""

USUAL = "effective"
"""The gradient whose slopes count where attackers follow none, or several."""


@dataclass(frozen=True)
class NetworkChecks:
    """Checks of one network.

    Attributes
    ----------
    determinism : Check
    slopes : mapping of str to (Check, Check)
        Gradient -> `gradient_consistency` and `saturation` of it.
    lacking : str
        Why other gradients have none.
    """

    determinism: Check
    slopes: Mapping[str, tuple[Check, Check]] = field(default_factory=dict)
    lacking: str = "slopes of that gradient were not measured"

    def of(self, gradient: str = USUAL) -> list[Check]:
        """Return the checks that `run_checks` takes, slopes by *gradient*."""
        none = tuple(rule.not_run(self.lacking) for rule in (gradient_consistency, saturation))
        return [self.determinism, *self.slopes.get(gradient, none)]

    def among(self, checks: Sequence[Check], gradient: str = USUAL) -> list[Check]:
        """Return *checks* with those of the network as in `of`."""
        own = {check.name: check for check in self.of(gradient)}
        return [own.get(check.name, check) for check in checks]


def network_checks(
    model: nn.Module,
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
    unit: str,
    *,
    gradients: Sequence[str] = (USUAL,),
    accumulator: str = AUTO,
    calibration: NDArray[np.float32] | Calibration | None = None,
    scheme: Scheme | None = None,
    accelerator: Accelerator | str | None = None,
) -> NetworkChecks:
    """Return the checks of *model* on *unit*: its bits, its slopes, its logits.

    Parameters
    ----------
    model : torch.nn.Module
        Exact; used in eval mode, on a copy.
    images : (N, C, H, W) float32
        Some `NETWORK_IMAGES` are enough.
    labels : (N,) integers
    unit : str
        Key of `accelsim.multipliers.MULTIPLIERS`.
    gradients : sequence of str
        Of `accelsim.robustness.GRADIENTS`, those that attackers follow: check 2 measures the
        slopes, and check 3 the loss, that each of them backpropagates. Without any these two are
        left out, which only claims on white boxes need.
    accumulator, calibration, scheme, accelerator
        As of `accelsim.robustness.evaluate`, and the same as there: with another one it is another
        network.

    Raises
    ------
    UnknownNameError, ConfigError, MappingError, DataError
        As `accelsim.robustness.evaluate` does.
    """
    from accelsim.nn import slope_ratio

    images = check_images(images)
    labels = check_labels(labels, len(images))
    networks, (name,) = judging_networks(
        model,
        images,
        [unit],
        accumulator=accumulator,
        calibration=calibration,
        scheme=scheme,
        accelerator=accelerator,
    )
    slopes = {}
    for gradient in gradients:
        followed = networks.on(name, gradient)
        ratios = {step: slope_ratio(followed, images, labels, step) for step in STEPS}
        slopes[gradient] = (
            gradient_consistency(ratios),
            saturation(followed, networks.model, images, labels),
        )
    return NetworkChecks(determinism(networks.on(name), images), slopes)
