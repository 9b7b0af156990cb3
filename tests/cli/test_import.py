"""accelsim import as a user meets it."""

import json

import pytest

from accelsim.cli import main


@pytest.fixture
def accelsim(capsys):
    """Run a command line in this process; return (exit code, stdout, stderr)."""

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        return (caught.value.code or 0, *capsys.readouterr())

    return run


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
        ((*DECLARED, "--expect", "WCE"), "--expect takes FIELD=X"),
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


def test_rejects_units_that_are_no_files_of_ours(accelsim, tmp_path):
    assert (
        "no multiplier file"
        in accelsim("show", tmp_path / "none.npz")[2]
        + accelsim("simulate", "lenet5_digits", "-m", tmp_path / "none.npz", "--images", 1)[2]
    )
    (tmp_path / "bad.npz").write_bytes(b"PK")
    code, _, err = accelsim("show", tmp_path / "bad.npz")
    assert code == 2
    assert "damaged or no unit file" in err
