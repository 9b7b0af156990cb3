"""Pieces: one attack on some images, and what became of each image on every judge.

A `Piece` is the unit of work: one attack of one source on some images. It is a pure function of
what it holds, so pieces can be done in any order, in any process, and be kept.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import ConfigError
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.distances import distances
from accelsim.robustness.outcomes import OUTCOMES
from accelsim.robustness.verdict import Verdict, judge

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

__all__ = ["CHUNK", "Piece", "Plan", "Source", "run_piece", "split"]

CHUNK = 100
"""Images of a piece: what a kill can cost, and what several processes share out."""


@dataclass(frozen=True)
class Source:
    """Whom the attacker attacks.

    Attributes
    ----------
    name : str
        ``"torch"`` for the exact model, a unit's name, ``"surrogate of UNIT"`` and the like.
    model : torch.nn.Module
        Images to logits, with the gradient that the attacker follows.
    gradient : str
        How that gradient comes about: see `accelsim.nn.approximate`.
    """

    name: str
    model: nn.Module
    gradient: str = "exact"


@dataclass(frozen=True)
class Plan:
    """One attack and its strength.

    Attributes
    ----------
    attack : str
        Key of `ATTACKS`.
    epsilon : float, optional
        The budget; the attack's default if None. None for an attack that has no budget.
    settings : mapping
        Of the attack, where they are not its defaults.
    scales : tuple of float
        Each perturbation times each of these, clipped to [0, 1], is an example of its own: an
        attack for the minimum leaves examples at the source's boundary, beyond which nobody else
        need follow.
    """

    attack: str
    epsilon: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    scales: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        if not self.scales or not all(0 < scale < math.inf for scale in self.scales):
            raise ConfigError(f"scales must be numbers above 0, got {self.scales}")

    @property
    def settings_text(self) -> str:
        """The settings as JSON, empty where they are the defaults."""
        return json.dumps(dict(self.settings), sort_keys=True) if self.settings else ""


@dataclass(frozen=True)
class Piece:
    """One attack of one source on some images, and the models that judge the examples.

    Attributes
    ----------
    scenario : str
    source : Source
    targets : mapping of str to torch.nn.Module
    plan : Plan
    images : (N, C, H, W) float32 in [0, 1]
    labels : (N,) int64
    first : int
        Number of the first image in the whole set.
    seed : int
        Of the whole set; the attack's own follows from it and *first*.
    batch_size : int
    identities : mapping of str to str
        Of the networks here that are no units, controls and proxies, name -> identity: a name
        alone does not say what they compute.
    """

    scenario: str
    source: Source
    targets: Mapping[str, nn.Module]
    plan: Plan
    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    first: int
    seed: int
    batch_size: int
    identities: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What tells this piece from the others of its study, as text."""
        strength = "" if self.plan.epsilon is None else f"{self.plan.epsilon:.6g}"
        return "|".join((
            self.scenario, self.source.name, self.source.gradient, self.plan.attack,
            self.plan.settings_text, strength, str(self.first), str(len(self.images)),
            *self.identities,
        ))  # fmt: skip


def split(
    scenario: str,
    source: Source,
    targets: Mapping[str, nn.Module],
    plan: Plan,
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
    *,
    seed: int,
    batch_size: int,
    chunk: int = CHUNK,
    identities: Mapping[str, str] | None = None,
) -> Iterator[Piece]:
    """Yield the pieces of one attack, *chunk* images each."""
    for first in range(0, len(images), chunk):
        part = slice(first, first + chunk)
        yield Piece(
            scenario, source, targets, plan, images[part], labels[part], first, seed, batch_size,
            identities or {},
        )  # fmt: skip


def run_piece(piece: Piece) -> pd.DataFrame:
    """Attack, judge, and return a row for each target and image, columns as `OUTCOMES`.

    Where the source gets every image wrong there is nothing to attack: the examples are the images.

    Raises
    ------
    ConfigError, DataError
        As `Attack.run` does.
    """
    import pandas as pd

    images, labels, plan = piece.images, piece.labels, piece.plan
    attack = ATTACKS[plan.attack].replace(**plan.settings)
    source = judge(piece.source.model, images, labels, piece.batch_size)
    examples, cause, epsilon = images, np.full(len(images), ""), math.nan
    forwards = gradients = 0.0
    if source.right.any():
        result = attack.run(
            piece.source.model,
            images,
            labels,
            classes=source.classes,
            epsilon=plan.epsilon,
            seed=_seed(piece),
            batch_size=piece.batch_size,
        )
        examples, cause, epsilon = result.examples, result.cause, result.epsilon
        forwards, gradients = result.forwards_per_image, result.gradients_per_image
    else:
        epsilon = attack.budget(plan.epsilon)
    clean = {
        name: judge(model, images, labels, piece.batch_size)
        for name, model in piece.targets.items()
    }
    shared = {
        "scenario": piece.scenario,
        "source": piece.source.name,
        "gradient": piece.source.gradient,
        "attack": plan.attack,
        "settings": plan.settings_text,
        "norm": attack.norm,
        "aim": attack.aim,
        "epsilon": epsilon,
        "seed": piece.seed,
        "image": np.arange(piece.first, piece.first + len(images)),
        "label": labels,
        "source_right": source.right,
        "cause": cause,
        "forwards": forwards,
        "gradients": gradients,
    }
    tables = []
    for scale in plan.scales:
        scaled = examples
        if scale != 1:
            scaled = np.clip(images + np.float32(scale) * (examples - images), 0, 1)
        fooled = ~judge(piece.source.model, scaled, labels, piece.batch_size).right
        own = {"scale": scale, "source_fooled": fooled, **distances(images, scaled)}
        for name, model in piece.targets.items():
            attacked = judge(model, scaled, labels, piece.batch_size)
            verdicts = _verdicts(clean[name], attacked)
            tables.append(pd.DataFrame({**shared, **own, "target": name, **verdicts}))
    return pd.concat(tables, ignore_index=True)[list(OUTCOMES)]


def _verdicts(clean: Verdict, attacked: Verdict) -> dict[str, NDArray[Any]]:
    return {
        "target_right": clean.right,
        "target_fooled": ~attacked.right,
        "confidence_clean": clean.confidence,
        "confidence_attacked": attacked.confidence,
        "margin_clean": clean.margin,
        "margin_attacked": attacked.margin,
    }


def _seed(piece: Piece) -> int:
    """Return the seed of a piece: that of the set for its first images."""
    if piece.first == 0:
        return piece.seed
    return int(np.random.SeedSequence([piece.seed, piece.first]).generate_state(1)[0])
