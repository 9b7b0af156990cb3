"""The command line as a user meets it: outputs, exit codes, one clear line for each bad input."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from accelsim.config import Accelerator
from accelsim.energy.rows import COLUMNS
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


def test_simulate_json_is_json_alone(accelsim):
    code, out, _ = accelsim(*SIMULATE, "--json", "--timing-only", "--set", "array.rows=32")
    (run,) = json.loads(out)
    assert code == 0
    assert run["summary"]["rows"] == 32
    assert run["summary"]["accuracy"] is None
    assert sum(layer["total_cycles"] for layer in run["layers"]) == run["summary"]["latency_cycles"]


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


def test_score_plot_and_compare(accelsim, tmp_path):
    assert accelsim(*SIMULATE, "-m", "exact_fp32", "-m", "ax_fpm", "--out", tmp_path / "r")[0] == 0
    attack = ("--attack", "fgsm", "--images", "20", "--seed", "3", "--out", tmp_path / "s")
    code, out, _ = accelsim("score", "lenet5_digits", *attack)
    assert code == 0
    assert all(len(line) <= 80 for line in out.splitlines())
    assert "fgsm 0.1" in out
    assert read_manifest(tmp_path / "s", "score")["seed"] == 3
    for kind in ("energy", "latency"):
        picture = tmp_path / f"{kind}.png"
        assert accelsim("plot", tmp_path / "r", "--kind", kind, "--out", picture)[0] == 0
        assert picture.read_bytes().startswith(b"\x89PNG")
    code, out, _ = accelsim("compare", tmp_path / "r", tmp_path / "s")
    assert code == 0
    assert all(len(line) <= 80 for line in out.splitlines())
    for quantity in ("accuracy, clean", "latency", "energy", "accuracy, fgsm 0.1", "transfer"):
        assert quantity in out
    code, out, _ = accelsim("compare", tmp_path / "r", tmp_path / "s", "--json")
    assert {"quantity", "unit", "exact_fp32", "ax_fpm"} == json.loads(out)[0].keys()


@pytest.mark.usefixtures("in_this_process")
def test_sweep(accelsim, tmp_path):
    vary = ("--vary", "array.rows=4,8", "--vary", "array.pipelined=true,false")
    limits = ("--images", "1", "--workers", "1", "--timing-only", "--out", tmp_path / "s")
    code, out, _ = accelsim("sweep", "lenet5_digits", *vary, *limits)
    assert code == 0
    assert out.count("False") == 2
    assert read_manifest(tmp_path / "s", "sweep")["grid"]["array.rows"] == [4, 8]


@pytest.mark.usefixtures("in_this_process")
def test_a_sweep_with_failed_points_exits_1_and_tells_where(accelsim, tmp_path):
    arguments = ("--vary", "glb.ifmap_kib=0.5", "--images", "1", "--workers", "1")
    code, out, err = accelsim("sweep", "lenet5_digits", *arguments, "--out", tmp_path / "s")
    assert code == 1
    assert "failed" in out
    assert "1 of 1 points failed; their errors are in" in err


@pytest.mark.parametrize(
    "kind",
    [
        "multipliers",
        "accumulators",
        "dataflows",
        "workloads",
        "attacks",
        "presets",
        "dram",
        "tables",
        "datasets",
    ],
)
def test_list_and_show_everything(accelsim, kind):
    code, out, _ = accelsim("list", kind)
    assert code == 0
    assert all(len(line) <= 80 for line in out.splitlines())
    from accelsim.cli.catalog import Catalog

    for name in Catalog().names(kind):
        assert name in out
        code, shown, _ = accelsim("show", name)
        assert code == 0
        assert len(shown) > 80


def test_list_all_and_version(accelsim):
    assert "edge_16x16" in accelsim("list")[1]
    assert accelsim("--version")[1].startswith("accelsim 0.")


def test_train(accelsim, tmp_path):
    weights = tmp_path / "w.safetensors"
    code, out, _ = accelsim("train", "lenet5_digits", "--epochs", "1", "--out", weights)
    assert code == 0
    assert "test accuracy" in out
    assert accelsim(*SIMULATE, "--weights", weights, "--timing-only")[0] == 0


@pytest.mark.parametrize(
    "verb",
    [
        "simulate",
        "score",
        "sweep",
        "characterize",
        "compare",
        "plot",
        "list",
        "show",
        "train",
        "validate",
    ],
)
def test_help_has_an_example(accelsim, verb):
    code, out, _ = accelsim(verb, "--help")
    assert code == 0
    assert "Example:" in out


@pytest.fixture
def files(tmp_path):
    """Bad files by name."""
    (tmp_path / "bad.yaml").write_text("name: x\narray: {rows: 1\n")
    preset = Accelerator.preset("tiny_4x4").to_yaml()
    (tmp_path / "rows.yaml").write_text(preset.replace("rows: 4", "rows: 0"))
    header = ",".join(COLUMNS)
    for name, value, source in (("negative", -1, "some source"), ("sourceless", 1, "")):
        row = f"rf,read,{value},pJ,45,1,32,,typical,,{source},45,1,published,"
        (tmp_path / f"{name}.csv").write_text(f"{header}\n{row}\n")
    (tmp_path / "text.pt").write_text("not weights")
    (tmp_path / "cut.safetensors").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{}")
    (tmp_path / "file").write_text("x")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "thesis.tex").write_text("x")
    return tmp_path


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("simulat lenet5_digits", "No such command 'simulat'. Did you mean 'simulate'?"),
        ("simulate lenet5_digit", "no workload named 'lenet5_digit'; known: alexnet, "),
        ("simulate lenet5_digit", "Did you mean 'lenet5_digits'?"),
        ("simulate lenet5_digits -m ax_fmp", "Did you mean 'ax_fpm'?"),
        ("simulate lenet5_digits --accelerator edge_61x16", "Did you mean 'edge_16x16'?"),
        ("simulate lenet5_digits --accelerator none.yaml", "cannot read accelerator file"),
        ("simulate lenet5_digits --accelerator {0}/bad.yaml", "bad.yaml:3:1: not valid YAML"),
        ("simulate lenet5_digits --accelerator {0}/rows.yaml", "array.rows: input should"),
        ("simulate lenet5_digits --set array.rwos=3", "Did you mean 'array.rows'?"),
        ("simulate lenet5_digits --set array.rows=0", "array.rows: input should be greater"),
        ("simulate lenet5_digits --set array.rows=-3", "got -3"),
        ("simulate lenet5_digits --set clock_mhz=nan", "clock_mhz: input should be a"),
        ("simulate lenet5_digits --set clock_mhz=.nan", "should be a finite number, got nan"),
        ("simulate lenet5_digits --set array.rows", "--set takes FIELD=VALUE"),
        ("simulate lenet5_digits --set name=a --set name=b", "--set gives 'name' twice"),
        ("simulate lenet5_digits --set array.dataflow=oss", "no dataflow named 'oss'"),
        ("simulate lenet5_digits --set accumulator=f32", "no accumulator named 'f32'"),
        ("simulate lenet5_digits --set energy_table=cmos54", "Did you mean 'cmos45'?"),
        ("simulate lenet5_digits --set energy_table={0}/negative.csv", "negative.csv:2: value"),
        ("simulate lenet5_digits --set energy_table={0}/sourceless.csv", "source must not be"),
        (
            "simulate lenet5_digits --set technology_nm=28",
            "is of 28 nm (technology_nm), its",
        ),
        ("simulate lenet5_digits --set energy_table=eyeriss65", "'eyeriss65' has no row for"),
        ("simulate lenet5_digits --set glb.word_bits=128", "accesses of 16 to 64 bits"),
        ("show {0}/negative.csv", "negative.csv:2: value must be a finite number >= 0, got '-1'"),
        ("simulate lenet5_digits --set glb.ifmap_kib=0.5", "layer 'conv1' fits no tiling"),
        (
            "simulate lenet5_digits --accelerator eyeriss_168 --set array.overlap=both",
            "array.overlap is of the systolic dataflows",
        ),
        (
            "simulate lenet5_digits --accelerator eyeriss_168 --set array.rows=2",
            "layer 'conv1' does not fit the row-stationary array",
        ),
        ("simulate lenet5_digits --set spatial.hop_cycles=-1", "spatial.hop_cycles: input should"),
        ("simulate lenet5_digits --images 0", "--images"),
        ("simulate lenet5_digits --images many", "--images"),
        ("simulate lenet5_digits --images 361", "has 360"),
        ("simulate lenet5_digits --weights {0}/text.pt", "text.pt"),
        ("simulate lenet5_digits --weights {0}/cut.safetensors", "cut.safetensors"),
        ("simulate lenet5_digits --weights {0}/none.pt", "does not exist"),
        ("simulate lenet5_digits --out {0}/file", "is a file"),
        ("simulate lenet5_digits --out /proc/accelsim", "cannot be written"),
        ("simulate lenet5_digits --out {0}/foreign", "not results of accelsim"),
        ("simulate lenet5_digits --imags 3", "--images"),
        ("simulate lenet5_digits --set quantization.weights=no", "quantization.weights: input"),
        ("score lenet5_digits --attack fgms", "Did you mean 'fgsm'?"),
        ("score lenet5_digits --epsilon 0", "epsilon must be a number in (0, 1]"),
        ("score lenet5_digits --epsilon nan", "epsilon must be a number in (0, 1]"),
        ("score lenet5_digits --scenario whitebox --out {0}/s", "transfer"),
        ("score lenet5_digits --epsilon 0 --out {0}/s", "epsilon must be a number in (0, 1]"),
        ("score lenet5_digits --out {0}/foreign", "not results of accelsim"),
        ("score lenet5_digits --accelerator eyeris_168", "Did you mean 'eyeriss_168'?"),
        ("sweep lenet5_digits --out {0}/s", "--vary"),
        ("sweep lenet5_digits --out {0}/s --vary array.rows=0", "array.rows"),
        ("sweep lenet5_digits --out {0}/s --vary array.rows", "--vary takes FIELD=V1,V2"),
        ("sweep lenet5_digits --out {0}/s --vary name=a --set name=b", "by --vary and by --set"),
        ("sweep lenet5_digits --out {0}/s --vary multiplier=ax_fmp", "Did you mean 'ax_fpm'?"),
        ("sweep lenet5_digits --out {0}/foreign --vary array.rows=4", "not results of accelsim"),
        ("plot {0}/foreign --out {0}/x.png", "holds no result of accelsim"),
        ("plot {0}/none --out {0}/x.png", "holds no result of accelsim"),
        ("compare {0}/none", "holds no result of accelsim"),
        ("characterize ax_fmp", "Did you mean 'ax_fpm'?"),
        ("characterize none.unit", "no multiplier named 'none.unit'"),
        ("characterize ax_fpm --against exact_in8", "Did you mean 'exact_int8'?"),
        ("characterize ax_fpm --against exact_int8", "ax_fpm takes floats and exact_int8 integers"),
        ("characterize ax_fpm --pairs 999 --out {0}/s", "pairs must be an int >= 1000, got 999"),
        ("characterize ax_fpm --pairs many", "--pairs"),
        ("characterize ax_fpm --seed -1", "seed must be an int >= 0, got -1"),
        ("characterize ax_fpm --distribution norml", "Did you mean 'normal'?"),
        ("characterize exact_int8 --distribution normal", "integer operands are drawn uniformly"),
        ("characterize exact_int8 --exhaustive-bits 13", "exhaustive_bits must be an int in 0..12"),
        ("characterize ax_fpm --workload lenet5_digit", "Did you mean 'lenet5_digits'?"),
        ("characterize exact_int8 --set quantization.weights=affine", "give --workload"),
        (
            "characterize exact_int8 --workload lenet5_digits --set quantization.weight=affine",
            "Did you mean 'quantization.weights'?",
        ),
        (
            "characterize exact_int8 --workload lenet5_digits --set quantization.weights=afine",
            "quantization.weights: input should be 'auto', 'affine' or 'symmetric', got 'afine'",
        ),
        (
            "characterize exact_int8 --workload lenet5_digits --set array.rows=8",
            "--set changes quantization here, such as quantization.weights=affine or "
            "quantization.per_channel=false, got 'array.rows'",
        ),
        ("score lenet5_digits --set clock_mhz=5 --out {0}/s", "--set changes quantization here"),
        ("characterize ax_fpm --out {0}/file", "is a file"),
        ("characterize ax_fpm --out {0}/foreign", "not results of accelsim"),
        ("list multiplers", "Did you mean 'multipliers'?"),
        ("show ax_fpn", "Did you mean 'ax_fpm'?"),
        ("show drum9_u8", "'drum9_u8': k must lie in 2..8, got 9"),
        *(
            (line, "no multiplier file '{0}/none.npz' (No such file or directory)")
            for line in (
                "show {0}/none.npz",
                "characterize {0}/none.npz",
                "characterize exact_int8 --against {0}/none.npz",
                "simulate lenet5_digits --out {0}/s -m {0}/none.npz",
                "simulate lenet5_digits --out {0}/s --set multiplier={0}/none.npz",
                "score lenet5_digits --out {0}/s -m {0}/none.npz",
                "sweep lenet5_digits --out {0}/s --vary multiplier=exact_fp32,{0}/none.npz",
            )
        ),
        (
            "train resnet18 --out {0}/w.safetensors",
            "no recipe to train it by; those that have one: ",
        ),
        (
            "train lenet5_digits --out {0}/w.safetensors --data random:1x28x28",
            "the images of 'random:1x28x28' have no labels",
        ),
        (
            "score mobilenet_v2 --images 1",
            "cannot be scored with random weights, seed 0 on random:",
        ),
        (
            "score lenet5_digits --weights random:1 --out {0}/s",
            "cannot be scored with random weights, seed 1 on digits: give trained weights with",
        ),
        ("train lenet5_digits --out {0}/w.pt", "must be a file name ending in .safetensors"),
        ("train lenet5_digits --out {0}/file/w.safetensors", "cannot be written"),
        ("train lenet5_digits --out {0}/w.safetensors --seed 99999999999999999999", "seed must be"),
        (
            "train lenet5_digits --out {0}/w.safetensors --epochs 0",
            "epochs must be an int in 1..",
        ),
    ],
)
def test_bad_input_is_one_clear_message_and_exit_code_2(accelsim, files, line, message):
    before = sorted(path.name for path in files.iterdir())
    code, out, err = accelsim(*line.format(files).split())
    assert code == 2, err
    assert out == ""
    assert message.format(files) in err
    assert err.startswith("accelsim: error: ")
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) == 1
    assert not (files / "s").exists()
    assert sorted(path.name for path in files.iterdir()) == before


def test_plot_rejects_what_it_cannot_draw(accelsim, tmp_path, runs):
    runs[0].save(tmp_path / "r")
    code, _, err = accelsim("plot", tmp_path / "r", "--kind", "enrgy", "--out", tmp_path / "x.png")
    assert (code, "Did you mean 'energy'?" in err) == (2, True)
    code, _, err = accelsim("plot", tmp_path / "r", "--out", tmp_path / "x.jpeg")
    assert (code, "must end in .png, .svg or .pdf" in err) == (2, True)
    (tmp_path / "file").write_text("x")
    code, _, err = accelsim("plot", tmp_path / "r", "--out", tmp_path / "file" / "x.png")
    assert (code, "cannot write" in err) == (2, True)


COMMAND = [sys.executable, "-c", "from accelsim.cli import main; main()"]


@pytest.mark.usefixtures("in_this_process")
def test_ctrl_c_in_a_sweep_keeps_what_was_done_and_goes_on(accelsim, tmp_path):
    rows = ",".join(str(size) for size in range(2, 26))
    arguments = [
        *("sweep", "lenet5_digits", "--vary", f"array.rows={rows}", "--images", "1"),
        *("--timing-only", "--workers", "1", "--out", str(tmp_path / "s"), "--json"),
    ]
    with subprocess.Popen([*COMMAND, *arguments], stderr=subprocess.PIPE, text=True) as process:
        store, deadline = tmp_path / "s" / "points.sqlite", time.monotonic() + 120
        while _stored(store) < 2 and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGINT)
        err = process.communicate(timeout=60)[1]
    kept = _stored(store)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert f"{kept} of 24 points are kept in {tmp_path / 's'}; the same command goes on" in err
    assert 2 <= kept < 24
    code, out, err = accelsim(*arguments)
    assert code == 0, err
    assert len(json.loads(out)) == 24


def _stored(path):
    import sqlite3

    if not path.exists():
        return 0
    with sqlite3.connect(path) as database:
        try:
            return database.execute("SELECT count(*) FROM points").fetchone()[0]
        except sqlite3.OperationalError:
            return 0


def test_names_that_look_like_markup_are_names(accelsim):
    code, out, _ = accelsim(*SIMULATE, "--timing-only", "--set", "name=[/red] [bold]x")
    assert code == 0
    assert "on [/red] [bold]x with exact_fp32" in " ".join(out.split())


@pytest.mark.usefixtures("in_this_process")
def test_a_sweep_over_many_fields_fits_80_columns(accelsim, tmp_path):
    fields = ("array.rows=4", "array.cols=4", "clock_mhz=100, 200", "vector_unit.lanes=8")
    vary = [word for field in fields for word in ("--vary", field)]
    limits = ("--images", "1", "--workers", "1", "--timing-only", "--out", tmp_path / "s")
    code, out, _ = accelsim("sweep", "lenet5_digits", *vary, *limits)
    assert code == 0
    assert all(len(line) <= 80 for line in out.splitlines())
    assert "array.rows=4" in out


def test_interrupted_verbs_say_what_is_kept(accelsim, tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("accelsim.simulation.run_program", interrupt)
    code, _, err = accelsim(*SIMULATE, "--out", tmp_path / "r")
    assert code == 130
    assert f"0 of 1 runs are kept in {tmp_path / 'r'}; the same command" in err
    monkeypatch.setattr("accelsim.training.fitting.Fit.run", interrupt)
    code, _, err = accelsim("train", "lenet5_digits", "--out", tmp_path / "w.safetensors")
    assert (code, "was not written; the same command starts again" in err) == (130, True)
    monkeypatch.setattr("accelsim.robustness.evaluation.judge", interrupt)
    code, _, err = accelsim("score", "lenet5_digits", "--images", "5", "--out", tmp_path / "s")
    assert code == 130
    assert f"0 pieces are kept in {tmp_path / 's'}; the same command goes on" in err


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


def test_an_interrupted_training_goes_on(accelsim, tmp_path, monkeypatch):
    from accelsim.training.fitting import Fit

    line = ("train", "lenet5_classic_digits", "--epochs", "2", "--out", tmp_path / "w.safetensors")
    step = Fit._step

    def interrupt(self):
        if self.state()["done"] == 45:  # the first epoch
            raise KeyboardInterrupt
        step(self)

    with monkeypatch.context() as patch:
        patch.setattr(Fit, "_step", interrupt)
        code, _, err = accelsim(*line)
    assert (code, f"command goes on from {tmp_path / 'w.checkpoint'}" in err) == (130, True)
    code, _, err = accelsim(*line, "--seed", "1")
    assert (code, "of another training: seed 0 there, 1 here" in err) == (2, True)
    code, out, err = accelsim(*line)
    assert (code, f"goes on from {tmp_path / 'w.checkpoint'}" in err) == (0, True)
    assert "test accuracy" in out


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


def test_an_interruption_inside_an_import_is_still_one(monkeypatch, accelsim):
    def half_imported(*_):
        signal.raise_signal(signal.SIGINT)

    def run(*_):
        try:
            half_imported()
        except KeyboardInterrupt:
            raise AttributeError("module 'sympy' has no attribute 'printing'") from None

    monkeypatch.setattr("accelsim.cli._run", run)
    code, _, err = accelsim("list")
    assert (code, err) == (130, "accelsim: interrupted\n")


def test_a_full_disk_for_the_output_is_one_line():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, "list", "presets"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 1
    assert done.stderr.strip() == "accelsim: error: No space left on device"


def test_output_that_nobody_reads_is_no_traceback():
    command = " ".join(["exec", repr(sys.executable), "-c", repr(COMMAND[2]), "show", "cmos45"])
    done = subprocess.run(
        ["bash", "-c", f"({command}) | head -1"], capture_output=True, text=True, timeout=120
    )
    assert "Traceback" not in done.stderr


def test_a_malformed_number_of_threads_is_told_at_once(accelsim, monkeypatch):
    monkeypatch.setenv("ACCELSIM_THREADS", "many")
    code, _, err = accelsim("list", "presets")
    assert code == 2
    assert "ACCELSIM_THREADS must be an int >= 1, got 'many'" in err
