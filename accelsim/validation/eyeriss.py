"""Eyeriss as measured (JSSC 2017): AlexNet's and VGG-16's convolutions, simulated beside.

Latency and GLB accesses; power and energy are `accelsim.validation.eyeriss_energy`'s.

``eyeriss_chip.csv`` holds the chip, ``eyeriss_layers.csv`` the layers, their mappings and what was
measured; each row names its source. Mappings of AlexNet are the published ones, those of VGG-16 are
not public and were inferred from published counts, not from latencies (docs/validation.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from accelsim.dataflows.row_mapper import choose_mapping
from accelsim.dataflows.row_stationary import RowMapping
from accelsim.dataflows.spatial import SpatialArray
from accelsim.errors import ConfigError, nearest
from accelsim.layer import LayerShape
from accelsim.machine.row_stationary import RowRecord, run_row_stationary

__all__ = [
    "MAPPINGS",
    "WORD_BYTES",
    "EyerissLayer",
    "chip",
    "eyeriss_array",
    "eyeriss_layers",
    "simulated_layers",
    "validate_eyeriss",
]

MAPPINGS = ("table", "chosen")
"""The chip's mappings from ``eyeriss_layers.csv``, or those that this project's mapper chooses."""

WORD_BYTES = 2
HERE = Path(__file__).parent


@dataclass(frozen=True)
class EyerissLayer:
    """A layer as it was measured."""

    network: str
    layer: str
    shape: LayerShape
    mapping: RowMapping
    mapping_source: str
    """``published`` or ``inferred``."""
    processing_ms: float
    total_ms: float
    glb_mb: float
    """Psums read and written and ifmaps read, in 10^6 bytes."""
    active_pes: int
    power_mw: float
    """Of the chip, over the total latency; the DRAM is none of it."""
    ifmap_zeros: float
    """Fraction of the layer's ifmap words that are zero."""
    source: str


def eyeriss_array() -> SpatialArray:
    """Return the chip's PEs, NoC and GLB."""
    known = chip()
    sizes: dict[str, Any] = {
        field.name: int(known[field.name]) for field in fields(SpatialArray) if field.name in known
    }
    return SpatialArray(**sizes)


def eyeriss_layers() -> list[EyerissLayer]:
    """Return the 5 + 13 layers that were measured."""
    return [_layer(row) for _, row in pd.read_csv(HERE / "eyeriss_layers.csv").iterrows()]


def validate_eyeriss(
    mapping: str = "table", *, progress: Callable[[int, int, str], None] | None = None
) -> pd.DataFrame:
    """Return a row a layer, and a total a network: measured beside simulated.

    Parameters
    ----------
    mapping : str
        ``table``: the chip's; ``chosen``: the mapper's, for what another mapping would give.
    progress : callable, optional
        Called with (layers done, layers in all, layer) before each layer.

    Returns
    -------
    DataFrame
        network, layer, mapping, mapping_source, measured_ms and simulated_ms (processing latency),
        error (simulated / measured - 1), the same of total latency (``total_``) and of GLB accesses
        (``glb_``, in MB), active_pes measured and simulated. In total rows the layer is ``total``.

    Raises
    ------
    ConfigError
        An unknown mapping.
    """
    cycles_per_ms, rows = 1000 * chip()["core_mhz"], []
    for one, used, source, record in simulated_layers(mapping, progress=progress):
        rows.append(
            {
                "network": one.network,
                "layer": one.layer,
                "mapping": used.why,
                "mapping_source": source,
                "measured_ms": one.processing_ms,
                "simulated_ms": record.processing_cycles / cycles_per_ms,
                "total_measured_ms": one.total_ms,
                "total_simulated_ms": record.total_cycles / cycles_per_ms,
                "glb_measured_mb": one.glb_mb,
                "glb_simulated_mb": 1e-6 * WORD_BYTES * _glb_words(record),
                "active_pes_measured": one.active_pes,
                "active_pes_simulated": record.active_pes,
            }
        )
    return _with_errors(pd.DataFrame(rows))


def simulated_layers(
    mapping: str = "table", *, progress: Callable[[int, int, str], None] | None = None
) -> Iterator[tuple[EyerissLayer, RowMapping, str, RowRecord]]:
    """Yield each measured layer, the mapping used, where that is from, and what was simulated.

    The parameters and errors are those of `validate_eyeriss`.
    """
    if mapping not in MAPPINGS:
        known = ", ".join(MAPPINGS)
        raise ConfigError(f"no mapping {mapping!r}; known: {known}.{nearest(mapping, MAPPINGS)}")
    sizes, array, layers = chip(), eyeriss_array(), eyeriss_layers()
    link = Fraction(int(sizes["link_words_per_cycle"] * sizes["link_mhz"]), int(sizes["core_mhz"]))
    for done, one in enumerate(layers):
        if progress is not None:
            progress(done, len(layers), one.layer)
        used, source = one.mapping, one.mapping_source
        if mapping == "chosen":
            used = choose_mapping(one.shape, array, layer=one.layer, link_words_per_cycle=link)
            source = "chosen"
        yield one, used, source, _record(one.shape, used, array, link)


@lru_cache(maxsize=64)
def _record(
    shape: LayerShape, mapping: RowMapping, array: SpatialArray, link: Fraction
) -> RowRecord:
    """Return the simulated layer; several of a network are alike."""
    return run_row_stationary(shape, mapping, array, link_words_per_cycle=link)


def _glb_words(record: RowRecord) -> int:
    """Return the accesses that the published count holds: it leaves out the fills from DRAM."""
    actions = (("glb.psum", "read"), ("glb.psum", "write"), ("glb.ifmap", "read"))
    return sum(record.counts[action] for action in actions)


def _with_errors(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with a total behind each network, and signed errors."""
    parts = []
    for network, part in table.groupby("network", sort=False):
        sums = part[[name for name in table if name.endswith(("_ms", "_mb"))]].sum()
        parts += [part, pd.DataFrame([{"network": network, "layer": "total", **sums}])]
    whole = pd.concat(parts, ignore_index=True)
    for kind, unit in (("", "ms"), ("total_", "ms"), ("glb_", "mb")):
        ratio = whole[f"{kind}simulated_{unit}"] / whole[f"{kind}measured_{unit}"]
        whole[f"{kind}error"] = ratio - 1
    return whole


def chip() -> dict[str, float]:
    """Return the chip's sizes, widths and clocks by name, as `eyeriss_chip.csv` has them."""
    table = pd.read_csv(HERE / "eyeriss_chip.csv")
    return dict(zip(table["quantity"], table["value"], strict=True))


def _layer(row: pd.Series) -> EyerissLayer:
    shape = LayerShape(
        n=int(row["images"]),
        m=int(row["filters"]),
        c=int(row["channels"]),
        h=int(row["size"]),
        w=int(row["size"]),
        r=int(row["kernel"]),
        s=int(row["kernel"]),
        stride=(int(row["stride"]),) * 2,
        padding=(int(row["padding"]),) * 2,
        groups=int(row["groups"]),
    )
    return EyerissLayer(
        row["network"],
        row["layer"],
        shape,
        RowMapping(**{field.name: int(row[field.name]) for field in fields(RowMapping)}),
        row["mapping"],
        float(row["processing_ms"]),
        float(row["total_ms"]),
        float(row["glb_mb"]),
        int(row["active_pes"]),
        float(row["power_mw"]),
        float(row["ifmap_zeros_percent"]) / 100,
        row["source"],
    )
