"""Machines small enough to work by hand: whole event logs, with the derivation."""

import numpy as np
import pytest

from accelsim.config import Accelerator
from accelsim.errors import MappingError, StallError, UnknownNameError
from accelsim.layer import LayerShape, MacLayer, Trace, VectorLayer
from accelsim.machine import mac, run_machine
from accelsim.machine.layout import gather
from accelsim.machine.state import State
from accelsim.windows import Pooling

# 2x2 PEs with exact units at 100 MHz: multiplier and accumulator take a cycle each, so a PE takes
# a pair every cycle and has it in its psum 2 cycles later.
# DRAM: 3 cycles + one a word. Vector unit: one operation a cycle.
MACHINE = Accelerator.preset("tiny_4x4").replace(
    **{
        "array.rows": 2,
        "array.cols": 2,
        "dram.bytes_per_cycle": 4,
        "dram.latency_cycles": 3,
        "vector_unit.lanes": 1,
    }
)


def linear(inputs, outputs, *, bias=False, relu=False, images=1):
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((outputs, inputs, 1, 1)).astype(np.float32)
    vector = rng.standard_normal(outputs).astype(np.float32) if bias else None
    shape = LayerShape(n=images, m=outputs, c=inputs)
    layers = [MacLayer("fc", "linear", "input", shape, weight, vector)]
    if relu:
        four = (images, outputs, 1, 1)
        layers.append(VectorLayer("relu", "relu", "fc", four, four))
    batch = rng.standard_normal((images, inputs, 1, 1)).astype(np.float32)
    return Trace("net", tuple(layers), batch, layers[-1].name)


def log(result):
    """Return the timeline without the DMA's entries, which are the DRAM's."""
    return [
        (e.cycle_start, e.cycle_end, e.block, e.what, e.tile)
        for e in result.timeline
        if not e.block.startswith("dma")
    ]


def test_one_tile():
    """4 weights take 3 + 4 cycles, 2 activations 3 + 2.

    The pass of 1 x 2 outputs with 2 products: fill 1 + 2 - 2, stream (2 - 1) + 2, drain 1: 5.
    2 outputs take 3 + 2 cycles back.
    """
    result = run_machine(linear(2, 2), MACHINE)
    assert log(result) == [
        (0, 7, "dram", "read weight", 0),
        (7, 12, "dram", "read ifmap", 0),
        (12, 17, "array", "pass", 0),
        (17, 22, "dram", "write ofmap", 0),
    ]
    (layer,) = result.layers
    assert (layer.total_cycles, layer.compute_cycles, layer.stall_cycles) == (22, 5, 17)


def test_bias_and_relu_on_the_vector_unit():
    """As above; 2 biases come after the weights (3 + 2), 2 additions and 2 comparisons take 4."""
    result = run_machine(linear(2, 2, bias=True, relu=True), MACHINE)
    assert log(result) == [
        (0, 7, "dram", "read weight", 0),
        (7, 12, "dram", "read bias", 0),
        (12, 17, "dram", "read ifmap", 0),
        (17, 22, "array", "pass", 0),
        (22, 26, "vector_unit", "drain", 0),
        (26, 31, "dram", "write ofmap", 0),
    ]


@pytest.mark.parametrize(
    ("changes", "adds", "multiplies", "sums"),
    [
        ({"multiplier": "exact_int8"}, 1, 1, 0),
        ({"multiplier": "exact_int8", "quantization.activations": "affine"}, 2, 1, 0),
        ({"multiplier": "exact_uint8"}, 3, 2, 3),
        ({"multiplier": "exact_int16", "accumulator": "int32"}, 1, 1, 0),
    ],
)
def test_work_that_integers_make(changes, adds, multiplies, sums):
    """Three products for each of two outputs, with bias and ReLU: 6 products, 3 words fed.

    Per output the vector unit makes the sum a float32 and scales it; with a zero point of the
    activations it adds a constant, with one of the weights also its product with the sum of the
    activations, of which an accumulator beside the array makes 3 additions. Without operands the
    machine needs no calibration.
    """
    machine = MACHINE.replace(**changes)
    result = run_machine(linear(3, 2, bias=True, relu=True), machine, values=False)
    counts = result.layers[0].counts
    accumulator = changes.get("accumulator", "int32")
    assert counts["vector_unit", "add"] == 2 * adds + 2
    assert counts["vector_unit", "multiply"] == 2 * multiplies
    assert counts["vector_unit", "compare"] == 2
    assert counts["vector_unit", "quantize"] == 3
    assert counts[f"accumulator.{accumulator}", "add"] == 6 + sums
    drain = [end - start for start, end, _, what, _ in log(result) if what == "drain"]
    assert drain == [2 * adds + 2 + 2 * multiplies + 2]


