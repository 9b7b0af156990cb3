"""heap, heap_ama<1..5>_cut<c>: fp32 multipliers with a 24x24 mantissa array of mixed adders.

The significands (implicit one included) go through the ripple-row array of `cell_array`, with any
full adder in every place: a heterogeneous approximate multiplier in the manner of HEAP. The array's
output S is normalized by its leading one and truncated to 23 fraction bits::

    biased exponent = ea + ew - 127 + (place of the leading one of S - 46);      S = 0 gives +0

With exact cells that is the exact product, rounded towards zero. Zero rule (magnitudes below 1e-36
give +0), flush to +0 below exponent 1, infinity above 254, NaN and infinity are as in `ax_fpm`.

The cell map that HEAP's authors found is not public. The listed unit ``heap`` is *this project's
choice* in its spirit, not their design: AMA5 cells in the columns below 36, where they are cheap
and hardly matter, AMA4, whose mean error is smaller, in columns 36 to 41, exact cells above. Other
maps have names of cuts (``heap_ama5_cut36_ama4_cut42`` is the same unit), or are made by `heap`.
Maps like the listed one have a closed form, see `cell_bands`; with others, evaluated cell by cell,
convolutions take some fifty times as long.

>>> float(MULTIPLIERS["heap"].product(1.5, 1.5)), float(heap("x", [(0, "ama5")]).product(1.5, 1.5))
(2.25, 2.25)

Sources
-------
Guesmi et al., "HEAP: A heterogeneous approximate floating-point multiplier for error tolerant
applications", RSP 2019: the idea. Cells: Gupta et al., IEEE TCAD 32(1), 2013.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from accelsim.circuits import FULL_ADDERS, Circuit, FloatForm, float_circuit
from accelsim.compilation import jit
from accelsim.errors import ConfigError, nearest
from accelsim.formats import (
    EXPONENT_FIELD,
    FRACTION_BITS,
    FRACTION_FIELD,
    IMPLICIT_ONE,
    MAGNITUDE_FIELD,
    SIGN_FIELD,
    float32_bits,
    float32_of_fields,
    float64_bits,
    float64_from_bits,
)
from accelsim.multipliers import MULTIPLIERS
from accelsim.multipliers.base import FloatMultiplier
from accelsim.multipliers.cell_array import (
    CellMap,
    array_sum,
    cells_below,
    checked_cells,
    count_cells,
)
from accelsim.multipliers.cell_bands import fast_form_of
from accelsim.multipliers.cell_slices import LANES, WORDS, sliced_array
from accelsim.multipliers.integer_family import NUMBER
from accelsim.multipliers.tiled import SMALLEST, signed_power, significand
from accelsim.registry import Family

__all__ = ["BANDS", "heap", "read_cells"]

BITS = FRACTION_BITS + 1
"""Of a significand."""

BANDS = ((36, "ama5"), (42, "ama4"))
"""Cell map of the unit ``heap``: (cut, cell in the columns below)."""

NO_FIGURE = "no published figure; see the unit's circuit"


def heap(
    name: str,
    cells: Sequence[Sequence[str]] | Sequence[tuple[int, str]] | str | Path,
    *,
    delay_ps: float | None = None,
    delay_source: str = NO_FIGURE,
) -> FloatMultiplier:
    """Return the fp32 unit whose mantissa array has these cells.

    Parameters
    ----------
    name : str
        Of the unit; register it with ``MULTIPLIERS.register(name, unit)`` to use it by name.
    cells : table, bands or path
        23 rows of 24 names of full adders, ``cells[r - 1][j]`` for bit r of the activation and bit
        j of the weight (row 0, the first partial product, has no adders). Or the bands of
        `cell_array.cells_below`, ``[(36, "ama5"), (42, "ama4")]``. Or a file that `read_cells`
        reads.
    delay_ps, delay_source
        As in `Multiplier`.

    Raises
    ------
    ConfigError
        For a table of another shape, a name that is no full adder's, cuts that do not ascend, or a
        file that cannot be read.
    """
    owner = f"multiplier {name!r}"
    table = _cell_map(cells, owner)
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(count_cells(table).items()))
    scalar = _scalar(array_sum(table))
    return FloatMultiplier(
        name=name,
        title=f"fp32 multiplier with a 24x24 ripple-row array of {counts} cells",
        description=(
            "Significands multiplied by an array with its adders chosen place by place, "
            "normalized by the leading one and truncated; operands below 1e-36 give +0. Not the "
            "published design of HEAP, whose cell map is not public."
        ),
        scalar=scalar,
        fast=fast_form_of(table),
        batch=_batch(sliced_array(table), scalar),
        build_circuit=lambda: _circuit_of(name, table),
        delay_ps=delay_ps,
        delay_source=delay_source,
        sources=(
            'the idea: Guesmi et al., "HEAP: A heterogeneous approximate floating-point multiplier '
            'for error tolerant applications", RSP 2019',
            'cells: Gupta et al., "Low-Power Digital Signal Processing Using Approximate Adders", '
            "IEEE TCAD 32(1), 2013",
        ),
    )


def read_cells(path: str | Path) -> CellMap:
    """Return the cell map in a file: ``.json`` an array of arrays of names, else CSV without head.

    Raises
    ------
    ConfigError
        For a file that cannot be read, or holds anything else.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        if str(path).endswith(".json"):
            rows = json.loads(text)
        else:
            rows = [row for row in csv.reader(text.splitlines()) if row]
    except (OSError, ValueError, csv.Error) as error:
        raise ConfigError(f"cannot read cell map {str(path)!r}: {error}") from error
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise ConfigError(f"cell map {str(path)!r} must be an array of arrays of names")
    table = [[str(name).strip() for name in row] for row in rows]
    return checked_cells(table, BITS, f"cell map {str(path)!r}")


