"""Accelergy's files: its rule gives the run's energy, reading gives back what was written."""

import math
from dataclasses import replace

import pytest
from ruamel.yaml import YAML

import accelsim
from accelsim.config import Accelerator
from accelsim.energy import energy_per_action, load_table, rows_to_csv
from accelsim.energy.accelergy import VERSIONS, accelergy_files, recomputed_pj
from accelsim.energy.accelergy_reading import read_accelergy, table_rows
from accelsim.errors import ConfigError, EnergyTableError
from accelsim.machine.program import possible_actions

MACHINES = {
    "default": {},
    "device": {"dram.kind": "hbm2_2000", "dram.channels": 2, "dram.bytes_per_cycle": 64},
    "unified": {"glb.unified": True, "glb.word_bits": 64, "array.dataflow": "rs"},
    "sizes": {"glb.weight_kib": 32, "accumulator": "float64", "array.dataflow": "ws"},
    "gated": {"multiplier_energy.mode": "zero_gated", "multiplier": "ax_fpm"},
    "toggles": {"multiplier_energy.mode": "toggles", "multiplier_energy.transitions": 1000},
}


@pytest.fixture(scope="module")
def simulated(small_trace):
    """Return a function that gives the run of a machine of `MACHINES`."""
    made = {}

    def run(name):
        if name not in made:
            machine = Accelerator.preset("edge_16x16").replace(**MACHINES[name])
            values = "multiplier_energy.mode" in MACHINES[name]
            made[name] = accelsim.simulate(small_trace.batch(1), machine, values=values)
        return made[name]

    return run


@pytest.fixture
def written(simulated, tmp_path):
    """Return a function that writes a run's files and returns them and their paths by kind."""

    def write(name, version):
        run = simulated(name)
        files, _ = accelergy_files(run.actions, run.accelerator, version)
        paths = {kind: tmp_path / f"{kind}.yaml" for kind in files}
        for kind, path in paths.items():
            path.write_text(files[kind].to_yaml())
        return files, paths

    return write


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", MACHINES)
def test_accelergys_rule_gives_the_runs_energy(simulated, written, name, version):
    """Recomputed from the text of the files by nothing but YAML, counts x energies and a sum."""
    run, (_, paths) = simulated(name), written(name, version)
    ert = YAML(typ="safe").load(paths["ERT"])["ERT"]
    counts = YAML(typ="safe").load(paths["action_counts"])["action_counts"]
    assert ert["version"] == counts["version"] == float(version)
    table = {
        (component["name"], action["name"]): action["energy"]
        for component in ert["tables"]
        for action in component["actions"]
    }
    total = sum(
        action["counts"] * table[component["name"], action["name"]]
        for component in counts["local"]
        for action in component["action_counts"]
    )
    assert total == pytest.approx(run.actions["energy_pj"].sum(), rel=1e-12)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", MACHINES)
def test_reading_gives_back_what_was_written(written, name, version):
    files, paths = written(name, version)
    for kind, file in files.items():
        again = read_accelergy(paths[kind], kind)
        assert (again.kind, again.version) == (kind, version)
        assert [replace(one, line=0) for one in again.entries] == list(file.entries)
        assert again.to_yaml() == paths[kind].read_text()
        lines = paths[kind].read_text().splitlines()
        assert all("name:" in lines[one.line - 1] for one in again.entries)
    read = {kind: read_accelergy(path, kind) for kind, path in paths.items()}
    assert recomputed_pj(read) == recomputed_pj(files)


def test_lists_and_actions_are_named_as_each_version_names_them(written):
    for version, first, last, names in (
        ("0.3", 0, 255, ("idle", "mac_random", "mac_gated")),
        ("0.4", 1, 256, ("leak", "compute", "gated")),
    ):
        _, paths = written("gated", version)
        ert = YAML(typ="safe").load(paths["ERT"])["ERT"]["tables"]
        actions = {one["name"]: [action["name"] for action in one["actions"]] for one in ert}
        unit = actions[f"system.pe[{first}..{last}].multiplier.ax_fpm"]
        assert sorted(unit) == sorted(names)
        assert f"system.pe[{first}..{last}].rf[{first}..{first + 2}]" in actions
        (area,) = YAML(typ="safe").load(paths["ART"])["ART"]["tables"]
        circuit = accelsim.MULTIPLIERS["ax_fpm"].circuit
        assert area["area"] == pytest.approx(circuit.area_um2())


