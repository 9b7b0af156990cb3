"""Tests of accelsim plot and compare: figures and tables of what other verbs kept."""

import json

from accelsim.folders import read_manifest

SIMULATE = ("simulate", "lenet5_digits", "--images", "1")


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


def test_plot_rejects_what_it_cannot_draw(accelsim, tmp_path, runs):
    runs[0].save(tmp_path / "r")
    code, _, err = accelsim("plot", tmp_path / "r", "--kind", "enrgy", "--out", tmp_path / "x.png")
    assert (code, "Did you mean 'energy'?" in err) == (2, True)
    code, _, err = accelsim("plot", tmp_path / "r", "--out", tmp_path / "x.jpeg")
    assert (code, "must end in .png, .svg or .pdf" in err) == (2, True)
    (tmp_path / "file").write_text("x")
    code, _, err = accelsim("plot", tmp_path / "r", "--out", tmp_path / "file" / "x.png")
    assert (code, "cannot write" in err) == (2, True)
