"""accelsim characterize as a user meets it."""

import json

import pytest
from matplotlib.figure import Figure

from accelsim.folders import read_manifest, read_table

QUICK = ("--pairs", "2000")


def test_tables_fit_80_columns_and_say_their_conventions(accelsim):
    code, out, err = accelsim("characterize", "ax_fpm", *QUICK, "--workload", "lenet5_digits")
    assert (code, "Traceback" in err) == (0, False)
    assert all(len(line) <= 80 for line in out.splitlines())
    words = " ".join(out.split())
    assert "ax_fpm over 2,000 pairs, uniform in (-1, 1), seed 0" in words
    assert "mean |E| / |M| over" in words
    assert "or more" in words  # the worst case of a sample
    assert "One product of ax_fpm, against exact_fp32 cost unit against ratio from" in words
    assert "delay_ps 4,055 5,134 0.7898" in words
    assert "glitch_energy_pj " in words
    assert "Products of lenet5_digits, lenet5_digits.safetensors, SHA-256 2738" in words
    for layer in ("conv1", "conv2", "linear1", "linear2", "all"):
        assert f"\n{layer} " in out


def test_an_integer_unit_is_measured_over_all_pairs(accelsim):
    code, out, _ = accelsim("characterize", "exact_int8")
    assert code == 0
    assert all(len(line) <= 80 for line in out.splitlines())
    assert "all 65,536 pairs of int8" in out
    assert "interval" not in out


def test_layers_are_quantized_as_set_says(accelsim):
    line = ("characterize", "truncated2_s8", *QUICK, "--workload", "lenet5_digits", "--json")
    found = []
    for more in ((), ("--set", "quantization.weights=affine")):
        code, out, err = accelsim(*line, *more)
        assert code == 0, err
        found.append(json.loads(out))
    assert [one["quantization"]["weights"] for one in found] == ["auto", "affine"]
    assert found[0]["metrics"] == found[1]["metrics"]
    assert found[0]["layers"] != found[1]["layers"]


def test_json_is_json_alone(accelsim):
    line = ("characterize", "exact_uint16", *QUICK, "--seed", "3", "--against", "exact_uint8")
    code, out, _ = accelsim(*line, "--json")
    assert code == 0
    found = json.loads(out)
    assert (found["unit"], found["against"], found["seed"]) == ("exact_uint16", "exact_uint8", 3)
    assert (found["exhaustive"], found["layers"]) == (False, None)
    metrics = {row["metric"]: row for row in found["metrics"]}
    assert metrics["error_rate"]["value"] == 0
    assert metrics["wce"]["high"] is None
    assert {row["cost"]: row["ratio"] for row in found["costs"]}["energy_pj"] == pytest.approx(4)


def test_out_holds_tables_and_figures(accelsim, tmp_path):
    folder = tmp_path / "u"
    line = ("characterize", "ax_fpm", *QUICK, "--out", folder)
    assert accelsim(*line, "--workload", "lenet5_digits", "--images", "1")[0] == 0
    manifest = read_manifest(folder, "characterization")
    assert (manifest["unit"], manifest["workload"]) == ("ax_fpm", "lenet5_digits")
    assert manifest["weights"].startswith("lenet5_digits.safetensors, SHA-256 ")
    assert list(read_table(folder / "layers.csv")["layer"])[-1] == "all"
    stored = json.loads((folder / "metrics.json").read_text())
    table = read_table(folder / "metrics.csv").set_index("metric")
    for row in stored["metrics"]:
        assert table.loc[row["metric"], "value"] == pytest.approx(row["value"])
    for name in ("error_surface.png", "error_magnitude.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    assert accelsim(*line, "--json")[0] == 0
    # Made again without a workload: no layers of the time before are left.
    assert not (folder / "layers.csv").exists()
    assert accelsim("compare", folder)[0] == 2


def test_figures_of_many_pairs_show_all_operands(accelsim, tmp_path, monkeypatch):
    """All pairs of 10 bits come in chunks, the first with small activations only."""
    drawn = []

    def catch(exact, product, title):
        drawn.append((exact, title))
        return Figure()

    monkeypatch.setattr("accelsim.figures.error_magnitude", catch)
    line = ("characterize", "exact_uint10", "--exhaustive-bits", "10", "--out", tmp_path / "u")
    code, out, _ = accelsim(*line)
    assert (code, "all 1,048,576 pairs of uint10" in out) == (0, True)
    ((exact, title),) = drawn
    assert exact.max() > 1_000_000
    assert "250,000 pairs, uniform over uint10" in title


def test_ctrl_c_leaves_nothing(accelsim, tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("accelsim.surfaces.error_surface", interrupt)
    code, out, err = accelsim("characterize", "exact_int8", "--out", tmp_path / "u")
    assert (code, out) == (130, "")
    assert "nothing is written; the same command starts again" in err
    assert list((tmp_path / "u").iterdir()) == []


def test_an_interruption_between_files_is_no_result(accelsim, tmp_path, monkeypatch):
    """Files that were moved into place without the manifest do not block the next call."""
    line = ("characterize", "exact_int8", "--out", tmp_path / "u")
    assert accelsim(*line)[0] == 0
    (tmp_path / "u" / "manifest.json").unlink()
    assert accelsim(*line)[0] == 0
    (tmp_path / "u" / "manifest.json").unlink()
    (tmp_path / "u" / "thesis.tex").write_text("x")
    code, _, err = accelsim(*line)
    assert (code, "not results of accelsim" in err) == (2, True)
