"""Row-stationary layers on the machine: logs and counts by hand, options, errors."""

from dataclasses import replace

import numpy as np
import pytest

import accelsim
from accelsim import pe_level
from accelsim.config import Accelerator
from accelsim.dataflows.tiling import Tiling
from accelsim.errors import ConfigError, MappingError
from accelsim.kernels.network import run_trace
from accelsim.layer import INPUT, LayerShape, MacLayer, Trace
from accelsim.machine import row_run, run_machine
from accelsim.machine.array import accumulation_orders, array_model
from accelsim.machine.mac import MacRun
from accelsim.machine.program import compile_program
from accelsim.quantization import scheme_of
from accelsim.rtl import ArrayDesign, UnitRtl

# Units take a cycle each at 100 MHz: a product is in its sum 2 cycles after its operands came.
# DRAM: 3 cycles + one a word. Vector unit: one operation a cycle.
MACHINE = Accelerator.preset("eyeriss_168").replace(
    clock_mhz=100,
    **{
        "array.rows": 4,
        "array.cols": 4,
        "dram.bytes_per_cycle": 4,
        "dram.latency_cycles": 3,
        "vector_unit.lanes": 1,
    },
)


def conv(shape, *, bias=False, source=INPUT, name="conv"):
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((shape.m, shape.c // shape.groups, shape.r, shape.s))
    vector = rng.standard_normal(shape.m).astype(np.float32) if bias else None
    return MacLayer(name, "conv2d", source, shape, weight.astype(np.float32), vector, (-4.0, 4.0))


def trace_of(*layers):
    shape = layers[0].shape
    images = np.random.default_rng(1).standard_normal((shape.n, shape.c, shape.h, shape.w))
    return Trace("net", layers, images.astype(np.float32), layers[-1].name)


def log(result):
    """Return the timeline without the DMA's entries, which are the DRAM's."""
    return [
        (e.cycle_start, e.cycle_end, e.block, e.what, e.tile)
        for e in result.timeline
        if not e.block.startswith("dma")
    ]


def reference(trace, machine):
    orders = accumulation_orders(trace, machine)
    units = machine.multiplier, machine.accumulator
    return run_trace(trace, *units, scheme_of(machine), orders)


ONE_ROW = LayerShape(n=1, m=1, c=1, h=1, w=4, r=1, s=2)


def test_a_layer_by_hand():
    """One filter of 1 x 2 over a row of 4: 3 columns, one PE, one pass.

    2 weights come until 3 + 2, 4 ifmap words until 3 + 4 later. Weights reach the RF in 1 cycle:
    13. The first window's 2 words come until 15, the next two columns' one each by 16 and 17 (a
    column ahead: when the PE has begun the one before). The PE works from 15, 17 and 19 on, 2
    cycles each; sums leave in a cycle, the last at 22. The last product is in its sum a cycle later
    than a PE of one cycle would have it: 23. The outputs take 3 + 3 cycles.

    Without waiting: 3 columns of 2 products, and that one cycle.
    """
    result = run_machine(trace_of(conv(ONE_ROW)), MACHINE)
    assert log(result) == [
        (0, 5, "dram", "read weight", 0),
        (5, 12, "dram", "read ifmap", 0),
        (12, 13, "array", "load weights", 0),
        (13, 23, "array", "pass", 0),
        (23, 29, "dram", "write ofmap", 0),
    ]
    (layer,) = result.layers
    assert (layer.compute_cycles, layer.stall_cycles, layer.total_cycles) == (7, 22, 29)


def test_counts_by_hand():
    """The same layer: 3 outputs of 2 products.

    A PE adds 2 products for each output, and its sum to the psum: 9 additions. It reads ifmap,
    filter and psum for each product, its sum and the psum from below for each output. It writes a
    psum for each product and output, 2 weights, and 4 ifmap words.
    """
    counts = run_machine(trace_of(conv(ONE_ROW)), MACHINE).layers[0].counts
    assert {key: n for key, n in counts.items() if n} == {
        ("multiplier.exact_fp32", "compute"): 6,
        ("accumulator.float32", "add"): 9,
        ("rf.ifmap", "read"): 6,
        ("rf.ifmap", "write"): 4,
        ("rf.filter", "read"): 6,
        ("rf.filter", "write"): 2,
        ("rf.psum", "read"): 6 + 2 * 3,
        ("rf.psum", "write"): 6 + 3,
        ("glb.weight", "write"): 2,
        ("glb.weight", "read"): 2,
        ("glb.ifmap", "write"): 4,
        ("glb.ifmap", "read"): 4,
        ("glb.ofmap", "write"): 3,
        ("glb.ofmap", "read"): 3,
        ("dram", "read"): 6,
        ("dram", "write"): 3,
    }


def test_three_passes_by_hand():
    """13 inputs of one output on one PE, whose ifmap RF holds 6: passes of 5, 5 and 3 channels.

    Each transfer takes 3 cycles and one a word. A pass of c channels: c cycles until the window is
    there (the psum comes beside it), c products, 1 until the last one is in its sum, 1 to leave.

    ====  =================================================================
      0   5 weights and 5 activations of pass 0, 8 cycles each; those of pass 1 until 32
     16   5 weights into the RF, 4 a cycle: 2 cycles; pass 0, 5 + 5 + 1 + 1 cycles
     32   pass 1 likewise until 46; 3 weights, the bias and 3 activations come in 6 + 4 + 6
     48   1 cycle for the weights; pass 2, 3 + 3 + 1 + 1 cycles
     57   the bias is added, a cycle; the output is written, 4 cycles
    ====  =================================================================
    """
    shape = LayerShape(n=1, m=1, c=13)
    machine = MACHINE.replace(**{"array.rows": 1, "array.cols": 1, "spatial.ifmap_rf_words": 6})
    trace = trace_of(conv(shape, bias=True))
    result = run_machine(trace, machine)
    assert log(result) == [
        (0, 8, "dram", "read weight", 0),
        (8, 16, "dram", "read ifmap", 0),
        (16, 18, "array", "load weights", 0),
        (16, 24, "dram", "read weight", 1),
        (18, 30, "array", "pass", 0),
        (24, 32, "dram", "read ifmap", 1),
        (32, 34, "array", "load weights", 1),
        (32, 38, "dram", "read weight", 2),
        (38, 42, "dram", "read bias", 2),
        (34, 46, "array", "pass", 1),
        (42, 48, "dram", "read ifmap", 2),
        (48, 49, "array", "load weights", 2),
        (49, 57, "array", "pass", 2),
        (57, 58, "vector_unit", "drain", 0),
        (58, 62, "dram", "write ofmap", 0),
    ]
    assert result.outputs.tobytes() == reference(trace, machine).tobytes()


def test_a_slow_adder_is_waited_for_where_a_pe_has_few_filters():
    """500 MHz: the adder takes 2 cycles, the multiplier 3. With one filter a PE starts a product
    every second cycle, with two it makes one of the other filter meanwhile.

    3 columns of 2 such steps of 2 cycles. The last product starts 2 cycles, or 1, before their end
    and is in its sum 5 cycles after its start.
    """
    for filters, compute in ((1, 3 * 2 * 2 - 2 + 5), (2, 3 * 2 * 2 - 1 + 5)):
        machine = MACHINE.replace(clock_mhz=500, **{"array.cols": 1, "array.rows": 1})
        shape = replace(ONE_ROW, m=filters)
        (layer,) = run_machine(trace_of(conv(shape)), machine, values=False).layers
        assert layer.compute_cycles == compute


@pytest.mark.parametrize(("hop_cycles", "hops"), [(0, 2), (3, 3)])
def test_a_hop_takes_at_least_an_addition(hop_cycles, hops):
    """2 kernel rows of one product, 500 MHz: a step of 2 cycles, 3 more until it is in its sum."""
    machine = MACHINE.replace(clock_mhz=500, **{"spatial.hop_cycles": hop_cycles})
    trace = trace_of(conv(LayerShape(n=1, m=1, c=1, h=2, w=1, r=2, s=1)))
    (layer,) = run_machine(trace, machine, values=False).layers
    assert layer.compute_cycles == 2 + 3 + hops


def test_without_values_time_and_counts_are_the_same():
    trace = trace_of(conv(LayerShape(2, 6, 10, 7, 7, 3, 3, padding=(1, 1)), bias=True))
    full, bare = (run_machine(trace, MACHINE, values=values) for values in (True, False))
    assert bare.outputs is None
    assert bare.layers == full.layers
    assert bare.timeline == full.timeline


def test_what_the_run_says_of_its_mapping():
    (layer,) = run_machine(trace_of(conv(ONE_ROW)), MACHINE, values=False).layers
    assert layer.tiling.startswith("m1 n1 e1 f3 p1 q1 r1 t1; fewest cycles of ")
    traffic = MACHINE.replace(**{"mapper.objective": "traffic"})
    (layer,) = run_machine(trace_of(conv(ONE_ROW)), traffic, values=False).layers
    assert "least DRAM traffic of" in layer.tiling
    assert "6 words of operands" in layer.tiling


def test_the_objective_traffic_moves_fewer_words():
    shape = LayerShape(n=1, m=64, c=32, h=14, w=14, r=3, s=3, padding=(1, 1))
    trace = trace_of(conv(shape))
    machine = MACHINE.replace(**{"glb.ifmap_kib": 2, "glb.weight_kib": 2, "glb.ofmap_kib": 4})
    moved = {}
    for objective in ("cycles", "traffic"):
        changed = machine.replace(**{"mapper.objective": objective, "dram.bytes_per_cycle": 256})
        (layer,) = run_machine(trace, changed, values=False).layers
        moved[objective] = layer.counts["dram", "read"]
    assert moved["traffic"] < moved["cycles"]


def test_an_ofmap_stays_in_the_glb_for_the_next_layer():
    first = conv(LayerShape(1, 6, 3, 8, 8, 3, 3, padding=(1, 1)), name="first")
    last = conv(LayerShape(1, 4, 6, 8, 8, 3, 3), source="first", name="last")
    trace = trace_of(first, last)
    sent, kept = (
        run_machine(trace, MACHINE.replace(**{"glb.forwarding": forwarding}))
        for forwarding in (False, True)
    )
    assert [layer.forwarded_words for layer in kept.layers] == [first.shape.m * 64, 0]
    assert ("dram", "write") not in kept.layers[0].counts
    assert kept.total_cycles < sent.total_cycles
    assert kept.outputs.tobytes() == sent.outputs.tobytes() == reference(trace, MACHINE).tobytes()


def test_a_wrong_address_gives_wrong_outputs(monkeypatch):
    """The machine executes: with rows closer together the outputs change, or it refuses."""
    trace = trace_of(conv(LayerShape(1, 2, 3, 5, 5, 3, 3)))
    right, block = run_machine(trace, MACHINE).outputs, row_run.ifmap_block

    def with_rows_apart(words):
        return lambda *a: replace(block(*a), strides=(75, 25, words, 1))

    monkeypatch.setattr(row_run, "ifmap_block", with_rows_apart(4))
    assert run_machine(trace, MACHINE).outputs.tobytes() != right.tobytes()
    monkeypatch.setattr(row_run, "ifmap_block", with_rows_apart(6))
    with pytest.raises(IndexError, match="reaches beyond"):
        run_machine(trace, MACHINE)


def test_systolic_arrays_have_no_use_for_register_files():
    trace = trace_of(conv(LayerShape(1, 4, 3, 6, 6, 3, 3)))
    plain = Accelerator.preset("tiny_4x4")
    other = plain.replace(**{"spatial.hop_cycles": 9, "spatial.ifmap_rf_words": 1})
    assert run_machine(trace, plain).layers == run_machine(trace, other).layers


@pytest.mark.parametrize(
    ("shape", "what"),
    [
        (LayerShape(1, 1, 1, 20, 20, 3, 3, dilation=(2, 2)), r"dilation \(2, 2\) is not mapped"),
        (LayerShape(1, 1, 1, 20, 20, 13, 1), "1 places for 13 x 1 PEs, there are 0"),
        (LayerShape(1, 1, 1, 20, 20, 1, 13), r"13 ifmap RF words \(q \* S\), there are 12"),
    ],
)
def test_rejects_layers_that_are_not_mapped(shape, what):
    machine = Accelerator.preset("eyeriss_168")
    way_out = "Enlarge array, spatial or glb, or set array.dataflow to os, ws or is"
    with pytest.raises(MappingError, match=f"layer 'conv' .*{what}.*{way_out}"):
        compile_program(trace_of(conv(shape)), machine)
    with pytest.raises(MappingError, match=f"layer 'conv' .*{what}.*{way_out}"):
        accumulation_orders(trace_of(conv(shape)), machine)


def test_rejects_a_layer_that_does_not_fit_the_glb():
    tight = MACHINE.replace(**{f"glb.{name}_kib": 4 / 1024 for name in ("ifmap", "ofmap")})
    tight = tight.replace(**{"glb.weight_kib": 4 / 1024})
    with pytest.raises(MappingError, match="it needs 6 GLB words of a tile, there are 1"):
        compile_program(trace_of(conv(ONE_ROW)), tight)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("array.overlap", "load", "array.overlap is of the systolic .* set it to none"),
        ("mapper.spills", True, "mapper.spills is of the systolic .* set it to false"),
    ],
)
def test_rejects_what_the_dataflow_cannot_do(field, value, message):
    machine = MACHINE.replace(**{field: value})
    with pytest.raises(ConfigError, match=message):
        array_model(machine)
    with pytest.raises(ConfigError, match=message):
        accelsim.simulate(trace_of(conv(ONE_ROW)), machine)


def test_there_is_no_pe_level_model_and_no_rtl():
    ones = np.ones((2, 2), np.float32)
    with pytest.raises(MappingError, match="'rs' .* no PE-level model; use one of os, ws, is"):
        pe_level.run(ones, ones, dataflow="rs", rows=2, cols=2)
    with pytest.raises(MappingError, match="dataflow 'rs' has no RTL; use os, ws, is"):
        ArrayDesign(UnitRtl.of("exact_int8", "auto"), "rs", 2, 2)


def test_rejects_a_program_of_another_array():
    (step,) = compile_program(trace_of(conv(ONE_ROW)), MACHINE).steps
    assert not isinstance(step.tiling, Tiling)
    with pytest.raises(TypeError, match="layer 'conv' has no tiling of a systolic array"):
        MacRun(None, None, None, step, None)
