"""accelsim import as a user meets it."""

import json

import pytest

from accelsim.config import Accelerator
from accelsim.simulation import check_machine


@pytest.fixture
def table(tmp_path):
    """A 4-bit table whose products lack the activation's lowest bit."""
    path = tmp_path / "t.txt"
    rows = (" ".join(str((a & ~1) * w) for w in range(16)) for a in range(16))
    path.write_text("// WCE = 15\n// PDK45_DELAY = 0.5 ns\n" + "\n".join(rows))
    return path


DECLARED = ("--name", "unit", "--bits", 4, "--unsigned", "--order", "activation,weight")


def test_writes_a_unit_and_says_what_it_measured(accelsim, table, tmp_path):
    out = tmp_path / "unit.npz"
    code, printed, err = accelsim("import", table, *DECLARED, "--out", out, "--expect", "EP%=46.9")
    assert code == 0, err
    assert all(len(line) <= 80 for line in printed.splitlines())
    assert "unit: imported 4x4 unsigned multiplier from t.txt" in printed
    assert next(line.split() for line in printed.splitlines() if "%" in line) == [
        "EP%", "46.875", "46.9"
    ]  # fmt: skip
    assert "warning: operand order unverified" in err
    assert f"wrote {out}" in err
    code, shown, _ = accelsim("show", out)
    assert code == 0
    assert "500 ps" in shown
    assert "product(3, 2)" in shown
    assert "operand order unverified" in " ".join(shown.split())


def test_json_is_json_alone(accelsim, table, tmp_path):
    code, out, _ = accelsim(
        "import", table, *DECLARED, "--out", tmp_path / "u.npz", "--delay-ps", 321, "--json"
    )
    facts = json.loads(out)
    assert code == 0
    assert facts["errors"]["wce"] == 15
    assert (facts["stated"], facts["delay_ps"], facts["signed"]) == ({"WCE": "15"}, 321, False)
    assert facts["source"]["file"] == "t.txt"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--name", "unit", "--bits", 4, "--order", "activation,weight"), "--signed or --unsigned"),
        (("--name", "unit", "--unsigned", "--order", "activation,weight"), "--bits 8"),
        (("--bits", 4, "--unsigned", "--order", "activation,weight"), "--name"),
        (("--name", "unit", "--bits", 4, "--unsigned"), "--order"),
        ((*DECLARED, "--expect", "WCE"), "--expect takes MEASURE=X"),
        ((*DECLARED, "--expect", "WCE=14"), "WCE is stated as 14 but measures 15"),
        ((*DECLARED, "--bits", 5), "32x32 = 1024 numbers, got 256"),
        ((*DECLARED, "--index", "up"), "index_order must be 'pattern' or 'ascending'"),
        ((*DECLARED, "--function", "f"), "function is for .c files only"),
    ],
)
def test_bad_input_is_one_clear_message_and_nothing_written(
    accelsim, table, tmp_path, arguments, message
):
    code, out, err = accelsim("import", table, *arguments, "--out", tmp_path / "u.npz")
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["t.txt"]


def test_a_machine_takes_the_file_where_an_energy_table_has_the_units_rows(
    accelsim, table, tmp_path, energies_of
):
    """The rows are the user's: component multiplier.<name>, actions compute and leak."""
    for place in ("a", "b"):
        out = tmp_path / place / "unit.npz"
        assert accelsim("import", table, *DECLARED, "--out", out)[0] == 0
    one, other = tmp_path / "a" / "unit.npz", tmp_path / "b" / "unit.npz"
    code, _, err = accelsim("simulate", "lenet5_digits", "-m", one)
    assert (code, "multiplier.unit" in err) == (2, True)
    energies = energies_of("unit")
    check_machine(
        Accelerator.preset("edge_16x16").replace(multiplier=str(one), energy_table=str(energies))
    )
    code, _, err = accelsim(
        *("simulate", "lenet5_digits", "-m", one, "-m", other, "--out", tmp_path / "x"),
        *("--set", f"energy_table={energies}"),
    )
    assert (code, "would share a folder; rename a unit file" in err) == (2, True)
    assert not (tmp_path / "x").exists()


def test_scores_of_a_file_do_not_go_on_with_another_unit_in_it(accelsim, tmp_path):
    """The same path, another table: the folder holds scores of something else."""
    out, unit = tmp_path / "s", tmp_path / "unit.npz"
    line = ("score", "lenet5_digits", "-m", unit, "--attack", "fgsm", "--images", 2, "--out", out)
    for dropped, expected in ((1, 0), (1, 0), (3, 2)):
        rows = (" ".join(str(a * w & ~dropped) for w in range(256)) for a in range(256))
        (tmp_path / "t.txt").write_text("\n".join(rows))
        declared = ("--name", "unit", "--bits", 8, "--unsigned", "--order", "activation,weight")
        assert accelsim("import", tmp_path / "t.txt", *declared, "--out", unit)[0] == 0
        code, _, err = accelsim(*line)
        assert code == expected, err
    assert "scores made with other settings (unit_files)" in err


def test_rejects_units_that_are_no_files_of_ours(accelsim, tmp_path):
    (tmp_path / "bad.npz").write_bytes(b"PK")
    code, _, err = accelsim("show", tmp_path / "bad.npz")
    assert code == 2
    assert "damaged or no unit file" in err
