"""Machines whose layers run on different units, against machines of one unit each."""

import pickle

import numpy as np
import pytest
import torch

import accelsim
from accelsim.clock import clock_mhz_of
from accelsim.energy import load_table
from accelsim.energy.account import instances, static_powers
from accelsim.errors import ConfigError, DataError, UnknownNameError
from accelsim.kernels.network import run_trace
from accelsim.layer_units import by_unit, of_any_unit, unit_label
from accelsim.machine import LayerMemo, machine_key
from accelsim.machine.program import possible_actions
from accelsim.quantization import scheme_of

EDGE = accelsim.Accelerator.preset("edge_16x16")
UNITS = {"conv1": "ax_fpm", "linear1": "exact_int8"}
MIXED = EDGE.replace(layer_multipliers=UNITS)


@pytest.fixture(scope="module")
def network():
    model, images, _ = accelsim.load_workload("lenet5_digits", limit=2)
    return model, images, accelsim.nn.calibrate(model, images)


@pytest.fixture(scope="module")
def trace(network):
    model, images, calibration = network
    return accelsim.trace(model, images, name="lenet5_digits", calibration=calibration)


@pytest.fixture(scope="module")
def timed(trace):
    """A run without values on the machine of each unit alone, and on the mixed one."""
    machines = {**{unit: EDGE.replace(multiplier=unit) for unit in MIXED.units}, "mixed": MIXED}
    return {
        name: accelsim.simulate(trace, machine, values=False) for name, machine in machines.items()
    }


@pytest.mark.parametrize("preset", ["edge_16x16", "eyeriss_168"])
def test_bits_are_those_of_the_torch_module_and_of_the_kernels(network, trace, preset):
    """One image runs on the machine, the other by the units alone; floats and integers mixed."""
    model, images, calibration = network
    machine = accelsim.Accelerator.preset(preset).replace(
        multiplier="exact_fp32", accumulator="auto", layer_multipliers=UNITS
    )
    orders = accelsim.accumulation_orders(trace, machine)
    units = accelsim.layer_multipliers(trace, machine)
    assert units == ("ax_fpm", "exact_fp32", "exact_int8", "exact_fp32")
    net = accelsim.nn.approximate(
        model, multiplier=units, calibration=calibration, orders=orders, gradient="none"
    )
    logits = net(torch.from_numpy(images)).numpy()
    run = accelsim.simulate(trace, machine, images=1)
    assert run.outputs.tobytes() == logits.tobytes()
    bits = run_trace(trace, machine.unit_of, "auto", scheme_of(machine), orders)
    assert bits.tobytes() == logits.tobytes()
    for unit in machine.units:  # and of no machine of one unit
        alone = run_trace(trace, unit, "auto", scheme_of(machine), orders)
        assert alone.tobytes() != logits.tobytes()


def test_layers_take_the_cycles_and_counts_of_machines_of_their_unit(timed):
    """Energy, too, but for the leakage, which is of all units in every layer."""
    mixed = timed["mixed"].layers.set_index("layer")
    assert dict(mixed["multiplier"]) == {
        **UNITS, "conv2": "exact_fp32", "linear2": "exact_fp32", "pool1": "-", "pool2": "-",
    }  # fmt: skip
    for layer, row in mixed.iterrows():
        alone = timed[MIXED.unit_of(layer)].layers.set_index("layer").loc[layer]
        same = [name for name in alone.index if "leakage" not in name and name != "energy_pj"]
        assert row[same].equals(alone[same]), layer
        assert row["energy_leakage_pj"] > alone["energy_leakage_pj"]
    summary = timed["mixed"].summary.iloc[0]
    assert summary["latency_cycles"] == mixed["total_cycles"].sum()
    assert summary["layer_multipliers"] == "conv1=ax_fpm linear1=exact_int8"
    assert summary["multiplier"] == "exact_fp32"
    assert "layer_multipliers" not in timed["exact_fp32"].summary


def test_all_units_leak_in_all_layers():
    """The mixed machine has what each other one has, and nothing twice."""
    alone = [instances(EDGE.replace(multiplier=unit)) for unit in MIXED.units]
    assert instances(MIXED) == alone[0] | alone[1] | alone[2]
    assert instances(MIXED)["accumulator.int32"] == instances(MIXED)["multiplier.ax_fpm"] == 256
    table = load_table(EDGE.energy_table)
    powers = [static_powers(EDGE.replace(multiplier=unit), table) for unit in MIXED.units]
    assert static_powers(MIXED, table) == powers[0] | powers[1] | powers[2]
    possible = [set(possible_actions(EDGE.replace(multiplier=unit))) for unit in MIXED.units]
    assert set(possible_actions(MIXED)) == possible[0] | possible[1] | possible[2]


def test_registers_hold_the_widest_psum():
    wide = EDGE.replace(layer_multipliers={"conv1": "exact_int16"})  # int64
    assert instances(wide)["rf"] == 256 * (2 + 2)
    assert instances(EDGE)["rf"] == 256 * (2 + 1)


