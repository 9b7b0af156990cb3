"""Points of a sweep: what one is, what its key is, and its row."""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from accelsim.config import Accelerator
from accelsim.errors import AccelsimError, DataError
from accelsim.layer import Trace
from accelsim.layer_units import check_layers, takes_integers
from accelsim.machine import LayerMemo
from accelsim.multipliers.imported import file_fingerprints
from accelsim.simulation import check_machine, simulate
from accelsim.store import point_key
from accelsim.topology import check_no_data, check_operands, is_topology, read_topology
from accelsim.version import MODEL_VERSION, __version__
from accelsim.workload import load_workload, weights_text

__all__ = [
    "Inputs",
    "Point",
    "crashed",
    "forget_inputs",
    "hand_over",
    "point_of",
    "run_points",
    "weights_of",
]

Row = dict[str, Any]

WORKLOAD = "workload"
"""The one field to vary that is not the accelerator's."""

_memo = LayerMemo()
"""What this process has run of timing-only points."""

_one_at_a_time = threading.Lock()
"""Engines may have several threads in a process; memo and inputs are the process's."""


@dataclass(frozen=True)
class Inputs:
    """What a point runs."""

    workload: str
    """Registered name, or a topology's file."""
    images: int
    data: str | None
    """Where the workload's data lie."""


@dataclass(frozen=True)
class Point:
    """One configuration of a sweep."""

    varied: dict[str, Any]
    """Field -> value, what tells this point from the others."""
    accelerator: Accelerator
    inputs: Inputs
    values: bool
    trace: str
    """Fingerprint of the trace that the sweep was started with."""
    model: int = MODEL_VERSION
    """The sweep's version of the model."""

    @property
    def calibrated(self) -> bool:
        """Whether it needs a calibrated trace: a unit takes integers, and gets some."""
        return self.values and takes_integers(self.accelerator)


def point_of(
    varied: Mapping[str, Any],
    base: Accelerator,
    workload: str,
    images: int | None,
    data: str | None,
    values: bool,
) -> tuple[str, Point]:
    """Return (key, point) of the values *varied* on *base*; the other parameters are the sweep's.

    The key is a hash of all that the point's row depends on.

    Raises
    ------
    AccelsimError
        A field or value is not possible, or a network, unit or table does not exist.
    """
    fields = {name: value for name, value in varied.items() if name != WORKLOAD}
    machine = base.replace(**fields)
    name = str(varied.get(WORKLOAD, workload))
    if is_topology(name):
        name = os.path.abspath(name)  # Workers may have started in another folder.
    if images is None:
        images = 1 if is_topology(name) else 4
    table = check_machine(machine, values=values).fingerprint
    point = Point(dict(varied), machine, Inputs(name, images, data), values, "")
    traced, labels = _traced(point.inputs, point.calibrated)
    check_operands(traced, values=values)
    check_layers(traced, machine)
    point = Point(point.varied, machine, point.inputs, values, traced.fingerprint)
    determined_by = {
        "accelerator": machine.model_dump(mode="json"),
        "table": table,
        "trace": traced.fingerprint,
        "labels": None if labels is None else labels.tolist(),
        "values": values,
        "version": __version__,
        "model": MODEL_VERSION,
    }
    files = file_fingerprints(machine.units)
    return point_key({**determined_by, **({"unit_files": files} if files else {})}), point


def hand_over(points: Iterable[Point], networks: Path) -> None:
    """Write what *points* run into the folder *networks*, for `run_points` in other processes.

    To read it takes them a moment; to import torch, and to build and trace a network, seconds.

    Raises
    ------
    DataError
        It cannot be written.
    """
    for inputs, calibrated in {(one.inputs, one.calibrated) for one in points}:
        path = _handed(networks, inputs, calibrated)
        if is_topology(inputs.workload) or path.exists():
            continue
        try:
            path.write_bytes(pickle.dumps(_traced(inputs, calibrated)))
        except OSError as error:
            raise DataError(
                f"workload {inputs.workload!r} cannot be written to {path} for the workers: "
                f"{error.strerror}; name a folder with room in TMPDIR"
            ) from None


