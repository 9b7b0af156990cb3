"""accelsim import: somebody's multiplier as a unit file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from accelsim.cli.options import JsonOption, assignments
from accelsim.cli.output import note, print_json, print_table, warn

if TYPE_CHECKING:
    from accelsim.multipliers.imported import ImportedMultiplier

__all__ = ["import_"]


def import_(
    source: Annotated[
        str,
        typer.Argument(metavar="FILE", help="C, Verilog, or a table: .c .v .bin .h .txt .npy"),
    ],
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="The unit, a .npz file.")],
    name: Annotated[str | None, typer.Option("--name", help="Of the unit.")] = None,
    bits: Annotated[int | None, typer.Option("--bits", help="Width of both operands.")] = None,
    signed: Annotated[
        bool | None,
        typer.Option("--signed/--unsigned", help="Whether operands are two's complement."),
    ] = None,
    order: Annotated[
        str | None,
        typer.Option(
            "--order",
            metavar="ORDER",
            help="activation,weight or weight,activation: the first and the second parameter, port "
            "or index; or by name: A=activation,B=weight.",
        ),
    ] = None,
    index: Annotated[
        str | None,
        typer.Option(
            "--index", metavar="ORDER", help="Signed tables: pattern (0..-1) or ascending."
        ),
    ] = None,
    expect: Annotated[
        list[str] | None,
        typer.Option(
            "--expect", metavar="MEASURE=X", help="Published error, e.g. EP%=74.61; repeatable."
        ),
    ] = None,
    delay_ps: Annotated[
        float | None, typer.Option("--delay-ps", help="Delay, instead of the file's own.")
    ] = None,
    function: Annotated[
        str | None, typer.Option("--function", help="C function, where there are several.")
    ] = None,
    module: Annotated[
        str | None, typer.Option("--module", help="Verilog module, where there are several.")
    ] = None,
    time_limit: Annotated[
        int, typer.Option("--time-limit", min=1, help="Seconds for C code to fill the table.")
    ] = 60,
    as_json: JsonOption = False,
) -> None:
    """Import a multiplier: measure all products, compare with what FILE states, write a unit file.

    The unit file is a name afterwards: accelsim simulate ... -m unit.npz. C code is compiled and
    run, in a child process with limits but no jail: import only what you would run by hand.

    EvoApproxLib: parameters A and B of a .c file and ports A and B of its .v file are the same
    operands, but not in the same order; say --order A=activation,B=weight for both.

    Example: accelsim import mul8u_x.c --name mul8u_x --bits 8 --unsigned --order
    A=activation,B=weight --out mul8u_x.npz
    """
    from accelsim.importing import import_multiplier

    unit = import_multiplier(
        source,
        name=name,
        bits=bits,
        signed=signed,
        operand_order=order,
        index_order=index,
        expected=assignments(expect, "--expect", "MEASURE=X"),
        delay_ps=delay_ps,
        function=function,
        module=module,
        time_limit_s=time_limit,
        out=out,
    )
    if as_json:
        print_json(facts(unit))
    else:
        _print(unit)
    for warning in unit.warnings:
        warn(f"warning: {warning}")
    note(f"wrote {out}")


def facts(unit: ImportedMultiplier) -> dict[str, object]:
    """Return what is known of *unit*, for printing as JSON."""
    return {
        "name": unit.name,
        "bits": unit.operands.bits,
        "signed": unit.operands.signed,
        "errors": unit.errors.as_dict(),
        "stated": unit.stated,
        "source": vars(unit.source),
        "delay_ps": unit.delay_ps,
        "delay_source": unit.delay_source,
        "power_mw": unit.power_mw,
        "area_um2": unit.area_um2,
        "gates": None if unit.netlist is None else len(unit.netlist.gates),
        "warnings": list(unit.warnings),
    }


def _print(unit: ImportedMultiplier) -> None:
    rows = [
        [measure, f"{value:.6g}", unit.stated.get(measure, "")]
        for measure, value in unit.errors.by_name().items()
    ]
    delay = "unknown" if unit.delay_ps is None else f"{unit.delay_ps:g}"
    rows += [
        ["mean error", f"{unit.errors.bias:.6g}", ""],
        ["products changed by swapping operands", str(unit.errors.asymmetric), ""],
        ["products with a zero operand that are not 0", str(unit.errors.nonzero_for_zero), ""],
        ["delay (ps)", delay, ""],
    ]
    if unit.netlist is not None:
        rows.append(["gates", str(len(unit.netlist.gates)), ""])
    print_table(f"{unit.name}: {unit.title}", ["all pairs of operands", "measured", "stated"], rows)
