"""Imported multipliers; ``MULTIPLIERS["path/unit.npz"]`` reads one from its unit file."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import math
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from accelsim.circuits import Circuit, Gate, IntegerPorts, Netlist
from accelsim.errors import CircuitError, DataError, UnknownNameError
from accelsim.files import write_atomically
from accelsim.formats import IntegerFormat
from accelsim.multipliers import MULTIPLIERS
from accelsim.multipliers.base import IntegerMultiplier
from accelsim.multipliers.measures import TableErrors, measure_table
from accelsim.multipliers.unit_file import SUFFIX, pack, unpack

__all__ = [
    "ImportedMultiplier",
    "Source",
    "file_fingerprints",
    "imported",
    "read_unit_file",
]


@dataclass(frozen=True)
class Source:
    """Where an imported table comes from.

    Attributes
    ----------
    kind : str
        ``c``, ``verilog``, ``bin``, ``header``, ``text``, ``npy`` or ``python``.
    file : str
        Name of the file, or of the Python function.
    sha256 : str
        Of the file's bytes, or of the function's source text; "" where that is not to be had.
    detail : str
        What was read in it, and with which tools.
    operand_order : str
        As declared: which of the source's operands is the activation.
    index_order : str
        Of a signed table as declared: "pattern", "ascending", or "" where there is no choice.
    """

    kind: str
    file: str
    sha256: str
    detail: str
    operand_order: str
    index_order: str


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ImportedMultiplier(IntegerMultiplier):
    """An integer multiplier made from somebody's table, code or netlist.

    Attributes
    ----------
    errors : TableErrors
        Measured from the table, over all pairs.
    stated : dict of str to str
        Measures that the source or the user stated, as printed; the table agrees with them.
    source : Source
    warnings : tuple of str
        What the import could not check, or what may surprise.
    power_mw, area_um2 : float or None
        As the source states them, for its own technology; nothing is computed from them.
    netlist : accelsim.circuits.Netlist or None
        Gates of a Verilog source: ports ``a``, ``w`` and ``p``. `circuit` has its figures; they are
        those of accelsim's cells, not of the source's technology.
    """

    errors: TableErrors
    stated: dict[str, str]
    source: Source
    warnings: tuple[str, ...] = ()
    power_mw: float | None = None
    area_um2: float | None = None
    netlist: Netlist | None = None

    def save(self, path: str | Path) -> Path:
        """Write the unit file *path*, which then is a name of this unit.

        Raises
        ------
        DataError
            *path* does not end in ``.npz``, or cannot be written; nothing is left behind.
        """
        path = Path(path)
        if path.suffix != SUFFIX:
            raise DataError(f"a unit file must end in {SUFFIX}, got {str(path)!r}")
        try:
            write_atomically(path, pack(self._about(), self.table))
        except OSError as error:
            raise DataError(f"cannot write {path}: {error.strerror}") from None
        return path

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all that a unit file holds: two units of one name and path differ in it."""
        digest = hashlib.sha256(json.dumps(self._about(), sort_keys=True).encode())
        digest.update(np.ascontiguousarray(self.table, "<i4").tobytes())
        return digest.hexdigest()

    def __reduce__(self) -> tuple[Callable[[bytes], ImportedMultiplier], tuple[bytes]]:
        """Pickle as the content of a unit file: whatever becomes of the file, the bits stay."""
        return _unpickled, (pack(self._about(), self.table),)

    def _about(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "bits": self.operands.bits,
            "signed": self.operands.signed,
            "delay_ps": self.delay_ps,
            "delay_source": self.delay_source,
            "power_mw": self.power_mw,
            "area_um2": self.area_um2,
            "errors": self.errors.as_dict(),
            "stated": self.stated,
            "source": vars(self.source),
            "warnings": list(self.warnings),
            "netlist": None if self.netlist is None else _netlist_as_dict(self.netlist),
        }


def imported(
    *,
    name: str,
    operands: IntegerFormat,
    table: NDArray[np.int32],
    errors: TableErrors,
    stated: dict[str, str],
    source: Source,
    warnings: tuple[str, ...],
    delay_ps: float | None,
    delay_source: str,
    power_mw: float | None,
    area_um2: float | None,
    netlist: Netlist | None,
) -> ImportedMultiplier:
    """Return the unit of *table*, with title, description and circuit made from the rest."""
    sign = "signed" if operands.signed else "unsigned"
    measures = ", ".join(f"{measure} {value:.4g}" for measure, value in errors.by_name().items())
    order = f"operand order {source.operand_order}"
    if source.index_order:
        order += f", indices {source.index_order}"
    return ImportedMultiplier(
        name=name,
        title=f"imported {operands.bits}x{operands.bits} {sign} multiplier from {source.file}",
        description=(
            f"Table of all {operands.name} products: {source.detail}. Declared: {order}. Measured "
            f"over all pairs: {measures}."
        ),
        delay_ps=delay_ps,
        delay_source=delay_source,
        sources=(f"{source.file}, sha256 {source.sha256 or 'unknown'}",),
        build_circuit=None if netlist is None else lambda: _circuit(name, netlist, operands, table),
        operands=operands,
        values=table,
        errors=errors,
        stated=stated,
        source=source,
        warnings=warnings,
        power_mw=power_mw,
        area_um2=area_um2,
        netlist=netlist,
    )


