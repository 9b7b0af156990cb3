"""The clock of a machine: a fixed one, or the fastest at which its units take one cycle."""

from __future__ import annotations

from accelsim.accumulators import accumulator_of
from accelsim.config import Accelerator
from accelsim.errors import ConfigError
from accelsim.multipliers import MULTIPLIERS

__all__ = ["clock_mhz_of", "delays_ps_of", "period_ns_of"]


def delays_ps_of(accelerator: Accelerator) -> tuple[float, float]:
    """Return the delays of a product and of an addition, in ps: as configured, else the units' own.

    Of a machine with `layer_multipliers` those of `multiplier`, in the layers that are not named.

    Raises
    ------
    ConfigError
        The multiplier's delay is not known.
    """
    multiplier, array = MULTIPLIERS[accelerator.multiplier], accelerator.array
    product = array.multiplier_delay_ps or multiplier.delay_ps
    if product is None:
        raise ConfigError(
            f"multiplier {multiplier.name!r} has no known delay ({multiplier.delay_source}), so no "
            "machine can be built with it; set array.multiplier_delay_ps, or use "
            "accelsim.nn.approximate or characterize, which need none"
        )
    accumulator = accumulator_of(multiplier, accelerator.accumulator)
    return product, array.adder_delay_ps or accumulator.delay_ps


def clock_mhz_of(accelerator: Accelerator) -> float:
    """Return the clock in MHz.

    ``clock_mhz: auto`` is 1 / the longer of the delays of multiplier and accumulator: each then
    takes one cycle, so that machines with different units run at clocks of their own. A machine
    with several units has the clock of its slowest one in all layers. Everything that is given in
    cycles (the simple DRAM's latency and bandwidth, the vector unit) then keeps its cycles, not its
    nanoseconds.

    Raises
    ------
    ConfigError
        The clock is ``auto`` and a multiplier's delay is not known.

    Examples
    --------
    >>> machine = Accelerator.preset("edge_16x16").replace(clock_mhz="auto", multiplier="ax_fpm")
    >>> round(clock_mhz_of(machine), 1)
    246.6
    """
    if accelerator.clock_mhz != "auto":
        return accelerator.clock_mhz
    # Only what a delay hangs on: these are no machines of their own.
    alone = (accelerator.model_copy(update={"multiplier": unit}) for unit in accelerator.units)
    return 1e6 / max(max(delays_ps_of(one)) for one in alone)


def period_ns_of(accelerator: Accelerator) -> float:
    """Return the clock period in ns."""
    return 1e3 / clock_mhz_of(accelerator)
