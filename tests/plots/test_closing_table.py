"""Tests of plots/closing_table.py: what is joined, and from where."""

from __future__ import annotations

import pandas as pd
import pytest

import accelsim
from accelsim.errors import DataError
from accelsim.robustness.study import outcomes_in

NAME = "lenet5_digits"


def test_every_unit_has_its_row(kept, script, tmp_path, capsys):
    """Accuracy of the whole test set, worst case per image, and the simulator's own numbers."""
    script("closing_table", NAME, "--folder", kept, "--out", tmp_path).main()
    table = pd.read_csv(tmp_path / f"closing_{NAME}.csv").set_index("unit")
    assert list(table.index) == ["exact_fp32", "ax_fpm", "weights_po2"]
    assert table["images"].tolist() == [360, 360, 12]
    assert (table["epsilon"] == 0.2).all()
    outcomes = outcomes_in(kept)
    model, images, _ = accelsim.load_workload(NAME, limit=1)
    for unit, row in table.iterrows():
        own = outcomes[(outcomes["target"] == unit) & (outcomes["attack"] == "fgsm")]
        own = own[own["source"].isin(["torch", unit, f"proxy of {unit}"])]
        fooled = own.groupby("image")["target_fooled"].any()
        assert row["robust_accuracy"] == pytest.approx(1 - fooled.mean(), abs=1e-6)
        # A control has no circuit, so no adaptive attacker, and no column of attacks compares it.
        alike = row[["robust_alike", "robust_fgsm"]]
        assert alike.isna().all() if unit == "weights_po2" else alike.notna().all()
        if unit != "weights_po2":
            assert row["robust_accuracy"] == row["robust_fgsm"]
        low, high = row["robust_accuracy_low"], row["robust_accuracy_high"]
        assert low < row["robust_accuracy"] < high or fooled.all()
        transfer = own[own["scenario"] == "transfer"]["target_fooled"].mean()
        assert row["robust_transfer"] == pytest.approx(1 - transfer, abs=1e-6)
        if unit == "weights_po2":  # no unit, so that it costs nothing that we know
            assert row[["latency_ns", "energy_pj"]].isna().all()
            continue
        machine = accelsim.Accelerator.preset("edge_16x16").replace(
            multiplier=unit, clock_mhz="auto"
        )
        found = accelsim.simulate(accelsim.trace(model, images), machine, values=False).summary
        assert row["latency_ns"] == pytest.approx(1000 * found["latency_us"].item())
        assert row["energy_pj"] == pytest.approx(1e6 * found["energy_uj"].item())
    assert (tmp_path / f"closing_{NAME}.png").read_bytes().startswith(b"\x89PNG")
    text = (tmp_path / f"closing_{NAME}.md").read_text()
    assert capsys.readouterr().out == text
    head, rule, first, *_ = text.splitlines()
    assert head == (
        "| unit | accuracy (%) | images | robust, worst case (%) | "
        "robust, what every unit met (%) | robust, transfer that every row met (%) | "
        "fgsm | median L2, all | median L2, what every unit met | latency (us) | energy (uJ) |"
    )
    assert rule.count("|") == head.count("|") == first.count("|")
    assert first.startswith("| `exact_fp32` | 97.2 |")
    assert text.endswith("weights_po2: a control, no unit, so that no machine can be built.\n")
    same = "Accuracy over 360 images (exact_fp32, ax_fpm); 12 images (weights_po2): compare none"
    assert same in text
    assert f"{NAME}, weights {table['weights'].iloc[0]}, on edge_16x16" in text


def test_what_an_attacker_of_a_unit_tried(script):
    """Not noise, other scales, other judges, nor what a proxy of another unit made."""
    rows = [
        ("torch", "ax_fpm", "pgd", 1.0),
        ("proxy of ax_fpm", "ax_fpm", "pgd", 1.0),
        ("proxy of drum4_s8", "ax_fpm", "pgd", 1.0),
        ("torch", "exact_fp32", "pgd", 1.0),
        ("torch", "ax_fpm", "noise", 1.0),
        ("torch", "ax_fpm", "pgd", 1.5),
    ]
    table = pd.DataFrame(rows, columns=["source", "target", "attack", "scale"])
    assert list(script("closing_table", NAME).attempts(table, "ax_fpm").index) == [0, 1]


def test_accuracy_is_of_the_attacked_images_where_no_other_is_known(kept, script, tmp_path):
    closing = script("closing_table", NAME)
    outcomes = outcomes_in(kept)
    found = closing.accuracy(outcomes, "ax_fpm", NAME, tmp_path / "other.pt")
    right = outcomes[outcomes["target"] == "ax_fpm"].groupby("image")["target_right"].first()
    assert (found["images"], found["accuracy"]) == (12, right.mean())


def test_a_unit_without_a_delay_has_no_machine(script):
    closing = script("closing_table", NAME)
    model, images, _ = accelsim.load_workload(NAME, limit=1)
    machine = accelsim.Accelerator.preset("edge_16x16")
    trace = accelsim.trace(model, images)
    row = closing.cost(trace, "drum4_s8", machine)
    assert row == {"note": "no delay is known, so that no machine can be built"}
    rows = [
        {"unit": "drum4_s8", "workload": NAME, "accelerator": "edge_16x16", "clock": "auto"}
        | {"weights": "0", "images": 7, "epsilon": 0.1, "robust_images": 9, "accuracy": 0.5}
        | {"latency_ns": float("nan")} | row
    ]  # fmt: skip
    assert "| `drum4_s8` | 50.0 | 9 | - |" in closing.markdown(pd.DataFrame(rows))
    assert "Accuracy over 7 images.\n" in closing.markdown(pd.DataFrame(rows))
    assert closing.markdown(pd.DataFrame(rows)).endswith(f"drum4_s8: {row['note']}.\n")


