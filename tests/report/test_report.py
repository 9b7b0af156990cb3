"""What a report says."""

import re
import shlex
import shutil
from dataclasses import replace

import pytest

import accelsim
from accelsim.cli.options import build_accelerator
from accelsim.energy import load_table
from accelsim.report import report
from accelsim.report.results import gather


def test_nothing_is_loaded_from_outside(page, parsed):
    assert all(one.startswith(("#", "data:")) for one in parsed.addresses)
    assert not re.search(r"url\((?!#)|@import|<(iframe|object|embed|link rel=.stylesheet)", page)
    assert "default-src 'none'" in page
    linked = {one[1:] for one in parsed.addresses if one.startswith("#")}
    assert linked <= set(parsed.ids)


def test_ids_are_unique(parsed):
    assert len(parsed.ids) == len(set(parsed.ids))


def test_the_headline_has_values_intervals_and_ratios(parsed, runs):
    head, *rows = parsed.tables["headline"]
    assert head == ["quantity", "exact_fp32", "ax_fpm", "ratio"]
    by_name = {row[0]: row[1:] for row in rows}
    exact, ax = (run.summary.iloc[0] for run in runs)
    ratio = ax["energy_uj"] / exact["energy_uj"]
    assert by_name["energy |uJ/image"][2] == f"{ratio:.2f}\N{MULTIPLICATION SIGN}"
    assert by_name["latency |us/image"][0] == f"{exact['latency_us_per_image']:,.4g}"
    # 70 and the one that is wrong anyway of 100 fooled; Wilson's interval of 29 in 100.
    assert by_name["accuracy, pgd 0.1 |%"][0] == "29|21.0\N{EN DASH}38.5"
    assert by_name["accuracy, pgd 0.1 |%"][1].startswith("49|")
    assert by_name["accuracy, clean, simulated images |%"][0] == "100|34.2\N{EN DASH}100.0"
    assert "accuracy, pgd 0.1 on effective (white box) |%" in by_name


def test_what_units_cost_and_are_worth_is_drawn(page, folders):
    """Their robustness too, where the scores judge all of them."""
    assert "below the roofs of memories" in page
    assert "mathdefault" not in page, "a formula is shown as text"
    words = "What units cost and are worth; pale: another is as good in all"
    assert f"{words}; robust accuracy: under the strongest attack that all met.<" in page
    assert f"{words}.<" in report([folders / "sim"])


def test_layers_are_all_there(parsed, runs):
    for place, run in enumerate(runs):
        _, *rows = parsed.tables[f"layers-{place}"]
        assert [row[0] for row in rows] == list(run.layers["layer"])
        assert [row[5] for row in rows] == [f"{one:,}" for one in run.layers["total_cycles"]]


def test_every_energy_has_its_figure_and_its_source(page, parsed, runs):
    table = load_table("cmos45")
    for place, run in enumerate(runs):
        _, *rows = parsed.tables[f"spent-{place}"]
        counted = set(zip(run.actions["component"], run.actions["action"], strict=True))
        assert {(row[0], row[1]) for row in rows} == counted
        energy = sum(float(row[4].replace(",", "")) for row in rows)
        assert energy == pytest.approx(run.summary["energy_uj_per_image"].iloc[0], rel=1e-3)
        assert all(re.search(r"\d p?[JmW]+$", row[6]) for row in rows)
    _, *figures = parsed.tables["figures-0"]
    by_action = {(row[0], row[1]): row for row in figures}
    (row,) = table.rows_behind("multiplier.ax_fpm", "compute")
    found = by_action["multiplier.ax_fpm", "compute"]
    assert found[3:5] == ["1.924", "pJ"]
    assert found[5].startswith("3.7 pJ \N{MULTIPLICATION SIGN} 0.52|")
    assert row.note in found[5]
    assert found[6] == row.confidence
    text = "".join(parsed.words)
    assert all(one.source in text for one in table.rows_behind("multiplier.ax_fpm", "leak"))
    assert "between 2 figures" in by_action["glb", "read"][5]


def test_units_are_compared_image_by_image(parsed):
    _, *rows = parsed.tables["pairs-0"]
    transfer = [row for row in rows if row[0] == "transfer"]
    assert [row[1] for row in transfer] == ["fgsm linf 0.1", "pgd linf 0.1"]
    assert [row[3:6] for row in transfer] == [["99", "20", "0"]] * 2
    assert float(transfer[0][6]) < 1e-3


def test_points_of_a_sweep_and_their_errors(parsed):
    head, *rows = parsed.tables["points-0"]
    assert head[0] == "multiplier"
    assert [row[0] for row in rows] == ["exact_fp32", "ax_fpm", "heap"]
    assert rows[2][1:] == ["\N{EN DASH}"] * 5 + ["layer 'conv1' fits no tiling"]


