"""Products per second of every unit on real layers beside torch's exact float32, as one table.

Run ``python benchmarks/units.py``; ``--help`` says what can be chosen.

All contenders run in one process and take turns; numbers are medians. Only ratios mean anything on
a shared machine::

    G/s       products per second of one thread, by its CPU time, im2col included
    / torch   that time over torch's float32 convolution (or linear layer), one thread
    x2        speed-up of two threads over one, by wall time: wants two idle cores
    / before  time / torch here over time / torch in the table that --against names

``--against`` takes a table that ``--json`` wrote, or a commit, which is then checked out beside and
measured right after. Bits are checked against the scalar product before anything is timed.

What bounds the kernels, counted on their machine code for 256-bit vectors: `ax_fpm` does 10 vector
operations for eight products (two multiplications, two fused ones and two shifts of float64, a
blend, then of float32 an OR, a multiplication, a fused one), `ax_fpm_carry` 8 (an addition for the
last three), beside four loads that four filters share in part. Six of the 10 go to two of the four
ports: at most 8 G/s at 3 GHz, of which the loop alone reached 5.0 to 5.8, the carry's 7 to 8, psums
in registers, operands in an L1; the whole kernel then does 4.2: splitting the operands of a panel
and the columns that fill a vector up (49 take the time of 56) are the rest. With AVX-512 the same
operations make 16 products, and whole kernels do 6.1 to 6.6 G/s where those of 8 lanes did 4.1.
`heap` does 14, 11 of them of int32 (two shifts, a multiplication, two additions, six logical ones),
psums in memory. Units of one part (`exact_fp32`) do 10 vector loads and stores for 8 products and
are bound by those. Tables do a load and an addition for 8 products of filters (or of columns,
whichever are fewer): bound by loads from 16 KiB of interleaved rows in an L1, and where fewer than
some hundred operands stream past by interleaving them, which takes as long as 310 operands for each
k. At batch 1 a fully connected layer uses each weight once: splitting it, or a look-up in an L2, is
the bound, and with more weights than a cache holds memory is.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

# Read when torch is imported: its second thread must not wait for work on the core of the next run.
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
os.environ["KMP_BLOCKTIME"] = "0"

import numpy as np
import torch

from accelsim import kernels
from accelsim.accumulators import Accumulator, accumulator_of
from accelsim.multipliers import MULTIPLIERS, IntegerMultiplier, Multiplier

ROOT = Path(__file__).resolve().parents[1]


class Layer(NamedTuple):
    """A layer at some batch: images (N, C, H, W), weights (M, C / groups, R, S)."""

    images: tuple[int, int, int, int]
    weights: tuple[int, int, int, int]
    stride: int = 1
    padding: int = 0
    groups: int = 1

    @property
    def products(self) -> int:
        """How many products it has."""
        rows, cols = (
            (size + 2 * self.padding - kernel) // self.stride + 1
            for size, kernel in zip(self.images[2:], self.weights[2:], strict=True)
        )
        return int(np.prod(self.weights)) * self.images[0] * rows * cols


LAYERS = {
    "LeNet-5 conv1": Layer((1, 1, 28, 28), (6, 1, 5, 5), padding=2),
    "LeNet-5 conv2": Layer((1, 6, 14, 14), (16, 6, 5, 5)),
    "DA-LeNet conv1": Layer((1, 1, 28, 28), (32, 1, 3, 3), padding=1),
    "DA-LeNet conv2": Layer((1, 32, 14, 14), (64, 32, 3, 3), padding=1),
    "AlexNet conv1": Layer((1, 3, 227, 227), (96, 3, 11, 11), stride=4),
    "AlexNet conv3": Layer((1, 256, 13, 13), (384, 256, 3, 3), padding=1),
    "ResNet 64 56x56": Layer((1, 64, 56, 56), (64, 64, 3, 3), padding=1),
    "ResNet18 conv5": Layer((1, 512, 7, 7), (512, 512, 3, 3), padding=1),
    "ResNet50 1x1": Layer((1, 256, 56, 56), (64, 256, 1, 1)),
    "MobileNet depthwise": Layer((1, 256, 28, 28), (256, 1, 3, 3), padding=1, groups=256),
    "LeNet-5 fc1": Layer((1, 400, 1, 1), (120, 400, 1, 1)),
    "DA-LeNet fc1": Layer((1, 3136, 1, 1), (200, 3136, 1, 1)),
    "AlexNet fc7": Layer((1, 4096, 1, 1), (4096, 4096, 1, 1)),
}
TORCH = "torch float32"


def set_threads(count: int) -> None:
    """Set the threads of torch and of the kernels; of a commit without threads, of torch."""
    torch.set_num_threads(count)
    os.environ["ACCELSIM_THREADS"] = str(count)


def torch_run(layer: Layer) -> Callable[[], Any]:
    """Return torch's exact pass."""
    rng = np.random.default_rng(0)
    images, weights = (
        torch.from_numpy(rng.standard_normal(shape, dtype=np.float32)) for shape in layer[:2]
    )
    if layer.images[2:] == (1, 1):
        return lambda: torch.nn.functional.linear(images.flatten(1), weights.flatten(1))
    how: dict[str, Any] = {
        "stride": layer.stride,
        "padding": layer.padding,
        "groups": layer.groups,
    }
    return lambda: torch.nn.functional.conv2d(images, weights, **how)


