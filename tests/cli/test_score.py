"""Tests of accelsim score: its scenarios on the command line."""

import json
import re

import numpy as np
import pytest

from accelsim.folders import read_manifest
from accelsim.importing import import_multiplier
from accelsim.nn import WORKLOAD_CALIBRATION
from accelsim.scores import kept_checks
from accelsim.workload import load_workload

LINE = ("score", "lenet5_digits", "-m", "ax_fpm", "--attack", "fgsm", "--images", "12")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--scenario", "white_box"), ["exact", "effective"]),
        (("--scenario", "adaptive"), ["surrogate", "ensemble"]),
        (("--scenario", "black_box", "--queries", "60"), ["proxy", "proxy of ax_fpm"]),
        (("--source", "torch", "--source", "exact_bfloat16"), ["torch", "exact_bfloat16"]),
    ],
)
def test_a_scenario_tells_whom_it_attacks_in_80_columns(accelsim, more, told):
    code, out, err = accelsim(*LINE, *more)
    assert code == 0, err
    lines = out.splitlines()
    assert all(len(line) <= 80 for line in lines)
    found = [line for line in lines if line.startswith("fgsm 0.1")]
    assert [re.split(" {2,}", line)[1] for line in found] == told


def test_an_attack_for_the_minimum_tells_its_median_distance(accelsim, tmp_path):
    line = ("score", "lenet5_digits", "-m", "ax_fpm", "--attack", "deepfool", "--images", "8")
    code, out, err = accelsim(*line, "--workers", "2", "--out", tmp_path / "s", "--json")
    assert code == 0, err
    (row,) = json.loads(out)
    code, out, _ = accelsim(*line, "--out", tmp_path / "s")
    assert f"deepfool {row['median_l2']:.3g}" in out


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--scenario", "white_box", "--gradient", "exakt"), "Did you mean 'exact'?"),
        (("--scenario", "black_box", "--queries", "99999"), "--queries asks for 99999 training"),
        (("--source", "ax_fmp"), "Did you mean 'ax_fpm'?"),
        (("--epsilon=-0.1",), "epsilon must be a number in (0, 1], in units of the pixel range"),
        (("--epsilon", "1.5"), "got 1.5; for 8 of 255 give 8/255"),
        (
            ("--scenario", "white_box", "--gradient", "none"),
            "got 'none'. Attacks that follow no gradient have it by themselves: ",
        ),
        (
            ("--gradient", "exact"),
            "--gradient belongs to the scenario white_box; this one is transfer",
        ),
        (
            ("--scenario", "adaptive", "--source", "ax_fpm", "--queries", "60"),
            "--source belongs to the scenario transfer, --queries belongs to the scenario "
            "black_box; this one is adaptive",
        ),
        (("--scenario", "white_box", "--source", "torch"), "--source belongs to the scenario tra"),
        (("--scenario", "white_box", "--gradient", "unit"), "unit 'ax_fpm' has no gradient 'unit'"),
    ],
)
def test_rejects(accelsim, more, message):
    code, out, err = accelsim(*LINE, *more)
    assert (code, out) == (2, "")
    assert message in " ".join(err.split())
    assert err.count("accelsim: error: ") == 1
    assert "Traceback" not in err


def test_rejects_an_epsilon_that_no_attack_takes(accelsim):
    line = ("score", "lenet5_digits", "--attack", "deepfool", "--epsilon", "0.1")
    code, _, err = accelsim(*line)
    assert code == 2
    assert "of none of the attacks, which look for the smallest perturbation: deepfool;" in err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda labels: (labels + 1) % 10, "the model classifies none of the 12 images correctly"),
        (
            lambda labels: np.where(labels == labels[0], 12, labels),
            "lie in 0..9, got 12 at index 0",
        ),
        (lambda labels: -labels - 1, "own.npz: labels: labels must be 0 or more, got -"),
    ],
)
def test_rejects_labels(accelsim, tmp_path, change, message):
    """Another class for each, a class that there is none of, and numbers below 0."""
    _, images, labels = load_workload("lenet5_digits", limit=12)
    np.savez(tmp_path / "own.npz", images=images, labels=change(labels))
    code, out, err = accelsim(*LINE, "--data", tmp_path / "own.npz")
    assert (code, out) == (2, "")
    assert message in " ".join(err.split())
    assert err.count("accelsim: error: ") == 1


