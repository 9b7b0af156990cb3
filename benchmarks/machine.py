"""What the machine costs: beside SCALE-Sim, beside the bare kernels, and as layers grow.

Run ``python benchmarks/machine.py``; ``--help`` says what can be chosen. CPU seconds and ratios of
one run; only ratios mean anything on a shared machine.

``alexnet``: the five convolutions, timing only, 128 x 128, three dataflows, event by event; cycles
in SCALE-Sim's convention beside those that SCALE-Sim itself reports with ``--scalesim PYTHON``, a
Python that has it (``pip install scalesim "numpy<2.4"`` in an environment of its own), which takes
minutes. ``resnet50``: all convolutions and the classifier, timing only, six machines. ``values``:
AlexNet at 227 x 227 with random weights through ``ax_fpm`` on 32 x 32, logits read out of the
simulated DRAM, beside the kernels of the same layers. ``growth``: one layer with batch and size
doubled: time, events and memory.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

import accelsim
from accelsim import kernels
from accelsim.config import Accelerator
from accelsim.dataflows import DATAFLOWS, mapper
from accelsim.layer import INPUT, LayerShape, MacLayer, Trace
from accelsim.machine import run_machine

DATAFLOW_NAMES = ("os", "ws", "is")
ALEXNET = {
    "conv1": LayerShape(n=1, m=96, c=3, h=227, w=227, r=11, s=11, stride=(4, 4)),
    "conv2": LayerShape(n=1, m=256, c=96, h=31, w=31, r=5, s=5),
    "conv3": LayerShape(n=1, m=384, c=256, h=15, w=15, r=3, s=3),
    "conv4": LayerShape(n=1, m=384, c=384, h=15, w=15, r=3, s=3),
    "conv5": LayerShape(n=1, m=256, c=384, h=15, w=15, r=3, s=3),
}
"""As SCALE-Sim takes them: without padding, which is part of the ifmap."""

SCALESIM = """
import contextlib, io, resource, sys, time
from scalesim.scale_sim import scalesim
config, topology, out = sys.argv[1:]
with contextlib.redirect_stdout(io.StringIO()):
    tool = scalesim(
        save_disk_space=True, verbose=False, config=config, topology=topology, layout=topology,
        input_type_gemm=False,
    )
    start = time.process_time()
    tool.run_scale(top_path=out)
    seconds = time.process_time() - start
print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
CONFIG = """
[general]
run_name = alexnet
[architecture_presets]
ArrayHeight: {size}
ArrayWidth: {size}
IfmapSramSzkB: 1024
FilterSramSzkB: 1024
OfmapSramSzkB: 1024
IfmapOffset: 0
FilterOffset: 10000000
OfmapOffset: 20000000
Dataflow: {dataflow}
Bandwidth: 10
ReadRequestBuffer: 64
WriteRequestBuffer: 64
[layout]
IfmapCustomLayout: False
IfmapSRAMBankBandwidth: 10
IfmapSRAMBankNum: 10
IfmapSRAMBankPort: 2
FilterCustomLayout: False
FilterSRAMBankBandwidth: 10
FilterSRAMBankNum: 10
FilterSRAMBankPort: 2
[sparsity]
SparsitySupport: false
SparseRep: ellpack_block
OptimizedMapping: false
BlockSize: 8
RandomNumberGeneratorSeed: 40
[run_presets]
InterfaceBandwidth: CALC
UseRamulatorTrace: False
"""


