"""The PE array of an accelerator as mapper and machine take it, and which tiling a layer gets."""

from __future__ import annotations

from dataclasses import replace

from accelsim.accumulators import accumulator_of
from accelsim.clock import clock_mhz_of, delays_ps_of
from accelsim.config import Accelerator
from accelsim.dataflows import DATAFLOWS, MatrixDataflow, PeTiming
from accelsim.dataflows.mapper import choose_tiling
from accelsim.dataflows.order import AccumulationOrder
from accelsim.dataflows.row_mapper import Link, RowTiling, choose_row_tiling, mapping_of_one
from accelsim.dataflows.row_stationary import accumulation_order
from accelsim.dataflows.spatial import SpatialArray
from accelsim.dataflows.tiling import NOTHING_STAYS, ArrayModel, Budget, Stays, Tiling
from accelsim.errors import ConfigError
from accelsim.layer import WORD_BYTES, MacLayer, Trace
from accelsim.layer_units import by_unit, check_layers
from accelsim.machine.dram_timing import estimate
from accelsim.multipliers import MULTIPLIERS
from accelsim.multipliers.base import latency_cycles

__all__ = ["PeArray", "accumulation_orders", "array_model", "budget_of", "pe_timing", "tiling_of"]

PeArray = ArrayModel | SpatialArray
"""A systolic array, or one of the row-stationary dataflow."""


def pe_timing(accelerator: Accelerator) -> PeTiming:
    """Return the timing of a PE.

    Latencies of multiplier and accumulator are their delays in whole clock cycles. Pipelined ones
    start an operation every cycle, others only when the last has finished. What an addition that
    waits for another costs is the dataflow's.
    """
    clock_mhz = clock_mhz_of(accelerator)
    multiply, add = (latency_cycles(delay, clock_mhz) for delay in delays_ps_of(accelerator))
    pipelined = accelerator.array.pipelined
    return PeTiming(multiply, add, 1 if pipelined else multiply, 1 if pipelined else add)


def array_model(accelerator: Accelerator) -> PeArray:
    """Return the PE array of *accelerator*: dataflow, size, timing of a PE, and its surroundings.

    Raises
    ------
    UnknownNameError
        The configuration names a multiplier, accumulator or dataflow that does not exist.
    ConfigError
        It asks for what its dataflow cannot do.
    """
    dataflow, timing = DATAFLOWS[accelerator.array.dataflow], pe_timing(accelerator)
    if not isinstance(dataflow, MatrixDataflow):
        return _spatial_array(accelerator, timing)
    dram = estimate(accelerator)
    return ArrayModel(
        dataflow,
        accelerator.array.rows,
        accelerator.array.cols,
        timing,
        dram.bytes_per_cycle,
        dram.latency_cycles,
        accelerator.array.overlap,
        dram.row_words,
        dram.row_cycles,
    )


def _spatial_array(accelerator: Accelerator, timing: PeTiming) -> SpatialArray:
    for field, value, usual, why in (
        ("array.overlap", accelerator.array.overlap, "none", "its PEs load weights between passes"),
        ("mapper.spills", accelerator.mapper.spills, False, "its psums stay in the GLB"),
    ):
        if value != usual:
            raise ConfigError(
                f"{field} is of the systolic dataflows; in {accelerator.array.dataflow} {why}: got "
                f"{value!r}, set it to {str(usual).lower()} or array.dataflow to os, ws or is"
            )
    config = accelerator.spatial
    array = SpatialArray(
        accelerator.array.rows,
        accelerator.array.cols,
        config.ifmap_rf_words,
        config.filter_rf_words,
        config.psum_rf_words,
        glb_words=1,
        filter_buffer_words=1,
        ifmap_words_per_cycle=config.ifmap_words_per_cycle,
        filter_words_per_cycle=config.filter_words_per_cycle,
        psum_words_per_cycle=config.psum_words_per_cycle,
        hop_cycles=max(config.hop_cycles, timing.add_cycles),
        psum_add_cycles=config.psum_add_cycles,
        timing=timing,
        slots=accelerator.glb.slots,
    )
    return _within(array, budget_of(accelerator))