def file_fingerprints(names: Iterable[str]) -> dict[str, str]:
    """Return name -> fingerprint of those units that are files.

    Results that are kept depend on what is in a unit file, not on its path; what a registered unit
    computes is known by accelsim's version.
    """
    units = {name: MULTIPLIERS[name] for name in names}
    return {
        name: unit.fingerprint
        for name, unit in units.items()
        if isinstance(unit, ImportedMultiplier)
    }


def _circuit(
    name: str, netlist: Netlist, operands: IntegerFormat, table: NDArray[np.int32]
) -> Circuit:
    """Return the circuit of *netlist*, which must compute *table*."""
    circuit = Circuit(name, netlist, IntegerPorts(operands))
    values = operands.values()
    for row, value in enumerate(values):
        if not np.array_equal(circuit.product(value, values), table[row]):
            raise DataError(
                f"{name}: the netlist in its file does not compute its table; import the source "
                "again"
            )
    return circuit


def read_unit_file(path: str | Path) -> ImportedMultiplier:
    """Return the multiplier in the unit file *path*.

    Raises
    ------
    UnknownNameError
        There is no such file.
    DataError
        It is no unit file, is damaged, was written by a newer accelsim, or contradicts itself.
    """
    path = Path(path)
    try:
        stat = path.stat()
    except OSError as error:
        raise UnknownNameError(
            f"no multiplier file {str(path)!r} ({error.strerror}); 'accelsim import' writes one"
        ) from None
    version = (path, stat.st_ino, stat.st_size, stat.st_mtime_ns)
    with _reading:
        unit = _recent.pop(version, None) or _checked(path, str(path))
        _recent[version] = unit
        while len(_recent) > 1 and sum(one.table.nbytes for one in _recent.values()) > RECENT_BYTES:
            del _recent[next(iter(_recent))]
    return unit


RECENT_BYTES = 128 << 20
"""Of products that `read_unit_file` keeps at hand: two units of 12 bits, or 512 of 8."""

_recent: dict[tuple[Path, int, int, int], ImportedMultiplier] = {}
"""Path and version of a file -> unit, the one read last at the end."""
_reading = threading.Lock()


def _unpickled(content: bytes) -> ImportedMultiplier:
    """Return the unit whose file holds *content*."""
    return _checked(io.BytesIO(content), "a pickled unit")


def _checked(file: Path | BinaryIO, owner: str) -> ImportedMultiplier:
    """Return the unit in *file*, which must not contradict itself; *owner* names it in errors."""
    about, table = unpack(file, owner)
    operands = IntegerFormat(about["bits"], about["signed"])
    errors = measure_table(table, operands)
    if not _same(about["errors"], errors.as_dict()):
        raise DataError(
            f"{owner} contradicts itself: the measures in it are not those of its table; import "
            "the source again"
        )
    if sorted(about["source"]) != sorted(Source.__dataclass_fields__):
        raise DataError(f"{owner} is damaged: its source has the fields {sorted(about['source'])}")
    netlist = None if about["netlist"] is None else _netlist(owner, about["netlist"], operands)
    return imported(
        name=about["name"],
        operands=operands,
        table=table,
        errors=errors,
        stated=about["stated"],
        source=Source(**about["source"]),
        warnings=tuple(about["warnings"]),
        delay_ps=about["delay_ps"],
        delay_source=about["delay_source"],
        power_mw=about["power_mw"],
        area_um2=about["area_um2"],
        netlist=netlist,
    )


def _netlist_as_dict(netlist: Netlist) -> dict[str, Any]:
    return {
        "inputs": {name: list(nets) for name, nets in netlist.inputs.items()},
        "outputs": {name: list(nets) for name, nets in netlist.outputs.items()},
        "gates": [[gate.cell, list(gate.inputs), list(gate.outputs)] for gate in netlist.gates],
    }


def _netlist(owner: str, about: dict[str, Any], operands: IntegerFormat) -> Netlist:
    """Return the netlist of a file, if it is one of a multiplier of *operands*."""
    try:
        inputs, outputs = (
            {name: _nets(nets) for name, nets in about[side].items()}
            for side in ("inputs", "outputs")
        )
        gates = tuple(
            Gate(str(cell), _nets(ins), _nets(outs)) for cell, ins, outs in about["gates"]
        )
        netlist = Netlist(inputs, outputs, gates)
    except (CircuitError, KeyError, AttributeError, TypeError, ValueError) as error:
        raise DataError(f"{owner} is damaged: its netlist is none ({error})") from None
    widths = {name: len(nets) for name, nets in (*inputs.items(), *outputs.items())}
    bits = operands.bits
    if widths != {"a": bits, "w": bits, "p": 2 * bits}:
        raise DataError(f"{owner} is damaged: its netlist has the ports {widths}")
    return netlist


def _nets(nets: Any) -> tuple[int, ...]:
    if not all(type(net) is int for net in nets):
        raise ValueError("a net is an int")
    return tuple(nets)


def _same(stored: dict[str, Any], measured: dict[str, float]) -> bool:
    """Return whether two sets of measures agree; sums of floats differ between processors."""
    return stored.keys() == measured.keys() and all(
        isinstance(stored[name], int | float) and math.isclose(stored[name], value, rel_tol=1e-9)
        for name, value in measured.items()
    )


MULTIPLIERS.register_files(SUFFIX, read_unit_file)
