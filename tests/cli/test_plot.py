"""accelsim plot and export-timeline: every kind, every suffix, and bad input in one line."""

import json

import numpy as np
import pandas as pd
import pytest

from accelsim.figures.kinds import FIGURES
from accelsim.folders import read_manifest, write_manifest, write_table

SIMULATE = ("simulate", "lenet5_digits", "--images", "1")
HEADS = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}
SCORED = [
    {
        **{"workload": "lenet5_digits", "images": 20, "source": "torch", "target": target},
        **{"attack": "pgd", "norm": "linf", "aim": "budget", "epsilon": epsilon},
        **{"scenario": "transfer", "gradient": "exact", "settings": None, "seed": 0},
        **{"weights_hash": "abc", "accumulator": "auto"},
        **{f"{rate}_accuracy{end}": 0.5 for rate in ("clean", "robust") for end in ENDS},
        **{f"transfer_success{end}": 0.5 for end in ENDS},
    }
    for ENDS in [("", "_low", "_high")]
    for target in ("exact_fp32", "ax_fpm")
    for epsilon in (0.1, 0.2)
]


@pytest.fixture(scope="module")
def folders(runs, tmp_path_factory):
    """Runs and scores of one network."""
    path = tmp_path_factory.mktemp("results")
    for run in runs:
        run.save(path / "runs" / run.accelerator.multiplier)
    (path / "scores").mkdir()
    write_table(path / "scores" / "scores.csv", pd.DataFrame(SCORED))
    write_manifest(path / "scores", {"kind": "score"})
    return path


@pytest.mark.parametrize("kind", FIGURES)
def test_every_kind_is_drawn_and_in_the_help(kind, accelsim, folders, tmp_path):
    out = tmp_path / f"x{list(HEADS)[list(FIGURES).index(kind) % 3]}"
    places = [folders / "runs", folders / "scores"]
    code, _, err = accelsim("plot", *places, "--kind", kind, "--out", out)
    assert (code, f"wrote {out}" in err.replace("\n", "")) == (0, True)
    assert out.read_bytes().startswith(HEADS[out.suffix])
    assert kind in accelsim("plot", "--help")[1]


def test_a_part_of_the_time(accelsim, folders, tmp_path):
    out = tmp_path / "x.svg"
    part = ("--kind", "timeline", "--cycles", "0:500", "--out", out)
    assert accelsim("plot", folders / "runs" / "ax_fpm", *part)[0] == 0


def test_a_part_that_ends_with_the_run(accelsim, folders, runs, tmp_path):
    (run,) = [run for run in runs if run.accelerator.multiplier == "ax_fpm"]
    last = run.timeline["cycle_end"].max()
    for part in ("9000:", f"9000:{last}"):
        out = ("--cycles", part, "--out", tmp_path / f"{len(part)}.json")
        assert accelsim("export-timeline", folders / "runs" / "ax_fpm", *out)[0] == 0
    written = {path.read_bytes() for path in tmp_path.iterdir()}
    assert (len([*tmp_path.iterdir()]), len(written)) == (2, 1)
    start = f"{last}:"
    for command in (("export-timeline", "--out", "x.json"),
                    ("plot", "--kind", "timeline", "--out", "x.png")):  # fmt: skip
        name, *how = command
        code, _, err = accelsim(name, folders / "runs" / "ax_fpm", *how, "--cycles", start)
        assert (code, f"got {last} to {last}" in " ".join(err.split())) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--kind rooflin --out x.png", "no figure 'rooflin'; known: energy, latency, roofline,"),
        ("--kind rooflin --out x.png", "Did you mean 'roofline'?"),
        ("--kind roofline --out x.jpeg", "--out must end in .png, .svg or .pdf, got"),
        ("--kind roofline --cycles 0:5 --out x.png", "--cycles is for bandwidth and timeline, not"),
        ("--kind timeline --cycles 5 --out x.png", "--cycles takes START:STOP"),
        ("--kind timeline --cycles 5:5 --out x.png", "cycles must be a start and a stop behind it"),
        ("--kind timeline --out manifest/x.png", "cannot write"),
    ],
)
def test_plot_rejects(arguments, message, accelsim, folders, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "manifest").write_text("x")
    code, _, err = accelsim("plot", folders / "runs" / "ax_fpm", *arguments.split())
    assert (code, message in " ".join(err.split())) == (2, True)


def test_plot_tells_which_results_a_kind_takes(accelsim, folders, tmp_path):
    out = ("--out", tmp_path / "x.png")
    for place, kind, message in (
        ("scores", "roofline", "no simulated run in"),
        ("runs", "robustness", "no scores in"),
        ("scores", "pareto", "no simulated run and no sweep in"),
    ):
        code, _, err = accelsim("plot", folders / place, "--kind", kind, *out)
        assert (code, message in " ".join(err.split())) == (2, True)


@pytest.mark.parametrize("kind", ["robustness", "transfer"])
def test_plot_rejects_scores_of_other_images(kind, accelsim, folders, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    write_table(other / "scores.csv", pd.DataFrame(SCORED).assign(images=6, epsilon=0.3))
    write_manifest(other, {"kind": "score"})
    out = ("--kind", kind, "--out", tmp_path / "x.png")
    code, _, err = accelsim("plot", folders / "scores", other, *out)
    message = "the scores to compare differ in images: 20 and, in"
    assert (code, message in " ".join(err.split())) == (2, True)


def test_export_timeline_names_the_runs_of_a_folder(accelsim, folders, tmp_path):
    code, _, err = accelsim("export-timeline", folders / "runs", "--out", tmp_path / "t.json")
    assert code == 2
    for name in ("ax_fpm", "exact_fp32"):
        assert repr(str(folders / "runs" / name)) in "".join(err.split("\n"))
    assert "give one of them" in " ".join(err.split())


def test_timelines_are_exported(accelsim, folders, tmp_path):
    run = folders / "runs" / "ax_fpm"
    for suffix in (".json", ".vcd"):
        if suffix == ".vcd":
            pytest.importorskip("vcd")
        code, _, err = accelsim("export-timeline", run, "--out", tmp_path / f"t{suffix}")
        assert (code, "left out" in err) == (0, False)
    events = json.loads((tmp_path / "t.json").read_text())["traceEvents"]
    assert {event["ph"] for event in events} == {"M", "X", "C"}
    some = ("--stretches", 5, "--windows", 3, "--cycles", "0:9000", "--out", tmp_path / "u.json")
    code, _, err = accelsim("export-timeline", run, *some, "--quiet")
    assert (code, "wrote" in err) == (0, False)
    assert "stretches of busy time in cycles 0 to 9,000 are left out" in err
    events = json.loads((tmp_path / "u.json").read_text())["traceEvents"]
    assert len(np.unique([event["ts"] for event in events if event["ph"] == "C"])) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--out t.txt", "--out must end in .json or .vcd, got 't.txt'"),
        ("--out t.json --cycles a:b", "--cycles takes START:STOP, two whole numbers, got 'a:b'"),
        ("--out t.json --stretches 0", "stretches must be an int >= 1, got 0"),
        ("--out t.json --windows 0", "windows must be an int >= 1, got 0"),
    ],
)
def test_export_timeline_rejects(arguments, message, accelsim, folders, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = folders / "runs" / "ax_fpm"
    code, _, err = accelsim("export-timeline", run, *arguments.split())
    assert (code, message in " ".join(err.split())) == (2, True)


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