def test_the_commands_make_the_same_machines(folders, parsed, small_trace, tmp_path, parse):
    changed = accelsim.Accelerator.preset("edge_16x16").replace(
        multiplier="ax_fpm", technology_nm=45, **{"array.rows": 8, "glb.forwarding": False}
    )
    own = changed.replace(name="mine <1>")
    for name, machine in (("changed", changed), ("own", own)):
        accelsim.simulate(small_trace, machine, values=False).save(tmp_path / name)
    commands = parse(report([tmp_path / "changed", tmp_path / "own"])).commands
    first, second = (shlex.split(one) for one in commands if one.startswith("accelsim simulate"))
    assert first[:5] == ["accelsim", "simulate", "lenet5_digits", "-m", "ax_fpm"]
    assert "--timing-only" in first
    settings = [first[place + 1] for place, word in enumerate(first) if word == "--set"]
    rebuilt = build_accelerator("edge_16x16", settings, multiplier="ax_fpm")
    assert rebuilt.config_hash == changed.config_hash
    assert second[second.index("--accelerator") + 1] == "machine.yaml"
    (tmp_path / "machine.yaml").write_text(next(one for one in commands if "mine <1>" in one))
    assert accelsim.Accelerator.from_yaml(tmp_path / "machine.yaml") == own
    scores = [one for one in parsed.commands if one.startswith("accelsim score")]
    assert scores[0].split(" --images")[0] == (
        "accelsim score lenet5_digits -m exact_fp32 -m ax_fpm --attack fgsm --attack pgd "
        "--scenario transfer"
    )
    (sweep,) = (one for one in parsed.commands if one.startswith("accelsim sweep"))
    assert "--vary multiplier=exact_fp32,ax_fpm,heap" in sweep


def test_a_network_from_a_file_is_told(folders, runs, tmp_path):
    summary = runs[1].summary.assign(workload="net")
    replace(runs[1], summary=summary).save(tmp_path / "file")
    page = report([tmp_path / "file"])
    assert "give its path in place of its name" in page
    assert "cost and are worth" not in page, "a single run is drawn beside nothing"
    assert "give its path in place of its name" not in report([folders / "transfer"])


def test_the_same_folders_give_the_same_bytes(folders, page):
    names = ("sim", "transfer", "white", "sweep")
    assert report([folders / name for name in names]) == page


def test_a_folder_that_is_named_twice_counts_once(folders):
    place = folders / "sim"
    labels = [one.label for one in gather([place, place / "ax_fpm"]).runs]
    assert labels == ["exact_fp32", "ax_fpm"]


def test_accelerators_stand_side_by_side(folders, small_trace, tmp_path, parse):
    machine = accelsim.Accelerator.preset("edge_16x16").replace(**{"array.rows": 8})
    accelsim.simulate(small_trace, machine, values=False).save(tmp_path / "rows")
    parsed = parse(report([folders / "sim", tmp_path / "rows", folders / "transfer"]))
    labels = ["edge_16x16 exact_fp32", "edge_16x16 array.rows=8 exact_fp32", "edge_16x16 ax_fpm"]
    assert parsed.tables["headline"][0] == [
        *("quantity", labels[0], labels[1], "ratio", labels[2], "ratio"),
    ]
    assert parsed.tables["headline-attacks"][0] == ["quantity", "exact_fp32", "ax_fpm", "ratio"]
    differing = {row[0]: row[1:] for row in parsed.tables["fields-differing"][1:]}
    assert differing["array.rows"] == ["16", "8", "16"]


def test_names_cannot_become_markup(runs, tmp_path, parse):
    """Neither in tables nor in figures; nor are they formulas to matplotlib."""
    name = "</svg><script>alert(1)</script>\"'&$\\frac$"
    machine = runs[1].accelerator.replace(name=name)
    run = replace(
        runs[1],
        accelerator=machine,
        manifest={**runs[1].manifest, "accelerator": machine.model_dump(mode="json")},
        layers=runs[1].layers.replace("conv1", "<img src=x onerror=alert(1)>"),
        summary=runs[1].summary.assign(accelerator=name, weights="<b>"),
    )
    run.save(tmp_path / "<i>run")
    text = report([tmp_path / "<i>run"])
    body = text[text.index("<body>") :]
    assert body.count("<script") == 1
    for tag in ("<img", "<b>", "<i>", "alert(1)</script>"):
        assert tag not in body
    assert name in "".join(parse(text).words)


