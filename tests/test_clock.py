"""`accelsim.clock`: the clock and the delays that it is derived from."""

from __future__ import annotations

import pytest

import accelsim
from accelsim.clock import clock_mhz_of, delays_ps_of
from accelsim.config import Accelerator
from accelsim.errors import ConfigError
from accelsim.machine.array import pe_timing

MACHINE = Accelerator.preset("edge_16x16").replace(multiplier="ax_fpm")
OWN = accelsim.MULTIPLIERS["ax_fpm"].delay_ps, accelsim.ACCUMULATORS["float32"].delay_ps


def test_delays_are_the_units_own_unless_configured():
    assert delays_ps_of(MACHINE) == OWN
    other = MACHINE.replace(**{"array.multiplier_delay_ps": 1155})
    assert delays_ps_of(other) == (1155, OWN[1])
    assert delays_ps_of(other.replace(**{"array.adder_delay_ps": 900.5})) == (1155, 900.5)


def test_the_own_clock_follows_the_longer_delay():
    fast = MACHINE.replace(
        **{"clock_mhz": "auto", "array.multiplier_delay_ps": 1250, "array.adder_delay_ps": 1000}
    )
    assert clock_mhz_of(fast) == 800
    assert clock_mhz_of(fast.replace(**{"array.adder_delay_ps": 2000})) == 500


def test_cycles_follow_configured_delays():
    slow = MACHINE.replace(
        **{"clock_mhz": 1000, "array.multiplier_delay_ps": 2001, "array.adder_delay_ps": 999}
    )
    timing = pe_timing(slow)
    assert (timing.multiply_cycles, timing.add_cycles) == (3, 1)


def test_a_unit_whose_delay_is_not_known_takes_a_configured_one():
    name = next(name for name, unit in accelsim.MULTIPLIERS.items() if unit.delay_ps is None)
    machine = MACHINE.replace(multiplier=name)
    with pytest.raises(ConfigError, match=r"has no known delay .*set array\.multiplier_delay_ps"):
        pe_timing(machine)
    assert delays_ps_of(machine.replace(**{"array.multiplier_delay_ps": 700}))[0] == 700


@pytest.mark.parametrize("field", ["multiplier_delay_ps", "adder_delay_ps"])
@pytest.mark.parametrize("value", [0, -1.0, float("inf"), "fast"])
def test_refuses_a_delay_that_is_none(field, value):
    with pytest.raises(ConfigError, match=field):
        MACHINE.replace(**{f"array.{field}": value})
