"""Tests of accelsim.robustness.presets."""

from __future__ import annotations

import dataclasses

import pytest

from accelsim.errors import UnknownNameError
from accelsim.robustness.attack import checked_epsilon, checked_seed
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.presets import preset, preset_titles, preset_workloads
from accelsim.robustness.scenarios import SCENARIOS
from accelsim.workload import WORKLOADS

every_preset = pytest.mark.parametrize("name", preset_titles())
every_workload = pytest.mark.parametrize("workload", preset_workloads())

PAPER = {"fgsm", "pgd", "jsma", "cw", "deepfool", "lsa", "boundary", "hopskipjump"}
STANDARD = {"apgd_ce", "apgd_dlr", "apgd_t", "fab", "square"}
STANDARD |= {"hopskipjump", "cw", "ddn", "mim", "noise"}


def test_every_shipped_network_has_rows():
    shipped = {n for n, one in WORKLOADS.items() if not one.weights.startswith("random:")}
    assert set(preset_workloads()) == shipped


@pytest.mark.parametrize("attack", sorted(PAPER | STANDARD))
@every_workload
def test_attacks_take_what_they_are_given(attack, workload):
    runs = [run for name in preset_titles() for run in preset(name, workload)]
    for run in (run for run in runs if run.attack == attack):
        changed = ATTACKS[attack].replace(**run.settings)
        assert changed.settings == run.settings
        assert (run.epsilon is None) == (changed.aim == "minimum")
        if run.epsilon is not None:
            checked_epsilon(run.epsilon)


@every_preset
@every_workload
def test_seeds_images_and_sources_are_declared(name, workload):
    images = WORKLOADS[workload].dataset
    for run in preset(name, workload):
        assert run.seeds
        assert [checked_seed(seed) for seed in run.seeds] == sorted(set(run.seeds))
        assert 1 <= run.images <= (360 if images == "digits" else 10_000)
        assert run.source.strip()


@every_workload
def test_the_presets_hold_what_they_are_named_for(workload):
    assert {run.attack for run in preset("paper", workload)} == PAPER
    assert {run.attack for run in preset("standard", workload)} == STANDARD


@every_preset
@every_workload
def test_no_run_comes_twice(name, workload):
    runs = [
        (scenario, r.attack, r.epsilon, tuple(r.settings.items()))
        for r in preset(name, workload)
        for scenario in r.scenarios
    ]
    assert len(set(runs)) == len(runs)


@every_preset
@every_workload
def test_each_scenario_that_a_row_is_for_exists(name, workload):
    for run in preset(name, workload):
        assert run.scenarios
        assert set(run.scenarios) <= set(SCENARIOS)
    assert set(SCENARIOS) == {one for run in preset(name, workload) for one in run.scenarios}


def test_lists_are_ranges():
    runs = preset("paper", "lenet5_mnist")
    epsilons = [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.5]
    assert sorted(r.epsilon for r in runs if r.attack == "fgsm") == epsilons
    cw = [r for r in runs if r.attack == "cw" and "transfer" in r.scenarios]
    assert [r.settings["confidence"] for r in cw] == [0, 2, 5, 10, 20]
    pgd = next(r for r in preset("paper", "alexnet_cifar10") if r.attack == "pgd")
    assert pgd.epsilon == 2 / 255
    assert dataclasses.asdict(pgd)["settings"] == {"steps": 20, "relative_step": 5, "restarts": 1}


def test_steps_are_those_of_the_sources():
    """Madry et al.: steps of 0.01 at epsilon 0.3 on MNIST, of 2/255 at 8/255 on CIFAR-10."""
    for workload, epsilon, step in (
        ("lenet5_mnist", 0.3, 0.01),
        ("alexnet_cifar10", 8 / 255, 2 / 255),
    ):
        run = next(
            r for r in preset("paper", workload) if (r.attack, r.epsilon) == ("pgd", epsilon)
        )
        settings = run.settings
        assert settings["relative_step"] * epsilon / settings["steps"] == pytest.approx(step)


@every_workload
def test_the_targeted_ratio_has_the_budgets_of_the_other(workload):
    """But for 0.5, where any image can be made one gray."""
    runs = [run for run in preset("standard", workload) if run.settings.get("restarts") == 1]
    ratio, targeted = (
        {(run.epsilon, run.scenarios) for run in runs if run.attack == name}
        for name in ("apgd_dlr", "apgd_t")
    )
    assert targeted == {one for one in ratio if one[0] != 0.5}


@pytest.mark.parametrize(
    ("workload", "many"), [("lenet5_mnist", 500), ("lenet5_digits", 360), ("alexnet_cifar10", 200)]
)
@every_preset
def test_attacks_that_ask_get_fewer_images_than_those_by_gradients(name, workload, many):
    """All that digits holds back is 360 images."""
    for run in preset(name, workload):
        asks = ATTACKS[run.attack].access in {"score", "label"}
        assert run.images == (100 if asks else many)


def test_rejects_unknown_names():
    with pytest.raises(UnknownNameError, match=r"no preset of attacks named 'papr'; .*'paper'\?"):
        preset("papr", "lenet5_mnist")
    with pytest.raises(
        UnknownNameError, match=r"no workload in .* 'lenet5_mnits'; .*'lenet5_mnist'"
    ):
        preset("paper", "lenet5_mnits")
