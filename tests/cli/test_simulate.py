"""Tests of accelsim simulate: what it prints and keeps, once per unit."""

import json

import pytest

from accelsim.folders import read_manifest
from accelsim.results import load_run

SIMULATE = ("simulate", "lenet5_digits", "--images", "1")


def test_simulate_both_units(accelsim, tmp_path):
    units = ("-m", "exact_fp32", "-m", "ax_fpm", "-m", "ax_fpm")
    code, out, err = accelsim(*SIMULATE, *units, "--out", tmp_path / "x")
    assert code == 0
    assert all(len(line) <= 80 for line in out.splitlines())
    assert "lenet5_digits on edge_16x16 with exact_fp32, 1 images" in out
    assert out.count("conv2d+relu") == 4
    assert "Traceback" not in err
    for unit in ("exact_fp32", "ax_fpm"):
        manifest = read_manifest(tmp_path / "x" / unit, "run")
        assert manifest["accelerator"]["multiplier"] == unit


def test_simulate_json_is_json_alone(accelsim):
    code, out, _ = accelsim(*SIMULATE, "--json", "--timing-only", "--set", "array.rows=32")
    (run,) = json.loads(out)
    assert code == 0
    assert run["summary"]["rows"] == 32
    assert run["summary"]["accuracy"] is None
    assert sum(layer["total_cycles"] for layer in run["layers"]) == run["summary"]["latency_cycles"]


def test_names_that_look_like_markup_are_names(accelsim):
    code, out, _ = accelsim(*SIMULATE, "--timing-only", "--set", "name=[/red] [bold]x")
    assert code == 0
    assert "on [/red] [bold]x with exact_fp32" in " ".join(out.split())


def test_random_weights_are_told_and_have_no_accuracy(accelsim, tmp_path):
    line = (*SIMULATE, "--weights", "random:5", "--out", tmp_path / "r")
    code, out, _ = accelsim(*line)
    assert code == 0
    assert "random weights, seed 5; compute" in " ".join(out.split())
    assert out.rstrip().endswith("-")
    manifest = json.loads((tmp_path / "r" / "exact_fp32" / "manifest.json").read_text())
    assert manifest["weights"] == "random weights, seed 5"
    summary = json.loads(accelsim(*line, "--json")[1])[0]["summary"]
    assert (summary["weights"], summary["accuracy"]) == ("random weights, seed 5", None)


def test_integer_units_are_calibrated_on_the_training_split(accelsim, tmp_path):
    units = ("-m", "exact_fp32", "-m", "exact_uint8")
    code, _, err = accelsim(*SIMULATE, *units, "--out", tmp_path / "r")
    assert code == 0, err
    source = "minmax over the first 128 train images"
    manifests = [read_manifest(tmp_path / "r" / name, "run") for name in units[1::2]]
    assert [one["calibration"] for one in manifests] == [None, source]
    attack = ("--attack", "fgsm", "--images", "20", "--out", tmp_path / "s")
    code, out, err = accelsim("score", "lenet5_digits", "-m", "exact_uint8", *attack)
    assert code == 0, err
    assert "exact_uint8" in out
    assert read_manifest(tmp_path / "s", "score")["calibration"] == source
    code, out, _ = accelsim("score", "lenet5_digits", "-m", "exact_uint8", *attack, "--json")
    assert code == 0
    assert read_manifest(tmp_path / "s", "score")["quantization"]["weights"] == "auto"
    other = (*attack, "--set", "quantization.weights=symmetric")
    code, _, err = accelsim("score", "lenet5_digits", "-m", "exact_uint8", *other)
    assert (code, "scores made with other settings (quantization)" in err) == (2, True)


@pytest.mark.usefixtures("in_this_process")
def test_timing_needs_no_calibration(accelsim, tmp_path, monkeypatch):
    """Of a large network it would take minutes."""

    def calibrate(*_, **__):
        raise AssertionError

    line = ("lenet5_classic_digits", "--images", "1", "--timing-only", "--json")
    calibrated = accelsim("simulate", *line[:3], "-m", "exact_int8", "--json")[1]
    monkeypatch.setattr("accelsim.nn.calibrate_workload", calibrate)
    code, out, _ = accelsim("simulate", *line, "-m", "exact_int8")
    assert code == 0
    one, other = (json.loads(text)[0]["summary"]["latency_cycles"] for text in (out, calibrated))
    assert one == other
    vary = ("--vary", "multiplier=exact_int8", "--workers", "1", "--out", tmp_path / "s")
    code, out, _ = accelsim("sweep", *line, *vary)
    assert (code, json.loads(out)[0]["latency_cycles"]) == (0, one)


@pytest.mark.usefixtures("in_this_process")
def test_a_row_stationary_accelerator(accelsim, tmp_path):
    """Simulated, swept beside a systolic one, scored in its own order of additions."""
    eyeriss = ("--accelerator", "eyeriss_168")
    units = ("-m", "ax_fpm", "--set", "spatial.hop_cycles=1")
    units += ("--set", "spatial.psum_words_per_cycle=null")
    code, out, err = accelsim(*SIMULATE, *eyeriss, *units, "--out", tmp_path / "x")
    assert code == 0, err
    assert "lenet5_digits on eyeriss_168 with ax_fpm, 1 images" in out
    saved = load_run(tmp_path / "x" / "ax_fpm")
    assert saved.accelerator.spatial.hop_cycles == 1
    assert saved.accelerator.spatial.psum_words_per_cycle is None
    assert saved.layers["tiling"].str.contains("q4 r2").any()
    vary = ("--vary", "array.dataflow=rs,os", "--images", "1", "--workers", "1", "--timing-only")
    code, out, err = accelsim("sweep", "lenet5_digits", *eyeriss, *vary, "--out", tmp_path / "s")
    assert code == 0, err
    assert "rs " in out
    attack = ("--attack", "fgsm", "--images", "20", "--out", tmp_path / "a")
    code, _, err = accelsim("score", "lenet5_digits", "-m", "ax_fpm", *attack, *eyeriss)
    assert code == 0, err
    manifest = read_manifest(tmp_path / "a", "score")
    assert manifest["accelerator"]["array"]["dataflow"] == "rs"
    code, _, err = accelsim("score", "lenet5_digits", "-m", "ax_fpm", *attack)
    assert (code, "scores made with other settings" in err) == (2, True)


def test_layers_on_other_units_are_told(accelsim, tmp_path):
    setting = ("--set", "layer_multipliers.conv1=ax_fpm", "--images", "1", "--timing-only")
    code, text, _ = accelsim("simulate", "lenet5_digits", *setting, "--out", tmp_path / "x")
    assert code == 0
    lines = text.splitlines()
    assert "lenet5_digits on edge_16x16 with exact_fp32, ax_fpm in conv1, 1 images" in lines[0]
    rows = {line.split()[0]: line.split()[1] for line in lines[1:] if " " in line}
    assert [rows[name] for name in ("conv1", "pool1", "conv2")] == [
        "ax_fpm", "max_pool2d", "exact_fp32"
    ]  # fmt: skip
    assert any(line.startswith("exact_fp32, ax_fpm in  ") for line in lines)  # and conv1 below
    code, text, _ = accelsim("config", "show", *setting[:2])
    assert code == 0
    assert "layer_multipliers:\n  conv1: ax_fpm\n" in text
