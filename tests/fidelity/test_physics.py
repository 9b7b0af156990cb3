"""What no machine may do, over random layers and machines: laws of time and of words.

Time: with the tiling held, nothing that gets faster, larger or deeper makes the whole slower; no
layer is faster than its products, its transfers or its ports allow. Words: none is made or lost on
the way from level to level.
"""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from accelsim.config import Accelerator
from accelsim.errors import MappingError, TraceError
from accelsim.layer import (
    INPUT,
    LayerShape,
    MacLayer,
    Operand,
    Parameter,
    Trace,
    VectorLayer,
    View,
)
from accelsim.machine import glb as glb_module
from accelsim.machine import run_program
from accelsim.machine.dram_kinds import dram_kind, dram_kinds
from accelsim.machine.program import compile_program
from accelsim.windows import AdaptivePooling, Blend, Gather, Pooling, linear_taps

SHAPES = {
    "n": st.integers(1, 3),
    "m": st.integers(1, 9),
    "c": st.integers(1, 6),
    "h": st.integers(2, 9),
    "w": st.integers(2, 9),
    "r": st.integers(1, 3),
    "s": st.integers(1, 3),
    "stride": st.tuples(st.integers(1, 2), st.integers(1, 2)),
    "padding": st.tuples(st.integers(0, 1), st.integers(0, 1)),
    "groups": st.integers(1, 2),
}
SIZE = st.integers(160, 2048).map(lambda size: size / 1024)
MACHINES = {
    "array.rows": st.integers(1, 9),
    "array.cols": st.integers(1, 9),
    "array.dataflow": st.sampled_from(["os", "ws", "is"]),
    "array.pipelined": st.booleans(),
    "accumulator": st.sampled_from(["float32", "float64"]),
    "glb.ifmap_kib": SIZE,
    "glb.weight_kib": SIZE,
    "glb.ofmap_kib": SIZE,
    "glb.unified": st.booleans(),
    "glb.double_buffered": st.booleans(),
    "glb.forwarding": st.booleans(),
    "glb.word_bits": st.sampled_from([None, 32, 128]),
    "glb.read_words_per_cycle": st.sampled_from([1, 4, 64]),
    "dram.kind": st.sampled_from(dram_kinds()),
    "dram.channels": st.sampled_from([1, 4]),
    "dram.bytes_per_cycle": st.integers(1, 64),
    "dram.latency_cycles": st.integers(0, 40),
    "dma.queue_depth": st.integers(1, 4),
    "vector_unit.lanes": st.integers(1, 8),
    "mapper.objective": st.sampled_from(["cycles", "traffic"]),
    "mapper.spills": st.booleans(),
}
few = settings(max_examples=50)

BETTER = {
    "dram.bytes_per_cycle": lambda value, by: value + by,
    "dram.latency_cycles": lambda value, by: max(0, value - by),
    "dma.queue_depth": lambda value, by: value + by,
    "glb.ifmap_kib": lambda value, by: value + by / 100,
    "glb.weight_kib": lambda value, by: value + by / 100,
    "glb.ofmap_kib": lambda value, by: value + by / 100,
    "glb.double_buffered": lambda _value, _by: True,
    "glb.read_words_per_cycle": lambda value, by: value + by,
    "vector_unit.lanes": lambda value, by: value + by,
}