def test_a_layer_is_added_up_in_the_order_of_its_unit(trace):
    """In the rs dataflow psums of 64 bits leave room for fewer, which changes linear1's mapping."""
    machine = accelsim.Accelerator.preset("eyeriss_168")
    exact, wide = (
        accelsim.accumulation_orders(trace, machine.replace(multiplier=unit, accumulator="auto"))
        for unit in ("exact_fp32", "exact_int16")
    )
    mixed = machine.replace(
        multiplier="exact_fp32", accumulator="auto", layer_multipliers={"linear1": "exact_int16"}
    )
    sizes = [one.sizes.tolist() for one in accelsim.accumulation_orders(trace, mixed)]
    assert sizes == [one.sizes.tolist() for one in (*exact[:2], wide[2], exact[3])]
    assert exact[2].sizes.tolist() != wide[2].sizes.tolist()


@pytest.mark.parametrize("base", UNITS.values())
def test_an_automatic_clock_is_that_of_the_slowest_unit(trace, base):
    machine = EDGE.replace(
        clock_mhz="auto", multiplier=base, layer_multipliers={**UNITS, "conv2": "exact_fp32"}
    )
    alone = {unit: machine.replace(multiplier=unit, layer_multipliers={}) for unit in MIXED.units}
    clocks = {unit: clock_mhz_of(one) for unit, one in alone.items()}
    assert clock_mhz_of(machine) == min(clocks.values()) < max(clocks.values())
    assert {clock_mhz_of(one) for one in by_unit(machine).values()} == {clock_mhz_of(machine)}
    assert set(by_unit(machine)) == set(MIXED.units)
    run = accelsim.simulate(trace, machine, values=False)
    slowest = min(clocks, key=clocks.get)
    at_its_clock = alone[slowest].replace(clock_mhz=clocks[slowest], multiplier="ax_fpm")
    uniform = accelsim.simulate(trace, at_its_clock, values=False)
    assert run.layers["total_cycles"][0] == uniform.layers["total_cycles"][0]  # conv1


def test_a_memo_keeps_layers_of_different_units_apart(trace, timed):
    alone = {unit: EDGE.replace(multiplier=unit) for unit in ("exact_fp32", "ax_fpm")}
    for machines in ({"mixed": MIXED, **alone}, {**alone, "mixed": MIXED}):
        memo = LayerMemo()
        for name, machine in machines.items():
            run = accelsim.simulate(trace, machine, values=False, memo=memo)
            assert run.layers.equals(timed[name].layers)
            assert run.actions.equals(timed[name].actions)
        assert memo.hits >= 5  # conv1 by one unit, conv2, linear2 by the other; pools thrice
    other = EDGE.replace(layer_multipliers={"conv2": "ax_fpm", "linear1": "exact_int8"})
    assert len({machine_key(one) for one in (MIXED, other, EDGE)}) == 3
    assert machine_key(MIXED) == machine_key(MIXED.replace(name="other"))


@pytest.mark.parametrize("mode", ["zero_gated", "toggles"])
def test_operands_of_a_layer_reach_its_unit_alone(mode):
    """A layer's multipliers take what they take in a network of that layer, on its unit.

    What another unit multiplies in the layer before leaves no operands at their ports.
    """
    torch.manual_seed(0)
    parts, units = [torch.nn.Linear(12, 8), torch.nn.Linear(8, 4)], ("exact_fp32", "ax_fpm")
    images = np.random.default_rng(0).normal(size=(3, 12)).clip(0).astype(np.float32)
    with torch.no_grad():
        between = accelsim.nn.approximate(parts[0], multiplier=units[0])(torch.from_numpy(images))
    machine = EDGE.replace(**{"multiplier_energy.mode": mode})
    whole = accelsim.trace(torch.nn.Sequential(*parts), images)
    mixed = accelsim.simulate(whole, machine.replace(**{"layer_multipliers.1": units[1]}))
    alone = [
        accelsim.simulate(accelsim.trace(part, given), machine.replace(multiplier=unit))
        for part, given, unit in zip(parts, (images, between.numpy()), units, strict=True)
    ]
    expected = [run.layers["energy_multiplier_pj"][0] for run in alone]
    assert list(mixed.layers["energy_multiplier_pj"]) == expected
    if mode == "zero_gated":
        assert mixed.layers["gated_macs"][0] > 0
    else:
        assert mixed.manifest["multiplier_energy"]["circuit"] == ", ".join(
            accelsim.MULTIPLIERS[unit].circuit.name for unit in units
        )


def test_a_machine_whose_layers_name_its_own_unit_computes_the_same(trace):
    same = EDGE.replace(layer_multipliers={"conv1": "exact_fp32"})
    runs = [accelsim.simulate(trace, machine, values=False) for machine in (EDGE, same)]
    layers = [run.layers.drop(columns="multiplier", errors="ignore") for run in runs]
    assert layers[0].equals(layers[1])
    assert unit_label(same) == "exact_fp32"