def unit_run(layer: Layer, unit: Multiplier) -> Callable[[], Any]:
    """Return the pass through *unit*; its first call, which compiles, has been checked."""
    adder = accumulator_of(unit)
    rng = np.random.default_rng(0)
    if isinstance(unit, IntegerMultiplier):
        form = unit.operands
        images, weights = (
            rng.integers(form.low, form.high + 1, shape).astype(form.dtype) for shape in layer[:2]
        )
        function: Callable[..., Any] = kernels.convolve
    else:
        images, weights = (rng.standard_normal(shape, dtype=np.float32) for shape in layer[:2])
        function = kernels.conv2d
    how = {
        "stride": (layer.stride,) * 2,
        "padding": (layer.padding,) * 2,
        "groups": layer.groups,
    }

    def run() -> Any:
        return function(unit, adder, images, weights, **how)

    check(unit, adder, layer, images, weights, run())
    return run


def check(
    unit: Multiplier, adder: Accumulator, layer: Layer, images: Any, weights: Any, outputs: Any
) -> None:
    """Leave unless the output in the middle of the first filter is the sum of its products."""
    pad = layer.padding
    padded = np.pad(images[0], ((0, 0), (pad, pad), (pad, pad)))
    channels, rows, cols = weights.shape[1:]
    p, q = outputs.shape[2] // 2, outputs.shape[3] // 2
    window = padded[:channels, p * layer.stride : p * layer.stride + rows, q * layer.stride :][
        :, :, :cols
    ]
    total = adder.dtype.type(0)
    for product in unit.product(window.ravel(), weights[0].ravel()):
        total = adder.dtype.type(adder.add(total, product))
    if outputs[0, 0, p, q] != total:
        raise SystemExit(f"{unit.name}: wrong bits, nothing to time")


def measure(runs: dict[str, Callable[[], Any]], repeats: int) -> dict[str, dict[str, float]]:
    """Return name -> median seconds: CPU and wall of one thread, wall of two; runs take turns."""
    seconds: dict[str, dict[str, list[float]]] = {
        name: {"cpu": [], "wall": [], "wall2": []} for name in runs
    }
    for threads, clocks in ((1, ("cpu", "wall")), (2, ("wall2",))) * repeats:
        set_threads(threads)
        for name, run in runs.items():
            cpu, wall = time.process_time(), time.perf_counter()
            run()
            took = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
            for clock in clocks:
                seconds[name][clock].append(took[clock.rstrip("2")])
    return {
        name: {clock: statistics.median(values) for clock, values in times.items()}
        for name, times in seconds.items()
    }


def measured(layers: list[str], units: list[str], repeats: int) -> dict[str, dict[str, Any]]:
    """Return layer -> contender -> seconds, printing nothing."""
    table = {}
    for name in layers:
        layer = LAYERS[name]
        runs = {TORCH: torch_run(layer)}
        for unit in units:
            entry = MULTIPLIERS[unit]
            if hasattr(kernels, "convolve") or not isinstance(entry, IntegerMultiplier):
                runs[unit] = unit_run(layer, entry)
        table[name] = measure(runs, repeats)
    return table


def before(against: str, arguments: list[str]) -> dict[str, dict[str, Any]]:
    """Return the table in a file, or that of a commit, measured in a checkout of its own."""
    if Path(against).is_file():
        return json.loads(Path(against).read_text())
    with tempfile.TemporaryDirectory() as folder:
        tree, table = Path(folder) / "tree", Path(folder) / "table.json"
        subprocess.run(
            ["git", "-C", ROOT, "worktree", "add", "--detach", tree, against],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        try:
            command = [sys.executable, __file__, *arguments, "--json", str(table)]
            environment = os.environ | {"PYTHONPATH": str(tree)}
            subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
        finally:
            subprocess.run(["git", "-C", ROOT, "worktree", "remove", "--force", tree], check=True)
        return json.loads(table.read_text())


def print_table(table: dict[str, dict[str, Any]], old: dict[str, dict[str, Any]]) -> None:
    """Print one line per layer and contender."""
    print(f"{'layer':<21}{'unit':<26}{'G/s':>7}{'/ torch':>9}{'x2':>6}{'/ before':>10}")
    for layer, rows in table.items():
        for name, times in rows.items():
            ratio = times["cpu"] / rows[TORCH]["cpu"]
            line = (
                f"{layer:<21}{name:<26}{LAYERS[layer].products / times['cpu'] / 1e9:>7.2f}"
                f"{ratio:>9.2f}{times['wall'] / times['wall2']:>6.2f}"
            )
            past = old.get(layer, {})
            if name in past and name != TORCH:
                line += f"{ratio / (past[name]['cpu'] / past[TORCH]['cpu']):>10.2f}"
            print(line)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--units", nargs="+", default=list(MULTIPLIERS), metavar="UNIT")
    parser.add_argument(
        "--layers", nargs="+", default=list(LAYERS), choices=LAYERS, metavar="LAYER"
    )
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to keep the table")
    parser.add_argument("--against", metavar="FILE|COMMIT", help="table or commit to compare with")
    options = parser.parse_args()
    table = measured(options.layers, options.units, options.repeats)
    if options.json:
        options.json.write_text(json.dumps(table, indent=1))
    chosen = ["--repeats", str(options.repeats), "--units", *options.units, "--layers"]
    old = before(options.against, [*chosen, *options.layers]) if options.against else {}
    print_table(table, old)


if __name__ == "__main__":
    main()
