"""Results of a simulation: the row schema of a run, saving it and loading it back."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from accelsim.config import Accelerator
from accelsim.dataflows.base import PeBlock
from accelsim.differences import compare_runs
from accelsim.errors import ConfigError, DataError
from accelsim.folders import (
    find_results,
    prepare_folder,
    read_manifest,
    read_table,
    write_results,
)
from accelsim.layer_units import unit_label
from accelsim.notebook import facts_html, rows_html
from accelsim.timeline import STRETCHES, WINDOWS, write_perfetto, write_vcd

__all__ = [
    "BASELINE",
    "Run",
    "actions_of",
    "load_run",
    "load_runs",
    "moved_of",
    "pes_of",
]

BASELINE = "exact_fp32"
"""The multiplier that others are compared with."""

SHOWN_LAYERS = 12
"""Layers that a notebook shows of a run: the slowest ones, in their order."""

ACTION_COLUMNS = ["layer", "component", "action", "count", "energy_per_action_pj", "energy_pj"]
PE_COLUMNS = ["layer", *PeBlock._fields, "passes"]


@dataclass(frozen=True)
class Run:
    """One network on one accelerator: logits, cycles, energy."""

    outputs: np.ndarray | None
    """float32, (images, classes): the simulated images' read from the DRAM; None without values."""
    layers: pd.DataFrame
    """A row per step of the machine; a ReLU behind a MAC layer is part of that layer's row. Where
    layers have multipliers of their own, ``multiplier`` says which."""
    actions: pd.DataFrame | None
    """layer, component, action, count, energy_per_action_pj, energy_pj: all that a layer's energy
    is the sum of, a row for each action that it counted. What goes on all the time is counted in
    cycles. In mode toggles the multipliers' energy is that of their netlist, and its share of one
    product the mean. None for a run that an accelsim saved which did not keep it."""
    summary: pd.DataFrame
    """One row. Accumulator, delay and latency are those of column ``multiplier``; where layers have
    others, ``layer_multipliers`` lists them."""
    timeline: pd.DataFrame
    """cycle_start, cycle_end, block, what, layer, tile: when a block was busy; bytes, macs,
    queued_cycles, latency_cycles: see `accelsim.machine.state.Work`."""
    pes: pd.DataFrame | None
    """layer, row_start, row_stop, col_start, col_stop, macs, passes: so many multiply-accumulates
    did each PE of these rows and columns in a pass, in so many passes. None for a run that an
    accelsim saved which did not keep it."""
    accelerator: Accelerator
    manifest: dict[str, Any]
    """What determined the run."""

    def save(self, folder: str | Path) -> Path:
        """Write the run into *folder* (made if missing) and return it.

        Raises
        ------
        DataError
            The folder cannot be written, is a file, or holds something else.
        """
        target = prepare_folder(folder, "run")
        tables = {
            "layers.csv": self.layers,
            "summary.csv": self.summary,
            "timeline.csv.gz": self.timeline,
        }
        if self.actions is not None:
            tables["actions.csv"] = self.actions
        if self.pes is not None:
            tables["pes.csv"] = self.pes
        if self.outputs is not None:
            columns = [f"class_{index}" for index in range(self.outputs.shape[1])]
            tables["outputs.csv"] = pd.DataFrame(self.outputs, columns=columns)
        manifest = {
            **self.manifest,
            "has_outputs": self.outputs is not None,
            "has_actions": self.actions is not None,
            "has_pes": self.pes is not None,
        }
        write_results(target, tables, manifest)
        return target

    def to_perfetto(
        self,
        path: str | Path,
        *,
        cycles: tuple[int, int | None] | None = None,
        stretches: int = STRETCHES,
        windows: int = WINDOWS,
    ) -> Path:
        """Write the timeline as a Chrome trace, which ui.perfetto.dev opens; return its path.

        Parameters
        ----------
        path : path
            The file.
        cycles : (int, int or None), optional
            Start and stop of what is written, None being the end; the whole run by default.
        stretches : int
            Most stretches of busy time; the first are written, with a warning that says what is
            left out.
        windows : int
            Most values of a counter, each a mean over so many cycles.

        Raises
        ------
        AccelsimError
            As of `accelsim.timeline.write_perfetto`, or the run was saved by an accelsim that did
            not keep what it takes.
        """
        return self._export(write_perfetto, path, cycles, stretches, windows)

    def to_vcd(
        self,
        path: str | Path,
        *,
        cycles: tuple[int, int | None] | None = None,
        stretches: int = STRETCHES,
        windows: int = WINDOWS,
    ) -> Path:
        """Write the timeline as a value change dump, as GTKWave reads it; return its path.

        All else is as of `to_perfetto`; it needs the package pyvcd.
        """
        return self._export(write_vcd, path, cycles, stretches, windows)

    def _export(
        self,
        write: Callable[..., str | None],
        path: str | Path,
        cycles: tuple[int, int | None] | None,
        stretches: int,
        windows: int,
    ) -> Path:
        target, how = Path(path), {"cycles": cycles, "stretches": stretches, "windows": windows}
        left_out = write(moved_of(self), self.accelerator, target, **how)
        if left_out is not None:
            warnings.warn(f"{target}: {left_out}", stacklevel=3)
        return target

    def compare(self, other: Run) -> pd.DataFrame:
        """Return cost and accuracy beside those of *other*, a row per quantity, with ratios to it.

        Returns
        -------
        DataFrame
            Columns ``quantity``, ``unit``, one for this run and one for *other*, each under what
            tells it from the other, and ``ratio``: the other's value to this one's.

        Raises
        ------
        DataError
            The runs are not of the same network and images.
        """
        return compare_runs(self, other)

    def _repr_html_(self) -> str:
        row = self.summary.iloc[0]
        accuracy = "not known" if np.isnan(row["accuracy"]) else f"{100 * row['accuracy']:.1f} %"
        facts = facts_html(
            f"{row['workload']} on {row['accelerator']} with {unit_label(self.accelerator)}",
            {
                "images": row["images"],
                "accuracy": accuracy,
                "latency": f"{row['latency_cycles']:,} cycles, "
                f"{row['latency_us_per_image']:,.1f} us/image at {row['clock_mhz']:g} MHz",
                "utilization": f"{100 * row['utilization']:.1f} %",
                "energy": f"{row['energy_uj_per_image']:,.2f} uJ/image",
            },
        )
        slowest = self.layers.nlargest(SHOWN_LAYERS, "total_cycles").sort_index()
        layers = rows_html(
            ["layer", "op", "compute cycles", "stall cycles", "uJ"],
            [
                (one.layer, one.op, f"{one.compute_cycles:,}", f"{one.stall_cycles:,}",
                 f"{one.energy_pj / 1e6:,.2f}")
                for one in slowest.itertuples(index=False)
            ],
        )  # fmt: skip
        left_out = len(self.layers) - len(slowest)
        more = f"<p>{left_out} quicker layers are in <code>run.layers</code></p>"
        return facts + layers + (more if left_out else "")

    def __repr__(self) -> str:
        row = self.summary.iloc[0]
        return (
            f"<Run of {row['workload']} on {row['accelerator']} with "
            f"{unit_label(self.accelerator)}: {row['images']} images, "
            f"{row['latency_cycles']} cycles, {row['energy_uj']:.1f} uJ>"
        )


