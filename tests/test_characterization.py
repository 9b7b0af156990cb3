"""Characterize: metrics, costs and layers of a unit in one object."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

import accelsim
from accelsim.compilation import jit
from accelsim.costs import CIRCUIT_PAIRS, cost_rows
from accelsim.energy import load_table
from accelsim.errors import ConfigError, DataError, UnknownNameError
from accelsim.formats import IntegerFormat
from accelsim.multipliers import MULTIPLIERS, IntegerMultiplier
from accelsim.quantization import Scheme


@jit
def _cleared(a, w):
    return (a & ~3) * (w & ~3)


class FakeCircuit:
    """What a circuit says of itself."""

    def delay_ps(self):
        return 700.0

    def area_um2(self):
        return 50.0

    def energy_pj(self, a, w, glitches=False):
        assert len(a) == len(w) == CIRCUIT_PAIRS
        return 0.75 if glitches else 0.25


def unit(name, **changes):
    exact = MULTIPLIERS["exact_uint8"]
    return IntegerMultiplier(
        **{
            "name": name,
            "title": "t",
            "description": "d",
            "delay_ps": None,
            "delay_source": "nobody measured it",
            "sources": ("s",),
            "operands": IntegerFormat(8, signed=False),
            "scalar": exact.scalar,
            **changes,
        }
    )


def test_costs_of_two_units_with_circuits_and_without():
    other = dataclasses.replace(MULTIPLIERS["exact_int16"], build_circuit=None)
    rows = cost_rows(unit("drawn", build_circuit=FakeCircuit), other, load_table("cmos45"))
    found = {row["cost"]: row for row in rows}
    assert np.isnan(found["delay_ps"]["value"])
    assert found["delay_ps"]["against"] == 3110
    assert found["delay_ps"]["note"] == "drawn: nobody measured it"
    assert found["energy_pj"]["note"] == "drawn: no row in cmos45"
    assert found["energy_pj"]["against"] == 0.8
    assert found["circuit_delay_ps"]["value"] == 700
    assert found["circuit_area_um2"]["value"] == 50
    assert found["circuit_energy_pj"]["value"] == 0.25
    assert found["glitch_energy_pj"]["value"] == 0.75
    assert found["circuit_area_um2"]["note"] == "exact_int16: no circuit is modeled"
    assert all(np.isnan(row["ratio"]) for row in rows)


def test_ratios_are_to_the_other_unit():
    drawn = unit("drawn", delay_ps=1000, build_circuit=FakeCircuit)
    other = unit("other", delay_ps=2000, build_circuit=FakeCircuit)
    found = {row["cost"]: row for row in cost_rows(drawn, other, load_table("cmos45"))}
    assert found["delay_ps"]["ratio"] == 0.5
    assert found["circuit_area_um2"]["ratio"] == 1
    assert found["circuit_area_um2"]["note"] == "gate netlists, NanGate 45 nm cells at 1.1 V"
    assert found["energy_pj"]["note"] == "drawn, other: no row in cmos45"


def test_the_whole_of_a_float_unit(small_trace, tmp_path):
    seen = []
    found = accelsim.characterize(
        "ax_fpm", pairs=20_000, workload=small_trace, progress=lambda *done: seen.append(done)
    )
    assert (found.unit, found.against, found.exhaustive) == ("ax_fpm", "exact_fp32", False)
    assert repr(found).startswith("<Characterization of ax_fpm over 20,000 pairs, uniform")
    assert found.value("mred") == pytest.approx(0.411, abs=0.01)
    assert [what for *_, what in seen] == ["products", "conv1", "conv2", "linear1", "linear2"]
    stored = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert stored["workload"] == "lenet5_digits"
    assert found.save(tmp_path / "u") == tmp_path / "u"
    assert (tmp_path / "u" / "metrics.csv").exists()


def test_layers_are_weighted_by_their_products(small_trace):
    layers = accelsim.characterize("ax_fpm", pairs=20_000, workload=small_trace).layers
    rows, whole = layers.iloc[:-1], layers.iloc[-1]
    assert whole["layer"] == "all"
    assert whole["macs"] == small_trace.macs
    share = rows["macs"] / rows["macs"].sum()
    for name in ("error_rate", "exact_zero", "inflated", "med", "mean_error"):
        assert whole[name] == pytest.approx((share * rows[name]).sum())
    # Relative errors: only products other than zero count.
    share = rows["macs"] * (1 - rows["exact_zero"])
    share /= share.sum()
    for name in ("mred", "bias"):
        assert whole[name] == pytest.approx((share * rows[name]).sum())
        assert rows[f"{name}_low"].min() < whole[f"{name}_low"] < whole[name]
        # A sample of all layers is surer than that of the largest alone.
        largest = rows.loc[rows["macs"].idxmax()]
        width, widest = (line[f"{name}_high"] - line[f"{name}_low"] for line in (whole, largest))
        assert 0.5 * widest < width < 1.01 * widest
    # Zeros of ReLU and padding give zero, which is right.
    assert (rows["error_rate"] <= 1 - rows["exact_zero"]).all()
    # Pooled standard deviation: the spread within layers and between them.
    second = rows["relative_error_std"] ** 2 + (rows["bias"] - whole["bias"]) ** 2
    assert whole["relative_error_std"] ** 2 == pytest.approx((share * second).sum())


def test_layers_of_a_unit_of_integers_are_quantized():
    """The clearing unit loses most where operands are small, as they are in a layer."""
    operands = MULTIPLIERS["exact_int8"].operands
    cleared = unit("cleared", operands=operands, scalar=_cleared)
    found = accelsim.characterize(cleared, pairs=20_000, workload="lenet5_digits", images=2)
    assert found.manifest["calibration"].startswith("minmax over")
    assert (found.layers["error_rate"] > 0.1).all()
    assert found.layers["mred"].iloc[-1] > found.value("mred")
    exact = accelsim.characterize("exact_int8", pairs=1000, workload="lenet5_digits", images=1)
    assert not exact.layers[["error_rate", "mred", "med"]].any(axis=None)


def test_the_scheme_says_how_layers_are_quantized():
    settings = {"pairs": 2000, "workload": "lenet5_digits", "images": 1}
    usual, same, other = (
        accelsim.characterize("truncated2_s8", scheme=scheme, **settings)
        for scheme in (None, Scheme(), Scheme("affine", "affine", per_channel=False))
    )
    assert usual.manifest == same.manifest
    assert usual.layers.equals(same.layers)
    assert other.manifest["quantization"] == {
        "activations": "affine",
        "weights": "affine",
        "per_channel": False,
    }
    assert not usual.layers["med"].equals(other.layers["med"])
    assert accelsim.characterize("ax_fpm", **settings).manifest["quantization"] is None


def test_the_manifest_tells_unit_files_of_one_name_apart():
    one, other = (
        accelsim.import_multiplier(
            lambda a, w, cut=cut: a * w & ~cut,
            name="cut", bits=2, signed=False, operand_order="activation,weight",
        )
        for cut in (1, 3)
    )  # fmt: skip
    manifests = [accelsim.characterize(unit).manifest for unit in (one, other)]
    assert [found["unit_files"] for found in manifests] == [
        {"cut": one.fingerprint},
        {"cut": other.fingerprint},
    ]
    assert manifests[0] != manifests[1]


def test_given_operands_are_measured_instead():
    found = accelsim.characterize("exact_int8", operands=([1, 2, 3], [4, 5, 6]))
    assert found.operands == "3 given pairs"
    assert found.manifest["distribution"] == "given"
    with pytest.raises(DataError, match="weight must lie in"):
        accelsim.characterize("exact_int8", operands=([1], [400]))


def test_rejects_what_cannot_be_measured(small_trace):
    with pytest.raises(UnknownNameError, match="Did you mean 'ax_fpm'"):
        accelsim.characterize("ax_fmp")
    with pytest.raises(UnknownNameError, match="Did you mean 'lenet5_digits'"):
        accelsim.characterize("ax_fpm", workload="lenet5_digit")
    with pytest.raises(UnknownNameError, match="Did you mean 'cmos45'"):
        accelsim.characterize("ax_fpm", energy_table="cmos54")
    with pytest.raises(ConfigError, match="exact_int8 takes integers and ax_fpm floats"):
        accelsim.characterize("exact_int8", against="ax_fpm")
    with pytest.raises(DataError, match="'conv1': multiplier 'exact_int8' takes int8.*calibrate"):
        accelsim.characterize("exact_int8", workload=small_trace)
    with pytest.raises(ConfigError, match="pairs must be an int >= 1000"):
        accelsim.characterize("ax_fpm", pairs=10)