def _handed(networks: Path, inputs: Inputs, calibrated: bool) -> Path:
    return networks / point_key({**asdict(inputs), "calibrated": calibrated})


def run_points(
    points: Sequence[Point], *, shares: bool = True, networks: Path | None = None
) -> list[Row]:
    """Return the row of each point; an error of its own making is in the row.

    *shares*: layers that ran before in this process, on a machine that does the same, are not run
    again where there are no values. Rows are the same either way. *networks*: a folder that was
    told to `hand_over`.
    """
    with _one_at_a_time:
        return [
            _row(point, _memo if shares and not point.values else None, networks)
            for point in points
        ]


def _network(point: Point, networks: Path | None) -> tuple[Trace, Any]:
    """Return what *point* runs and its labels: those handed over, else traced here."""
    if networks is not None:
        path = _handed(networks, point.inputs, point.calibrated)
        if path.exists():
            return _read(path)
    return _traced(point.inputs, point.calibrated)


@lru_cache(maxsize=4)
def _read(path: Path) -> tuple[Trace, Any]:
    traced, labels = pickle.loads(path.read_bytes())
    return traced, labels


def _row(point: Point, memo: LayerMemo | None, networks: Path | None) -> Row:
    try:
        if point.model != MODEL_VERSION:
            raise DataError(
                f"accelsim has model version {MODEL_VERSION} here and {point.model} where the "
                "sweep was started; install the same version and start again"
            )
        traced, labels = _network(point, networks)
        if traced.fingerprint != point.trace:
            raise DataError(
                f"workload {point.inputs.workload!r} is another network here than where the sweep "
                f"was started (trace {traced.fingerprint}, there {point.trace}): its files or "
                "data differ, or changed meanwhile; make them the same and start again"
            )
        weights = weights_of(point.inputs.workload)
        run = simulate(
            traced, point.accelerator, labels=labels, values=point.values, weights=weights,
            memo=memo,
        )  # fmt: skip
    except AccelsimError as error:
        return {"error": str(error)}
    except MemoryError:
        return {"error": f"it needs more memory than a worker has. {MORE_MEMORY}"}
    (summary,) = run.summary.to_dict("records")
    return {**{str(name): _plain(value) for name, value in summary.items()}, "error": ""}


MORE_MEMORY = "Use fewer workers, so that each has more, or fewer images"


def crashed(points: Sequence[Point], reason: str) -> list[Row]:
    """Return the rows of points whose process died."""
    which = "it" if len(points) == 1 else f"it, or one of the {len(points) - 1} beside it"
    text = f"the process that ran {which} died ({reason}); out of memory, perhaps. {MORE_MEMORY}"
    return [{"error": text} for _ in points]


def weights_of(workload: str) -> str | None:
    """Return where the network's weights are from; a topology has none."""
    return None if is_topology(workload) else weights_text(workload)


def forget_inputs() -> None:
    """Read networks and data anew: the files may have changed since the last sweep."""
    _traced.cache_clear()


def _plain(value: Any) -> Any:
    """Return a NumPy scalar as Python's, and NaN as None: what JSON knows."""
    value = value.item() if hasattr(value, "item") else value
    return None if value != value else value


@lru_cache(maxsize=4)
def _traced(inputs: Inputs, calibrated: bool) -> tuple[Trace, Any]:
    name, data = inputs.workload, inputs.data
    if is_topology(name):
        check_no_data(name, data=data)
        return read_topology(name, inputs.images), None
    from accelsim.nn import calibrate_workload
    from accelsim.tracing import trace

    model, batch, labels = load_workload(name, limit=inputs.images, data=data)
    calibration = calibrate_workload(name, model, data) if calibrated else None
    return trace(model, batch, name=name, calibration=calibration), labels
