"""Scenarios: whom an attacker attacks, by which gradient, and who then judges the examples.

- ``transfer``: the exact model (or any other source), judged by every unit.
- ``black_box``: a proxy of each unit's network, trained on its answers alone; judged by that unit
  and by the exact one.
- ``white_box``: each unit's network itself, by every gradient choice, judged by that unit. An
  attack that follows no gradient is made once.
- ``adaptive``: the attacker knows the unit but has no simulator: the surrogate with its effective
  weights, and the ensemble of that and the exact network; judged by that unit.

Controls, networks that are no units (`accelsim.robustness.controls`), take part like units. In
``transfer`` they judge by themselves, the same examples; a white box follows the one gradient that
they have. ``adaptive`` leaves them out: they have no circuit to know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from accelsim.accumulators import AUTO
from accelsim.errors import ConfigError, nearest
from accelsim.multipliers import MULTIPLIERS, IntegerMultiplier
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.pieces import CHUNK, Piece, Plan, Source, split
from accelsim.robustness.proxy import identity, same_weights, train_proxy
from accelsim.robustness.verdict import logits_of

if TYPE_CHECKING:
    from torch import nn

    from accelsim.dataflows.order import AccumulationOrder
    from accelsim.quantization import Calibration, Scheme
    from accelsim.recipe import Recipe
    from accelsim.training.fitting import Progress

__all__ = [
    "EXACT",
    "SCENARIOS",
    "TORCH",
    "Networks",
    "Orders",
    "Proxies",
    "Smoothing",
    "ascending",
    "check_scenario",
    "pieces_of",
]

SCENARIOS = ("transfer", "black_box", "white_box", "adaptive")

TORCH = "torch"
"""Name of the model as torch computes it, exact float32."""
EXACT = "exact_fp32"
"""The unit that stands for it among the judges."""

PROBES = 16
"""Images whose logits tell a control, which need not have weights, from every other."""

Targets = dict[str, "nn.Module"]
Orders = Callable[[str], "Sequence[AccumulationOrder] | None"]


def ascending(unit: str) -> None:
    """Return the orders of additions of *unit* that is in no array: k ascends."""


@dataclass(frozen=True)
class Smoothing:
    """How the gradient ``smoothed`` is averaged: see `accelsim.nn.smoothed`."""

    sigma: float = 0.05
    samples: int = 8
    seed: int = 0


@dataclass(frozen=True)
class Proxies:
    """What the proxies of a black box are trained from.

    Attributes
    ----------
    build : callable
        Returns an untrained network.
    images : (N, C, H, W) float32
        The query budget: each is asked for once. Not those that are attacked.
    recipe : Recipe
    seed : int
        Not that of the network under attack, which an attacker does not know: a proxy of the same
        initial weights is too like it. The shipped networks were trained from seed 0.
    """

    build: Callable[[], nn.Module]
    images: NDArray[np.float32]
    recipe: Recipe
    seed: int = 1


@dataclass
class Networks:
    """One model on any unit, with any gradient, made once each; and its controls.

    Attributes
    ----------
    model : torch.nn.Module
        Exact, in eval mode.
    accumulator, calibration, scheme
        As of `accelsim.nn.approximate`.
    orders : callable
        Called with what stands for a unit; returns the orders of its additions.
    smoothing : Smoothing
    controls : mapping of str to torch.nn.Module
        Name -> network, in eval mode, with a gradient; of names that no unit has.
    layered : mapping
        What stands for a unit where layers have units of their own -> the unit of each layer, in
        the order of their calls.
    """

    model: nn.Module
    accumulator: str = AUTO
    calibration: Calibration | None = None
    scheme: Scheme | None = None
    orders: Orders = ascending
    smoothing: Smoothing = field(default_factory=Smoothing)
    controls: Mapping[str, nn.Module] = field(default_factory=dict)
    layered: Mapping[str, Sequence[str]] = field(default_factory=dict)
    _made: dict[tuple[str, str], nn.Module] = field(default_factory=dict, repr=False)

    def on(self, unit: str, gradient: str = "none") -> nn.Module:
        """Return the network on *unit*; on `TORCH` the model itself; or the control named so."""
        from accelsim.nn import approximate

        if unit == TORCH:
            return self.model
        if unit in self.controls:
            return self.controls[unit]
        if (unit, gradient) not in self._made:
            if gradient == "smoothed":
                from accelsim.nn import smoothed

                one = self.smoothing
                made: nn.Module = smoothed(
                    self.on(unit, "exact"), sigma=one.sigma, samples=one.samples, seed=one.seed
                )
            else:
                made = approximate(
                    self.model,
                    multiplier=self.layered.get(unit, unit),
                    accumulator=self.accumulator,
                    gradient=gradient,
                    calibration=self.calibration,
                    scheme=self.scheme,
                    orders=self.orders(unit),
                )
            self._made[unit, gradient] = made.eval()
        return self._made[unit, gradient]

    def surrogate(self, unit: str) -> nn.Module:
        """Return the exact network with the weights that *unit* effectively applies."""
        from accelsim.nn import surrogate

        if (unit, "surrogate") not in self._made:
            self._made[unit, "surrogate"] = surrogate(
                self.model,
                self.layered.get(unit, unit),
                calibration=self.calibration,
                scheme=self.scheme,
            ).eval()
        return self._made[unit, "surrogate"]


def pieces_of(
    scenario: str,
    networks: Networks,
    units: Sequence[str],
    plans: Sequence[Plan],
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
    *,
    sources: Sequence[str] = (TORCH,),
    gradients: Sequence[str] = ("exact", "effective"),
    proxies: Proxies | None = None,
    seed: int = 0,
    batch_size: int = 64,
    chunk: int = CHUNK,
    folder: Path | None = None,
    proxy_progress: Progress | None = None,
) -> Iterator[Piece]:
    """Yield the pieces of one scenario; proxies are trained here.

    Parameters
    ----------
    scenario : str
        One of `SCENARIOS`.
    networks : Networks
    units : sequence of str
        Who judges, and, but for ``transfer``, whose networks are attacked; beside them the controls
        of *networks*.
    plans : sequence of Plan
    images, labels
        As `Attack.run` takes them.
    sources : sequence of str
        Of ``transfer``: `TORCH`, units, straight-through, or controls.
    gradients : sequence of str
        Of ``white_box``: of `accelsim.nn.GRADIENTS`, and ``"smoothed"``. ``"unit"`` is left out for
        units that have no product table; of a control its own, called ``"exact"``.
    proxies : Proxies
        Of ``black_box``, which cannot do without.
    seed, batch_size, chunk
        As of `accelsim.robustness.pieces.split`.
    folder : Path, optional
        Where proxies are kept, see `train_proxy`.
    proxy_progress : callable, optional
        Called while a proxy is trained with (batches done, batches in all, whose proxy, epoch and
        loss in words).

    Raises
    ------
    ConfigError
        If the scenario does not exist, or has no proxy, gradient, source or unit.
    """
    for what, given in (("units", units), ("sources", sources), ("gradients", gradients)):
        if isinstance(given, str) or not given:
            raise ConfigError(f"{what} must be a list of at least one name, got {given!r}")
    check_scenario(scenario)
    known = {name: _by_logits(control, images) for name, control in networks.controls.items()}
    everyone = (*units, *known)
    fixed: list[tuple[Source, Targets]] = []
    if scenario == "transfer":
        fixed = list(_transfer(networks, units, sources))
    elif scenario == "black_box":
        fixed = list(_proxies(networks, everyone, proxies, batch_size, folder, proxy_progress))
        known |= {source.name: identity(source.model) for source, _ in fixed}
    elif scenario == "adaptive":
        fixed = list(_adaptive(networks, units))
    for plan in plans:
        attacked = fixed or _white_box(networks, everyone, plan, gradients)
        for source, targets in attacked:
            here = {source.name, *targets}
            yield from split(
                scenario, source, targets, plan, images, labels,
                seed=seed, batch_size=batch_size, chunk=chunk,
                identities={name: one for name, one in known.items() if name in here},
            )  # fmt: skip


def check_scenario(scenario: str) -> None:
    """Raise `ConfigError` unless *scenario* is one of `SCENARIOS`."""
    if scenario not in SCENARIOS:
        raise ConfigError(
            f"scenario must be one of {', '.join(SCENARIOS)}, got {scenario!r}."
            f"{nearest(scenario, SCENARIOS)}"
        )


def _by_logits(control: nn.Module, images: NDArray[np.float32]) -> str:
    """Return what tells *control* from others of its name: the bits of its logits."""
    return sha256(logits_of(control, images[:PROBES], PROBES).tobytes()).hexdigest()


def _transfer(
    networks: Networks, units: Sequence[str], sources: Sequence[str]
) -> Iterator[tuple[Source, Targets]]:
    """Yield every source with the units, then with the controls: each have pieces of their own."""
    for names in filter(None, (units, networks.controls)):
        judges = {name: networks.on(name) for name in names}
        for name in sources:
            yield Source(name, networks.on(name, "exact")), judges


def _proxies(
    networks: Networks,
    units: Sequence[str],
    proxies: Proxies | None,
    batch_size: int,
    folder: Path | None,
    progress: Progress | None,
) -> Iterator[tuple[Source, Targets]]:
    if proxies is None:
        raise ConfigError(
            "scenario 'black_box' attacks a proxy, and there is none; give proxies=Proxies(build, "
            "images, recipe)"
        )
    for name in units:
        proxy = train_proxy(
            networks.on(name),
            proxies.build,
            proxies.images,
            proxies.recipe,
            seed=proxies.seed,
            batch_size=batch_size,
            folder=folder,
            progress=None if progress is None else _of_proxy(name, progress),
        )
        if same_weights(proxy, networks.model):
            raise ConfigError(
                f"the proxy of {name!r} came out as the network under attack, to the bit: that was "
                f"trained from the same seed ({proxies.seed}), images and answers, which an "
                "attacker does not know; give the proxies another seed, or fewer images"
            )
        targets = {one: networks.on(one) for one in dict.fromkeys((name, EXACT))}
        yield Source(f"proxy of {name}", proxy), targets


def _of_proxy(unit: str, progress: Progress) -> Progress:
    """Return *progress* which says whose proxy is trained, too."""
    return lambda done, total, what: progress(done, total, f"proxy of {unit}, {what}")


def _white_box(
    networks: Networks, units: Sequence[str], plan: Plan, gradients: Sequence[str]
) -> Iterator[tuple[Source, Targets]]:
    follows = ATTACKS[plan.attack].access == "gradient"
    for name in units:
        if not follows:
            chosen = ["none"]
        elif name in networks.controls:
            chosen = ["exact"]
        else:
            chosen = _choices(name, networks.layered.get(name, (name,)), gradients)
        for gradient in chosen:
            yield (
                Source(name, networks.on(name, gradient), gradient),
                {name: networks.on(name)},
            )


def _choices(unit: str, of_layers: Sequence[str], gradients: Sequence[str]) -> list[str]:
    """Return the gradients that *unit* has: no table's without a table.

    Those of the exact unit are all one, but for the smoothed one.

    *of_layers*: the units that it stands for.
    """
    from accelsim.kernels.derivatives import DERIVATIVE_BITS

    entries = [MULTIPLIERS[name] for name in of_layers]
    tabled = all(
        isinstance(one, IntegerMultiplier) and one.operands.bits <= DERIVATIVE_BITS
        for one in entries
    )
    has = [one for one in gradients if one != "unit" or tabled]
    if not has:
        raise ConfigError(
            f"unit {unit!r} has no gradient 'unit', which takes a table of products of at most "
            f"{DERIVATIVE_BITS} bits; give 'exact', 'effective' or 'smoothed' as well"
        )
    if unit == EXACT:
        alike = [name for name in has if name != "smoothed"]
        others = alike[1:] if "exact" not in alike else [one for one in alike if one != "exact"]
        return [name for name in has if name not in others]
    return has


def _adaptive(networks: Networks, units: Sequence[str]) -> Iterator[tuple[Source, Targets]]:
    for name in units:
        surrogate, targets = networks.surrogate(name), {name: networks.on(name)}
        yield Source(f"surrogate of {name}", surrogate, "effective"), targets
        both = ensemble([networks.model, surrogate])
        yield Source(f"ensemble of {name}", both, "effective"), targets


def ensemble(models: Sequence[nn.Module]) -> nn.Module:
    """Return the module whose logits are the mean of the models' log-probabilities."""
    import torch

    class Ensemble(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.models = torch.nn.ModuleList(models)

        def forward(self, images: Any) -> Any:
            logits = [model(images).log_softmax(dim=1) for model in self.models]
            return torch.stack(logits).mean(dim=0)

    return Ensemble().eval()