def test_leakage_is_of_one_instance_in_one_cycle(simulated, written):
    files, _ = written("default", "0.4")
    run, table = simulated("default"), load_table("cmos45")
    path = "system.pe[1..256].rf[1..3]"
    (ert,) = (one for one in files["ERT"].entries if (one.path, one.action) == (path, "leak"))
    period_ns = 1e3 / run.summary["clock_mhz"][0]
    assert ert.value == pytest.approx(table.power_mw("rf", "leak") * period_ns)
    counts = files["action_counts"].entries
    (count,) = (one for one in counts if (one.path, one.action) == (path, "leak"))
    assert count.value == 3 * 256 * run.layers["total_cycles"].sum()


def test_components_without_a_netlist_have_no_area(simulated):
    run = simulated("default")
    files, unknown = accelergy_files(run.actions, run.accelerator)
    assert [one.path for one in files["ART"].entries] == ["system.pe[1..256].multiplier.exact_fp32"]
    assert {"rf", "glb.ifmap", "dram", "accumulator.float32"} <= set(unknown)


@pytest.mark.parametrize("name", ["default", "device", "unified", "sizes"])
def test_a_table_made_of_an_ert_charges_the_same(simulated, small_trace, tmp_path, name):
    run = simulated(name)
    machine, table = run.accelerator, load_table("cmos45")
    others = {pair: energy_per_action(*pair, machine, table) for pair in possible_actions(machine)}
    files, _ = accelergy_files(run.actions, machine, "0.3", others)
    path = tmp_path / "ERT.yaml"
    path.write_text(files["ERT"].to_yaml())
    rows = table_rows(
        read_accelergy(path, "ERT"), machine, technology_nm=45, voltage_v=0.9, source="a test"
    )
    mine = tmp_path / "mine.csv"
    mine.write_text(rows_to_csv(rows))
    again = accelsim.simulate(
        small_trace.batch(1), machine.replace(energy_table=str(mine)), values=False
    )
    columns = [name for name in run.layers if name.startswith("energy_")]
    for column in columns:
        assert again.layers[column].to_numpy() == pytest.approx(
            run.layers[column].to_numpy(), rel=1e-7
        )


FOREIGN = """\
ERT:
  version: 0.3
  tables:
  - name: System.ws.GlobalBuffer
    actions:
    - {name: read, arguments: {address_delta: 0, data_delta: 1}, energy: 0.3}
    - {name: read, arguments: {address_delta: 1, data_delta: 1}, energy: 1.049}
    - {name: idle, arguments: null, energy: 0.012}
  - name: System.ws.PE[0..15].LMAC[0..3]
    actions:
    - {name: mac_random, arguments: null, energy: 0.561}
    - {name: mac_gated, energy: 0.02}
"""
NAMES = {"System.ws.GlobalBuffer": "glb.ifmap", "System.ws.PE.LMAC": "multiplier.exact_fp32"}


def test_reads_a_file_of_somebody_elses_design(tmp_path):
    path = tmp_path / "ERT.yaml"
    path.write_text(FOREIGN)
    found = read_accelergy(path, "ERT", NAMES).entries
    assert [(one.path, one.action, one.value, one.line) for one in found] == [
        ("System.ws.GlobalBuffer", "read", 1.049, 7),
        ("System.ws.GlobalBuffer", "leak", 0.012, 8),
        ("System.ws.PE[1..16].LMAC[1..4]", "compute", 0.561, 11),
        ("System.ws.PE[1..16].LMAC[1..4]", "gated", 0.02, 12),
    ]
    assert [one.number for one in found] == [1, 1, 64, 64]


