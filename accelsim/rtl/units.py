"""Multipliers in RTL: their netlist or a closed form, with the adder that sums their products."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from accelsim.accumulators import Accumulator, accumulator_of
from accelsim.circuits import Circuit, FloatPorts
from accelsim.errors import CircuitError, ConfigError, nearest
from accelsim.multipliers import (
    MULTIPLIERS,
    IntegerMultiplier,
    Multiplier,
    ax_fpm,
    ax_fpm_carry,
    exact_fp32,
    exact_integer,
)
from accelsim.multipliers.tiled import SMALLEST, TiledArray
from accelsim.rtl.files import hex_words, makefile, parameters, source

__all__ = ["STYLES", "UnitRtl", "unit_files"]

STYLES = ("auto", "behavioral", "structural")
"""How a multiplier is written: by a closed form, as gates, or ``auto``: the first that there is."""

ALL_OPERANDS = "all operands"


@dataclass(frozen=True, eq=False)
class UnitRtl:
    """A multiplier as a Verilog module with the ports a, w and p.

    Attributes
    ----------
    unit : Multiplier
    circuit : Circuit
        Its netlist, which says what the ports are.
    style : str
        ``behavioral`` or ``structural``.
    """

    unit: Multiplier
    circuit: Circuit
    style: str

    @classmethod
    def of(cls, name: str, style: str = "structural") -> UnitRtl:
        """Return the unit *name* in *style*.

        Raises
        ------
        UnknownNameError, ConfigError, CircuitError
            There is no unit or no style of that name, or the unit has no such form.
        """
        unit = MULTIPLIERS[name]
        if style not in STYLES:
            raise ConfigError(
                f"no style {style!r} of RTL; known: {', '.join(STYLES)}.{nearest(style, STYLES)}"
            )
        circuit = unit.circuit
        if circuit is None:
            known = ", ".join(n for n, u in MULTIPLIERS.items() if u.build_circuit is not None)
            raise CircuitError(
                f"multiplier {unit.name!r} has no circuit, so no Verilog; those that have one: "
                f"{known}"
            )
        form = _closed_form(unit)
        if style == "auto":
            style = "structural" if form is None else "behavioral"
        if style == "behavioral" and form is None:
            raise CircuitError(
                f"multiplier {unit.name!r} has no closed form in Verilog; use style 'structural'"
            )
        return cls(unit, circuit, style)

    @property
    def is_float(self) -> bool:
        """Whether products are floating-point numbers."""
        return not isinstance(self.unit, IntegerMultiplier)

    @property
    def accumulator(self) -> Accumulator:
        """The usual accumulator of the unit."""
        return accumulator_of(self.unit)

    @property
    def operand_bits(self) -> int:
        """Width of the ports a and w."""
        return len(self.circuit.netlist.inputs["a"])

    @property
    def product_bits(self) -> int:
        """Width of the port p."""
        return len(self.circuit.netlist.outputs["p"])

    @property
    def psum_bits(self) -> int:
        """Width of a psum."""
        return 8 * self.accumulator.bytes

    @property
    def module(self) -> str:
        """Verilog of the module, which has the unit's name."""
        if self.style == "structural":
            return self.circuit.verilog(self.unit.name)
        form = _closed_form(self.unit)
        if form is None:
            raise CircuitError(f"multiplier {self.unit.name!r} has no closed form in Verilog")
        return form(self.unit)

    @property
    def arithmetic(self) -> str:
        """Verilog of what an array's PEs are made of: accelsim_multiplier and accelsim_adder."""
        gap = self.psum_bits - self.product_bits
        if self.is_float:
            product = f"{{raw, {gap}'b0}}" if gap else "raw"
            adder = source("adder_float32.sv")
        else:
            signed = isinstance(self.unit, IntegerMultiplier) and self.unit.operands.signed
            above = f"raw[{self.product_bits - 1}]" if signed else "1'b0"
            product = f"{{{{{gap}{{{above}}}}}, raw}}"
            adder = _INTEGER_ADDER.format(last=self.psum_bits - 1)
        wrapper = _WRAPPER.format(
            operand=self.operand_bits - 1,
            product=self.product_bits - 1,
            psum=self.psum_bits - 1,
            name=self.unit.name,
            value=product,
        )
        return f"{self.module}\n{wrapper}\n{adder}"

    def operands(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
        """Return operands to test with: all values of integers alike, or of a normal distribution.

        Normal ones: all circuits are units there, see `Circuit.domain`.
        """
        if isinstance(self.unit, IntegerMultiplier):
            kind = self.unit.operands
            return rng.integers(kind.low, kind.high + 1, shape).astype(kind.dtype)
        return rng.standard_normal(shape).astype(np.float32)

    def operand_words(self, values: NDArray[Any]) -> str:
        """Return the hex file of operands."""
        return hex_words(self.circuit.ports.encode(values.ravel(), "operand"), self.operand_bits)

    def nan_parameters(self, bits: int) -> dict[str, int | str]:
        """Return what a test bench needs to tell NaNs among words of *bits* bits."""
        if not self.is_float:
            return {"FLOAT": 0, "SIGN": f"{bits}'d0", "INFINITY": f"{bits}'d0"}
        infinity = 0x7F800000 >> (32 - bits)
        return {
            "FLOAT": 1,
            "SIGN": f"{bits}'h{1 << (bits - 1):x}",
            "INFINITY": f"{bits}'h{infinity:x}",
        }


def unit_files(rtl: UnitRtl, pairs: int = 2000, seed: int = 0) -> dict[str, str]:
    """Return the files of a unit's export, name -> text: module, test bench, pairs, products.

    Parameters
    ----------
    rtl : UnitRtl
    pairs : int
        Random pairs of operands. Half of those of floats are any patterns of bits where the circuit
        is the unit for all operands; the others are of a normal distribution.
    seed : int

    Raises
    ------
    ConfigError
        *pairs* is out of range.
    """
    if isinstance(pairs, bool) or not isinstance(pairs, int) or not 1 <= pairs <= MOST_PAIRS:
        raise ConfigError(f"pairs must be an int in 1..{MOST_PAIRS}, got {pairs!r}")
    rng = np.random.default_rng(seed)
    operands = rtl.operands(rng, (pairs, 2))
    if isinstance(rtl.circuit.ports, FloatPorts) and rtl.circuit.domain == ALL_OPERANDS:
        half = pairs // 2
        words = rng.integers(0, 2**32, (half, 2), np.uint32)
        if rtl.operand_bits == 16:
            words &= np.uint32(0xFFFF0000)
        operands[:half] = words.view(np.float32)
    products = rtl.unit.product(operands[:, 0], operands[:, 1])
    sources = ["unit.sv", "bench.v"]
    sizes = {"OPERAND": rtl.operand_bits, "PRODUCT": rtl.product_bits, "PAIRS": pairs}
    return {
        "unit.sv": rtl.module,
        "bench.v": source("bench_unit.v").replace("`UNIT", rtl.unit.name),
        "parameters.vh": parameters({**sizes, **rtl.nan_parameters(rtl.product_bits)}),
        "pairs.hex": rtl.operand_words(operands),
        "products.hex": hex_words(_patterns(products, rtl.product_bits), rtl.product_bits),
        "Makefile": makefile(sources),
    }


MOST_PAIRS = 1_000_000
"""That a test bench of a unit reads."""


def _patterns(values: NDArray[Any], bits: int) -> NDArray[np.int64]:
    """Return the patterns of numbers in words of *bits* bits: the top ones of a float32."""
    if values.dtype.kind == "f":
        return values.view(np.uint32).astype(np.int64) >> (32 - bits)
    return values.astype(np.int64) & ((1 << bits) - 1)


def _closed_form(unit: Multiplier) -> Callable[[Multiplier], str] | None:
    """Return what makes the unit's behavioral Verilog, if its definition has one."""
    return _CLOSED_FORMS.get(getattr(unit, "scalar", None))


def _exact_integer(unit: Multiplier) -> str:
    kind = cast(IntegerMultiplier, unit).operands
    return _INTEGER_PRODUCT.format(
        name=unit.name,
        sign="signed " if kind.signed else "",
        last=kind.bits - 1,
        product=2 * kind.bits - 1,
    )


def _tiled(array: TiledArray) -> Callable[[Multiplier], str]:
    def text(unit: Multiplier) -> str:
        instance = _TILED_INSTANCE.format(
            name=unit.name,
            bits=array.bits,
            carry=int(array.carry),
            least_sum=array.least_sum,
            zero_below=f"{SMALLEST:08x}",
        )
        return f"{source('tiled_ama5.sv')}\n{instance}"

    return text


_CLOSED_FORMS: dict[object, Callable[[Multiplier], str]] = {
    exact_integer.product: _exact_integer,
    exact_fp32.product: lambda unit: source("exact_fp32.sv"),
    ax_fpm.product: _tiled(ax_fpm.ARRAY),
    ax_fpm_carry.product: _tiled(ax_fpm_carry.ARRAY),
}
"""Definition of a product -> what makes its Verilog."""


_TILED_INSTANCE = """\
module {name} (
  input  logic [31:0] a,
  input  logic [31:0] w,
  output logic [31:0] p
);
  accelsim_tiled_ama5 #(
    .BITS({bits}), .CARRY({carry}), .LEAST_SUM({least_sum}), .ZERO_BELOW(31'h{zero_below})
  ) unit (.a(a), .w(w), .p(p));
endmodule
"""

_INTEGER_PRODUCT = """\
module {name} (
  input  logic {sign}[{last}:0] a,
  input  logic {sign}[{last}:0] w,
  output logic {sign}[{product}:0] p
);
  assign p = a * w;
endmodule
"""

_INTEGER_ADDER = """\
// Wraps around.
module accelsim_adder (
  input  logic [{last}:0] psum,
  input  logic [{last}:0] product,
  output logic [{last}:0] sum
);
  assign sum = psum + product;
endmodule
"""

_WRAPPER = """\
// The product, as wide as a psum.
module accelsim_multiplier (
  input  logic [{operand}:0] a,
  input  logic [{operand}:0] w,
  output logic [{psum}:0] p
);
  logic [{product}:0] raw;
  {name} unit (.a(a), .w(w), .p(raw));
  assign p = {value};
endmodule
"""