def resnet50() -> dict[str, LayerShape]:
    """Return the convolutions of ResNet-50 at 224 x 224 (stride in the 3x3) and its classifier."""
    layers = {"conv1": LayerShape(n=1, m=64, c=3, h=224, w=224, r=7, s=7, stride=(2, 2),
                                  padding=(3, 3))}  # fmt: skip
    channels, size = 64, 56
    for stage, (width, blocks) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)], start=2):
        for block in range(blocks):
            stride = 2 if block == 0 and stage > 2 else 1
            name, out = f"conv{stage}_{block + 1}", 4 * width
            layers[f"{name}a"] = LayerShape(n=1, m=width, c=channels, h=size, w=size)
            layers[f"{name}b"] = LayerShape(
                n=1, m=width, c=width, h=size, w=size, r=3, s=3, stride=(stride,) * 2,
                padding=(1, 1),
            )  # fmt: skip
            if block == 0:
                layers[f"{name}s"] = LayerShape(
                    n=1, m=out, c=channels, h=size, w=size, stride=(stride,) * 2
                )
            size = -(-size // stride)
            layers[f"{name}c"] = LayerShape(n=1, m=out, c=width, h=size, w=size)
            channels = out
    layers["fc"] = LayerShape(n=1, m=1000, c=2048)
    return layers


def single(name: str, shape: LayerShape) -> Trace:
    """Return a trace of one layer, zeros all over."""
    weight = np.zeros((shape.m, shape.c // shape.groups, shape.r, shape.s), np.float32)
    layer = MacLayer(name, "conv2d", INPUT, shape, weight, None)
    return Trace(name, (layer,), np.zeros((shape.n, shape.c, shape.h, shape.w), np.float32), name)


def machine(size: int, dataflow: str) -> Accelerator:
    """Return a machine of size x size PEs."""
    return Accelerator.preset("server_64x64").replace(
        **{"array.rows": size, "array.cols": size, "array.dataflow": dataflow}
    )


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    """Return (CPU seconds, result)."""
    start = time.process_time()
    result = run()
    return time.process_time() - start, result


def timing_only(traces: Iterable[Trace], accelerator: Accelerator) -> tuple[int, int]:
    """Return (compute cycles, timeline entries) of layers, each for itself."""
    cycles = events = 0
    for trace in traces:
        result = run_machine(trace, accelerator, values=False)
        cycles += result.layers[0].compute_cycles
        events += len(result.timeline)
    return cycles, events


def alexnet(python: str | None, repeats: int) -> None:
    """Print the five convolutions beside SCALE-Sim."""
    traces = [single(name, shape) for name, shape in ALEXNET.items()]
    print("AlexNet, five convolutions, 128x128, timing only (CPU s, median)")
    print(f"{'':4}{'machine':>9}{'formula':>10}{'cycles':>10}{'SCALE-Sim':>11}{'cycles':>10}"
          f"{'ratio':>8}{'MiB':>7}")  # fmt: skip
    for name in DATAFLOW_NAMES:
        accelerator = machine(128, name)
        took = [timed(lambda m=accelerator: timing_only(traces, m))[0] for _ in range(repeats)]
        formula, reported = timed(lambda n=name: [_reported(n, s) for s in ALEXNET.values()])
        line = f"{name:4}{statistics.median(took):>9.3f}{formula:>10.5f}{sum(reported):>10}"
        if python:
            seconds, mib, theirs = scalesim(python, name)
            if theirs != reported:
                raise SystemExit(f"{name}: SCALE-Sim reports {theirs}, the formula {reported}")
            line += f"{seconds:>11.1f}{sum(theirs):>10}{seconds / statistics.median(took):>7.0f}x"
            line += f"{mib:>7.0f}"
        print(line, flush=True)
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of this process so far: {own:.0f} MiB\n")


def _reported(dataflow: str, shape: LayerShape) -> int:
    return DATAFLOWS[dataflow].compute_cycles(
        *shape.gemm, rows=128, cols=128, convention="scalesim3"
    )


def scalesim(python: str, dataflow: str) -> tuple[float, float, list[int]]:
    """Return (CPU seconds, MiB, cycles by layer) of SCALE-Sim itself."""
    with tempfile.TemporaryDirectory() as folder:
        config, topology = Path(folder) / "machine.cfg", Path(folder) / "alexnet.csv"
        config.write_text(CONFIG.format(size=128, dataflow=dataflow))
        rows = [
            f"{name}, {s.h}, {s.w}, {s.r}, {s.s}, {s.c}, {s.m}, {s.stride[0]},\n"
            for name, s in ALEXNET.items()
        ]
        header = "name, ifmap height, ifmap width, filter height, filter width, channels, filters,"
        topology.write_text(f"{header} strides,\n{''.join(rows)}")
        done = subprocess.run(
            [python, "-c", SCALESIM, config, topology, folder],
            check=True,
            capture_output=True,
            text=True,
        )
        (report,) = Path(folder).rglob("COMPUTE_REPORT.csv")
        lines = report.read_text().splitlines()[1:]
        seconds, mib = map(float, done.stdout.split())
        return seconds, mib, [int(float(line.split(",")[2])) for line in lines]


def resnet(repeats: int) -> None:
    """Print ResNet-50 on six machines."""
    shapes = resnet50()
    traces = [single(name, shape) for name, shape in shapes.items()]
    macs = sum(shape.macs for shape in shapes.values())
    print(f"ResNet-50, {len(traces)} layers, {macs / 1e9:.2f} GMAC, timing only, event by event")
    print(f"{'':12}{'CPU s':>8}{'Mcycles':>10}{'events':>9}")
    total = 0.0
    for size in (32, 128):
        for name in DATAFLOW_NAMES:
            accelerator, took = machine(size, name), []
            for _ in range(repeats):
                seconds, (cycles, events) = timed(lambda m=accelerator: timing_only(traces, m))
                took.append(seconds)
            total += statistics.median(took)
            label = f"{size}x{size} {name}"
            print(f"{label:12}{statistics.median(took):>8.2f}{cycles / 1e6:>10.3f}{events:>9}")
    print(f"{'all six':12}{total:>8.2f}\n", flush=True)


def alexnet_module() -> Any:
    """Return AlexNet for 227 x 227 without groups and normalization, random weights."""
    import torch  # here, so that timing alone is measured without it
    from torch import nn

    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 96, 11, stride=4), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(96, 256, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(256, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Flatten(),
        nn.Linear(9216, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000),
    ).eval()  # fmt: skip


def values(repeats: int) -> None:
    """Print the machine with values beside the bare kernels."""
    accelsim.set_threads(1)
    images = np.random.default_rng(0).standard_normal((1, 3, 227, 227), dtype=np.float32)
    trace = accelsim.trace(alexnet_module(), images)
    accelerator = machine(32, "os").replace(multiplier="ax_fpm")
    layers = [layer for layer in trace.layers if isinstance(layer, MacLayer)]
    rng = np.random.default_rng(1)
    operands = {
        layer.name: rng.standard_normal(
            (1, layer.shape.c, layer.shape.h, layer.shape.w), dtype=np.float32
        )
        for layer in layers
    }

    def bare() -> None:
        for layer in layers:
            shape = layer.shape
            how = {"stride": shape.stride, "padding": shape.padding, "groups": shape.groups}
            kernels.conv2d("ax_fpm", "float32", operands[layer.name], layer.weight, **how)

    def run() -> Any:
        mapper.forget()  # a run costs what the first one does
        return run_machine(trace, accelerator)

    bare()
    outputs = run().outputs
    times = {"kernels": [], "machine": []}
    for _ in range(repeats):
        times["kernels"].append(timed(bare)[0])
        times["machine"].append(timed(run)[0])
    kernel, whole = (statistics.median(times[name]) for name in ("kernels", "machine"))
    macs = sum(layer.shape.macs for layer in layers)
    print(f"AlexNet 227x227 through ax_fpm on 32x32 os, one image, {macs / 1e6:.0f} MMAC, values")
    least = min(times["machine"]) / min(times["kernels"])
    print(f"kernels {kernel:.2f} CPU s, machine {whole:.2f}: {whole / kernel:.2f} times as long, "
          f"{least:.2f} between the least of each")  # fmt: skip
    print(f"logits {outputs.shape}, {np.isfinite(outputs).sum()} finite\n", flush=True)


def growth() -> None:
    """Print how time, events and memory grow with batch and size of a layer."""
    print("One layer, 64 filters of 64x3x3, 32x32 os, timing only: doubled step by step")
    print(f"{'':16}{'CPU s':>8}{'events':>9}{'peak MiB':>10}")
    for batch, size in ((1, 56), (2, 56), (4, 56), (8, 56), (1, 112), (1, 224)):
        shape = LayerShape(n=batch, m=64, c=64, h=size, w=size, r=3, s=3, padding=(1, 1))
        trace, accelerator = single("conv", shape), machine(32, "os")
        seconds, (_, events) = timed(lambda t=trace, m=accelerator: timing_only([t], m))
        tracemalloc.start()
        timing_only([trace], accelerator)
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        label = f"n={batch} {size}x{size}"
        print(f"{label:16}{seconds:>8.3f}{events:>9}{peak:>10.1f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = ("alexnet", "resnet50", "values", "growth")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(parts)}")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--scalesim", metavar="PYTHON", help="a Python with SCALE-Sim 3.0.0")
    options = parser.parse_args()
    chosen = options.parts or parts
    unknown = [part for part in chosen if part not in parts]
    if unknown:
        parser.error(f"no part {unknown[0]!r}; known: {', '.join(parts)}")
    if "alexnet" in chosen:
        alexnet(options.scalesim, options.repeats)
    if "resnet50" in chosen:
        resnet(options.repeats)
    if "values" in chosen:
        values(options.repeats)
    if "growth" in chosen:
        growth()


if __name__ == "__main__":
    sys.exit(main())