def test_action_counts_may_lie_in_a_tree(tmp_path):
    path = tmp_path / "counts.yaml"
    path.write_text(
        "action_counts:\n  version: 0.3\n  subtree:\n  - name: system\n    local:\n"
        "    - {name: dram, action_counts: [{name: read, counts: 7}]}\n    subtree:\n"
        "    - name: glb\n      local:\n"
        "      - {name: weight, action_counts: [{name: write, counts: 9}]}\n"
    )
    found = read_accelergy(path, "action_counts").entries
    assert [(one.path, one.action, one.value) for one in found] == [
        ("system.dram", "read", 7),
        ("system.glb.weight", "write", 9),
    ]


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("version: 0.3", "version: 0.5", 2, "ERT must be of version 0.3 or 0.4, got 0.5; write"),
        ("  version: 0.3\n", "", 1, "ERT must be of version 0.3 or 0.4, got None"),
        ("energy: 0.561", "energy: -0.561", 11, "energy must be a finite number >= 0, got -0.561"),
        ("energy: 0.561", "energy: .nan", 11, "energy must be a finite number >= 0, got nan"),
        ("energy: 0.561", "energy: .inf", 11, "energy must be a finite number >= 0, got inf"),
        ("energy: 0.561", "energy: cheap", 11, "energy must be a finite number >= 0, got 'cheap'"),
        ("energy: 0.561", "energy: true", 11, "energy must be a finite number >= 0, got True"),
        (", energy: 0.561", "", 11, "multiplier.exact_fp32 compute: energy is missing"),
        ("mac_random", "mac_reused", 11, "unknown action 'mac_reused' of multiplier.exact_fp32"),
        ("mac_gated", "compute", 12, "System.ws.PE.LMAC compute repeats line 11"),
        ("ws.GlobalBuffer", "ws.Cache", 4, "'System.ws.Cache' is no component of accelsim, such"),
        ("PE[0..15]", "PE[1..16]", 9, "lists of 0.3 must be [0..N-1], got [1..16]"),
        ("PE[0..15]", "PE[3]", 9, "lists of 0.3 must be [0..N-1], got [3]"),
        ("data_delta: 1}, energy: 1", "data_delta: 2}, energy: 1", 7, "data_delta must be 0 or 1"),
        ("address_delta: 0", "depth: 0", 6, "unknown argument 'depth'; known: address_delta"),
        ("arguments: null, energy: 0.0", "arguments: 3, energy: 0.0", 8, "must be a mapping"),
        ("{name: idle", "{title: idle", 8, "expected a mapping with a name"),
        ("  tables:", "  table:", 1, "expected the key tables with a list"),
    ],
)
def test_rejects_what_it_cannot_use_with_file_and_line(tmp_path, old, new, line, said):
    path = tmp_path / "ERT.yaml"
    assert old in FOREIGN
    path.write_text(FOREIGN.replace(old, new))
    with pytest.raises(EnergyTableError) as caught:
        read_accelergy(path, "ERT", NAMES)
    first = str(caught.value).splitlines()[0]
    assert first.startswith(f"{path}:{line}: ")
    assert said in first


def test_tells_all_faults_of_a_file_at_once(tmp_path):
    path = tmp_path / "ERT.yaml"
    path.write_text(FOREIGN.replace("0.561", "-1").replace("0.012", ".nan"))
    with pytest.raises(EnergyTableError) as caught:
        read_accelergy(path, "ERT", NAMES)
    lines = str(caught.value).splitlines()
    assert [line.split(":")[1] for line in lines] == ["8", "11"]


@pytest.mark.parametrize("counts", ["-3", "2.5", ".nan", "many"])
def test_rejects_counts_that_are_none(tmp_path, counts):
    """A published sample of action counts has negative ones."""
    path = tmp_path / "counts.yaml"
    path.write_text(
        "action_counts:\n  version: 0.4\n  local:\n  - name: system.dram\n    action_counts:\n"
        f"    - name: read\n      counts: {counts}\n"
    )
    rule = "counts.yaml:7: dram read: counts must be a whole number >= 0, got"
    with pytest.raises(EnergyTableError, match=rule):
        read_accelergy(path, "action_counts")


