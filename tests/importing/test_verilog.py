import importlib.util
import shutil

import numpy as np
import pytest

from accelsim.circuits import CELLS, Builder, evaluate
from accelsim.errors import DataError
from accelsim.importing import import_multiplier
from accelsim.importing.gate_cells import GATE_CELLS
from accelsim.multipliers.imported import read_unit_file

pytestmark = pytest.mark.usefixtures("yosys")

DECLARED = {
    "name": "unit", "bits": 2, "signed": False, "operand_order": "A=activation,B=weight"
}  # fmt: skip
PORTS = "input [1:0] A; input [1:0] B; output [3:0] O; "


def imported(tmp_path, text, **changes):
    path = tmp_path / "x.v"
    path.write_text(text)
    return import_multiplier(path, **{**DECLARED, **changes})


def module(body, name="top"):
    return f"module {name}(A, B, O); {PORTS}{body} endmodule\n"


@pytest.mark.parametrize("style", ["plain", "gscl45nm"])
@pytest.mark.parametrize("signed", [False, True])
def test_the_styles_of_evoapproxlib(tmp_path, table, netlist, verilog_text, header, style, signed):
    products = table(8, signed)
    text = verilog_text(netlist(8, signed), "mul8_x", style, header(products, 8, signed))
    unit = imported(tmp_path, text, bits=8, signed=signed)
    np.testing.assert_array_equal(unit.table, products)
    assert len(unit.stated) == 8
    assert unit.delay_ps == 1250
    values = unit.operands.values()
    np.testing.assert_array_equal(unit.circuit.product(values[:, None], values), products)
    if style == "gscl45nm":
        assert unit.netlist.cell_counts()["FA"] > 30
        assert unit.circuit.delay_ps() > 0
    swapped = imported(tmp_path, text, bits=8, signed=signed, operand_order="weight,activation")
    np.testing.assert_array_equal(swapped.table, products.T)
    np.testing.assert_array_equal(swapped.circuit.product(values[:, None], values), products.T)


def test_c_and_verilog_agree_by_name_and_not_by_position(
    tmp_path, cc, netlist, c_text, verilog_text
):
    """EvoApproxLib declares C parameters as (B, A) and Verilog ports as (A, B)."""
    (tmp_path / "x.c").write_text(c_text(netlist(8, False), "mul8_x", "uint64"))
    verilog = verilog_text(netlist(8, False), "mul8_x", "plain")
    for order, same in (("A=activation,B=weight", True), ("activation,weight", False)):
        declared = {**DECLARED, "bits": 8, "operand_order": order}
        c_unit = import_multiplier(tmp_path / "x.c", **declared)
        v_unit = imported(tmp_path, verilog, bits=8, operand_order=order)
        assert np.array_equal(c_unit.table, v_unit.table) is same
        assert c_unit.errors == v_unit.errors


def test_the_netlist_is_kept_in_the_unit_file(tmp_path, netlist, verilog_text):
    text = verilog_text(netlist(4, False), "m", "gscl45nm")
    unit = imported(tmp_path, text, bits=4, out=tmp_path / "unit.npz")
    again = read_unit_file(tmp_path / "unit.npz")
    assert again.netlist.gates == unit.netlist.gates
    assert again.circuit.product(7, 5) == unit.product(7, 5)
    assert "module" in again.circuit.verilog()


def test_operators_submodules_and_cells_of_the_file(tmp_path):
    assert imported(tmp_path, module("assign O = A * B;")).errors.ep_percent == 0
    signed = module("assign O = $signed(A) * $signed(B);")
    assert imported(tmp_path, signed, signed=True).errors.ep_percent == 0
    used = module("sub s(.x(A), .y(B), .z(O));") + (
        "module sub(input [1:0] x, input [1:0] y, output [3:0] z); assign z = x * y; endmodule"
    )
    assert imported(tmp_path, used).errors.ep_percent == 0
    # A FAX1 of the file's own comes before the library's.
    own = module("wire s, c; FAX1 f(.A(A[0]), .B(B[0]), .C(A[1]), .YS(s), .YC(c));"
                 "assign O = {2'b0, c, s};") + (
        "module FAX1(input A, input B, input C, output YS, output YC);"
        "assign YS = A & B; assign YC = C; endmodule"
    )  # fmt: skip
    assert imported(tmp_path, own).product(3, 1) == 3