def test_rejects_a_machine_whose_networks_were_not_judged(script):
    closing = script("closing_table", NAME)
    model, images, _ = accelsim.load_workload(NAME, limit=1)
    machine = accelsim.Accelerator.preset("eyeriss_168")
    with pytest.raises(DataError, match="accelerator 'eyeriss_168' adds products in an order of"):
        closing.cost(accelsim.trace(model, images), "ax_fpm", machine)


def test_a_unit_that_met_no_such_attack_keeps_its_row(kept, script):
    """A control that met attacks for the minimum alone has no robust accuracy, but a distance."""
    closing = script("closing_table", NAME)
    outcomes = outcomes_in(kept)
    of = outcomes["target"] == "weights_po2"
    met = outcomes[~of | (outcomes["attack"] == "deepfool")]
    units = ["ax_fpm", "weights_po2"]
    unit, control = closing.robustness(met, units, 0.2).values()
    assert control.pop("note") == "met no attack at a linf epsilon of 0.2, but at none"
    whole = closing.robustness(outcomes, units, 0.2)
    assert unit == whole["ax_fpm"]
    smallest = ("median_l2", "median_l2_alike", "l2_images")
    assert control == {name: whole["weights_po2"][name] for name in smallest}


def test_all_rows_are_over_the_same_images(kept, script):
    """One attack on one unit was made on a third of the images: so all columns of all units are."""
    closing = script("closing_table", NAME)
    outcomes = outcomes_in(kept)
    few = sorted(outcomes["image"].unique())[:4]
    for attack, counts in {"fgsm": (4, 12), "deepfool": (12, 4)}.items():
        of = (outcomes["target"] == "ax_fpm") & (outcomes["attack"] == attack)
        of &= outcomes["scenario"] == "white_box"
        assert of.any()
        met = outcomes[~of | outcomes["image"].isin(few)]
        found = closing.robustness(met, ["exact_fp32", "ax_fpm"], 0.2)
        alone = closing.robustness(outcomes[outcomes["image"].isin(few)], ["exact_fp32"], 0.2)
        rows = [(row["robust_images"], row["l2_images"]) for row in found.values()]
        assert rows == [counts, counts]
        same = "robust_accuracy" if attack == "fgsm" else "median_l2"
        assert found["exact_fp32"][same] == alone["exact_fp32"][same]


def test_what_every_unit_met_compares_them(kept, script):
    """An attack that only one met makes its worst case worse, and nothing else."""
    closing = script("closing_table", NAME)
    outcomes = outcomes_in(kept)
    units = ["exact_fp32", "ax_fpm", "weights_po2"]
    of = (outcomes["target"] == "ax_fpm") & (outcomes["attack"] == "fgsm")
    first = outcomes.index[of & (outcomes["image"] == 0)]
    outcomes.loc[first, ["target_fooled", "margin_attacked"]] = False, 1.0
    more = outcomes[of & (outcomes["source"] == "ax_fpm")]
    more = more.assign(settings='{"more": 1}', target_fooled=True, margin_attacked=-1.0)
    of = (outcomes["target"] == "ax_fpm") & (outcomes["source"] == "ax_fpm")
    near = outcomes[of & (outcomes["norm"] == "l2")].assign(settings='{"more": 1}', l2=0.01)
    tried = pd.concat([outcomes, more, near])
    exact, unit, control = closing.robustness(tried, units, 0.2).values()
    plain = closing.robustness(outcomes, units, 0.2)
    assert unit["robust_accuracy"] == 0 < plain["ax_fpm"]["robust_accuracy"]
    assert unit["median_l2"] == 0.01 < plain["ax_fpm"]["median_l2"]
    for same in ("robust_alike", "robust_transfer", "robust_fgsm", "median_l2_alike"):
        assert unit[same] == plain["ax_fpm"][same]
    assert exact == plain["exact_fp32"]
    assert exact["robust_alike"] == exact["robust_accuracy"]
    # No circuit, so no adaptive attacker, and less that it met.
    assert "robust_alike" not in control


def test_rejects_units_that_were_attacked_on_other_images(kept, script):
    closing = script("closing_table", NAME)
    outcomes = outcomes_in(kept)
    other = (outcomes["target"] == "ax_fpm") == (outcomes["image"] < 6)
    message = "exact_fp32, ax_fpm met the attacks on no image in common; attack the same images"
    with pytest.raises(DataError, match=message):
        closing.robustness(outcomes[other], ["exact_fp32", "ax_fpm"], 0.2)


def test_its_cells_are_empty(kept, script, tmp_path, monkeypatch, capsys):
    closing = script("closing_table", NAME, "--folder", kept, "--out", tmp_path)
    outcomes = outcomes_in(kept)
    fgsm = (outcomes["target"] == "weights_po2") & (outcomes["attack"] == "fgsm")
    monkeypatch.setattr(closing, "outcomes_in", lambda folder: outcomes[~fgsm])
    closing.main()
    text = capsys.readouterr().out
    assert "| `weights_po2` | 100.0 | - | - | - | - | - |" in text
    assert text.endswith(
        "weights_po2: met no attack at a linf epsilon of 0.2, but at none; a control, no unit, so "
        "that no machine can be built.\n"
    )
    table = pd.read_csv(tmp_path / f"closing_{NAME}.csv")
    assert table["robust_images"].tolist()[:2] == [12, 12]


def test_rejects_an_epsilon_that_nobody_tried(kept, script, tmp_path):
    closing = script("closing_table", NAME, "--folder", kept, "--out", tmp_path, "--epsilon", 0.3)
    with pytest.raises(
        DataError, match="exact_fp32 met no attack at a linf epsilon of 0.3, but at 0.2; ax_fpm"
    ):
        closing.main()