def test_integer_outputs_worked_by_hand():
    """Activations 0, 1 and 1 of range (0, 127) are themselves; so are the weights up to 127.

    127 + 2 and -127 + 3 less the bias -1; the accumulator saves 16 bits from nothing.
    """
    weight = np.float32([[0, 127, 2], [5, -127, 3]]).reshape(2, 3, 1, 1)
    shape, bias = LayerShape(n=1, m=2, c=3), np.float32([-1, -1])
    layer = MacLayer("fc", "linear", "input", shape, weight, bias, (0, 127))
    images = np.float32([0, 1, 1]).reshape(1, 3, 1, 1)
    for unit in ("exact_int8", "exact_uint8"):
        machine = MACHINE.replace(multiplier=unit, **{"quantization.activations": "symmetric"})
        machine = machine.replace(**{"quantization.weights": "symmetric"})
        outputs = run_machine(Trace("net", (layer,), images, "fc"), machine).outputs
        assert outputs.ravel().tolist() == [128, -125]


def test_k_split_over_two_tiles_overlaps_fetch_and_pass():
    """Half of a weight partition of 12 words holds 2 filters x 2 channels (and room for biases).

    The second tile is fetched while the first one's pass runs, into the other slots; its pass
    preloads the psums (1 cycle) and starts when its ifmap is there.
    """
    machine = MACHINE.replace(**{"glb.weight_kib": 12 * 4 / 1024})
    result = run_machine(linear(4, 2), machine)
    assert log(result) == [
        (0, 7, "dram", "read weight", 0),
        (7, 12, "dram", "read ifmap", 0),
        (12, 17, "array", "pass", 0),
        (12, 19, "dram", "read weight", 1),
        (19, 24, "dram", "read ifmap", 1),
        (24, 30, "array", "pass", 1),
        (30, 35, "dram", "write ofmap", 0),
    ]


def test_a_third_tile_waits_for_a_free_slot():
    """Three channel tiles, two weight slots: the third fetch may start once pass 0 has ended.

    With passes of 5 cycles and fetches of 12 a tile the DRAM is never idle, so make the array the
    slow one: a multiplier that blocks its PE for 52 cycles (5134 ps at 10 GHz, not pipelined).
    """
    machine = MACHINE.replace(
        clock_mhz=10_000, **{"glb.weight_kib": 12 * 4 / 1024, "array.pipelined": False}
    )
    result = run_machine(linear(6, 2), machine)
    array = [e for e in result.timeline if e.block == "array"]
    fetches = [e for e in result.timeline if (e.block, e.what) == ("dram", "read weight")]
    assert [e.tile for e in fetches] == [0, 1, 2]
    assert fetches[1].cycle_start == 12
    assert fetches[2].cycle_start == array[0].cycle_end


def test_a_slow_feed_stretches_a_pass():
    """6 words over a port of one word a cycle: the pass of 5 cycles lasts 6; compute stays 5."""
    machine = MACHINE.replace(**{"glb.read_words_per_cycle": 1})
    result = run_machine(linear(2, 2), machine)
    assert (12, 18, "array", "pass", 0) in log(result)
    assert result.layers[0].compute_cycles == 5


def test_counts_of_one_tile():
    """4 products; 2 activations and 4 weights fed; 2 outputs drained and written back.

    Without bias and ReLU the vector unit has nothing to do and touches nothing.
    """
    counts = run_machine(linear(2, 2), MACHINE).layers[0].counts
    assert {key: n for key, n in counts.items() if n} == {
        ("multiplier.exact_fp32", "compute"): 4,
        ("accumulator.float32", "add"): 4,
        ("rf", "read"): 3 * 4 + 2,
        ("rf", "write"): 3 * 4 + 2,
        ("glb.weight", "write"): 4,
        ("glb.weight", "read"): 4,
        ("glb.ifmap", "write"): 2,
        ("glb.ifmap", "read"): 2,
        ("glb.ofmap", "write"): 2,
        ("glb.ofmap", "read"): 2,
        ("dram", "read"): 6,
        ("dram", "write"): 2,
    }