@st.composite
def traces(draw):
    """A convolution, often with an addition, a concatenation, windows and a convolution behind."""
    bounds = draw(st.fixed_dictionaries(SHAPES))
    bounds["m"] *= bounds["groups"]
    bounds["c"] *= bounds["groups"]
    try:
        shape = LayerShape(**bounds)
    except TraceError:
        assume(False)
    bias = np.zeros(shape.m, np.float32) if draw(st.booleans()) else None
    weight = np.zeros((shape.m, shape.c // shape.groups, shape.r, shape.s), np.float32)
    layers = [MacLayer("conv", "conv2d", INPUT, shape, weight, bias)]
    if draw(st.booleans()):
        layers.append(sum_with_itself(layers[0].output_shape, draw(st.booleans())))
    if draw(st.booleans()):
        layers.append(joined(layers[-1].name, layers[0].output_shape, draw(st.booleans())))
    if draw(st.booleans()):
        out = layers[-1].output_shape
        op, window, plane = draw(windows(out[2:]))
        made = (*out[:2], *plane)
        layers.append(VectorLayer("window", op, layers[-1].name, out, made, window))
        last = LayerShape(n=out[0], m=draw(st.integers(1, 5)), c=out[1], h=plane[0], w=plane[1])
        weight = np.zeros((last.m, last.c, 1, 1), np.float32)
        layers.append(MacLayer("last", "conv2d", "window", last, weight, None))
    images = np.zeros((shape.n, shape.c, shape.h, shape.w), np.float32)
    return Trace("net", tuple(layers), images, layers[-1].name)


def sum_with_itself(shape, of_channels):
    """Return the sum of the convolution's output and itself, or a parameter of each channel."""
    view = View.dense(shape)
    other = Operand("conv", view)
    if of_channels:
        values = np.zeros(shape[1], np.float32)
        other = Parameter(values, View(shape, (0, 1, 0, 0)))
    return VectorLayer("sum", "add", "conv", shape, shape, None, view, (other,))


def joined(name, shape, of_columns):
    """Return layer *name*'s output and the convolution's, one behind the other."""
    view, (images, channels, height, width) = View.dense(shape), shape
    whole = (
        (images, channels, height, 2 * width) if of_columns else (images, 2 * channels, *shape[2:])
    )
    strides = View.dense(whole).strides
    first, second = (
        View(shape, strides),
        View(shape, strides, width if of_columns else view.strides[0]),
    )
    return VectorLayer(
        "joined", "concat", name, shape, whole, None, view, (Operand("conv", view),),
        places=(first, second),
    )  # fmt: skip


@st.composite
def windows(draw, plane):
    """What is done with windows, these, and the plane that they make of a plane."""
    made = draw(st.tuples(st.integers(1, 7), st.integers(1, 7)))
    kind = draw(st.sampled_from(["pooling", "adaptive", "gather", "blend"]))
    if kind == "pooling":
        kernel = tuple(min(2, size) for size in plane)
        made = tuple(size - of + 1 for size, of in zip(plane, kernel, strict=True))
        return "max_pool2d", Pooling(kernel, (1, 1)), made
    if kind == "adaptive":
        return "avg_pool2d", AdaptivePooling(plane, made), made
    if kind == "gather":
        maps = [
            tuple(draw(st.lists(st.integers(-1, size - 1), min_size=of, max_size=of)))
            for size, of in zip(plane, made, strict=True)
        ]
        return "pad", Gather(*maps), made
    corners = draw(st.booleans())
    taps = [
        linear_taps(size, of, align_corners=corners) for size, of in zip(plane, made, strict=True)
    ]
    return "upsample_bilinear2d", Blend(*taps), made


def compiled(trace, changes):
    forwards = changes["glb.forwarding"] and changes["glb.unified"]
    changes = {**changes, "glb.forwarding": forwards}
    machine = Accelerator.preset("tiny_4x4").replace(**changes)
    try:
        return machine, compile_program(trace, machine)
    except MappingError:
        assume(False)


def field(machine, name):
    section, _, last = name.partition(".")
    return getattr(getattr(machine, section), last)


@few
@given(traces(), st.fixed_dictionaries(MACHINES), st.sampled_from(list(BETTER)), st.integers(1, 30))
def test_nothing_better_makes_it_slower_while_the_tiling_is_held(trace, changes, name, by):
    """A part changes, the program stays: every layer takes as many cycles or fewer.

    For one part at a time; with all of them it follows. Only double buffering changes the order of
    the DMA's descriptors, and with it which rows of the DRAM are open when: on a device it may cost
    rows what it saves in waiting.
    """
    assume(name != "glb.double_buffered" or changes["dram.kind"] == "simple")
    machine, program = compiled(trace, changes)
    better = machine.replace(**{name: BETTER[name](field(machine, name), by)})
    slow, fast = (run_program(program, trace, m, values=False).layers for m in (machine, better))
    for before, after in zip(slow, fast, strict=True):
        assert after.total_cycles <= before.total_cycles
        assert after.compute_cycles == before.compute_cycles or name == "vector_unit.lanes"
        assert after.counts == before.counts
        assert (after.dram_row_hits, after.dram_row_misses) == (
            before.dram_row_hits,
            before.dram_row_misses,
        )


CONTENDED = st.fixed_dictionaries(MACHINES | {"glb.banks": st.integers(1, 3)})


@few
@given(traces(), CONTENDED)
def test_somebody_works_in_every_cycle(trace, changes):
    """So a layer never takes longer than its blocks' work one after the other.

    This holds where ports are contended, too. There a faster part may make the whole slower: who
    comes first is served first, as Graham's anomalies have it (SIAM J. Appl. Math. 17(2), 1969).
    """
    machine, program = compiled(trace, changes)
    result = run_program(program, trace, machine, values=False)
    for record in result.layers:
        entries = sorted(one for one in result.timeline if one.layer == record.layer)
        reached = record.cycle_start
        for one in entries:
            assert one.cycle_start <= reached
            reached = max(reached, one.cycle_end)
        assert reached == record.cycle_end
        work = sum(
            one.cycle_end - one.cycle_start
            for one in entries
            if not one.block.startswith("dma_")  # the DRAM's other end
        )
        assert record.total_cycles <= work


@few
@given(traces(), CONTENDED)
def test_no_layer_is_faster_than_its_roofs(trace, changes):
    """Compute, DRAM bus, vector unit and GLB ports: each alone bounds every layer's time."""
    machine, program = compiled(trace, changes)
    kind, glb = dram_kind(machine.dram.kind), machine.glb
    result = run_program(program, trace, machine, values=False)
    for record in result.layers:
        counts, total = record.counts, record.total_cycles
        assert total >= record.compute_cycles
        assert total >= record.macs / (machine.array.rows * machine.array.cols)
        words = counts.get(("dram", "read"), 0) + counts.get(("dram", "write"), 0)
        assert total * machine.dram.bytes_per_cycle >= words * 4
        bursts = record.dram_row_hits + record.dram_row_misses
        if kind is None:
            assert bursts == 0
        else:
            assert total * 1e3 / machine.clock_mhz >= bursts * kind.burst_ns - 1e-6
            assert bursts * kind.burst_bytes * machine.dram.channels >= words * 4
        work = sum(
            counts.get(("vector_unit", action), 0)
            for action in ("add", "compare", "multiply", "divide")
        )
        assert total * machine.vector_unit.lanes >= work
        ports = total * glb.banks * glb.ports * glb.port_words
        moved = [
            sum(counts.get((f"glb.{name}", action), 0) for action in ("read", "write"))
            for name in ("ifmap", "weight", "ofmap")
        ]
        assert all(ports >= one for one in ([sum(moved)] if glb.unified else moved))


@few
@given(traces(), CONTENDED)
def test_stalls_are_never_negative_and_every_block_is_busy_or_waits(trace, changes):
    machine, program = compiled(trace, changes)
    result = run_program(program, trace, machine, values=False)
    assert result.layers[0].cycle_start == 0
    for record in result.layers:
        assert record.stall_cycles >= 0
        assert record.compute_cycles + record.stall_cycles == record.total_cycles
        entries = [entry for entry in result.timeline if entry.layer == record.layer]
        for block in {entry.block for entry in entries}:
            ends = record.cycle_start
            for entry in sorted(entry for entry in entries if entry.block == block):
                assert ends <= entry.cycle_start < entry.cycle_end <= record.cycle_end
                ends = entry.cycle_end


@few
@given(traces(), CONTENDED)
def test_words_are_conserved_level_by_level(trace, changes):
    machine, program = compiled(trace, changes)
    psum_words = 2 if machine.accumulator == "float64" else 1
    result = run_program(program, trace, machine, values=False)
    for record, step in zip(result.layers, program.steps, strict=True):
        counts = {key: count for key, count in record.counts.items() if count}
        read, written = (counts.get(("dram", action), 0) for action in ("read", "write"))
        assert written == record.outputs - record.forwarded_words + record.spilled_words
        assert record.forwarded_words == (record.outputs if step.stays.ofmap else 0)
        filled = sum(counts.get((f"glb.{name}", "write"), 0) for name in ("ifmap", "weight"))
        assert filled + record.spilled_words == read
        if record.macs == 0:
            assert counts.get(("glb.ifmap", "write"), 0) == (
                0 if step.stays.ifmap else counts.get(("glb.ifmap", "read"), 0)
            )
            others = counts.get(("glb.weight", "read"), 0)
            assert counts.get(("glb.weight", "write"), 0) <= others
            assert (others > 0) == bool(step.beside)
            assert counts["glb.ofmap", "write"] == record.outputs
            assert counts.get(("glb.ofmap", "read"), 0) == written
            continue
        shape, layer = step.layer.shape, step.layer
        used = {row for p in range(shape.p) for row in range(*shape.ifmap_rows(p, 1))}
        unique = layer.weight.size
        unique += 0 if step.stays.ifmap else shape.n * shape.c * len(used) * shape.w
        unique += 0 if layer.bias is None else layer.bias.size
        assert read >= unique + record.spilled_words
        biases = 0
        if step.bias is not None:
            loads = (tile for tile in step.tiling.tiles() if tile.fetch_weights)
            biases = sum(tile.filters.size for tile in loads if tile.ends_psums)
        assert read + written == step.tiling.dram_words + biases
        # Every product's psum passes the array once; what goes in again came out before.
        stored, fetched = counts["glb.ofmap", "write"], counts.get(("glb.ofmap", "read"), 0)
        drained = counts.get(("vector_unit", "add"), 0) > 0
        psums = stored - record.spilled_words - (record.outputs if drained else 0)
        back = fetched - written - (record.outputs * psum_words if drained else 0)
        assert psums - back == record.outputs * psum_words


@few
@given(traces(), st.fixed_dictionaries(MACHINES))
def test_ports_enough_for_all_are_as_good_as_none(trace, changes):
    """Where nobody can wait the machine skips the ports' events: with them it is the same run."""
    machine, program = compiled(trace, changes)
    plain = run_program(program, trace, machine, values=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(glb_module, "RIVALS", 100)
        patch.setattr(glb_module, "UNIFIED_RIVALS", 100)
        evented = run_program(program, trace, machine, values=False)
    assert evented.layers == plain.layers
    assert sorted(evented.timeline) == sorted(plain.timeline)
