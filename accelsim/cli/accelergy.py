"""accelsim export-accelergy and import-accelergy: energies and counts as Accelergy's files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from accelsim.cli.options import (
    AcceleratorOption,
    JsonOption,
    SetOption,
    assignments,
    build_accelerator,
)
from accelsim.cli.output import note, print_json, print_table, warn
from accelsim.errors import EnergyTableError

if TYPE_CHECKING:
    from accelsim.results import Run

__all__ = ["export_accelergy", "import_accelergy"]


def export_accelergy(
    run: Annotated[str, typer.Argument(metavar="DIR", help="Folder of one run of simulate.")],
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Folder for the files.")],
    version: Annotated[
        str, typer.Option("--version", metavar="VERSION", help="Of the format: 0.3 or 0.4.")
    ] = "0.4",
    json: JsonOption = False,
) -> None:
    """Write a run as Accelergy's ERT.yaml, ART.yaml and action_counts.yaml.

    From the first and the last Accelergy computes the run's energy: accelergy ERT.yaml
    action_counts.yaml. Here its rule is applied to them too, and shown beside the run's own.

    Example: accelsim export-accelergy runs/x/ax_fpm --out accelergy
    """
    from accelsim.energy.accelergy import accelergy_files, recomputed_pj
    from accelsim.folders import prepare_folder, versions, write_results
    from accelsim.results import actions_of, load_run

    one = load_run(run)
    folder = prepare_folder(out, "accelergy")
    actions = actions_of(one)
    files, unknown = accelergy_files(actions, one.accelerator, version, _not_counted(one))
    facts = {
        "kind": "accelergy",
        "version": version,
        "workload": one.manifest["workload"],
        "config_hash": one.manifest["config_hash"],
        "table_hash": one.manifest["table_hash"],
        "energy_pj": float(actions["energy_pj"].sum()),
        "without_area": unknown,
        "versions": versions(),
    }
    contents = {f"{kind}.yaml": file.to_yaml().encode() for kind, file in files.items()}
    write_results(folder, contents, facts)
    found, own = recomputed_pj(files), actions.groupby("component")["energy_pj"].sum()
    if json:
        print_json({**facts, "recomputed_pj": found})
    else:
        rows = [
            [component, f"{pj / 1e6:,.4f}"]
            for component, pj in sorted(found.items(), key=lambda pair: -pair[1])
        ]
        print_table(
            f"Accelergy {version}: the sum of counts x energies is {sum(found.values()):.9g} pJ, "
            f"the run's energy {own.sum():.9g} pJ",
            ["component", "uJ"],
            rows,
        )
    note(f"no area is known of {', '.join(unknown)}: ART.yaml leaves them out")
    note(f"wrote {out}")


def _not_counted(run: Run) -> dict[tuple[str, str], float]:
    """Return the energies of all actions of the run's machine, where its table is still there."""
    from accelsim.energy import energy_per_action, load_table
    from accelsim.machine.program import possible_actions

    machine = run.accelerator
    try:
        table = load_table(machine.energy_table)
        same = table.fingerprint == run.manifest["table_hash"]
    except EnergyTableError:
        same = False
    if not same:
        warn(
            f"energy table {machine.energy_table!r} is not the one that the run was made with: "
            "ERT.yaml has the actions that it counted and no others"
        )
        return {}
    return {pair: energy_per_action(*pair, machine, table) for pair in possible_actions(machine)}


def import_accelergy(
    ert: Annotated[str, typer.Argument(metavar="FILE", help="An ERT of version 0.3 or 0.4.")],
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="Energy table, a .csv file.")],
    technology_nm: Annotated[
        float, typer.Option("--technology-nm", min=0.1, help="Node of the ERT; it does not say.")
    ],
    voltage_v: Annotated[
        float, typer.Option("--voltage-v", min=0.01, help="Supply of the ERT; it does not say.")
    ],
    source: Annotated[str, typer.Option("--source", help="Who states the energies.")],
    accelerator: AcceleratorOption = "edge_16x16",
    settings: SetOption = None,
    name: Annotated[
        list[str] | None,
        typer.Option(
            "--name",
            metavar="PATH=COMPONENT",
            help="Which of accelsim's components a component of the file is, e.g. "
            "System.GlobalBuffer=glb.ifmap; repeatable.",
        ),
    ] = None,
) -> None:
    """Make an energy table of an Accelergy ERT, for the accelerator that it is of.

    Clock, sizes and widths of the memories and the DRAM are the accelerator's: a table charges it
    what the ERT says. Actions that the ERT lacks are refused by the simulation, none is zero.

    Example: accelsim import-accelergy ERT.yaml --technology-nm 45 --voltage-v 0.9 --source
    "Accelergy 0.4 with CACTI and Aladdin" --out mine.csv
    """
    from accelsim.energy import rows_to_csv
    from accelsim.energy.accelergy_reading import read_accelergy, table_rows
    from accelsim.energy.rows import parse_rows
    from accelsim.files import write_atomically

    target = Path(out)
    if target.suffix != ".csv":
        raise EnergyTableError(f"--out must be a .csv file, got {out!r}")
    names = assignments(name, "--name", "PATH=COMPONENT")
    machine = build_accelerator(accelerator, settings)
    read = read_accelergy(ert, "ERT", names)
    rows = table_rows(
        read, machine, technology_nm=technology_nm, voltage_v=voltage_v, source=source, names=names
    )
    text = rows_to_csv(rows)
    parse_rows(target, text.splitlines())
    try:
        write_atomically(target, text.encode())
    except OSError as error:
        raise EnergyTableError(f"cannot write {out!r}: {error.strerror}") from None
    note(f"wrote {out}: {len(rows)} rows; see accelsim show {out}")
