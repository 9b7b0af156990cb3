"""Topologies on the command line."""

import json

import pytest

from accelsim.folders import read_manifest
from accelsim.results import load_run

NET = "conv, 9, 9, 3, 3, 4, 5, 2, #dw\nfc, 1, 1, 1, 1, 50, 12, 1\n"


@pytest.fixture
def net(tmp_path):
    """A file of two layers."""
    path = tmp_path / "net.csv"
    path.write_text(NET)
    return path


def test_simulate_plot_and_compare(accelsim, net, tmp_path):
    units = ("-m", "exact_fp32", "-m", "ax_fpm")
    runs = tmp_path / "x"
    code, out, err = accelsim("simulate", net, "--timing-only", *units, "--out", runs)
    assert code == 0, err
    assert all(len(line) <= 80 for line in out.splitlines())
    assert "net on edge_16x16 with ax_fpm, 1 images" in out
    assert "net.csv:1: the remark '#dw' is not read" in err
    saved = load_run(runs / "ax_fpm")
    assert saved.layers["layer"].tolist() == ["conv", "fc"]
    assert saved.manifest["notes"] == [f"{net}:1: the remark '#dw' is not read"]
    for kind in ("energy", "latency"):
        picture = tmp_path / f"{kind}.png"
        assert accelsim("plot", runs, "--kind", kind, "--out", picture)[0] == 0
        assert picture.read_bytes().startswith(b"\x89PNG")
    code, out, _ = accelsim("compare", runs)
    assert code == 0
    assert "energy (uJ/image)" in out
    assert "accuracy" not in out


def test_images_are_the_batch(accelsim, net):
    """Without --images one, as in SCALE-Sim; units of integers need no calibration."""
    found = {}
    for images in (None, 3):
        more = () if images is None else ("--images", images)
        code, out, err = accelsim(
            "simulate", net, "--timing-only", "-m", "exact_int8", "--json", *more
        )
        assert code == 0, err
        (run,) = json.loads(out)
        found[images] = run["summary"]
    assert (found[None]["images"], found[3]["images"]) == (1, 3)
    assert found[3]["macs"] == 3 * found[None]["macs"]
    assert found[None]["accuracy"] is None


def test_sweep(accelsim, net, tmp_path):
    grid = ("--vary", "array.rows=4,8", "--workers", "1", "--out", tmp_path / "s")
    code, out, err = accelsim("sweep", net, *grid, "--timing-only")
    assert code == 0, err
    assert "net.csv:1: the remark '#dw' is not read" in err
    assert out.count(" -\n") == 2
    assert read_manifest(tmp_path / "s", "sweep")["workload"] == str(net)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("simulate",), "'net' is a topology: layers by shape, without images and weights"),
        (("simulate", "--timing-only", "--weights", "w"), "so --weights cannot be used; leave it"),
        (("simulate", "--timing-only", "--data", "d"), "so --data cannot be used; leave it out"),
        (("simulate", "--timing-only", "--multiplier-energy", "toggles"), "operands"),
        (("sweep", "--vary", "array.rows=4"), "'net' is a topology: layers by shape"),
        (("sweep", "--vary", "array.rows=4", "--timing-only", "--data", "d"), "so data cannot be"),
    ],
)
def test_rejects_what_a_topology_has_not(accelsim, net, tmp_path, line, said):
    verb, *more = line
    code, out, err = accelsim(verb, net, *more, "--out", tmp_path / "x")
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err
    assert not (tmp_path / "x").exists()


def test_rejects_a_file_with_its_lines(accelsim, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text("a, 1, x, 3\nb, 1, 2\n")
    for line in (("simulate",), ("sweep", "--vary", "array.rows=4", "--out", tmp_path / "x")):
        code, _, err = accelsim(line[0], path, *line[1:], "--timing-only")
        assert code == 2
        assert f"{path}:1: layer 'a': N must be a whole number >= 1, got 'x'" in err
        assert f"{path}:2: layer 'b': K must be a whole number >= 1, got ''" in err
    code, _, err = accelsim("simulate", tmp_path / "none.csv", "--timing-only")
    assert (code, "none.csv cannot be read: No such file" in err) == (2, True)