@pytest.mark.parametrize("area", ["-1", ".nan"])
def test_rejects_areas_that_are_none(tmp_path, area):
    path = tmp_path / "ART.yaml"
    path.write_text(f"ART:\n  version: 0.4\n  tables:\n  - {{name: system.dram, area: {area}}}\n")
    with pytest.raises(EnergyTableError, match="ART.yaml:4: dram: area must be a finite number"):
        read_accelergy(path, "ART")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ERT: [", "not valid YAML"),
        ("ERT:\n  version: 0.3\n  version: 0.4\n", ":3:3: not valid YAML: found duplicate key"),
        ("ART:\n  version: 0.4\n", ":1: expected a mapping with the key ERT"),
        ("- 1\n", ":1: expected a mapping with the key ERT"),
        ("ERT: {version: 0.4, tables: []}", ":1: ERT has no entries"),
    ],
)
def test_rejects_a_file_that_is_no_ert(tmp_path, text, said):
    path = tmp_path / "ERT.yaml"
    path.write_text(text)
    with pytest.raises(EnergyTableError) as caught:
        read_accelergy(path, "ERT")
    assert said in str(caught.value)
    with pytest.raises(EnergyTableError, match=r"cannot read Accelergy file \(ERT\)"):
        read_accelergy(tmp_path / "none.yaml", "ERT")


def test_rejects_two_energies_for_one_size_of_memory(tmp_path):
    path = tmp_path / "ERT.yaml"
    path.write_text(
        "ERT:\n  version: 0.4\n  tables:\n"
        "  - {name: system.glb.ifmap, actions: [{name: read, energy: 3}]}\n"
        "  - {name: system.glb.weight, actions: [{name: read, energy: 4}]}\n"
    )
    machine = Accelerator.preset("edge_16x16")
    made = {"technology_nm": 45, "voltage_v": 0.9, "source": "x"}
    with pytest.raises(EnergyTableError, match="lines 4 and 5 have two energies for glb read"):
        table_rows(read_accelergy(path, "ERT"), machine, **made)
    smaller = machine.replace(**{"glb.weight_kib": 32})
    rows = table_rows(read_accelergy(path, "ERT"), smaller, **made)
    assert [(row.capacity_bytes, row.value) for row in rows] == [(65536, 3), (32768, 4)]


def test_rejects_a_version_that_it_does_not_write(simulated):
    run = simulated("default")
    with pytest.raises(ConfigError, match="version must be one of 0.3, 0.4, got '1.0'"):
        accelergy_files(run.actions, run.accelerator, "1.0")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", MACHINES)
def test_accelergy_itself_computes_the_runs_energy(simulated, written, name, version):
    """Its own reading of names and its own sum; it is on no package index, only on GitHub."""
    reason = "needs Accelergy, which no package index has: github.com/Accelergy-Project/accelergy"
    calculator = pytest.importorskip("accelergy.energy_calculator", reason=reason)
    from accelergy.action_counts_dict_2_obj import action_counts_dict_2_obj
    from accelergy.ERT_generator import ERT_dict_to_obj

    _, paths = written(name, version)
    ert = YAML(typ="safe").load(paths["ERT"])["ERT"]
    counts = YAML(typ="safe").load(paths["action_counts"])["action_counts"]
    energies = {}
    for component in ert["tables"]:
        actions = energies.setdefault(component["name"], {})
        for action in component["actions"]:
            actions.setdefault(action["name"], []).append(action)
    table = ERT_dict_to_obj(
        {"ERT_dict": energies, "parser_version": float(version), "precision": 12}
    )
    counted = {one["name"]: one["action_counts"] for one in counts["local"]}
    found = calculator.EnergyCalculator(
        {
            "action_counts": action_counts_dict_2_obj(counted),
            "parser_version": float(version),
            "ERT": table,
        }
    ).energy_estimates.get_energy_estimate_as_dict()["energy_estimation"]
    total = simulated(name).actions["energy_pj"].sum()
    assert math.isclose(found["Total"], total, rel_tol=1e-12)