def test_rejects_a_black_box_without_training_images_to_ask_about(accelsim, tmp_path):
    _, images, labels = load_workload("lenet5_digits", limit=12)
    np.savez(tmp_path / "own.npz", images=images, labels=labels)
    line = ("--scenario", "black_box", "--data", tmp_path / "own.npz")
    code, _, err = accelsim(*LINE, *line)
    assert code == 2
    assert "the train split needs train_images and train_labels, got images, labels" in " ".join(
        err.split()
    )


def test_score_quantizes_as_it_is_told(accelsim):
    """Two bits a weight: a scale for each filter or one for all gives other confidences."""
    line = ("score", "lenet5_digits", "-m", "exact_int3", "--attack", "fgsm", "--images", "8")
    found = []
    for more in ((), ("--set", "quantization.per_channel=false")):
        code, out, err = accelsim(*line, *more, "--json")
        assert code == 0, err
        (row,) = json.loads(out)
        found.append((row["quantization"]["per_channel"], row["mean_confidence_attacked"]))
    assert [per_channel for per_channel, _ in found] == [True, False]
    assert found[0][1] != found[1][1]


def test_a_source_of_integers_is_calibrated_and_its_file_is_known(accelsim, tmp_path):
    """Although all units that judge are of floats."""
    own = {"name": "own", "bits": 4, "signed": True, "operand_order": "activation,weight"}
    unit = import_multiplier(np.multiply, **own)
    file = unit.save(tmp_path / "own.npz")
    line = ("score", "lenet5_digits", "-m", "ax_fpm", "--attack", "fgsm", "--images", "8")
    code, out, err = accelsim(*line, "--source", file, "--out", tmp_path / "s", "--json")
    assert code == 0, err
    (row,) = json.loads(out)
    assert row["source"] == str(file)
    manifest = read_manifest(tmp_path / "s", "score")
    assert manifest["calibration"] == WORKLOAD_CALIBRATION
    assert manifest["quantization"]["per_channel"] is True
    assert manifest["unit_files"] == {str(file): unit.fingerprint}


@pytest.mark.parametrize(
    "scenario", [("--scenario", "adaptive"), ("--scenario", "white_box", "--gradient", "effective")]
)
def test_slopes_of_a_unit_do_not_depend_on_what_else_is_judged(accelsim, tmp_path, scenario):
    line = ("score", "lenet5_digits", "--attack", "ddn", "--images", "6", *scenario, "--json")
    found = []
    for more in ((), ("-m", "exact_int8")):
        code, out, err = accelsim(*line, "-m", "ax_fpm", *more, "--out", tmp_path / f"s{len(more)}")
        assert code == 0, err
        rows = [row for row in json.loads(out) if row["target"] == "ax_fpm"]
        found.append([(row["source"], row["median_l2"]) for row in rows])
    assert found[0] == found[1]
    manifest = read_manifest(tmp_path / "s0", "score")
    assert manifest["calibration"] == WORKLOAD_CALIBRATION
    assert "quantization" not in manifest


def test_rejects_effective_slopes_without_training_images(accelsim, tmp_path):
    _, images, labels = load_workload("lenet5_digits", limit=12)
    np.savez(tmp_path / "own.npz", images=images, labels=labels)
    line = (*LINE, "--data", tmp_path / "own.npz", "--scenario", "white_box")
    code, _, err = accelsim(*line)
    assert code == 2
    assert "--scenario white_box --gradient exact takes none" in " ".join(err.split())
    assert accelsim(*line, "--gradient", "exact")[0] == 0