def _within(array: SpatialArray, budget: Budget) -> SpatialArray:
    """Return *array* with *budget* as its GLB."""
    together = budget.total_words
    if together is None:
        together = budget.ifmap_words + budget.ofmap_words
    # Where others hold all of the GLB the budget has no words; it then says that nothing fits.
    return replace(
        array,
        glb_words=max(1, together),
        filter_buffer_words=max(1, budget.weight_words),
        budget=budget,
    )


def budget_of(accelerator: Accelerator, held_words: int = 0) -> Budget:
    """Return what a tile may occupy of the GLB: a share for each slot of what is not held."""
    glb, adder = accelerator.glb, accelerator.accumulator
    psum_words = accumulator_of(MULTIPLIERS[accelerator.multiplier], adder).bytes // WORD_BYTES
    ifmap, weight, ofmap = (
        int(kib * 1024 // glb.slots // WORD_BYTES)
        for kib in (glb.ifmap_kib, glb.weight_kib, glb.ofmap_kib)
    )
    if not glb.unified:
        return Budget(ifmap, weight, ofmap, psum_words)
    capacity = int((glb.ifmap_kib + glb.weight_kib + glb.ofmap_kib) * 1024 // WORD_BYTES)
    total = max(capacity - held_words, 0) // glb.slots
    return Budget(total, total, total, psum_words, total)


def tiling_of(
    layer: MacLayer,
    accelerator: Accelerator,
    array: PeArray,
    *,
    held_words: int = 0,
    spills: bool = False,
    stays: Stays = NOTHING_STAYS,
) -> Tiling | RowTiling:
    """Return the best tiling of *layer* on *array*, which is that of *accelerator*.

    Parameters
    ----------
    layer : MacLayer
    accelerator : Accelerator
    array : PeArray
    held_words : int
        Words of the GLB that others hold.
    spills : bool
        Whether tilings that spill psums are considered.
    stays : Stays
        What costs no DRAM traffic.

    Raises
    ------
    MappingError
        The layer fits no tiling.
    """
    budget, objective = budget_of(accelerator, held_words), accelerator.mapper.objective
    if isinstance(array, ArrayModel):
        return choose_tiling(
            layer.shape,
            budget,
            array,
            layer=layer.name,
            objective=objective,
            spills=spills,
            stays=stays,
        )
    return choose_row_tiling(
        layer.shape,
        _within(array, budget),
        layer=layer.name,
        whole=array,
        link=_link(accelerator),
        objective=objective,
        stays=stays,
    )


def accumulation_orders(
    trace: Trace, accelerator: Accelerator
) -> tuple[AccumulationOrder, ...] | None:
    """Return the order of additions of each MAC layer on *accelerator*, None where k ascends.

    The order is that of the dataflow, on this array, with these units; it depends neither on the
    images nor on how many there are. It is what `accelsim.nn.approximate` and
    `accelsim.kernels.network.run_trace` need to give the machine's bits.

    Raises
    ------
    MappingError
        A layer does not fit the array.
    ConfigError
        The configuration names units for layers that are not there.

    Examples
    --------
    >>> from accelsim.layer import LayerShape
    >>> layer = MacLayer("fc", "linear", "input", LayerShape(n=1, m=1, c=30), None, None)
    >>> trace = Trace("net", (layer,), None, "fc")
    >>> accumulation_orders(trace, Accelerator.preset("edge_16x16")) is None
    True
    >>> (order,) = accumulation_orders(trace, Accelerator.preset("eyeriss_168"))
    >>> order.sizes  # products that one PE adds up
    array([10, 10, 10])
    """
    check_layers(trace, accelerator)
    arrays = {unit: array_model(machine) for unit, machine in by_unit(accelerator).items()}
    link, objective = _link(accelerator), accelerator.mapper.objective
    orders = []
    for layer in trace.layers:
        if isinstance(layer, MacLayer):
            array = arrays[accelerator.unit_of(layer.name)]
            if isinstance(array, ArrayModel):
                return None
            one = mapping_of_one(
                layer.shape, array, layer=layer.name, link=link, objective=objective
            )
            orders.append(accumulation_order(layer.shape, one))
    return tuple(orders)


def _link(accelerator: Accelerator) -> Link:
    dram = estimate(accelerator)
    return Link(dram.bytes_per_cycle / WORD_BYTES, dram.latency_cycles)
