"""Ofmaps that stay in the GLB for the next layer: same bits, no DRAM traffic, where they fit."""

from itertools import pairwise

import numpy as np
import pytest

import accelsim
from accelsim.config import Accelerator
from accelsim.errors import ConfigError
from accelsim.kernels.network import run_trace
from accelsim.layer import INPUT, LayerShape, MacLayer, Operand, Trace, VectorLayer, View
from accelsim.machine import run_machine
from accelsim.quantization import scheme_of

MACHINE = Accelerator.preset("tiny_4x4").replace(
    **{
        "array.rows": 2,
        "array.cols": 2,
        "dram.bytes_per_cycle": 4,
        "dram.latency_cycles": 3,
        "glb.unified": True,
        "glb.forwarding": True,
    }
)


def linears(*widths, sources=None, output=None):
    """Return linear layers of these *widths*, each reading the one before or its source."""
    rng, layers = np.random.default_rng(0), []
    for index, (inputs, outputs) in enumerate(pairwise(widths)):
        source = INPUT if index == 0 else f"fc{index}"
        if sources is not None:
            source = sources[index]
        weight = rng.standard_normal((outputs, inputs, 1, 1)).astype(np.float32)
        shape = LayerShape(n=1, m=outputs, c=inputs)
        layers.append(MacLayer(f"fc{index + 1}", "linear", source, shape, weight, None))
    images = rng.standard_normal((1, widths[0], 1, 1)).astype(np.float32)
    return Trace("net", tuple(layers), images, output or layers[-1].name)


def moved(layer, action):
    return layer.counts.get(("dram", action), 0)


def check_bits(trace, machine):
    result = run_machine(trace, machine)
    expected = run_trace(trace, machine.multiplier, machine.accumulator, scheme_of(machine))
    assert result.outputs.tobytes() == expected.tobytes()
    return result


def test_two_layers_worked_by_hand():
    """The first one's outputs are not written and the second one's activations not read.

    Reads of 4 weights and 2 activations: 3 cycles and one a word; the pass 5 (fill 1, stream 3,
    drain 1). Then 2 weights, a pass of 4, and the network's output is written.
    """
    result = check_bits(linears(2, 2, 1), MACHINE)
    log = [entry[:6] for entry in result.timeline if not entry.block.startswith("dma")]
    assert log == [
        (0, 7, "dram", "read weight", "fc1", 0),
        (7, 12, "dram", "read ifmap", "fc1", 0),
        (12, 17, "array", "pass", "fc1", 0),
        (17, 22, "dram", "read weight", "fc2", 0),
        (22, 26, "array", "pass", "fc2", 0),
        (26, 30, "dram", "write ofmap", "fc2", 0),
    ]
    first, second = result.layers
    assert (first.forwarded_words, second.forwarded_words) == (2, 0)
    assert moved(first, "write") == 0
    assert moved(second, "read") == 2
    assert moved(second, "write") == 1


def test_what_two_layers_read_or_the_network_returns_goes_to_dram():
    twice = linears(2, 2, 2, 2, sources=[INPUT, "fc1", "fc1"])
    assert [layer.forwarded_words for layer in check_bits(twice, MACHINE).layers] == [0, 0, 0]
    returned = linears(2, 2, 2, output="fc1")
    assert [layer.forwarded_words for layer in check_bits(returned, MACHINE).layers] == [0, 0]


def test_what_does_not_fit_beside_the_tiles_goes_to_dram():
    """40 outputs in a GLB of 48 words: what is left has no room for two tiles of either layer."""
    third = 16 * 4 / 1024
    small = MACHINE.replace(**{f"glb.{name}_kib": third for name in ("ifmap", "weight", "ofmap")})
    wide = check_bits(linears(2, 44, 3), small)
    assert [layer.forwarded_words for layer in wide.layers] == [0, 0]
    narrow = check_bits(linears(2, 20, 3), small)
    assert [layer.forwarded_words for layer in narrow.layers] == [20, 0]


