"""Topologies on the machine: each layer as it runs alone, and SCALE-Sim's own cycles."""

import math
from dataclasses import replace

import numpy as np
import pytest

import accelsim
from accelsim.dataflows import DATAFLOWS
from accelsim.errors import ConfigError, DataError, TraceError
from accelsim.layer import INPUT, MacLayer, Trace
from accelsim.topology import Topology

NET = "wide, 9, 20, 3, 4, 6, 5, 2, 1\nDP, 7, 7, 3, 3, 4, 2, 1\nfc, 1, 1, 1, 1, 50, 12, 1\n"
PRODUCTS = "a, 11, 5, 7\nb, 3, 9, 4\n"
ALEXNET = (
    "Conv1, 224, 224, 11, 11, 3, 96, 4,\nConv2, 27, 27, 5, 5, 96, 256, 1,\n"
    "Conv3, 13, 13, 3, 3, 256, 384, 1,\nConv4, 13, 13, 3, 3, 384, 384, 1,\n"
    "Conv5, 13, 13, 3, 3, 384, 256, 1,\n"
)
ALEXNET_WITH_FC = (
    "Conv1, 227, 227, 11, 11, 3, 64, 4,\nConv2, 27, 27, 5, 5, 64, 192, 1,\n"
    "Conv3, 13, 13, 3, 3, 192, 384, 1,\nConv4, 13, 13, 3, 3, 384, 256, 1,\n"
    "Conv5, 13, 13, 3, 3, 256, 256, 1,\nFC6, 6, 6, 6, 6, 256, 4096, 1,\n"
    "FC7, 1, 4096, 1, 4096, 1, 4096, 1,\nFC8, 1, 4096, 1, 4096, 1, 1000, 1,\n"
)


def alone(layer: MacLayer) -> Trace:
    """Return a trace of one layer, whose ifmap is all of the input."""
    shape = layer.shape
    dense = replace(layer, weight=np.zeros(layer.weight.shape, np.float32), view=None)
    images = np.zeros((shape.n, shape.c, shape.h, shape.w), np.float32)
    return Trace(layer.name, (replace(dense, op="conv2d"),), images, layer.name)


@pytest.mark.parametrize("dataflow", ["os", "ws", "is", "rs"])
@pytest.mark.parametrize("text", [NET, PRODUCTS], ids=["convolutions", "products"])
@pytest.mark.parametrize("images", [1, 3])
def test_every_layer_runs_as_if_alone(topology, text, dataflow, images):
    preset = "eyeriss_168" if dataflow == "rs" else "edge_16x16"
    machine = accelsim.Accelerator.preset(preset).replace(**{"array.dataflow": dataflow})
    found = topology(text, images)
    run = accelsim.simulate(found, machine, values=False)
    columns = ["macs", "compute_cycles", "total_cycles", "energy_pj", "dram_read_bytes"]
    for layer, row in zip(found.layers, run.layers.to_dict("records"), strict=True):
        (expected,) = accelsim.simulate(alone(layer), machine, values=False).layers.to_dict(
            "records"
        )
        assert {name: row[name] for name in columns} == {name: expected[name] for name in columns}
    assert run.summary["latency_cycles"].iloc[0] == run.layers["total_cycles"].sum()
    assert run.summary["images"].iloc[0] == images
    assert math.isnan(run.summary["accuracy"].iloc[0])
    assert run.outputs is None


@pytest.mark.parametrize(
    ("text", "macs", "size", "reported"),
    [
        (ALEXNET, 805_118_496, 32, {"os": 850_960, "ws": 1_136_239, "is": 1_158_205}),
        (ALEXNET, 805_118_496, 128, {"os": 67_567, "ws": 139_901, "is": 146_717}),
        (ALEXNET_WITH_FC, 550_119_104, 32, {"os": 2_377_338, "ws": 6_158_348, "is": 2_661_532}),
        (ALEXNET_WITH_FC, 550_119_104, 128, {"os": 528_862, "ws": 1_472_967, "is": 618_784}),
    ],
)
def test_shapes_are_those_of_scalesim(topology, text, macs, size, reported):
    """MACs and the sums of compute cycles that SCALE-Sim 3.0.0 itself reports for its AlexNets."""
    found = topology(text)
    assert found.macs == macs
    for dataflow, cycles in reported.items():
        compute = DATAFLOWS[dataflow].compute_cycles
        assert cycles == sum(
            compute(*layer.shape.gemm, rows=size, cols=size, convention="scalesim3")
            for layer in found.layers
        )


def test_a_depthwise_layer_takes_as_long_as_its_channels_one_by_one(topology):
    machine = accelsim.Accelerator.preset("edge_16x16")
    channel = "c, 7, 7, 3, 3, 1, 2, 1\n"
    together, apart = (
        accelsim.simulate(topology(text), machine, values=False).summary["compute_cycles"].iloc[0]
        for text in ("DP, 7, 7, 3, 3, 4, 2, 1\n", 4 * channel)
    )
    assert together == apart


def test_rejects_values(topology):
    with pytest.raises(DataError, match=r"'net' is a topology: .* values=False.*--timing-only"):
        accelsim.simulate(topology(NET), "edge_16x16")


def test_rejects_energy_of_operands(topology):
    machine = accelsim.Accelerator.preset("edge_16x16").replace(
        **{"multiplier_energy.mode": "zero_gated"}
    )
    with pytest.raises(ConfigError, match="operands"):
        accelsim.simulate(topology(NET), machine, values=False)


def test_a_part_of_the_batch(topology):
    found = topology(NET, images=4)
    run, whole = (
        accelsim.simulate(one, "edge_16x16", images=2, values=False).summary
        for one in (found, topology(NET, images=2))
    )
    assert run["latency_cycles"].iloc[0] == whole["latency_cycles"].iloc[0]
    with pytest.raises(TraceError, match=r"images must be an int in 1..4"):
        found.batch(5)


def test_the_run_says_what_was_not_read(topology, tmp_path):
    run = accelsim.simulate(topology(NET), "edge_16x16", values=False)
    assert [note.partition("net.csv:")[2][:2] for note in run.manifest["notes"]] == ["2:"]
    again = accelsim.load_run(run.save(tmp_path / "run"))
    assert again.manifest["notes"] == run.manifest["notes"]


def test_the_fingerprint_is_that_of_names_and_shapes(topology):
    first = topology(NET)
    same = topology("# again\n" + NET.replace(", ", ","), name="other.csv")
    assert isinstance(first, Topology)
    assert first.fingerprint == same.fingerprint == first.network_fingerprint
    others = [
        topology(NET, images=2),
        topology(NET.replace("50", "51")),
        topology(NET.replace("fc", "classes")),
    ]
    assert len({first.fingerprint, *(one.fingerprint for one in others)}) == 4


@pytest.mark.parametrize("text", [NET, PRODUCTS], ids=["convolutions", "products"])
def test_a_layer_reads_the_first_words_of_every_image(topology, text):
    found = topology(text, images=3)
    words = np.arange(found.images.size).reshape(found.images.shape)
    for layer in found.layers:
        ifmaps = np.lib.stride_tricks.as_strided(
            words, layer.ifmap.shape, [words.itemsize * one for one in layer.ifmap.strides]
        )
        size = layer.shape.c * layer.shape.h * layer.shape.w
        assert layer.source == INPUT
        assert (ifmaps.reshape(3, -1) == words[:, :size]).all()