MODELS = {
    "$_BUF_": "a", "$_NOT_": "!a", "$_AND_": "a&b", "$_NAND_": "!(a&b)", "$_OR_": "a|b",
    "$_NOR_": "!(a|b)", "$_XOR_": "a^b", "$_XNOR_": "!(a^b)", "$_ANDNOT_": "a&!b",
    "$_ORNOT_": "a|!b", "$_MUX_": "(s&b)|(!s&a)", "$_NMUX_": "!((s&b)|(!s&a))",
    "$_AOI3_": "!((a&b)|c)", "$_OAI3_": "!((a|b)&c)", "$_AOI4_": "!((a&b)|(c&d))",
    "$_OAI4_": "!((a|b)&(c|d))",
    "AND2X1": "a&b", "AND2X2": "a&b", "AOI21X1": "!((a&b)|c)", "AOI22X1": "!((a&b)|(c&d))",
    "BUFX2": "a", "BUFX4": "a", "CLKBUF1": "a", "CLKBUF2": "a", "CLKBUF3": "a",
    "FAX1": "a^b^c, (a&b)|(b&c)|(a&c)", "HAX1": "a^b, a&b",
    "INVX1": "!a", "INVX2": "!a", "INVX4": "!a", "INVX8": "!a", "MUX2X1": "!((s&a)|(!s&b))",
    "NAND2X1": "!(a&b)", "NAND3X1": "!(a&b&c)", "NOR2X1": "!(a|b)", "NOR3X1": "!(a|b|c)",
    "OAI21X1": "!((a|b)&c)", "OAI22X1": "!((a|b)&(c|d))", "OR2X1": "a|b", "OR2X2": "a|b",
    "XNOR2X1": "!(a^b)", "XOR2X1": "a^b",
}  # fmt: skip


@pytest.mark.parametrize("name", list(GATE_CELLS))
def test_every_recipe_is_its_cells_function(name):
    """Against expressions written apart from the recipes, for all inputs."""
    cell, builder = GATE_CELLS[name], Builder()
    wires = {pin: builder.input(pin, 1)[0] for pin in cell.inputs}
    for step in cell.steps:
        assert step.cell in CELLS
        nets = builder.gate(step.cell, *(wires[wire] for wire in step.inputs))
        wires.update(zip(step.outputs, nets, strict=True))
    for pin in cell.outputs:
        builder.output(f"o{pin}", [wires[pin]])
    patterns = np.arange(1 << len(cell.inputs))
    operands = {pin: patterns >> i & 1 for i, pin in enumerate(cell.inputs)}
    found = evaluate(builder.finish(), operands)
    pins = {pin.lower(): bits.astype(bool) for pin, bits in operands.items()}
    models = [eval(text.replace("!", "~"), pins) for text in MODELS[name].split(",")]
    for pin, model in zip(cell.outputs, models, strict=True):
        np.testing.assert_array_equal(found[f"o{pin}"].astype(bool), model)