def test_labels_name_the_units():
    assert unit_label(EDGE) == "exact_fp32"
    assert unit_label(MIXED) == "exact_fp32, ax_fpm in conv1, exact_int8 in linear1"
    many = EDGE.replace(layer_multipliers={f"conv{number}": "ax_fpm" for number in range(9)})
    assert unit_label(many) == "exact_fp32, ax_fpm in 9 layers"
    assert of_any_unit(many) == of_any_unit(EDGE.replace(multiplier="ax_fpm"))


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("conv", r"layer_multipliers\.conv=ax_fpm: 'conv' is none of the network's layers; "
                 r"lenet5_digits has products in: conv1, conv2, .*Did you mean 'conv[12]'\?"),
        ("pool1", "'pool1' has no products; lenet5_digits has products in: conv1, conv2, linear1"),
    ],
)  # fmt: skip
def test_rejects_layers_without_products(trace, layer, message):
    machine = EDGE.replace(**{f"layer_multipliers.{layer}": "ax_fpm"})
    for call in (accelsim.simulate, accelsim.accumulation_orders, accelsim.layer_multipliers):
        with pytest.raises(ConfigError, match=message):
            call(trace, machine)


def test_rejects_units_that_cannot_share_a_pe(trace, small_trace, monkeypatch):
    with pytest.raises(UnknownNameError, match="no multiplier named 'ax_fmp'"):
        accelsim.simulate(trace, EDGE.replace(layer_multipliers={"conv1": "ax_fmp"}))
    adding = MIXED.replace(accumulator="float32")
    with pytest.raises(ConfigError, match="layer 'linear1': accumulator 'float32' adds floats, bu"):
        accelsim.simulate(trace, adding)
    with pytest.raises(DataError, match="layer 'linear1': multiplier 'exact_int8' takes int8, so"):
        accelsim.simulate(small_trace, MIXED)  # which is not calibrated
    with pytest.raises(ConfigError, match="'exact_int2' has no known delay, so it cannot be one"):
        accelsim.simulate(trace, EDGE.replace(layer_multipliers={"conv1": "exact_int2"}))
    known = accelsim.MULTIPLIERS["ax_fpm"]
    monkeypatch.setattr("accelsim.layer_units.MULTIPLIERS", {"one": known, "other": known})
    twins = EDGE.replace(multiplier="one", layer_multipliers={"conv1": "other"})
    with pytest.raises(ConfigError, match="'one' and 'other' are both called 'ax_fpm', so their"):
        by_unit(twins)


def test_rejects_units_of_another_network(network):
    model, images, _ = network
    x = torch.from_numpy(images)
    with pytest.raises(DataError, match="layer 'linear2' is called as number 4, but there are mu"):
        accelsim.nn.approximate(model, multiplier=["ax_fpm"] * 3)(x)
    with pytest.raises(DataError, match="called 4 convolutions.* but there are 5 multipliers"):
        accelsim.nn.approximate(model, multiplier=["ax_fpm"] * 5)(x)
    with pytest.raises(ConfigError, match="multiplier must be a name, or a list of one for each"):
        accelsim.nn.approximate(model, multiplier={"conv1": "ax_fpm"})
    with pytest.raises(ConfigError, match="'exact_int8' takes int8, so the ranges of the activati"):
        accelsim.nn.approximate(model, multiplier=["ax_fpm", "exact_int8"])


@pytest.mark.parametrize("gradient", ["exact", "effective"])
def test_gradients_go_through_each_layers_unit(gradient):
    """Of two layers the gradient of the first's input is that of units one by one, chained."""
    torch.manual_seed(0)
    parts = [torch.nn.Linear(6, 5), torch.nn.Linear(5, 3)]
    images = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
    whole, units = torch.nn.Sequential(*parts), ["mitchell_fp32", "drum5_s8"]
    ranges = accelsim.nn.calibrate(whole, images)
    own = [
        type(ranges)(ranges.ranges[index : index + 1], samples=ranges.samples[index : index + 1])
        for index in range(2)
    ]
    net = accelsim.nn.approximate(whole, multiplier=units, gradient=gradient, calibration=ranges)
    chained = torch.nn.Sequential(*(
        accelsim.nn.approximate(part, multiplier=unit, gradient=gradient, calibration=one)
        for part, unit, one in zip(parts, units, own, strict=True)
    ))  # fmt: skip
    found = []
    for one in (net, chained):
        x = torch.from_numpy(images).requires_grad_()
        one(x).square().sum().backward()
        found.append(x.grad)
    assert torch.equal(*found)
    again = pickle.loads(pickle.dumps(net))(torch.from_numpy(images))
    assert torch.equal(again, net(torch.from_numpy(images)))
    assert [net.multiplier_of(call) for call in range(2)] == units
    assert net.integers is not None