def test_relus_and_pooling_hand_on_too():
    """A fused ReLU is part of its layer; one alone reads and leaves words in the GLB."""
    first = linears(2, 6).layers[0]
    four = (1, 6, 1, 1)
    relus = tuple(
        VectorLayer(f"relu{i}", "relu", s, four, four) for i, s in ((1, "fc1"), (2, "relu1"))
    )
    last = MacLayer(
        "fc2", "linear", "relu2", LayerShape(n=1, m=2, c=6), np.ones((2, 6, 1, 1), np.float32), None
    )
    images = np.float32([1, -2]).reshape(1, 2, 1, 1)
    result = check_bits(Trace("net", (first, *relus, last), images, "fc2"), MACHINE)
    assert [layer.op for layer in result.layers] == ["linear+relu", "relu", "linear"]
    assert [layer.forwarded_words for layer in result.layers] == [6, 6, 0]
    assert moved(result.layers[1], "read") == moved(result.layers[1], "write") == 0


@pytest.mark.parametrize(
    ("first", "second", "stays"),
    [("fc1", INPUT, 4), (INPUT, "fc1", 0), ("fc1", "fc1", 0)],
)
@pytest.mark.parametrize("relu", [False, True])
def test_a_matmul_finds_its_first_operand_alone_in_the_glb(first, second, stays, relu):
    """Its weights have no place there, and what it reads twice has two readers."""
    layers = list(linears(4, 4).layers)
    if relu:
        four = (1, 4, 1, 1)
        layers.append(VectorLayer("relu", "relu", "fc1", four, four))
    made = {"fc1": layers[-1].name, INPUT: INPUT}
    straight, turned = View((1, 2, 2), (4, 2, 1)), View((1, 2, 2), (4, 1, 2))
    operand = Operand(made[second], turned)
    shape = LayerShape.of_matmul(1, 2, 2, 2)
    mul = MacLayer("mul", "matmul", made[first], shape, operand, None, view=straight)
    images = np.float32([1, -2, 3, 4]).reshape(1, 4, 1, 1)
    result = check_bits(Trace("net", (*layers, mul), images, "mul"), MACHINE)
    assert [layer.forwarded_words for layer in result.layers] == [stays, 0]
    assert moved(result.layers[0], "write") == 4 - stays
    assert moved(result.layers[1], "read") == 8 - stays


@pytest.mark.parametrize("changes", [{}, {"accumulator": "float64", "glb.double_buffered": False}])
def test_a_whole_network_keeps_its_bits_and_saves_traffic(small_trace, changes):
    plain = Accelerator.preset("edge_16x16").replace(**{"glb.unified": True}, **changes)
    kept = check_bits(small_trace, plain.replace(**{"glb.forwarding": True}))
    sent = run_machine(small_trace, plain, values=False)
    assert sum(layer.forwarded_words for layer in kept.layers) > 0
    for layer in kept.layers:
        assert moved(layer, "write") == layer.outputs - layer.forwarded_words
    assert kept.total_cycles < sent.total_cycles


def test_columns_of_a_run(small_trace):
    machine = Accelerator.preset("edge_16x16").replace(
        **{"glb.unified": True, "glb.forwarding": True, "dram.kind": "lpddr4_3200"}
    )
    layers = accelsim.simulate(small_trace, machine, values=False).layers
    assert (layers["forwarded_bytes"] > 0).any()
    assert (layers["dram_row_hits"] > 0).any()
    assert (layers["psum_spill_bytes"] == 0).all()
    assert layers["tiling"].str.contains("fewest cycles of").any()


def test_rejects_forwarding_without_a_unified_glb():
    with pytest.raises(ConfigError, match="glb: .*forwarding needs unified: true"):
        Accelerator.preset("tiny_4x4").replace(**{"glb.forwarding": True})
