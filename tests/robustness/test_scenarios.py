"""Tests of accelsim.robustness.scenarios: who is attacked, by which gradient, and who judges."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from accelsim.errors import ConfigError, DataError
from accelsim.nn import Scheme, calibrate
from accelsim.recipe import Recipe
from accelsim.robustness.controls import power_of_two_weights
from accelsim.robustness.pieces import Plan, run_piece
from accelsim.robustness.presets import preset_workloads
from accelsim.robustness.proxy import train_proxy
from accelsim.robustness.scenarios import Networks, Proxies, pieces_of
from accelsim.training.fitting import Fit
from accelsim.workload import WORKLOADS

UNITS = ("exact_fp32", "ax_fpm")


def pieces(lenet, scenario, *attacks, units=UNITS, networks=None, **settings):
    model, images, labels = lenet
    plans = [Plan(name) for name in attacks or ("fgsm",)]
    networks = networks or Networks(model)
    return list(pieces_of(scenario, networks, units, plans, images, labels, **settings))


def told(found):
    return [(one.source.name, one.source.gradient, list(one.targets)) for one in found]


def test_transfer_has_every_unit_judge_every_source(lenet):
    assert told(pieces(lenet, "transfer")) == [("torch", "exact", [*UNITS])]
    matrix = told(pieces(lenet, "transfer", "fgsm", "pgd", sources=("torch", "ax_fpm")))
    assert matrix == [("torch", "exact", [*UNITS]), ("ax_fpm", "exact", [*UNITS])] * 2


def test_white_box_attacks_each_unit_by_each_gradient_it_has(lenet):
    found = told(pieces(lenet, "white_box", gradients=("exact", "unit", "effective")))
    assert found == [
        ("exact_fp32", "exact", ["exact_fp32"]),
        ("ax_fpm", "exact", ["ax_fpm"]),
        ("ax_fpm", "effective", ["ax_fpm"]),
    ]


@pytest.mark.parametrize(
    ("asked", "followed"),
    [
        (("effective", "exact", "smoothed"), ["exact", "smoothed"]),
        (("effective", "smoothed"), ["effective", "smoothed"]),
        (("smoothed",), ["smoothed"]),
    ],
)
def test_the_exact_unit_is_attacked_by_no_less_than_the_others(lenet, asked, followed):
    found = pieces(lenet, "white_box", units=("exact_fp32",), gradients=asked)
    assert [one.source.gradient for one in found] == followed


def test_a_white_box_without_gradients_asks_for_none(lenet):
    found = told(pieces(lenet, "white_box", "boundary", gradients=("unit",)))
    assert found == [(unit, "none", [unit]) for unit in UNITS]


def test_adaptive_attacks_what_the_unit_effectively_applies(lenet):
    found = pieces(lenet, "adaptive", units=("ax_fpm",))
    assert told(found) == [
        ("surrogate of ax_fpm", "effective", ["ax_fpm"]),
        ("ensemble of ax_fpm", "effective", ["ax_fpm"]),
    ]
    table = run_piece(found[0])
    assert table["source_fooled"].mean() > 0.3


def test_the_adaptive_attacker_knows_how_the_unit_quantizes(tiny):
    """Its surrogate has the gradient of the network that judges: of a scheme of its own, too.

    One scale for all filters is a coarse one for the small filter: 0.01 and -0.004 become 0.0078
    and 0, where a scale of its own keeps them.
    """
    model, images, _ = tiny
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([[1.0, 0.5], [0.01, -0.003]]))
    unit, calibration = "exact_int8", calibrate(model, images)
    found = {}
    for scheme in (Scheme(), Scheme(per_channel=False)):
        networks = Networks(model, calibration=calibration, scheme=scheme)
        given = torch.from_numpy(images).requires_grad_()
        slopes = [
            torch.autograd.grad(network(given)[:, 1].sum(), given)[0]
            for network in (networks.surrogate(unit), networks.on(unit, "effective"))
        ]
        torch.testing.assert_close(*slopes)
        found[scheme] = slopes[0]
    fine, coarse = found.values()
    assert not torch.allclose(fine, coarse, rtol=0.1)


def test_controls_take_part_like_units_but_know_no_circuit(lenet):
    """Their pieces are their own, so that those of the units stay what they are without them."""
    control = power_of_two_weights(lenet[0])
    for scenario, own in {
        "transfer": [("torch", "exact", ["po2"])],
        "white_box": [("po2", "exact", ["po2"])],
        "adaptive": [],
    }.items():
        alone = pieces(lenet, scenario)
        found = pieces(lenet, scenario, networks=Networks(lenet[0], controls={"po2": control}))
        assert told(found) == told(alone) + own
        assert [one.key for one in found[: len(alone)]] == [one.key for one in alone]
        assert all(one.key.endswith("|po2") for one in found[len(alone) :])
    both = Networks(lenet[0], controls={"po2": control, "other": control})
    (free,) = pieces(lenet, "white_box", "boundary", units=UNITS[:1], networks=both)[1:2]
    assert (free.source.model, free.source.gradient, list(free.identities)) == (
        control, "none", ["po2"],
    )  # fmt: skip
    matrix = pieces(lenet, "transfer", networks=both, sources=("torch", "po2"))
    assert [list(one.identities) for one in matrix] == [[], ["po2"], *[["po2", "other"]] * 2]


def test_a_proxy_learns_from_the_answers_of_the_unit_alone():
    """Two classes by the brighter half; the proxy sees answers, never labels."""
    images = np.random.default_rng(0).random((200, 1, 4, 4), np.float32)
    target = nn.Sequential(nn.Flatten(), nn.Linear(16, 2, bias=False))
    with torch.no_grad():
        target[1].weight.copy_(torch.tensor([[1.0] * 8 + [0.0] * 8, [0.0] * 8 + [1.0] * 8]))

    def build():
        return nn.Sequential(nn.Flatten(), nn.Linear(16, 2))

    recipe = Recipe(epochs=60, batch_size=20, learning_rate=0.05)
    state = torch.get_rng_state()
    proxy = train_proxy(target, build, images, recipe, seed=3)
    assert torch.equal(state, torch.get_rng_state())
    again = train_proxy(target, build, images, recipe, seed=3)
    assert all(
        torch.equal(a, b) for a, b in zip(proxy.parameters(), again.parameters(), strict=True)
    )
    fresh = torch.from_numpy(np.random.default_rng(1).random((300, 1, 4, 4), np.float32))
    with torch.no_grad():
        same = (proxy(fresh).argmax(1) == target(fresh).argmax(1)).float().mean()
    assert same > 0.95
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    with torch.no_grad():
        model[1].weight.copy_(target[1].weight)
        model[1].bias.zero_()
    labels = target(fresh).argmax(1).numpy()
    given = Proxies(build, images, recipe)
    networks = Networks(model, controls={"itself": model})
    said = []
    found = pieces(
        (model, fresh.numpy(), labels), "black_box", networks=networks, proxies=given,
        proxy_progress=lambda *step: said.append(step),
    )  # fmt: skip
    assert [step[:2] for step in said] == [(done + 1, 600) for done in range(600)] * 3
    assert said[0][2].startswith("proxy of exact_fp32, epoch 1 of 60, loss ")
    assert said[-1][2].startswith("proxy of itself, epoch 60 of 60, loss ")
    assert told(found)[::3] == [
        ("proxy of exact_fp32", "exact", ["exact_fp32"]),
        ("proxy of ax_fpm", "exact", ["ax_fpm", "exact_fp32"]),
        ("proxy of itself", "exact", ["itself", "exact_fp32"]),
    ]
    table = run_piece(found[0])
    assert table["target_fooled"].mean() > 0.8


def test_a_proxy_is_not_the_network_under_attack_trained_again(tiny):
    """Whose seed no attacker knows: from it, and its own answers, it comes out as it is."""
    _, images, labels = tiny
    given = Proxies(
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(2, 2)), images, Recipe(50, 4, 0.1)
    )
    model = train_proxy(nn.Flatten(), given.build, images, given.recipe, seed=3)
    black_box = {"units": UNITS[:1], "networks": Networks(model)}
    with pytest.raises(ConfigError, match=r"proxy of .* came out as .* seed \(3\), images"):
        pieces(
            (model, images, labels), "black_box", **black_box,
            proxies=dataclasses.replace(given, seed=3),
        )  # fmt: skip
    assert pieces((model, images, labels), "black_box", **black_box, proxies=given)


def test_proxies_do_not_begin_as_a_shipped_network_did():
    seeds = {WORKLOADS[name].card["seed"] for name in preset_workloads()}
    assert Proxies.seed not in seeds


def test_a_proxy_that_is_kept_is_not_trained_again(tmp_path, monkeypatch):
    """Nor half of it: killed after the first of two epochs, it ends with the bits of one go."""
    images = np.random.default_rng(0).random((20, 1, 1, 2), np.float32)
    target = nn.Flatten()
    steps = []
    step = Fit._step
    monkeypatch.setattr(Fit, "_step", lambda self: steps.append(self) or step(self))

    def build(width=2):
        return nn.Sequential(nn.Flatten(), nn.Linear(2, width), nn.Linear(width, 2))

    def trained(folder=tmp_path, build=build, target=target, epochs=2, seed=3):
        """Return the weights, and how many steps they took."""
        steps.clear()
        recipe = Recipe(epochs=epochs, batch_size=10, learning_rate=0.05)
        proxy = train_proxy(target, build, images, recipe, seed=seed, folder=folder)
        assert not proxy.training
        return [value.tolist() for value in proxy.parameters()], len(steps)

    weights, taken = trained(folder=None)
    assert taken == 4

    def killed(self):
        if len(steps) == 3:
            raise KeyboardInterrupt
        steps.append(self)
        step(self)

    with monkeypatch.context() as patch:
        patch.setattr(Fit, "_step", killed)
        with pytest.raises(KeyboardInterrupt):
            trained()
    assert trained() == (weights, 2)
    assert trained() == (weights, 0)
    flipped = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
    with torch.no_grad():
        flipped[1].weight.copy_(torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
    for other in (
        {"build": lambda: build(3)}, {"epochs": 2.5}, {"seed": 4}, {"target": flipped},
    ):  # fmt: skip
        assert trained(**other)[1] == 4 + (other.get("epochs") == 2.5)
        assert trained(**other)[1] == 0


def test_a_proxy_learns_nothing_from_one_answer(lenet):
    images = np.zeros((5, 1, 28, 28), np.float32)
    recipe = Recipe(epochs=1, batch_size=5, learning_rate=0.1)
    with pytest.raises(DataError, match="gives all 5 images of the query budget the same class"):
        train_proxy(lenet[0], lambda: lenet[0], images, recipe, seed=1)


@pytest.mark.parametrize(
    ("scenario", "settings", "message"),
    [
        ("transfre", {}, r"scenario must be one of transfer, .*, got 'transfre'.*'transfer'"),
        ("black_box", {}, "scenario 'black_box' attacks a proxy, and there is none; give proxies="),
        ("white_box", {"gradients": ()}, "gradients must be a list of at least one name, got"),
        ("white_box", {"gradients": ("unit",)}, "unit 'exact_fp32' has no gradient 'unit', which"),
        ("transfer", {"sources": ()}, "sources must be a list of at least one name, got"),
        (
            "transfer",
            {"units": "ax_fpm"},
            "units must be a list of at least one name, got 'ax_fpm'",
        ),
    ],
)
def test_rejects(lenet, scenario, settings, message):
    with pytest.raises(ConfigError, match=message):
        pieces(lenet, scenario, **settings)