def test_an_energy_table_that_has_changed_is_told(folders, tmp_path, parse):
    shutil.copytree(folders / "sim", tmp_path / "sim")
    for place in (tmp_path / "sim").iterdir():
        summary = place / "summary.csv"
        summary.write_text(summary.read_text().replace(load_table("cmos45").fingerprint, "0" * 16))
    text = report([tmp_path / "sim"])
    assert f"the energy table &#39;cmos45&#39; was another ({'0' * 16}) than it is now" in text
    parsed = parse(text)
    assert "figures-0" not in parsed.tables
    assert {row[6] for row in parsed.tables["spent-0"][1:]} == {"\N{EN DASH}"}


def test_a_run_without_actions_still_has_sources(runs, tmp_path, parse):
    replace(runs[1], actions=None).save(tmp_path / "old")
    parsed = parse(report([tmp_path / "old"]))
    assert "spent-0" not in parsed.tables
    figures = {(row[0], row[1]) for row in parsed.tables["figures-0"]}
    assert {("multiplier.ax_fpm", "compute"), ("glb", "leak"), ("dram.simple", "read")} <= figures


def test_energy_of_toggles_has_its_netlist(runs, tmp_path, parse):
    machine = runs[1].accelerator.replace(**{"multiplier_energy.mode": "toggles"})
    told = {"mode": "toggles", "toggles": "functional", "circuit": "ax_fpm netlist"}
    told |= {"energy_factor": 0.696, "circuit_voltage_v": 1.1, "table_voltage_v": 0.9}
    manifest = {**runs[1].manifest, "multiplier_energy": told}
    manifest["accelerator"] = machine.model_dump(mode="json")
    replace(runs[1], accelerator=machine, manifest=manifest).save(tmp_path / "toggles")
    parsed = parse(report([tmp_path / "toggles"]))
    (figure,) = parsed.tables["figures-1"][1:]
    assert figure[5].startswith("functional toggles of ax_fpm netlist")
    assert "[" in figure[7]
    rows = {(row[0], row[1]) for row in parsed.tables["figures-0"]}
    assert ("multiplier.ax_fpm", "compute") not in rows
    assert ("multiplier.ax_fpm", "leak") in rows


def test_scores_without_outcomes_are_told(folders, tmp_path, parse):
    shutil.copytree(folders / "transfer", tmp_path / "score")
    (tmp_path / "score" / "outcomes.sqlite").unlink()
    text = report([tmp_path / "score"])
    assert "Sanity checks and paired comparisons were not run" in text
    assert "checks-0" not in parse(text).tables
    assert "headline" in parse(text).tables


def test_reading_leaves_the_folders_alone(folders):
    before = {path: path.read_bytes() for path in folders.rglob("*") if path.is_file()}
    report([folders / "transfer"])
    assert {path: path.read_bytes() for path in folders.rglob("*") if path.is_file()} == before


def test_layers_on_other_units_are_told(runs, mixed_run, tmp_path, parse):
    for name, run in {"exact": runs[0], "mixed": mixed_run}.items():
        run.save(tmp_path / name)
    page = report([tmp_path])
    parsed = parse(page)
    label = "exact_fp32, ax_fpm in conv1"
    tables = {name: rows[1:] for name, rows in parsed.tables.items()}
    units = tables["units"]
    assert [row[0] for row in units] == ["exact_fp32", f"{label}: exact_fp32", f"{label}: ax_fpm"]
    assert units[1][2] == units[0][2] != units[2][2]  # delays
    layers = tables["layers-1"]
    assert [row[2] for row in layers] == [
        "ax_fpm", "-", "exact_fp32", "-", "exact_fp32", "exact_fp32"
    ]  # fmt: skip
    assert len(tables["layers-0"][0]) == len(layers[0]) - 1
    assert "layer_multipliers.conv1" in [row[0] for row in tables["fields-differing"]]
    assert any("--set layer_multipliers.conv1=ax_fpm" in one for one in parsed.commands)


def test_toggles_of_several_units_have_their_netlists(mixed_run, tmp_path, parse):
    machine = mixed_run.accelerator.replace(**{"multiplier_energy.mode": "toggles"})
    told = {"mode": "toggles", "toggles": "functional", "circuit": "one, other"}
    told |= {"energy_factor": 0.696, "circuit_voltage_v": 1.1, "table_voltage_v": 0.9}
    told["circuits"] = {"exact_fp32": "one", "ax_fpm": "other"}
    manifest = {**mixed_run.manifest, "multiplier_energy": told}
    manifest["accelerator"] = machine.model_dump(mode="json")
    replace(mixed_run, accelerator=machine, manifest=manifest).save(tmp_path / "toggles")
    parsed = parse(report([tmp_path / "toggles"]))
    assert len(parsed.ids) == len(set(parsed.ids))
    figures = {row[0]: row[5] for row in parsed.tables["figures-1"][1:]}
    assert figures["multiplier.exact_fp32"].startswith("functional toggles of one ")
    assert figures["multiplier.ax_fpm"].startswith("functional toggles of other ")
