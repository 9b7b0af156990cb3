"""accelsim export-rtl as a user meets it; tests/fidelity/test_rtl_array.py runs what it writes."""

import json

import pytest

UNIT = ("export-rtl", "-m", "exact_int8", "--out")
ARRAY = ("export-rtl", "-m", "ax_fpm", "--array", "4x3", "--dataflow", "ws", "--out")


def test_exports_an_array_and_says_its_cycles(accelsim, tmp_path):
    code, out, err = accelsim(*ARRAY, tmp_path / "rtl", "--gemm", "6x5x7", "--add-cycles", 2)
    assert code == 0, err
    assert all(len(line) <= 80 for line in out.splitlines())
    assert f"make -C {tmp_path / 'rtl'}" in err
    manifest = json.loads((tmp_path / "rtl" / "manifest.json").read_text())
    # Two column folds times two folds of k: r + (r - 1) * 2 + c - 1 + 5 + 3 cycles each.
    folds = [(r, c) for c in (3, 2) for r in (4, 3)]
    assert manifest["cycles"] == sum(r + (r - 1) * 2 + c - 1 + 5 + 3 for r, c in folds)
    assert manifest["timing"]["add_cycles"] == 2
    assert f"cycles       {manifest['cycles']}\n" in out
    assert len((tmp_path / "rtl" / "left.hex").read_text().split()) == 6 * 7
    assert "parameter int ADD_CYCLES = 2" in (tmp_path / "rtl" / "systolic.sv").read_text()


def test_an_export_takes_the_place_of_another(accelsim, tmp_path):
    assert accelsim(*ARRAY, tmp_path)[0] == 0
    code, out, _ = accelsim(*UNIT, tmp_path, "--pairs", 10, "--json")
    assert code == 0
    assert json.loads(out)["pairs"] == 10
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        "Makefile", "bench.v", "manifest.json", "pairs.hex", "parameters.vh", "products.hex",
        "unit.sv",
    }  # fmt: skip


def test_the_same_command_writes_the_same_files(accelsim, tmp_path):
    texts = []
    for name in "ab":
        assert accelsim(*ARRAY, tmp_path / name, "--resume", "--seed", 3)[0] == 0
        texts.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((*UNIT, "x", "--pairs", 0), "pairs must be an int in 1..1000000, got 0"),
        ((*UNIT, "x", "--gemm", "4x4x4"), "--gemm is of an array; give its size, e.g. --array 4x4"),
        ((*UNIT, "x", "--not-pipelined"), "--not-pipelined is of an array"),
        (("export-rtl", "-m", "tf32", "--out", "x"), "multiplier 'tf32' has no circuit"),
        (("export-rtl", "-m", "ax_fmp", "--out", "x"), "Did you mean 'ax_fpm'?"),
        ((*UNIT, "x", "--array", "4"), "--array takes ROWSxCOLS, e.g. 4x4, got '4'"),
        ((*UNIT, "x", "--array", "2x2", "--dataflow", "rs"), "has no RTL; use os, ws, is"),
        ((*UNIT, "x", "--array", "0x4"), "must have 1..64 rows"),
        ((*UNIT, "x", "--array", "4x65"), "must have 1..64 cols"),
        ((*UNIT, "x", "--array", "4x4", "--pairs", 9), "--pairs is of a unit alone"),
        ((*ARRAY, "x", "--gemm", "4x4"), "--gemm takes MxNxK, e.g. 4x4x4, got '4x4'"),
        ((*ARRAY, "x", "--gemm", "4x4x0"), "k must be an int in 1..65535, got 0"),
        ((*ARRAY, "x", "--gemm", "4x2000x2000"), "for which the test bench has no room"),
        ((*ARRAY, "x", "--add-cycles", 0), "add_cycles >= 1"),
        ((*ARRAY, "x", "--dataflow", "ow"), "no dataflow named 'ow'"),
        ((*ARRAY, "x", "--style", "gates"), "no style 'gates' of RTL; known: auto, behavioral"),
    ],
)
def test_rejects(accelsim, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = accelsim(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "x").exists()


def test_rejects_a_folder_of_other_files(accelsim, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    code, _, err = accelsim(*UNIT, tmp_path)
    assert code == 2
    assert "holds files that are not results of accelsim" in err