def test_an_interrupted_score_goes_on(accelsim, tmp_path, monkeypatch):
    from accelsim.robustness.attacks import ATTACKS

    line = ("score", "lenet5_digits", "--images", "12", "--json")
    whole = json.loads(accelsim(*line)[1])

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(type(ATTACKS["pgd"]), "run", interrupt)
        code, _, err = accelsim(*line, "--out", tmp_path / "s")
        assert (code, "1 pieces are kept" in err) == (130, True)
    with monkeypatch.context() as patch:
        patch.setattr(type(ATTACKS["fgsm"]), "run", interrupt)
        code, out, _ = accelsim(*line, "--out", tmp_path / "s")
        assert code == 0
        # Once more, with nothing left to do.
        assert accelsim(*line, "--out", tmp_path / "s")[:2] == (0, out)
    again = json.loads(out)
    for name in ("attack", "target", "robust_accuracy", "fooled_both"):
        assert [row[name] for row in again] == [row[name] for row in whole]


def kept(folder):
    """Return (target, gradient, number of the check) of the checks that a folder keeps."""
    found = kept_checks(folder, read_manifest(folder, "score")["config_hash"])
    return {
        (target, gradient, check.number)
        for target, network in found.items()
        for gradient in network.slopes or ("",)
        for check in network.of(gradient)
        if check.passed is not None
    }


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ((), {("ax_fpm", "", 1)}),
        (
            ("--scenario", "black_box", "--queries", "60"),
            {("ax_fpm", "", 1), ("exact_fp32", "", 1)},
        ),
        (("--scenario", "adaptive"), {("ax_fpm", "effective", one) for one in (1, 2, 3)}),
        (
            ("--scenario", "white_box", "--gradient", "exact", "--gradient", "smoothed"),
            {("ax_fpm", name, one) for name in ("exact", "smoothed") for one in (1, 2, 3)},
        ),
        (
            ("--accelerator", "edge_16x16", "--set", "layer_multipliers.conv1=exact_int8"),
            {("ax_fpm, exact_int8 in conv1", "", 1)},
        ),
    ],
)
def test_a_folder_keeps_checks_of_the_networks(accelsim, tmp_path, more, expected):
    """Of slopes where the scenario follows any of the unit."""
    code, _, err = accelsim(*LINE, *more, "--out", tmp_path / "s")
    assert code == 0, err
    assert kept(tmp_path / "s") == expected


def test_checks_are_made_once_and_of_gradients_as_they_are_followed(
    accelsim, tmp_path, monkeypatch
):
    """Also in a folder that was made without; an attack without gradient asks for the usual one."""
    line = ("score", "lenet5_digits", "-m", "ax_fpm", "--scenario", "white_box", "--images", "4")
    line += ("--out", tmp_path / "s", "--attack")
    with monkeypatch.context() as patch:
        patch.setattr("accelsim.cli.scoring._check_networks", lambda *_: None)
        assert accelsim(*line, "noise")[0] == 0
    assert kept(tmp_path / "s") == set()
    assert accelsim(*line, "noise")[0] == 0
    effective = {("ax_fpm", "effective", one) for one in (1, 2, 3)}
    assert kept(tmp_path / "s") == effective
    assert accelsim(*line, "fgsm")[0] == 0
    assert kept(tmp_path / "s") == effective | {("ax_fpm", "exact", one) for one in (1, 2, 3)}
    before = (tmp_path / "s" / "checks.csv").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr("accelsim.robustness.checks.network_checks", None)
        assert accelsim(*line, "noise")[0] == 0
    assert (tmp_path / "s" / "checks.csv").read_bytes() == before


def test_help_tells_how_many_processes_there_are_by_default(accelsim):
    _, out, _ = accelsim("score", "--help")
    assert "Processes, which share the CPUs. [default: 1; x>=1]" in " ".join(out.split())
