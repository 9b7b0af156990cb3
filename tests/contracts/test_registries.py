"""What must hold of every entry of every registry: no test here names one."""

import pytest

import accelsim
from accelsim.config import Accelerator, presets
from accelsim.dataflows.row_pass import RF_OPERANDS
from accelsim.energy import load_table, tables
from accelsim.errors import ConfigError, EnergyTableError, MappingError
from accelsim.machine.dram_kinds import dram_kinds
from accelsim.multipliers import IntegerMultiplier
from accelsim.simulation import check_machine


@pytest.mark.parametrize("name", presets())
def test_every_preset_can_run(name):
    check_machine(Accelerator.preset(name))


GENERAL = [name for name in tables() if name.startswith("cmos")]
"""Tables of a node, which have every unit; the others are those of one chip."""


@pytest.mark.parametrize("table", tables())
@pytest.mark.parametrize("kind", dram_kinds())
@pytest.mark.parametrize("name", presets())
def test_every_preset_runs_with_a_table_or_is_refused_in_one_line(name, kind, table):
    machine = Accelerator.preset(name).replace(**{"energy_table": table, "dram.kind": kind})
    if table in GENERAL:
        check_machine(machine)
        return
    with pytest.raises(EnergyTableError, match=f"^energy table '{table}' has ") as told:
        check_machine(machine)
    assert "\n" not in str(told.value)
    check_machine(machine.replace(multiplier="exact_int16", **LARGE))


LARGE = {"glb.unified": True, "glb.ifmap_kib": 128, "glb.weight_kib": 128, "glb.ofmap_kib": 128}
"""One GLB as large as a table of one chip covers."""


@pytest.mark.parametrize("table", tables())
@pytest.mark.parametrize("multiplier", sorted(accelsim.MULTIPLIERS))
@pytest.mark.parametrize("accumulator", ["auto", *sorted(accelsim.ACCUMULATORS)])
def test_every_general_table_has_every_unit(table, multiplier, accumulator):
    machine = Accelerator.preset("edge_16x16").replace(
        multiplier=multiplier, accumulator=accumulator, energy_table=table, **LARGE
    )
    if accelsim.MULTIPLIERS[multiplier].delay_ps is None:
        with pytest.raises(ConfigError, match="has no known delay"):
            check_machine(machine)
    elif not _fit(multiplier, accumulator):
        with pytest.raises(ConfigError, match=f"multiplier '{multiplier}' makes"):
            check_machine(machine)
    elif table in GENERAL or _has(table, multiplier):
        check_machine(machine)
    else:
        with pytest.raises(
            EnergyTableError, match="has no row for component '(multiplier|accumulator)"
        ):
            check_machine(machine)


def _has(table, multiplier):
    return any(row.component == f"multiplier.{multiplier}" for row in load_table(table).rows)


def _fit(multiplier, accumulator):
    integer = isinstance(accelsim.MULTIPLIERS[multiplier], IntegerMultiplier)
    return accumulator == "auto" or accelsim.ACCUMULATORS[accumulator].integer == integer


@pytest.mark.parametrize("table", tables())
def test_tables_name_no_unit_that_does_not_exist(table):
    for row in load_table(table).rows:
        family, _, unit = row.component.partition(".")
        known = {
            "multiplier": accelsim.MULTIPLIERS,
            "accumulator": accelsim.ACCUMULATORS,
            "dram": dram_kinds(),
            "rf": {"", "sram"},
            "spad": set(RF_OPERANDS),
        }
        assert unit in known.get(family, {""}), row.component


@pytest.mark.parametrize("name", sorted(accelsim.DATAFLOWS))
def test_every_dataflow_computes_every_output_once(name):
    from accelsim.dataflows import MatrixDataflow, PeTiming

    flow = accelsim.DATAFLOWS[name]
    if not isinstance(flow, MatrixDataflow):
        with pytest.raises(MappingError, match=f"dataflow '{name}' maps convolutions, no matrix"):
            flow.compute_cycles(7, 5, 3)
        return
    passes = list(flow.passes(7, 5, 3, rows=3, cols=2, timing=PeTiming(2, 3), resume=False))
    assert sum(one.pixels * one.filters * one.k for one in passes) == 7 * 5 * 3
    cycles = flow.compute_cycles(7, 5, 3, rows=3, cols=2, timing=PeTiming(2, 3))
    assert sum(one.cycles for one in passes) == cycles


@pytest.mark.parametrize(
    "registry", ["MULTIPLIERS", "ACCUMULATORS", "DATAFLOWS", "WORKLOADS", "ATTACKS", "DATASETS"]
)
def test_every_entry_has_a_one_line_title(registry):
    for name, entry in getattr(accelsim, registry).items():
        assert entry.title, name
        assert "\n" not in entry.title
