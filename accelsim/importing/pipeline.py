"""From a source and what is declared of it to a multiplier: read, orient, measure, compare."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import ConfigError, DataError
from accelsim.formats import IntegerFormat
from accelsim.importing.c_source import RUN_MEMORY_MIB, RUN_TIME_S, read_c
from accelsim.importing.declarations import Declarations, activation_first
from accelsim.importing.doubts import doubt
from accelsim.importing.functions import function_name, function_sha256, read_function
from accelsim.importing.headers import Header, contradictions, read_header, stated_measure
from accelsim.importing.reading import Reading
from accelsim.importing.tables import TABLE_READERS, decoded, read_array
from accelsim.importing.verilog import read_verilog
from accelsim.multipliers import MULTIPLIERS
from accelsim.multipliers.imported import ImportedMultiplier, Source, imported
from accelsim.multipliers.measures import TableErrors, measure_table
from accelsim.multipliers.unit_file import SUFFIX

__all__ = ["import_multiplier", "source_label"]

_SUFFIXES = (".c", ".v", *TABLE_READERS)
_SOURCE_BYTES = 256 << 20


def import_multiplier(
    source: str | Path | NDArray[Any] | Callable[..., Any],
    *,
    name: str | None = None,
    bits: int | None = None,
    signed: bool | None = None,
    operand_order: str | None = None,
    index_order: str | None = None,
    expected: Mapping[str, str | float] | None = None,
    delay_ps: float | None = None,
    function: str | None = None,
    module: str | None = None,
    time_limit_s: int = RUN_TIME_S,
    memory_limit_mib: int = RUN_MEMORY_MIB,
    out: str | Path | None = None,
) -> ImportedMultiplier:
    """Return the multiplier in *source*, its errors measured over all pairs of operands.

    Parameters
    ----------
    source : str, Path, ndarray or callable
        A file ending in ``.c``, ``.v``, ``.bin``, ``.h``, ``.txt`` or ``.npy``; an array of
        products; or a vectorized function of two int64 arrays.
    name : str
        Of the unit. Its energies are rows ``multiplier.<name>`` of an energy table of yours.
    bits : int
        Width of both operands, 2 to 12.
    signed : bool
        Whether the operands are two's complement. Always declared: it cannot be read off a file.
    operand_order : str
        Which of the source's operands is the activation: ``"activation,weight"`` or
        ``"weight,activation"`` for its first and second (parameters of the function, input ports,
        row and column), or by their names, ``"A=activation,B=weight"``.
    index_order : {"pattern", "ascending"}
        How rows and columns of a signed table run: by bit pattern (0..127, -128..-1), or by value
        (-128..127). Needed for signed tables only.
    expected : mapping of measure to number, optional
        Measures that were published for it, such as ``{"EP%": "74.61", "WCE": 255}``, as text to
        say how many digits count. Those in the source's own comments are always compared.
    delay_ps : float, optional
        Instead of the PDK45_DELAY in the source's comments. Without either the unit computes, but
        no machine can be built with it.
    function, module : str, optional
        The C function or the Verilog module, where several could be meant.
    time_limit_s, memory_limit_mib : int
        For the C code that fills the table.
    out : str or Path, optional
        Unit file (``.npz``) to write; its path then is a name of the unit.

    Returns
    -------
    accelsim.multipliers.imported.ImportedMultiplier

    Raises
    ------
    ConfigError
        A declaration is missing or impossible; the message says how to give it.
    DataError
        The source cannot be read as declared, or its table contradicts the figures stated for it.
        Nothing is written then.

    Examples
    --------
    >>> unit = import_multiplier(
    ...     lambda a, w: a * w & ~3, name="cut2", bits=8, signed=False,
    ...     operand_order="activation,weight", expected={"WCE": 3},
    ... )
    >>> int(unit.product(7, 9)), unit.errors.mae_percent < 0.002
    (60, True)
    """
    label = source_label(source)
    owner = f"import of {label}"
    declared = Declarations.checked(owner, name, bits, signed, operand_order, index_order)
    if MULTIPLIERS.recognizes(declared.name):
        raise ConfigError(
            f"{owner}: {declared.name!r} is a unit of accelsim or named as one; choose a new name"
        )
    if out is not None and Path(out).suffix != SUFFIX:
        raise ConfigError(f"{owner}: out must end in {SUFFIX}, got {str(out)!r}")
    expected_texts = _expected(expected, owner)
    code = _Code(function, module, time_limit_s, memory_limit_mib)
    sha256, reading = _read(source, declared, owner, code)
    first = activation_first(owner, declared.operand_order, reading.names)
    table = reading.table(owner, first)
    errors = measure_table(table, declared.operands)
    header = _header(reading.text, owner)
    stated = {**header.stated, **expected_texts}
    for figures in (header.stated, expected_texts):
        _refuse_contradictions(figures, errors, owner)
    delay, delay_source = _delay(header, delay_ps, label, owner)
    unit = imported(
        name=declared.name,
        operands=declared.operands,
        table=table,
        errors=errors,
        stated=stated,
        source=Source(
            kind=reading.kind,
            file=label,
            sha256=sha256,
            detail=reading.detail,
            operand_order=declared.operand_order,
            index_order=declared.index_order or "",
        ),
        warnings=(
            *_warnings(errors, stated, reading.names, first),
            *_sign_warnings(table, declared.operands),
            *(() if stated else _doubts(table, declared, errors, reading.kind)),
        ),
        delay_ps=delay,
        delay_source=delay_source,
        power_mw=header.power_mw,
        area_um2=header.area_um2,
        netlist=reading.netlist_of_unit(first),
    )
    if out is not None:
        unit.save(out)
    return unit


@dataclass(frozen=True)
class _Code:
    """What only sources that are code need."""

    function: str | None
    module: str | None
    time_limit_s: int
    memory_limit_mib: int

    def check(self, owner: str, kind: str) -> None:
        """Raise for an option that a source of this *kind* cannot use, or a limit that is none."""
        for option, wanted in (("function", ".c"), ("module", ".v")):
            value = getattr(self, option)
            if value is not None and kind != wanted:
                raise ConfigError(f"{owner}: {option} is for {wanted} files only, got {value!r}")
        for option in ("time_limit_s", "memory_limit_mib"):
            value = getattr(self, option)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigError(f"{owner}: {option} must be an int >= 1, got {value!r}")


def source_label(source: Any) -> str:
    """Return what *source* is called in messages: a file's name, a function's, or "an array"."""
    if isinstance(source, str | Path):
        return Path(source).name
    return "an array" if isinstance(source, np.ndarray) else function_name(source)


def _read(source: Any, declared: Declarations, owner: str, code: _Code) -> tuple[str, Reading]:
    """Return the sha256 of *source*, and what was read in it."""
    operands = declared.operands
    if isinstance(source, np.ndarray):
        code.check(owner, "")
        digest = hashlib.sha256(np.ascontiguousarray(source).tobytes()).hexdigest()
        return digest, read_array(source, declared, owner)
    if not isinstance(source, str | Path):
        code.check(owner, "")
        if not callable(source):
            raise ConfigError(
                f"{owner}: a source must be a file, an array or a function, got "
                f"{type(source).__name__}"
            )
        return function_sha256(source), read_function(source, operands, owner)
    suffix = Path(source).suffix.lower()
    if suffix not in _SUFFIXES:
        raise ConfigError(
            f"{owner}: a source file must end in {', '.join(_SUFFIXES)}, got {suffix or 'nothing'}"
        )
    code.check(owner, suffix)
    content = _content(Path(source), owner)
    digest = hashlib.sha256(content).hexdigest()
    if suffix in TABLE_READERS:
        return digest, TABLE_READERS[suffix](content, declared, owner)
    text = decoded(content, owner)
    if suffix == ".v":
        return digest, read_verilog(text, operands, owner, code.module)
    limits = (code.time_limit_s, code.memory_limit_mib)
    return digest, read_c(text, operands, owner, code.function, *limits)


def _content(path: Path, owner: str) -> bytes:
    try:
        with path.open("rb") as stream:
            content = stream.read(_SOURCE_BYTES + 1)
    except OSError as error:
        raise DataError(f"{owner}: cannot read {path}: {error.strerror}") from None
    if len(content) > _SOURCE_BYTES:
        raise DataError(f"{owner}: {path} has more than {_SOURCE_BYTES >> 20} MiB")
    return content


def _header(text: str, owner: str) -> Header:
    try:
        return read_header(text)
    except DataError as error:
        raise DataError(f"{owner}: {error}") from None


def _expected(expected: Mapping[str, str | float] | None, owner: str) -> dict[str, str]:
    """Return the measures that the user expects, as texts; raise unless all are numbers."""
    if expected is not None and not isinstance(expected, Mapping):
        raise ConfigError(
            f"{owner}: expected must map measures to numbers, such as {{'EP%': '74.61'}}, got "
            f"{type(expected).__name__}"
        )
    texts = {measure: str(value) for measure, value in (expected or {}).items()}
    for measure, text in texts.items():
        try:
            stated_measure(measure, text)
        except DataError as error:
            raise ConfigError(f"{owner}: expected: {error}") from None
    return texts


def _refuse_contradictions(stated: dict[str, str], errors: TableErrors, owner: str) -> None:
    found = contradictions(stated, errors)
    if found:
        raise DataError(
            f"{owner}: {'; '.join(found)}. The table is not the one that these figures are of: "
            "check signedness, width and index order (swapped operands measure the same)"
        )


def _delay(
    header: Header, delay_ps: float | None, label: str, owner: str
) -> tuple[float | None, str]:
    """Return the delay in ps with its source."""
    if delay_ps is not None:
        number = isinstance(delay_ps, int | float) and not isinstance(delay_ps, bool)
        if not (number and math.isfinite(delay_ps) and delay_ps > 0):
            raise ConfigError(f"{owner}: delay_ps must be a finite number > 0, got {delay_ps!r}")
        return float(delay_ps), "declared at the import"
    if header.delay_ns is not None and header.delay_ns > 0:
        return 1000 * header.delay_ns, f"FreePDK45 synthesis, as the comments of {label} state"
    return None, f"{label} states none; import it with delay_ps (--delay-ps)"


def _warnings(
    errors: TableErrors, stated: dict[str, str], names: tuple[str, str], first: bool
) -> Iterator[str]:
    """Yield what the import could not check, or what may surprise."""
    activation, weight = names if first else names[::-1]
    if errors.asymmetric:
        yield (
            f"operand order unverified: {errors.asymmetric} products change when the operands are "
            f"swapped, and no measure can tell which is which; {activation} was declared to be the "
            f"activation and {weight} the weight"
        )
    if not stated:
        yield "nothing to compare with: neither the source nor expected states an error measure"
    if errors.nonzero_for_zero:
        yield (
            f"{errors.nonzero_for_zero} products with a zero operand are not zero: zero padding "
            "and skipped zeros change results"
        )


def _sign_warnings(table: NDArray[np.int32], operands: IntegerFormat) -> Iterator[str]:
    """Yield what looks like a signed table that was declared unsigned."""
    negative = int((table < 0).sum())
    if negative and not operands.signed:
        yield (
            f"{negative} products of unsigned operands are negative; is the multiplier signed, or "
            "are they patterns in a signed type that is too narrow?"
        )


def _doubts(
    table: NDArray[np.int32], declared: Declarations, errors: TableErrors, kind: str
) -> Iterator[str]:
    """Yield what looks like a wrong declaration; asked only where no figure would tell."""
    has_index = kind in ("bin", "header", "text", "npy")
    text = doubt(table, declared.operands, errors, declared.index_order, has_index=has_index)
    if text:
        yield text