def test_counts_with_bias_relu_k_split_and_float64():
    """Two channel tiles of 2 filters: psums of two words are stored, and read back for the second.

    The bias is read once per filter; narrowing, bias and ReLU are an operation each per output.
    """
    machine = MACHINE.replace(accumulator="float64", **{"glb.weight_kib": 12 * 4 / 1024})
    counts = run_machine(linear(4, 2, bias=True, relu=True), machine).layers[0].counts
    assert {key: n for key, n in counts.items() if n} == {
        ("multiplier.exact_fp32", "compute"): 8,
        ("accumulator.float64", "add"): 8,
        # 4 registers' words a product; draining moves 2 psums of 2 words, preloading again.
        ("rf", "read"): 4 * 8 + (2 + 4) * 2,
        ("rf", "write"): 4 * 8 + (2 + 4) * 2,
        ("glb.weight", "write"): 8 + 2,
        ("glb.weight", "read"): 8 + 2,
        ("glb.ifmap", "write"): 4,
        ("glb.ifmap", "read"): 4,
        ("glb.ofmap", "write"): 4 + 4 + 2,
        ("glb.ofmap", "read"): 4 + 4 + 2,
        ("vector_unit", "add"): 2 + 2,
        ("vector_unit", "compare"): 2,
        ("dram", "read"): 8 + 4 + 2,
        ("dram", "write"): 2,
    }


def test_counts_of_average_pooling():
    """2x2 windows on 4x4: 4 means of 3 additions and a division each."""
    window = Pooling((2, 2), (2, 2))
    pool = VectorLayer("pool", "avg_pool2d", "input", (1, 1, 4, 4), (1, 1, 2, 2), window)
    trace = Trace("net", (pool,), np.ones((1, 1, 4, 4), np.float32), "pool")
    (layer,) = run_machine(trace, MACHINE).layers
    assert {key: n for key, n in layer.counts.items() if n} == {
        ("vector_unit", "add"): 12,
        ("vector_unit", "divide"): 4,
        ("glb.ifmap", "write"): 16,
        ("glb.ifmap", "read"): 16,
        ("glb.ofmap", "write"): 4,
        ("glb.ofmap", "read"): 4,
        ("dram", "read"): 16,
        ("dram", "write"): 4,
    }
    assert layer.compute_cycles == 16


def test_padding_zeros_are_not_read_from_the_glb():
    """3x3 kernel, pad 1, on 2x2 pixels: each of the 4 outputs has 4 taps inside."""
    shape = LayerShape(n=1, m=1, c=1, h=2, w=2, r=3, s=3, padding=(1, 1))
    layer = MacLayer("conv", "conv2d", "input", shape, np.ones((1, 1, 3, 3), np.float32), None)
    trace = Trace("net", (layer,), np.ones((1, 1, 2, 2), np.float32), "conv")
    result = run_machine(trace, MACHINE.replace(**{"array.rows": 4}))
    assert result.layers[0].counts["glb.ifmap", "read"] == 4 * 4
    assert result.layers[0].counts["multiplier.exact_fp32", "compute"] == 4 * 9
    assert result.outputs.tolist() == [[[[4, 4], [4, 4]]]]


def test_pooling_tile_by_tile():
    """Two channels of 2x2, one channel a tile: 4 words in, 3 comparisons, 1 word out.

    Fetches 3 + 4, comparisons 3, write-backs 3 + 1; the second fetch overlaps the first tile. The
    first write-back waits for it: there is one channel.
    """
    pool = VectorLayer(
        "pool", "max_pool2d", "input", (1, 2, 2, 2), (1, 2, 1, 1), Pooling((2, 2), (2, 2))
    )
    images = np.arange(8, dtype=np.float32).reshape(1, 2, 2, 2)
    machine = MACHINE.replace(**{"glb.ifmap_kib": 8 * 4 / 1024})
    result = run_machine(Trace("net", (pool,), images, "pool"), machine)
    assert log(result) == [
        (0, 7, "dram", "read ifmap", 0),
        (7, 10, "vector_unit", "max_pool2d", 0),
        (7, 14, "dram", "read ifmap", 1),
        (14, 17, "vector_unit", "max_pool2d", 1),
        (14, 18, "dram", "write ofmap", 0),
        (18, 22, "dram", "write ofmap", 1),
    ]
    assert result.outputs.ravel().tolist() == [3, 7]


