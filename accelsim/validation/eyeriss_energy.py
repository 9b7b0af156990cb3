"""Eyeriss' power and energy as measured (JSSC 2017) beside what is simulated.

Energy is the actions of each simulated layer (`accelsim.machine.row_stationary`) times a table, and
the table's static power times the simulated time; the DRAM is not the chip's and is left out. Two
things beside that table and those actions enter:

- the measured fraction of zeros in each ifmap, an input: that fraction of the layer's products is
  gated. By the paper (V-C) a zero ifmap word stops the read of the filter RF and keeps the datapath
  of the MAC from switching; the other RFs' accesses go on (`GATED`).
- a clock power, the one fitted constant: a table of actions has no row for what switches in every
  cycle. It is the constant power that makes AlexNet's mean power right, and is fitted on nothing
  else (`clock_power_mw`), so that VGG-16 tests it. All results stand without and with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from pathlib import Path

import pandas as pd

from accelsim.energy import EnergyTable, load_table
from accelsim.errors import DataError
from accelsim.layer import WORD_BYTES as TABLE_WORD_BYTES
from accelsim.machine.row_stationary import RowRecord
from accelsim.validation.eyeriss import (
    WORD_BYTES,
    EyerissLayer,
    chip,
    eyeriss_array,
    simulated_layers,
)

__all__ = [
    "COMPONENTS",
    "FITTED_ON",
    "GATED",
    "clock_power_mw",
    "power_shares",
    "validate_eyeriss_energy",
]

COMPONENTS = ("alu", "rf", "noc", "glb", "leakage")
"""Columns ``<component>_mj``, whose sum is ``simulated_mj``; ``clock_mj`` comes on top."""

GATED = (("multiplier", "compute"), ("accumulator", "add"), ("rf.filter", "read"))
"""What the chip does not do for a product whose ifmap word is zero."""

FITTED_ON = "alexnet"
"""The only network that the clock power is fitted on."""

# The chip's MAC, of 16-bit fixed point.
UNITS = {"multiplier": "multiplier.exact_int16", "accumulator": "accumulator.int32"}
COMPONENT_OF = {"multiplier": "alu", "accumulator": "alu", "rf": "rf", "noc": "noc", "glb": "glb"}

WORD_SHARE = WORD_BYTES / TABLE_WORD_BYTES
"""Of the energy of a word of the tables, which has 32 bits."""


def validate_eyeriss_energy(
    table: str = "eyeriss65",
    *,
    gated: Collection[tuple[str, str]] = GATED,
    progress: Callable[[int, int, str], None] | None = None,
) -> pd.DataFrame:
    """Return a row a layer, and a total a network: power and energy, measured beside simulated.

    Layers lie on the array as they did on the chip.

    Parameters
    ----------
    table : str
        Energy table, with rows for ``noc`` and RFs as large as the chip's (``spad.<operand>``).
    gated : collection of (component, action)
        Actions that a product by zero does not take; ``()`` for no gating.
    progress : callable, optional
        Called with (layers done, layers in all, layer) before each layer.

    Returns
    -------
    DataFrame
        network, layer, macs, ifmap_zeros; measured_ms and simulated_ms (total latency); ``mw``,
        ``mj`` and ``pj_per_mac``, each ``measured_``, ``simulated_`` (without the clock power) and
        ``clocked_`` (with it); error and clocked_error of power, energy_error and
        clocked_energy_error, each simulated / measured - 1; ``<component>_mj`` for each of
        `COMPONENTS` and ``clock``. ``timed_`` is as ``clocked_`` with the constant powers over the
        measured latency, what is left of the error if that of the latency is taken out;
        ``ungated_`` as ``clocked_`` were nothing gated. clock_mw. In total rows the layer is
        ``total``, and there is no ifmap_zeros.

    Raises
    ------
    EnergyTableError
        The table lacks an action that was counted.
    """
    energies, rows = load_table(table), []
    for one, _, _, record in simulated_layers(progress=progress):
        spent = _energies_mj(one, record, energies, gated)
        rows.append(
            {
                "network": one.network,
                "layer": one.layer,
                "macs": one.shape.macs,
                "ifmap_zeros": one.ifmap_zeros,
                "measured_ms": one.total_ms,
                "simulated_ms": _total_ms(record),
                "measured_mj": one.power_mw * one.total_ms * 1e-3,
                **{f"{name}_mj": spent[name] for name in COMPONENTS},
                "simulated_mj": sum(spent.values()),
                "ungated_mj": sum(_energies_mj(one, record, energies, ()).values()),
            }
        )
    layers = pd.DataFrame(rows)
    layers["clock_mw"] = clock_power_mw(layers)
    layers["clock_mj"] = 1e-3 * layers["clock_mw"] * layers["simulated_ms"]
    layers["clocked_mj"] = layers["simulated_mj"] + layers["clock_mj"]
    layers["ungated_mj"] += layers["clock_mj"]
    too_long = 1 - layers["measured_ms"] / layers["simulated_ms"]
    constant = layers["leakage_mj"] + layers["clock_mj"]
    layers["timed_mj"] = layers["clocked_mj"] - constant * too_long
    return _compared(_with_totals(layers))


def clock_power_mw(layers: pd.DataFrame) -> float:
    """Return the constant power in mW that makes AlexNet's mean power the measured one.

    Mean power and not energy, so that errors of the simulated latency stay out of it.

    Parameters
    ----------
    layers : DataFrame
        network, and by layer measured_mj, measured_ms, simulated_mj, simulated_ms. Rows of other
        networks than AlexNet are not looked at.

    Raises
    ------
    DataError
        There is no layer of AlexNet.
    """
    known = layers[layers["network"] == FITTED_ON]
    if known.empty:
        raise DataError(f"the clock power is fitted on {FITTED_ON}, and there is no layer of it")
    sums = known[["measured_mj", "measured_ms", "simulated_mj", "simulated_ms"]].sum()
    measured, simulated = (
        sums[f"{kind}_mj"] / sums[f"{kind}_ms"] for kind in ("measured", "simulated")
    )
    return float(1e3 * (measured - simulated))


def power_shares(table: pd.DataFrame) -> pd.DataFrame:
    """Return the published breakdown of AlexNet's CONV1 and CONV5 beside the simulated one.

    Parameters
    ----------
    table : DataFrame
        Of `validate_eyeriss_energy`.

    Returns
    -------
    DataFrame
        layer, component, published and simulated share of the power, clock included (percent).
    """
    shares = pd.read_csv(Path(__file__).with_name("eyeriss_shares.csv"))
    alexnet = table[table["network"] == FITTED_ON].set_index("layer")
    shares = shares[shares["layer"].isin(alexnet.index)]
    simulated = [
        100 * alexnet.loc[row.layer, f"{row.component}_mj"] / alexnet.loc[row.layer, "clocked_mj"]
        for row in shares.itertuples(index=False)
    ]
    return shares[["layer", "component"]].assign(
        published_percent=shares["percent"], simulated_percent=simulated
    )


def _energies_mj(
    one: EyerissLayer,
    record: RowRecord,
    table: EnergyTable,
    gated: Collection[tuple[str, str]],
) -> dict[str, float]:
    """Return component -> energy in mJ of a layer's actions and of its static power."""
    counts = Counter(record.counts)
    zeros = round(one.ifmap_zeros * one.shape.macs)
    for pair in gated:
        counts[pair] -= zeros
        if pair == ("multiplier", "compute"):
            counts["multiplier", "gated"] += zeros
    energy = dict.fromkeys(COMPONENTS, 0.0)
    for (component, action), count in counts.items():
        family = component.partition(".")[0]
        if family != "dram":
            energy[COMPONENT_OF[family]] += 1e-9 * count * _action_pj(component, action, table)
    energy["leakage"] = 1e-3 * _static_mw(table) * _total_ms(record)
    return energy