def test_every_cell_is_modeled_here():
    assert set(MODELS) == set(GATE_CELLS)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("wire x; FOX1 u(.A(A[0]), .Y(x)); assign O = {3'b0, x};",
         r"unknown cell FOX1; known .*Did you mean 'FAX1'"),
        ("wire x; DFFPOSX1 u(.CLK(A[0]), .D(B[0]), .Q(x)); assign O = {3'b0, x};",
         "unknown cell DFFPOSX1; known are the combinational cells"),
        ("wire x; AND2X1 u(.A(A[0]), .Q(x)); assign O = {3'b0, x};", "have a port named 'Q'"),
        ("wire x; AND2X1 u(.A(A[0]), .Y(x)); assign O = {3'b0, x};",
         r"input B of cell u \(AND2X1\) has no driver"),
        ("reg x; always @(posedge A[0]) x <= B[0]; assign O = {3'b0, x};", "holds state"),
        ("reg x; always @* if (A[0]) x = B[0]; assign O = {3'b0, x};", "holds state"),
        ("wire x; assign O = {3'b0, x & A[0]};", "top.x is used but has no driver"),
        ("wire x, y; OR2X1 u(.A(A[0]), .B(y), .Y(x)); assign O = {3'b0, x};",
         "top.y is used but has no driver"),
        ("assign O[2:0] = 3'b0;", r"top.O \[3\] is used but has no driver"),
        ("assign O = {3'b0, typo};", "top.typo is used but has no driver"),
        ("assign O = {3'bx, A[0]};", r"port O\[1\] is undefined \(x\)"),
        ("wire x; assign x = A[0]; assign x = B[0]; assign O = {3'b0, x};",
         "multiple conflicting drivers"),
        ("wire x; INVX1 u(.A(A[0]), .Y(x)); INVX1 v(.A(B[0]), .Y(x)); assign O = {3'b0, x};",
         "multiple conflicting drivers for top.x"),
        ("wire x, y; assign x = y & A[0]; assign y = x | B[0]; assign O = {3'b0, x};",
         r"module top: a combinational loop: \$_AND_ drives x, \$_OR_ drives y; a circuit must be"),
        ("wire x, y; AND2X1 u(.A(A[0]), .B(y), .Y(x)); OR2X1 v(.A(x), .B(B[0]), .Y(y));"
         "assign O = {3'b0, x};", r"loop: u \(AND2X1\) drives x, v \(OR2X1\) drives y; a circuit"),
        ("wire [1:0] x; NAND3X1 u(.A(A[0]), .B(B[0]), .C(x[1]), .Y(x[1]));"
         "assign O = {3'b0, x[1]};",
         r"loop: u \(NAND3X1\) drives x\[1\]; a circuit"),
        ("assign O = ;", "Yosys cannot read it: source.v:1: ERROR: syntax error"),
    ],
)  # fmt: skip
def test_rejects_circuits(tmp_path, body, message):
    with pytest.raises(DataError, match=message):
        imported(tmp_path, module(body), out=tmp_path / "unit.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["x.v"]


def test_rejects_ports_of_other_widths(tmp_path):
    with pytest.raises(
        DataError, match=r"two inputs of 4 bits and one output of 8, got input A\[2\], input B\[2\]"
    ):
        imported(tmp_path, module("assign O = A * B;"), bits=4)
    third = module("inout z; assign O = A * B;").replace("A, B, O", "A, B, O, z")
    with pytest.raises(DataError, match=r"output O\[4\], inout z\[1\]"):
        imported(tmp_path, third)


def test_chooses_among_modules(tmp_path):
    text = module("assign O = A * B;", "m1") + module("assign O = A & B;", "m2")
    with pytest.raises(DataError, match=r"m1, m2 could each be the multiplier; .*--module"):
        imported(tmp_path, text)
    assert imported(tmp_path, text, module="m2").product(3, 2) == 2
    with pytest.raises(DataError, match=r"no module 'm'; the file has m1, m2"):
        imported(tmp_path, text, module="m")
    with pytest.raises(DataError, match="no Verilog module in it"):
        imported(tmp_path, "// module x(); endmodule")


def test_pyosys_stands_in_for_the_program(tmp_path, monkeypatch):
    if importlib.util.find_spec("pyosys") is None:
        pytest.skip("no pyosys package: pip install accelsim[rtl]")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    unit = imported(tmp_path, module("HAX1 h(.A(A[0]), .B(B[0]), .YS(O[0]), .YC(O[1]));"
                                     "assign O[3:2] = 0;"))  # fmt: skip
    assert unit.source.detail.endswith("read by pyosys")
    assert unit.product(1, 1) == 2


def test_rejects_a_system_without_yosys(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"needs Yosys: .*apt-get install yosys.*accelsim\[rtl\]"):
        imported(tmp_path, module("assign O = A * B;"))
