"""accelsim export-rtl: a unit or a systolic array of it as Verilog that checks itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from accelsim.cli.completion import choices, names
from accelsim.cli.options import JsonOption
from accelsim.cli.output import note, print_json, print_table
from accelsim.errors import ConfigError

if TYPE_CHECKING:
    from accelsim.rtl import ArrayDesign

__all__ = ["export_rtl"]


def export_rtl(
    multiplier: Annotated[
        str,
        typer.Option(
            "-m",
            "--multiplier",
            metavar="NAME",
            help="Functional unit.",
            autocompletion=names("multipliers"),
        ),
    ],
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Folder for the files.")],
    array: Annotated[
        str | None,
        typer.Option("--array", metavar="ROWSxCOLS", help="A systolic array, e.g. 4x4."),
    ] = None,
    dataflow: Annotated[
        str | None,
        typer.Option(
            "--dataflow",
            help="Of the array: os, ws or is; os if none.",
            autocompletion=choices("os", "ws", "is"),
        ),
    ] = None,
    gemm: Annotated[
        str | None,
        typer.Option(
            "--gemm",
            metavar="MxNxK",
            help="Product that the array computes: pixels, filters, products per output; a small "
            "one with full and partly filled passes if none.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="The array's sums go on from stored psums.")
    ] = False,
    multiply_cycles: Annotated[
        int | None,
        typer.Option(
            "--multiply-cycles", help="Cycles of a product in the array; 1 if none, 0: none."
        ),
    ] = None,
    add_cycles: Annotated[
        int | None,
        typer.Option("--add-cycles", help="Cycles of an addition in the array; 1 if none."),
    ] = None,
    pipelined: Annotated[
        bool | None,
        typer.Option(
            "--pipelined/--not-pipelined",
            help="Whether multiplier and adder take the next operands every cycle, or when done.",
        ),
    ] = None,
    style: Annotated[
        str | None,
        typer.Option(
            "--style",
            help="Of the multiplier: structural (its netlist), behavioral (a closed form) or auto "
            "(that, where there is one). A unit alone: structural, an array: auto.",
            autocompletion=choices("structural", "behavioral", "auto"),
        ),
    ] = None,
    pairs: Annotated[
        int | None,
        typer.Option("--pairs", help="Products that a unit alone is tested with; 1000 if none."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the random operands.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Export a multiplier, or with --array a systolic array of it, as SystemVerilog.

    The array is synthesizable: PEs, skewed edges and the controller of all passes. Beside it are
    operands, the psums and cycles that accelsim expects, a test bench that compares them and
    prints PASS or FAIL, and a Makefile for Icarus Verilog and Verilator.

    Example: accelsim export-rtl -m ax_fpm --array 4x4 --dataflow ws --out rtl && make -C rtl
    """
    from accelsim.rtl import UnitRtl, unit_files, write_export

    if array is None:
        _refuse(
            "--array",
            {
                "--dataflow": dataflow,
                "--gemm": gemm,
                "--resume": resume or None,
                "--multiply-cycles": multiply_cycles,
                "--add-cycles": add_cycles,
                "--pipelined/--not-pipelined": pipelined,
            },
        )
        unit = UnitRtl.of(multiplier, style or "structural")
        count = 1000 if pairs is None else pairs
        files = unit_files(unit, count, seed)
        facts = {
            "multiplier": unit.unit.name,
            "style": unit.style,
            "domain": unit.circuit.domain,
            "pairs": count,
            "seed": seed,
        }
    else:
        if pairs is not None:
            raise ConfigError("--pairs is of a unit alone; with --array give --gemm MxNxK")
        design = _design(
            multiplier,
            style or "auto",
            array,
            dataflow or "os",
            1 if multiply_cycles is None else multiply_cycles,
            1 if add_cycles is None else add_cycles,
            pipelined is not False,
        )
        m, n, k = design.usual_product if gemm is None else _sizes("--gemm", "MxNxK", gemm)
        files = design.files(m, n, k, resume, seed)
        facts = {
            **design.facts(),
            "gemm": {"m": m, "n": n, "k": k},
            "resume": resume,
            "seed": seed,
            "cycles": design.cycles(m, n, k, resume),
        }
    write_export(out, files, facts)
    if as_json:
        print_json(facts)
    else:
        _print(facts)
    note(f"wrote {out}; run it in both simulators: make -C {out}")


def _refuse(needed: str, given: dict[str, object]) -> None:
    """Raise if an option that only *needed* gives a meaning was given."""
    options = [option for option, value in given.items() if value is not None]
    if options:
        raise ConfigError(f"{options[0]} is of an array; give its size, e.g. {needed} 4x4")


def _sizes(option: str, form: str, text: str) -> tuple[int, ...]:
    """Return the numbers of ``4x4`` or ``8x8x16``, as many as *form* has."""
    count = form.count("x") + 1
    if not re.fullmatch(r"\d{1,9}" + r"x\d{1,9}" * (count - 1), text, re.ASCII):
        example = "x".join(["4"] * count)
        raise ConfigError(f"{option} takes {form}, e.g. {example}, got {text!r}")
    return tuple(map(int, text.split("x")))


def _design(
    multiplier: str,
    style: str,
    array: str,
    dataflow: str,
    multiply_cycles: int,
    add_cycles: int,
    pipelined: bool,
) -> ArrayDesign:
    from accelsim.dataflows import PeTiming
    from accelsim.rtl import ArrayDesign, UnitRtl

    rows, cols = _sizes("--array", "ROWSxCOLS", array)
    timing = PeTiming(
        multiply_cycles,
        add_cycles,
        1 if pipelined else max(1, multiply_cycles),
        1 if pipelined else add_cycles,
    )
    return ArrayDesign(UnitRtl.of(multiplier, style), dataflow, rows, cols, timing)


def _print(facts: dict[str, Any]) -> None:
    rows = []
    for name, value in facts.items():
        shown = value
        if isinstance(value, dict):
            shown = ", ".join(f"{key}={number}" for key, number in value.items())
        rows.append([name, str(shown)])
    print_table("Exported", ["what", "value"], rows, text=(0, 1))
