"""The paper's claims, half the energy and a third of the latency, from the unit to the system.

For each circuit of the paper's unit in ``results/paper_unit.csv`` (made by ``paper_unit.py``) and
each exact baseline: its energy at the level of unit, PE, chip and system (with DRAM), and the
latency of the network at one clock and at clocks of their own. Networks are LeNet-5 on digits and
AlexNet at 227 x 227 with random weights; neither timing nor energy depends on weights here.
Energies of everything but the multiplier are those of the exact unit's run; the DRAM is an
LPDDR4-3200, whose nanoseconds stay what they are at any clock. The adder has the accumulator's own
delay, or, where that is said, one as short as the unit's.

Writes ``results/paper_claims_energy.csv``, ``results/paper_claims_latency.csv`` and
``paper_claims.png``.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

import accelsim
from accelsim.cli import script
from accelsim.clock import clock_mhz_of
from accelsim.energy import diluted
from accelsim.energy.account import COMPONENTS
from accelsim.figures import claims_by_level
from accelsim.machine import run_machine
from accelsim.machine.array import pe_timing

HERE = Path(__file__).parent
CLAIMED = 0.5, 1 / 3
MACHINES = ("edge_16x16", "eyeriss_168")
CLOCKS = {
    "one clock,\npipelined": {"clock_mhz": 200},
    "one clock (1 GHz),\nmulti-cycle": {"clock_mhz": 1000, "array.pipelined": False},
    "own clocks": {"clock_mhz": "auto"},
    "own clocks,\nadder no slower": {"clock_mhz": "auto"},
}
NO_SLOWER = list(CLOCKS)[-1]
ADDER_PS = accelsim.ACCUMULATORS["float32"].delay_ps


def alexnet() -> nn.Module:
    """Return AlexNet for 227 x 227 without normalization, random weights."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 96, 11, stride=4), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(96, 256, 5, padding=2, groups=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(256, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 384, 3, padding=1, groups=2), nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1, groups=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Flatten(), nn.Linear(9216, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(),
        nn.Linear(4096, 1000),
    ).eval()  # fmt: skip


model, images, _ = accelsim.load_workload("lenet5_digits", split="test", limit=4)
TRACES = {
    "LeNet-5": accelsim.trace(model, images, name="LeNet-5"),
    "AlexNet": accelsim.trace(alexnet(), np.zeros((1, 3, 227, 227), np.float32), name="AlexNet"),
}


@cache
def cycles(network: str, accelerator: accelsim.Accelerator) -> int:
    """Return the cycles of a batch."""
    return run_machine(TRACES[network], accelerator, values=False).total_cycles


def latency_us(network: str, machine: str, clock: str, delay_ps: float) -> float:
    """Return the latency of a batch with a multiplier of this delay."""
    fields = {
        "array.multiplier_delay_ps": delay_ps,
        "array.adder_delay_ps": min(delay_ps, ADDER_PS) if clock == NO_SLOWER else ADDER_PS,
        "dram.kind": "lpddr4_3200",
    }
    accelerator = accelsim.Accelerator.preset(machine).replace(**{**fields, **CLOCKS[clock]})
    mhz, timing = clock_mhz_of(accelerator), pe_timing(accelerator)
    # Delays that come to the same cycles and clock are simulated once.
    period = 1e6 / mhz
    alike = {
        "clock_mhz": mhz,
        "array.multiplier_delay_ps": timing.multiply_cycles * period,
        "array.adder_delay_ps": timing.add_cycles * period,
    }
    return cycles(network, accelerator.replace(**alike)) / mhz


def components(network: str, machine: str) -> dict[str, float]:
    """Return the energy by component of the run with the exact unit, in uJ."""
    accelerator = accelsim.Accelerator.preset(machine).replace(**{"dram.kind": "lpddr4_3200"})
    summary = accelsim.simulate(TRACES[network], accelerator, values=False).summary.iloc[0]
    return {name: float(summary[f"energy_{name}_uj"]) for name in COMPONENTS}


def main() -> None:
    """Compare circuit by circuit, write and print the tables, draw them."""
    circuits = pd.read_csv(HERE / "results" / "paper_unit.csv")
    names = ["structure", "buffers", "cleanup", "baseline"]
    energy, latency = [], []
    for network in TRACES:
        for machine in MACHINES:
            whole = components(network, machine)
            for row in circuits.to_dict("records"):
                which = {"network": network, "machine": machine}
                which |= {name: row[name] for name in names}
                for toggles in ("functional", "glitch"):
                    levels = diluted(whole, row[f"energy_{toggles}_ratio"])
                    energy += [
                        {**which, "toggles": toggles, "level": level, "ratio": ratio}
                        for level, ratio in levels.items()
                    ]
                exact_ps = round(row["delay_ps"] / row["delay_ratio"])
                for clock in CLOCKS:
                    times = [
                        latency_us(network, machine, clock, delay)
                        for delay in (row["delay_ps"], exact_ps)
                    ]
                    latency.append({**which, "clock": clock, "ratio": times[0] / times[1]})

    tables = {"energy": pd.DataFrame(energy), "latency": pd.DataFrame(latency)}
    tables["latency"]["clock"] = tables["latency"]["clock"].str.replace("\n", " ")
    for kind, table in tables.items():
        file = HERE / "results" / f"paper_claims_{kind}.csv"
        table.to_csv(file, index=False, float_format="%.4g")
        place = "level" if kind == "energy" else "clock"
        by = ["network", "machine", "structure"]
        spread = table.groupby([*by, place], sort=False)["ratio"].agg(["min", "max"]).round(2)
        spread = spread["min"].astype(str) + " to " + spread["max"].astype(str)
        print(spread.unstack(place)[list(table[place].unique())].to_string(), "\n")

    chosen = (table[table["machine"] == "edge_16x16"] for table in tables.values())
    energy_of, latency_of = (
        table.assign(circuit=table["network"] + ", " + table["structure"], place=table[place])
        for table, place in zip(chosen, ("level", "clock"), strict=True)
    )
    latency_of["place"] = latency_of["place"].str.replace(", ", ",\n")
    title = "The paper's unit on edge_16x16 with LPDDR4-3200, by circuit, baseline and glitches"
    figure = claims_by_level(energy_of, latency_of, CLAIMED, title)
    figure.savefig(HERE / "paper_claims.png", dpi=120)


if __name__ == "__main__":
    script(main, about=__doc__)
