"""Exported units: their test benches pass, and the closed forms and the adder keep every bit."""

import itertools
import shutil
import subprocess

import numpy as np
import pytest

from accelsim.errors import CircuitError, ConfigError
from accelsim.multipliers import MULTIPLIERS
from accelsim.rtl import UnitRtl, unit_files
from accelsim.rtl.files import hex_words, source

UNITS = [name for name, unit in MULTIPLIERS.items() if unit.build_circuit is not None]

pytestmark = pytest.mark.skipif(
    shutil.which("iverilog") is None, reason="not installed: apt-get install iverilog"
)

SPECIAL = [0, 1, 2, 0x7FFFFF, 0x800000, 0x800001, 0x3F800000, 0x3FC00000, 0x3FFFFFFF, 0x7F7FFFFF,
           0x7F800000, 0x7F800001, 0x7FC00000, 0x03AA2424, 0x03AA2425, 0x1F000000, 0x20000000,
           0x5F000000]  # fmt: skip


def float_pairs(count):
    """Patterns (pairs, 2): any, near each other, products and sums at both ends, subnormals."""
    rng = np.random.default_rng(46)
    shape = (count // 4, 2)
    words = rng.integers(0, 2**32, shape, np.uint32)
    near = rng.integers(0, 2**32, shape, np.uint32)
    near[:, 1] = (near[:, 0] & 0x7F800000) + rng.integers(0, 2**25, len(near), np.uint32)
    near[:, 1] |= rng.integers(0, 2, len(near), np.uint32) << 31
    edge = rng.integers(0, 2**25, shape, np.uint32)
    edge |= np.array([0x1F000000, 0x5F000000], np.uint32)[rng.integers(0, 2, shape)]
    tiny = rng.integers(0, 2**25, shape, np.uint32) | rng.integers(0, 2, shape, np.uint32) << 31
    special = np.array(SPECIAL, np.uint32)
    special = np.concatenate([special, special | np.uint32(1 << 31)])
    pairs = np.array(list(itertools.product(special, special)), np.uint32)
    return np.concatenate([words, near, edge, tiny, pairs])


def run(folder, files):
    for name, text in files.items():
        (folder / name).write_text(text)
    sources = [name for name in files if name.endswith((".v", ".sv"))]
    for command in (["iverilog", "-g2012", "-o", "bench", *sources], ["vvp", "-n", "bench"]):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def with_pairs(files, pairs, results):
    """Return the files of a float unit's export with these patterns instead of the random ones."""
    return {
        **files,
        "pairs.hex": hex_words(map(int, pairs.ravel()), 32),
        "products.hex": hex_words(map(int, results.view(np.uint32)), 32),
    }


@pytest.mark.parametrize("name", UNITS)
def test_a_netlist_passes_its_bench(name, tmp_path):
    assert "PASS products 60" in run(tmp_path, unit_files(UnitRtl.of(name), 60))


@pytest.mark.parametrize("name", ["exact_fp32", "ax_fpm", "ax_fpm_carry"])
def test_closed_forms_of_floats_keep_every_bit(name, tmp_path):
    """Subnormals, infinities and NaN included."""
    pairs = float_pairs(8000)
    rtl = UnitRtl.of(name, "behavioral")
    products = rtl.unit.product(*pairs.view(np.float32).T)
    files = with_pairs(unit_files(rtl, len(pairs)), pairs, products)
    assert f"PASS products {len(pairs)}" in run(tmp_path, files)


@pytest.mark.parametrize("name", ["exact_int8", "exact_uint5", "exact_int16"])
def test_closed_forms_of_integers(name, tmp_path):
    assert "PASS products 3000" in run(tmp_path, unit_files(UnitRtl.of(name, "auto"), 3000))


def test_the_float32_adder_keeps_every_bit(tmp_path):
    """Rounded to nearest even, subnormals included, as the processor adds."""
    pairs = float_pairs(8000)
    with np.errstate(all="ignore"):
        sums = np.add(*pairs.view(np.float32).T)
    files = with_pairs(unit_files(UnitRtl.of("exact_fp32"), len(pairs)), pairs, sums)
    wrapper = (
        "module exact_fp32 (input [31:0] a, input [31:0] w, output [31:0] p);\n"
        "  accelsim_adder adder (.psum(a), .product(w), .sum(p));\nendmodule\n"
    )
    files["unit.sv"] = source("adder_float32.sv") + wrapper
    assert f"PASS products {len(pairs)}" in run(tmp_path, files)


def test_the_bench_finds_a_wrong_product(tmp_path):
    files = unit_files(UnitRtl.of("exact_int8"), 50)
    first, rest = files["products.hex"].split("\n", 1)
    files["products.hex"] = f"{int(first, 16) ^ 1:04x}\n{rest}"
    assert "FAIL 1 of 50 products wrong" in run(tmp_path, files)


def test_rejects_units_and_styles_without_verilog():
    with pytest.raises(CircuitError, match=r"'tf32' has no circuit.* ax_fpm"):
        UnitRtl.of("tf32")
    with pytest.raises(CircuitError, match="'exact_bfloat16' has no closed form in Verilog"):
        UnitRtl.of("exact_bfloat16", "behavioral")
    with pytest.raises(ConfigError, match="Did you mean 'structural'"):
        UnitRtl.of("ax_fpm", "structual")
    with pytest.raises(ConfigError, match=r"pairs must be an int in 1..1000000, got 0"):
        unit_files(UnitRtl.of("exact_int8"), 0)
