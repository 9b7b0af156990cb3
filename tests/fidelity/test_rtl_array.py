"""Exported arrays under Icarus Verilog and Verilator: cycles of the closed form, the kernels' bits.

The test bench that is exported compares; here it runs, its count and the cycle at which every psum
is stored are read, and it is shown to find a wrong bit and a wrong cycle. Icarus needs no build, so
that it has the many machines; Verilator, which is the second opinion, the few.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from accelsim.dataflows import DATAFLOWS, PeTiming
from accelsim.rtl import ArrayDesign, UnitRtl

UNITS = ["exact_fp32", "ax_fpm", "exact_int8"]
GEMMS = [(1, 1, 1, False), (5, 4, 9, False), (7, 9, 3, True), (3, 2, 8, True), (6, 11, 5, False)]


def needs(*tools):
    missing = [tool for tool in tools if shutil.which(tool) is None]
    return pytest.mark.skipif(
        bool(missing), reason=f"not installed: apt-get install {' '.join(missing)}"
    )


def design(unit, dataflow, rows, cols, *timing, style="auto"):
    return ArrayDesign(UnitRtl.of(unit, style), dataflow, rows, cols, PeTiming(*timing))


def write(folder, files):
    for name, text in files.items():
        (folder / name).write_text(text)


def make(folder, simulator):
    """Build and run a test bench; return what it printed."""
    command = ["make", "-C", folder, simulator, "OPT=-O0"]
    # make of the test's own caller must not hand its jobs over.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run(folder, simulator, *arguments):
    """Run a test bench that is built, on the vectors that are there now."""
    program = {"icarus": ["vvp", "-n", "bench.vvp"], "verilator": ["obj_dir/Vbench"]}[simulator]
    return subprocess.run(
        [*program, *arguments], cwd=folder, capture_output=True, text=True, check=True
    ).stdout


def assert_passes(array, folder, simulator, gemms):
    """Run the products (m, n, k, resume): psums, cycles, and when each psum is stored."""
    write(folder, array.files(12, 12, 12))
    assert "PASS" in make(folder, simulator)
    for seed, (m, n, k, resume) in enumerate(gemms):
        write(folder, array.vectors(m, n, k, resume, seed))
        lines = run(folder, simulator, "+trace").splitlines()
        cycles = DATAFLOWS[array.dataflow].compute_cycles(
            m, n, k, rows=array.rows, cols=array.cols, timing=array.timing, resume=resume
        )
        assert f"PASS cycles {cycles}, psums {m * n}" in lines
        stored = np.full((m, n), -1)
        for line in lines:
            if line.startswith("STORE"):
                at = [int(word) for word in line.split()[1:3]]
                stored[tuple(reversed(at) if array.dataflow == "is" else at)] = line.split()[3]
        np.testing.assert_array_equal(stored, stored_cycles(array, m, n, k, resume))


def stored_cycles(array, m, n, k, resume):
    """Return the cycle at whose end each psum (m, n) is stored for the last time.

    From the passes and what the dataflows say of rows and skew: an output-stationary array drains
    the last row first; the others store sum s of column j when it leaves the last row.
    """
    timing, dataflow = array.timing, DATAFLOWS[array.dataflow]
    passes = dataflow.passes(
        m, n, k, rows=array.rows, cols=array.cols, timing=timing, resume=resume
    )
    stored, start = np.full((m, n), -1), 0
    for one in passes:
        pixels, filters = np.arange(one.pixels)[:, None], np.arange(one.filters)
        if array.dataflow == "os":
            when = one.cycles - 1 - pixels + 0 * filters
        else:
            stream, column = (pixels, filters) if array.dataflow == "ws" else (filters, pixels)
            when = one.load_cycles + (one.k - 1) * timing.add_cycles + timing.latency_cycles - 1
            when = when + stream * dataflow.interval(timing) + column
        block = np.s_[one.first_pixel :, one.first_filter :]
        stored[block][: one.pixels, : one.filters] = start + when
        start += one.cycles
    return stored


@st.composite
def timings(draw):
    multiply, add = draw(st.integers(0, 5)), draw(st.integers(1, 5))
    multiply_interval = draw(st.integers(1, max(1, multiply)))
    return multiply, add, multiply_interval, draw(st.integers(1, add))


@needs("iverilog", "make")
@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from([*UNITS, "exact_uint4"]),
    st.sampled_from(["os", "ws", "is"]),
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    timings(),
    st.lists(
        st.tuples(*[st.integers(1, 12)] * 3, st.booleans()), min_size=1, max_size=3, unique=True
    ),
)
@example("exact_fp32", "os", (4, 3), (3, 2, 3, 1), GEMMS)
@example("ax_fpm", "ws", (3, 4), (3, 3, 2, 2), GEMMS)
@example("exact_bfloat16", "is", (2, 2), (2, 1, 2, 1), [(3, 2, 3, True)])
@example("exact_int8", "is", (4, 3), (0, 1, 1, 1), GEMMS)
def test_any_array_under_icarus(unit, dataflow, size, timing, gemms):
    with tempfile.TemporaryDirectory() as folder:
        assert_passes(design(unit, dataflow, *size, *timing), Path(folder), "icarus", gemms)


# Takes the command of a compiler. The objects of Verilator's own sources are most of a build.
ONCE = """#!/bin/sh
for word; do case "$word" in verilated*.o) object=$word ;; esac; done
if [ -z "$object" ]; then exec "$@"; fi
cp "{kept}/$object" . 2> /dev/null || { "$@" && cp "$object" "{kept}"; }
"""


@pytest.fixture(scope="module")
def compiling_once(tmp_path_factory):
    """Objects of Verilator's own sources, the same in all benches, are made for the first alone."""
    kept = tmp_path_factory.mktemp("kept")
    (kept / "once").write_text(ONCE.replace("{kept}", str(kept)))
    (kept / "once").chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OBJCACHE", str(kept / "once"))
        yield