def _action_pj(component: str, action: str, table: EnergyTable) -> float:
    """Return the energy of an operation of the MAC, or of moving one of the chip's words."""
    family = component.partition(".")[0]
    if family in UNITS:
        return table.energy_pj(UNITS[family], action)
    if family == "glb":
        return WORD_SHARE * table.energy_pj("glb", action, *_glb_size())
    row = "noc" if family == "noc" else component.replace("rf.", "spad.")
    return WORD_SHARE * table.energy_pj(row, action)


def _static_mw(table: EnergyTable) -> float:
    """Return the static power of the chip's SRAMs: the GLB and the filter RFs.

    The table shares a published total out by their capacity. The registers that the other two RFs
    are made of are no part of that total.
    """
    array = eyeriss_array()
    words = array.rows * array.cols * array.filter_rf_words
    rf = words * WORD_SHARE * table.power_mw("rf", "leak")
    return rf + table.power_mw("glb", "leak", *_glb_size())


def _glb_size() -> tuple[int, int]:
    """Return the bytes of the GLB, which is charged as one memory, and the bits of a word."""
    array = eyeriss_array()
    words = array.glb_words + array.filter_buffer_words
    return WORD_BYTES * words, 8 * TABLE_WORD_BYTES


def _total_ms(record: RowRecord) -> float:
    return record.total_cycles / (1e3 * chip()["core_mhz"])


def _with_totals(layers: pd.DataFrame) -> pd.DataFrame:
    """Return the layers with a total behind each network."""
    parts = []
    for network, part in layers.groupby("network", sort=False):
        sums = part[[name for name in part if name.endswith(("_ms", "_mj", "macs"))]].sum()
        total = {"network": network, "layer": "total", "clock_mw": part["clock_mw"].iloc[0]}
        parts += [part, pd.DataFrame([{**total, **sums}])]
    return pd.concat(parts, ignore_index=True)


def _compared(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with powers, energies a MAC and signed errors."""
    for kind in ("measured", "simulated", "clocked"):
        time = table["measured_ms" if kind == "measured" else "simulated_ms"]
        table[f"{kind}_mw"] = 1e3 * table[f"{kind}_mj"] / time
    for kind in ("measured", "simulated", "clocked", "timed", "ungated"):
        table[f"{kind}_pj_per_mac"] = 1e9 * table[f"{kind}_mj"] / table["macs"]
    table["error"] = table["simulated_mw"] / table["measured_mw"] - 1
    table["clocked_error"] = table["clocked_mw"] / table["measured_mw"] - 1
    for kind, prefix in (("simulated", ""), ("clocked", "clocked_"), ("timed", "timed_")):
        table[f"{prefix}energy_error"] = table[f"{kind}_mj"] / table["measured_mj"] - 1
    return table
