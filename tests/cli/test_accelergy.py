"""Export to and import from Accelergy on the command line."""

import json

import pytest
from ruamel.yaml import YAML

import accelsim as package


@pytest.fixture
def saved(runs, tmp_path):
    return runs[1].save(tmp_path / "run")


def test_a_run_goes_out_and_its_ert_comes_back_as_a_table(accelsim, saved, runs, tmp_path):
    code, out, err = accelsim(
        "export-accelergy", saved, "--out", tmp_path / "a", "--version", "0.3"
    )
    assert code == 0, err
    assert all(len(line) <= 80 for line in out.splitlines())
    flat = " ".join(out.split())
    total = f"{runs[1].actions['energy_pj'].sum():.9g}"
    assert f"the sum of counts x energies is {total} pJ, the run's energy {total} pJ" in flat
    assert "no area is known of accumulator.float32, rf, " in " ".join(err.split())
    ert = YAML(typ="safe").load(tmp_path / "a" / "ERT.yaml")["ERT"]
    assert ert["version"] == 0.3
    # Also what this network does not do, and a machine must have an energy for.
    (vector_unit,) = (one for one in ert["tables"] if "vector_unit" in one["name"])
    assert "divide" in [action["name"] for action in vector_unit["actions"]]

    table = tmp_path / "mine.csv"
    made = ("--technology-nm", "45", "--voltage-v", "0.9", "--source", "an ERT", "--out", table)
    code, _, err = accelsim("import-accelergy", tmp_path / "a" / "ERT.yaml", *made)
    assert code == 0, err
    assert f"wrote {table}: " in err
    simulate = ("simulate", "lenet5_digits", "--images", "2", "--timing-only", "-m", "ax_fpm")
    code, out, err = accelsim(*simulate, "--set", f"energy_table={table}", "--json")
    assert code == 0, err
    (again,) = json.loads(out)
    assert again["summary"]["energy_uj"] == pytest.approx(runs[1].summary["energy_uj"][0], rel=1e-7)


def test_export_as_json(accelsim, saved, runs, tmp_path):
    code, out, err = accelsim("export-accelergy", saved, "--out", tmp_path / "a", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["version"] == "0.4"
    assert sum(found["recomputed_pj"].values()) == pytest.approx(found["energy_pj"], rel=1e-12)
    assert "rf" in found["without_area"]
    assert (tmp_path / "a" / "manifest.json").exists()


def test_without_the_runs_table_the_ert_has_what_was_counted(accelsim, runs, tmp_path, energies_of):
    table = energies_of("mine")
    machine = runs[1].accelerator.replace(energy_table=str(table))
    model, images, _ = package.load_workload("lenet5_digits", limit=1)
    run = package.simulate(package.trace(model, images), machine, values=False)
    saved = run.save(tmp_path / "run")
    table.write_text(table.read_text().replace("3.7", "3.8"))
    code, _, err = accelsim("export-accelergy", saved, "--out", tmp_path / "a")
    assert code == 0, err
    assert "is not the one that the run was made with" in " ".join(err.split())
    ert = (tmp_path / "a" / "ERT.yaml").read_text()
    assert "compare" in ert
    assert "divide" not in ert


MADE = ("--technology-nm", "45", "--voltage-v", "0.9", "--source", "x", "--out")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("export-accelergy", "{run}", "--out", "{out}", "--version", "1"), "one of 0.3, 0.4, got"),
        (("export-accelergy", "{out}", "--out", "{out}"), "holds no result of accelsim"),
        (("import-accelergy", "{ert}", *MADE, "{out}.csv"), "ERT.yaml:2: ERT must be of version"),
        (("import-accelergy", "{ert}", *MADE, "{out}.txt"), "--out must be a .csv file"),
        (("import-accelergy", "{ert}x", *MADE, "{out}.csv"), "cannot read Accelergy file (ERT)"),
        (("import-accelergy", "{ert}", *MADE, "{out}.csv", "--name", "a"), "takes PATH=COMPONENT"),
    ],
)
def test_bad_input_is_one_clear_message(accelsim, saved, tmp_path, arguments, said):
    ert = tmp_path / "ERT.yaml"
    ert.write_text("ERT:\n  version: 0.9\n  tables: []\n")
    names = {"run": saved, "out": tmp_path / "out", "ert": ert}
    code, out, err = accelsim(*(argument.format(**names) for argument in arguments))
    assert code == 2
    assert out == ""
    assert said in " ".join(err.split())
    assert "Traceback" not in err
    assert not (tmp_path / "out.csv").exists()


def test_a_run_without_actions_cannot_be_exported(accelsim, runs, tmp_path):
    from dataclasses import replace

    folder = replace(runs[0], actions=None).save(tmp_path / "run")
    code, _, err = accelsim("export-accelergy", folder, "--out", tmp_path / "a")
    assert code == 2
    assert "was saved without its action counts" in err
