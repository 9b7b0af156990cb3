"""Circuit: formats at the ports, streams of operands, messages."""

import numpy as np
import pytest

from accelsim.circuits import Builder, Circuit, FloatPorts, IntegerPorts, integer_circuit, timing
from accelsim.errors import CircuitError, DataError
from accelsim.formats import IntegerFormat


def test_operands_broadcast():
    circuit = integer_circuit(4, True)
    assert circuit.product(np.arange(-3, 3)[:, None], [1, -2]).tolist() == [
        [a, -2 * a] for a in range(-3, 3)
    ]
    assert circuit.product(-8, -8).shape == ()
    assert circuit.product(np.zeros((0, 3), int), 1).shape == (0, 3)


def test_bfloat16_ports_round_to_nearest_even():
    ports = FloatPorts(16)
    values = np.array([1.0, 1.00390625, 1.01171875, -3.4e38, np.inf, np.nan, 0.0], np.float32)
    got = ports.decode(ports.encode(values, "x"), 16)
    np.testing.assert_array_equal(got, np.float32([1, 1, 1.015625, -np.inf, np.inf, np.nan, 0]))
    quiet = np.uint32(0x7F800001).view(np.float32)  # cut off, its fraction would be infinity's
    assert np.isnan(ports.decode(ports.encode(quiet, "x"), 16))


def test_energy_is_toggles_times_their_energies_per_transition():
    circuit = integer_circuit(4, False)
    a, w = np.random.default_rng(0).integers(0, 16, (2, 100))
    for glitches in (False, True):
        spent = circuit.toggles(a, w, glitches) @ timing.toggle_energies_fj(circuit.netlist)
        assert circuit.energy_pj(a, w, glitches) == pytest.approx(spent / 99 / 1000)


def test_a_stationary_operand_costs_less():
    circuit = integer_circuit(8, False)
    a, w = np.random.default_rng(0).integers(0, 256, (2, 1000))
    assert circuit.energy_pj(a, w[0]) < circuit.energy_pj(a, w)


def test_rejects_operands():
    circuit = integer_circuit(4, False, name="four")
    with pytest.raises(DataError, match=r"circuit four: activation must lie in 0\.\.15"):
        circuit.product(16, 1)
    with pytest.raises(DataError, match="circuit four: weight must be of an integer dtype"):
        circuit.product(1, 1.5)
    with pytest.raises(DataError, match=r"circuit four: activations of shape \(2,\) do not bro"):
        circuit.product([1, 2], [1, 2, 3])
    with pytest.raises(CircuitError, match="give at least 2, got 1"):
        circuit.energy_pj(1, 1)


def test_rejects_ports_of_another_name():
    builder = Builder()
    builder.output("p", builder.gate("AND2", *builder.input("x", 2)))
    with pytest.raises(CircuitError, match="must have the input ports a, w and the output port p"):
        Circuit("and", builder.finish(), IntegerPorts(IntegerFormat(2, signed=False)))