def _circuit_of(name: str, table: CellMap) -> Circuit:
    """Return the gates; a normalizer of any shift only where S may have its leading one anywhere.

    With an exact cell in the top place the product of the hidden bits is in S: it has 47 or 48
    bits.
    """
    form = FloatForm(
        exponent="ieee" if table[-1][-1] == "exact" else "leading",
        rounding="truncate",
        zero_below=SMALLEST,
        signed_zeros=False,
    )
    return float_circuit(form, lambda row, column: table[row - 1][column], "ripple_row", name=name)


def _cell_map(cells: Any, owner: str) -> CellMap:
    if isinstance(cells, str | Path):
        return read_cells(cells)
    if not any(isinstance(row[0], int) for row in cells if row):
        return checked_cells(cells, BITS, owner)
    for _, cell in cells:
        if cell not in FULL_ADDERS:
            raise ConfigError(
                f"{owner}: no full adder named {cell!r}; known: {', '.join(FULL_ADDERS)}."
                f"{nearest(cell, FULL_ADDERS)}"
            )
    cuts = [cut for cut, _ in cells]
    if cuts != sorted(set(cuts)) or cuts[0] < 0 or cuts[-1] > 2 * BITS:
        raise ConfigError(f"{owner}: cuts must ascend within 0..{2 * BITS}, got {cuts}")
    return checked_cells(cells_below(BITS, cells), BITS, owner)


def _scalar(mantissa: Callable[..., Any]) -> Callable[..., Any]:
    """Return the jitted (activation, weight) -> product, float32: the definition."""

    @jit
    def product(a, w):  # type: ignore[no-untyped-def]
        a_bits, w_bits = float32_bits(a), float32_bits(w)
        a_size, w_size = a_bits & MAGNITUDE_FIELD, w_bits & MAGNITUDE_FIELD
        if a_size >= EXPONENT_FIELD or w_size >= EXPONENT_FIELD:
            return np.float32(np.float32(a) * np.float32(w))
        if a_size < SMALLEST or w_size < SMALLEST:
            return np.float32(0.0)
        total = mantissa(
            (a_bits & FRACTION_FIELD) | IMPLICIT_ONE, (w_bits & FRACTION_FIELD) | IMPLICIT_ONE
        )
        if total == 0:
            return np.float32(0.0)
        exponent = (a_size >> FRACTION_BITS) + (w_size >> FRACTION_BITS) - 127 + 1
        while not total >> (2 * BITS - 1):
            total <<= 1
            exponent -= 1
        fraction = (total >> BITS) & FRACTION_FIELD
        return float32_of_fields((a_bits ^ w_bits) & SIGN_FIELD, exponent, fraction)

    return product


def _batch(array: Callable[..., None], scalar: Callable[..., Any]) -> Callable[..., None]:
    """Return the jitted (activations, weights, out) -> None: the same products, LANES at a time.

    S times both operands' powers of two is exact in float64, whose leading fraction bits are the
    truncated fraction.
    """
    cut_off = ~((1 << (52 - FRACTION_BITS)) - 1)
    scale, least = 2.0 ** (2 - 2 * BITS), 2.0**-126

    # A function of its own: it vectorizes.
    @jit
    def put_together(a, w, sums, out):  # type: ignore[no-untyped-def]
        for i in range(out.size):
            exact = np.float64(sums[i]) * (signed_power(a[i]) * (signed_power(w[i]) * scale))
            kept = float64_from_bits(float64_bits(exact) & cut_off)
            out[i] = np.float32(kept) if abs(kept) >= least else np.float32(0.0)

    @jit
    def load(values, lanes):  # type: ignore[no-untyped-def]
        for i in range(values.size):
            lanes[i] = significand(values[i])

    @jit
    def batch(activations, weights, out):  # type: ignore[no-untyped-def]
        a_lanes = np.zeros((64, WORDS), np.int64)
        w_lanes = np.zeros((64, WORDS), np.int64)
        sums = np.empty((64, WORDS), np.int64)
        for start in range(0, out.size, LANES):
            a, w = activations[start : start + LANES], weights[start : start + LANES]
            load(a, a_lanes.reshape(-1))
            load(w, w_lanes.reshape(-1))
            array(a_lanes, w_lanes, sums)
            put_together(a, w, sums.reshape(-1), out[start : start + LANES])
        for i in range(out.size):
            greatest = max(abs(activations[i]), abs(weights[i]))
            if not greatest < np.inf or weights[i] != weights[i]:
                out[i] = scalar(activations[i], weights[i])

    return batch


def _member(name: str, bands: str) -> FloatMultiplier:
    return heap(name, [(int(cut), cell) for cell, cut in re.findall(r"(ama[1-5])_cut(\d+)", bands)])


MULTIPLIERS.register_family(
    Family(
        form="heap_ama<1..5>_cut<c>[_ama...]",
        pattern=rf"heap_(?P<bands>ama[1-5]_cut(?:{NUMBER})(?:_ama[1-5]_cut(?:{NUMBER}))*)",
        title="fp32 multiplier, mantissa array with approximate adders in the columns below c",
        make=_member,
    )
)
MULTIPLIERS.register(
    "heap",
    heap(
        "heap",
        BANDS,
        delay_ps=1500.0,
        delay_source=(
            "derived: exact_fp32's 5134 ps x 0.2921, the ratio of the circuits' delays; ripple-row "
            "array against one composed of 8x8 arrays"
        ),
    ),
)
