"""Exported Verilog under two independent simulators: the products are the unit's.

Verilator 5.006 sorts by vectors and is wrong on false loops, with a mere warning; hence
-Werror-UNOPTFLAT, and Icarus Verilog beside it. Icarus propagates every glitch: few vectors.
"""

import re
import shutil
import subprocess

import numpy as np
import pytest

from accelsim.circuits import Builder, integer_circuit
from accelsim.circuits.verilog import structural_verilog
from accelsim.errors import CircuitError
from accelsim.multipliers import MULTIPLIERS

TOP = """
module top (input [31:0] a, input [31:0] w, output [15:0] p0, output [8:0] p1, output [31:0] p2);
  ama2 u0 (.a(a[7:0]), .w(w[7:0]), .p(p0));
  mixed u1 (.a(a[3:0]), .w(w[3:0]), .p(p1));
  ax_fpm u2 (.a(a), .w(w), .p(p2));
endmodule
"""

BENCH = """
module bench;
  reg [63:0] pairs [0:%(last)d];
  reg [31:0] a, w;
  wire [15:0] p0; wire [8:0] p1; wire [31:0] p2;
  integer i;
  top t (.a(a), .w(w), .p0(p0), .p1(p1), .p2(p2));
  initial begin
    $readmemh("pairs.hex", pairs);
    for (i = 0; i <= %(last)d; i = i + 1) begin
      {a, w} = pairs[i];
      #1 $display("%%h %%h %%h", p0, p1, p2);
    end
  end
endmodule
"""

MAIN = r"""
#include "Vtop.h"
#include <cstdio>
int main() {
  VerilatedContext context;
  Vtop top(&context);
  unsigned long long pair;
  while (scanf("%llx", &pair) == 1) {
    top.a = pair >> 32;
    top.w = pair & 0xffffffffULL;
    top.eval();
    printf("%x %x %x\n", top.p0, top.p1, top.p2);
  }
}
"""


def needs(tool):
    return pytest.mark.skipif(
        shutil.which(tool) is None, reason=f"{tool} is not installed: apt-get install {tool}"
    )


def circuits():
    """An 8x8 AMA2 array, a signed 4x4 one of mixed cells, and the whole ax_fpm."""
    mixed = integer_circuit(4, True, lambda row, column: ["exact", "ama1", "ama3", "ama4"][row % 4],
                            style="carry_save")  # fmt: skip
    return {
        "ama2": integer_circuit(8, False, "ama2"),
        "mixed": mixed,
        "ax_fpm": MULTIPLIERS["ax_fpm"].circuit,
    }


def operand_pairs(count):
    """Patterns (2, count) for the 32-bit ports: any bits, and numbers of usual sizes."""
    rng = np.random.default_rng(5)
    usual = rng.standard_normal((2, count - count // 3)).astype(np.float32).view(np.uint32)
    return np.concatenate([rng.integers(0, 2**32, (2, count // 3), np.uint32), usual], axis=1)


def assert_products(text, pairs):
    """Compare the lines that a simulator printed with the units' products."""
    got = np.array([[int(word, 16) for word in line.split()] for line in text.split("\n") if line])
    assert got.shape == (pairs.shape[1], 3)
    units = circuits()
    a, w = pairs.astype(np.int64)
    np.testing.assert_array_equal(got[:, 0], units["ama2"].product(a & 255, w & 255))
    signed = [(((x & 15) + 8) & 15) - 8 for x in (a, w)]
    np.testing.assert_array_equal(got[:, 1], units["mixed"].product(*signed) & 511)
    expected = MULTIPLIERS["ax_fpm"].product(*pairs.view(np.float32))
    nan = np.isnan(expected)
    products = got[:, 2].astype(np.uint32)
    np.testing.assert_array_equal(products[~nan], expected.view(np.uint32)[~nan])
    assert np.isnan(products[nan].view(np.float32)).all()


def write_design(folder, pairs):
    modules = [circuit.verilog(name) for name, circuit in circuits().items()]
    (folder / "design.v").write_text("\n".join([*modules, TOP]))
    text = "".join(f"{a:08x}{w:08x}\n" for a, w in pairs.T)
    (folder / "pairs.hex").write_text(text)


def run(*command, cwd, **options):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs("iverilog")
def test_products_under_icarus(tmp_path):
    pairs = operand_pairs(900)
    write_design(tmp_path, pairs)
    (tmp_path / "bench.v").write_text(BENCH % {"last": pairs.shape[1] - 1})
    run("iverilog", "-g2001", "-Wall", "-o", "bench", "design.v", "bench.v", cwd=tmp_path)
    assert_products(run("vvp", "-n", "bench", cwd=tmp_path), pairs)


@needs("verilator")
def test_products_under_verilator(tmp_path):
    pairs = operand_pairs(60_000)
    write_design(tmp_path, pairs)
    (tmp_path / "main.cpp").write_text(MAIN)
    # The build costs more than the run: nothing is optimized by the C++ compiler.
    run("verilator", "--cc", "--exe", "--build", "-O1", "-Wno-fatal", "-Wno-lint", "-Wno-style",
        "-Werror-UNOPTFLAT", "-MAKEFLAGS", "OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0",
        "--top-module", "top", "design.v", "main.cpp", cwd=tmp_path)  # fmt: skip
    with (tmp_path / "pairs.hex").open() as stream:
        assert_products(run(tmp_path / "obj_dir" / "Vtop", cwd=tmp_path, stdin=stream), pairs)


def test_one_wire_per_net_and_one_module_per_cell():
    builder = Builder()
    a = builder.input("a", 2)
    builder.output("p", (*builder.gate("HA", *a), 1, a[0]))
    text = structural_verilog(builder.finish(), "adder")
    assert text == (
        "module adder_HA (input A, input B, output S, output CO);\n"
        "  assign S = A ^ B;\n"
        "  assign CO = A & B;\n"
        "endmodule\n"
        "\n"
        "module adder (\n"
        "  input [1:0] a,\n"
        "  output [3:0] p\n"
        ");\n"
        "  wire n4;\n"
        "  wire n5;\n"
        "  adder_HA g0 (.A(a[0]), .B(a[1]), .S(n4), .CO(n5));\n"
        "  assign p[0] = n4;\n"
        "  assign p[1] = n5;\n"
        "  assign p[2] = 1'b1;\n"
        "  assign p[3] = a[0];\n"
        "endmodule\n"
    )


def test_a_port_that_looks_like_a_wire_is_not_shadowed():
    builder = Builder()
    n3 = builder.input("n3", 1)
    builder.output("p", builder.gate("INV", *n3))
    text = structural_verilog(builder.finish(), "inverter")
    assert re.findall(r"wire (\w+);", text) == ["n_3"]


@pytest.mark.parametrize("name", ["8bit", "a-b", "", "module"])
def test_rejects_module_names(name):
    netlist = integer_circuit(2, False).netlist
    with pytest.raises(CircuitError, match="module_name must be a Verilog identifier"):
        structural_verilog(netlist, name)