def test_layers_follow_each_other():
    result = run_machine(linear(2, 2, relu=True), MACHINE)
    assert [layer.op for layer in result.layers] == ["linear+relu"]
    trace = linear(2, 2, relu=True)
    both = Trace("net", (trace.layers[0], trace.layers[1]), trace.images, "fc")
    unfused = run_machine(both, MACHINE)
    assert [layer.op for layer in unfused.layers] == ["linear", "relu"]
    assert unfused.layers[1].cycle_start == unfused.layers[0].cycle_end
    assert unfused.total_cycles == unfused.layers[1].cycle_end


def test_without_values_time_and_counts_are_the_same():
    trace = linear(50, 7, bias=True, relu=True, images=3)
    full, bare = (run_machine(trace, MACHINE, values=v) for v in (True, False))
    assert bare.outputs is None
    assert bare.layers == full.layers
    assert bare.timeline == full.timeline


def test_bits_do_not_depend_on_the_activations_that_are_kept(small_trace, monkeypatch):
    machine = Accelerator.preset("tiny_4x4").replace(multiplier="ax_fpm")
    gathers = []
    monkeypatch.setattr(mac, "gather", lambda *args: gathers.append(args) or gather(*args))
    kept, once = run_machine(small_trace, machine).outputs, len(gathers)
    monkeypatch.setattr(mac, "GATHERED_BYTES", 1 << 12)
    assert run_machine(small_trace, machine).outputs.tobytes() == kept.tobytes()
    assert len(gathers) > 2 * once


def test_progress_names_every_layer():
    seen = []
    run_machine(linear(2, 2), MACHINE, progress=lambda *step: seen.append(step))
    assert seen == [("fc", 0, 1)]


def test_a_machine_that_cannot_go_on_says_who_waits():
    state = State(MACHINE)
    state.layer = "conv1"

    def block():
        yield state.env.timeout(5)
        yield from state.wait("array", "operands", state.env.event())

    with pytest.raises(
        StallError,
        match=r"^layer 'conv1' cannot go on at cycle 5: array waits for operands since cycle 5; "
        "no network and no configuration may do that: report it with both$",
    ):
        state.run(state.env.process(block()))


def test_an_error_inside_a_block_is_not_taken_for_a_stall():
    state = State(MACHINE)

    def block():
        yield state.env.timeout(1)
        raise RuntimeError("a defect")

    with pytest.raises(RuntimeError, match="a defect"):
        state.run(state.env.process(block()))


def test_rejects_a_layer_that_fits_no_tiling():
    tight = MACHINE.replace(**{"glb.ofmap_kib": 4 / 1024})
    with pytest.raises(MappingError, match="layer 'fc' fits no tiling"):
        run_machine(linear(2, 2), tight)


def test_rejects_a_pooling_layer_that_fits_no_tiling():
    pool = VectorLayer(
        "pool", "max_pool2d", "input", (1, 1, 4, 4), (1, 1, 2, 2), Pooling((2, 2), (2, 2))
    )
    trace = Trace("net", (pool,), np.zeros((1, 1, 4, 4), np.float32), "pool")
    tight = MACHINE.replace(**{"glb.ifmap_kib": 8 * 4 / 1024})
    with pytest.raises(MappingError, match="layer 'pool' fits no tiling: one ofmap row needs 8"):
        run_machine(trace, tight)


@pytest.mark.parametrize("field", ["multiplier", "accumulator", "array.dataflow"])
def test_rejects_an_unknown_name(field):
    with pytest.raises(UnknownNameError, match="no .* named 'nonsense'"):
        run_machine(linear(2, 2), MACHINE.replace(**{field: "nonsense"}))