def actions_of(run: Run) -> pd.DataFrame:
    """Return the actions of *run*.

    Raises
    ------
    DataError
        It was saved by an accelsim that did not keep them.
    """
    return _kept(run, run.actions, "action counts")


def pes_of(run: Run) -> pd.DataFrame:
    """Return what the PEs of *run* did.

    Raises
    ------
    DataError
        It was saved by an accelsim that did not keep it.
    """
    return _kept(run, run.pes, "products by PE")


def moved_of(run: Run) -> pd.DataFrame:
    """Return the timeline of *run*, which says what was moved and multiplied when.

    Raises
    ------
    DataError
        It was saved by an accelsim that did not keep that.
    """
    return _kept(run, run.timeline if "bytes" in run.timeline else None, "bytes over time")


def _kept(run: Run, table: pd.DataFrame | None, what: str) -> pd.DataFrame:
    if table is None:
        version = run.manifest["versions"]["accelsim"]
        raise DataError(
            f"the run of {unit_label(run.accelerator)} was saved without its {what}, by an "
            f"older accelsim ({version}); simulate it again"
        )
    return table


def load_run(folder: str | Path) -> Run:
    """Return the run that `Run.save` wrote into *folder*.

    An older accelsim kept no actions and nothing of the PEs: such a run comes back with None of
    them (`actions_of`, `pes_of`).

    Raises
    ------
    DataError
        No run lies there, or it was written by a newer accelsim, or a file is damaged.
    """
    path = Path(folder)
    manifest = read_manifest(path, "run")
    layers, summary, timeline = (
        read_table(path / name) for name in ("layers.csv", "summary.csv", "timeline.csv.gz")
    )
    try:
        outputs = actions = pes = None
        if manifest.pop("has_outputs"):
            outputs = read_table(path / "outputs.csv").to_numpy(np.float32)
        if manifest.pop("has_actions", False):
            actions = read_table(path / "actions.csv")[ACTION_COLUMNS]
        if manifest.pop("has_pes", False):
            pes = read_table(path / "pes.csv")[PE_COLUMNS]
        accelerator = Accelerator.from_dict(manifest["accelerator"])
        for name, table in (("layer", layers), ("latency_cycles", summary), ("block", timeline)):
            table[name].iloc[0]
    except (ConfigError, KeyError, TypeError, ValueError, IndexError) as error:
        raise DataError(f"the run in {str(path)!r} is damaged: {error}") from None
    return Run(outputs, layers, actions, summary, timeline, pes, accelerator, manifest)


def load_runs(folders: Sequence[str | Path]) -> list[Run]:
    """Return the runs in *folders* (each itself, or one level below), the baseline's units first.

    Raises
    ------
    DataError
        A folder holds no results, there is no run among them, or one cannot be read.
    """
    places = [place for place in find_results(folders) if read_manifest(place)["kind"] == "run"]
    if not places:
        names = ", ".join(map(str, folders))
        raise DataError(f"no simulated run in {names}; make one with accelsim simulate --out")
    runs = [load_run(place) for place in places]
    return sorted(runs, key=lambda run: unit_label(run.accelerator) != BASELINE)