@needs("verilator", "make")
@pytest.mark.usefixtures("compiling_once")
@pytest.mark.parametrize(
    ("unit", "dataflow", "size", "timing"),
    [
        ("exact_fp32", "os", (3, 4), (2, 2, 1, 1)),
        ("ax_fpm", "os", (4, 2), (3, 1, 3, 1)),
        ("ax_fpm", "ws", (4, 4), (1, 1, 1, 1)),
        ("exact_fp32", "ws", (4, 3), (2, 3, 2, 3)),
        ("exact_int8", "is", (5, 3), (0, 1, 1, 1)),
        ("ax_fpm", "is", (3, 5), (4, 2, 2, 1)),
    ],
)
def test_arrays_under_verilator(unit, dataflow, size, timing, tmp_path):
    assert_passes(design(unit, dataflow, *size, *timing), tmp_path, "verilator", GEMMS)


@needs("iverilog", "make")
@pytest.mark.parametrize(("unit", "dataflow"), [("exact_int8", "os"), ("ax_fpm", "ws")])
def test_an_array_of_gates(unit, dataflow, tmp_path):
    array = design(unit, dataflow, 2, 3, 1, 1, style="structural")
    assert_passes(array, tmp_path, "icarus", [(3, 4, 5, False), (2, 3, 4, True)])


@needs("iverilog", "make")
@pytest.mark.parametrize("dataflow", ["os", "ws", "is"])
def test_the_registers_are_those_of_the_pe_level_model(dataflow, tmp_path):
    """Cycles, psums and the cycle at which each psum is stored, beside the stepped model's."""
    pe_level = pytest.importorskip("accelsim.pe_level")
    array = design("ax_fpm", dataflow, 3, 4, 2, 3, 2, 2)
    write(tmp_path, array.files(7, 6, 8))
    printed = make(tmp_path, "icarus")
    rng = np.random.default_rng(0)
    activations, weights = array.unit.operands(rng, (8, 7)), array.unit.operands(rng, (6, 8))
    stepped = pe_level.run(
        activations.T, weights.T, dataflow=dataflow, rows=3, cols=4, multiplier="ax_fpm",
        timing=array.timing,
    )  # fmt: skip
    assert f"PASS cycles {stepped.cycles}, psums 42" in printed
    np.testing.assert_array_equal(stepped.stored_cycles, stored_cycles(array, 7, 6, 8, False))
    psums = stepped.psums.T if dataflow == "is" else stepped.psums
    words = [f"{word:08x}" for word in np.ascontiguousarray(psums).view(np.uint32).ravel()]
    assert (tmp_path / "expected.hex").read_text().split() == words


@needs("iverilog", "make")
@pytest.mark.parametrize("dataflow", ["os", "ws"])
def test_the_bench_finds_a_wrong_bit_and_a_wrong_cycle(dataflow, tmp_path):
    array = design("exact_int8", dataflow, 3, 2, 1, 1)
    files = array.files(4, 3, 5)
    write(tmp_path, files)
    assert "PASS" in make(tmp_path, "icarus")
    first, rest = files["expected.hex"].split("\n", 1)
    write(tmp_path, {"expected.hex": f"{int(first, 16) ^ 1:08x}\n{rest}"})
    assert "1 of 12 psums wrong" in run(tmp_path, "icarus")
    *sizes, cycles = files["gemm.hex"].split()
    write(tmp_path, {**files, "gemm.hex": "\n".join([*sizes, f"{int(cycles, 16) + 1:x}"])})
    assert "FAIL cycles" in run(tmp_path, "icarus")


@needs("yosys")
@pytest.mark.parametrize(("unit", "dataflow"), [("ax_fpm", "os"), ("exact_int8", "is")])
def test_arrays_are_synthesizable(unit, dataflow, tmp_path):
    """Yosys makes registers and logic of it: no latch, no loop, no net with two drivers."""
    files = design(unit, dataflow, 2, 3, 2, 2, 2, 1).files(3, 3, 3)
    sources = [name for name in files if name.endswith(".sv")]
    write(tmp_path, files)
    script = (
        f"read_verilog -sv {' '.join(sources)}; hierarchy -check -top accelsim_systolic; "
        "proc; flatten; opt; check -assert; select -assert-none t:$dlatch t:$dlatchsr; stat"
    )
    done = subprocess.run(
        ["yosys", "-q", "-p", script], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
