"""accelsim: CNN accelerators with exact and approximate multipliers, bit by bit, cycle by cycle.

The names below are the public face; each is loaded when it is first used, so that
``import accelsim`` stays quick.
"""

from __future__ import annotations

import importlib
from typing import Any

from accelsim.version import __version__

_HOMES = {
    "ACCUMULATORS": "accelsim.accumulators",
    "ATTACKS": "accelsim.robustness.attacks",
    "Accelerator": "accelsim.config",
    "AccelsimError": "accelsim.errors",
    "DATAFLOWS": "accelsim.dataflows",
    "DATASETS": "accelsim.datasets",
    "MULTIPLIERS": "accelsim.multipliers",
    "Run": "accelsim.results",
    "Trace": "accelsim.layer",
    "WORKLOADS": "accelsim.workload",
    "accumulation_orders": "accelsim.machine.array",
    "layer_multipliers": "accelsim.layer_units",
    "fold_batch_norms": "accelsim.tracing",
    "import_multiplier": "accelsim.importing",
    "characterize": "accelsim.characterization",
    "load_dataset": "accelsim.datasets",
    "load_run": "accelsim.results",
    "load_workload": "accelsim.workload",
    "read_onnx": "accelsim.onnx",
    "read_topology": "accelsim.topology",
    "register_operator": "accelsim.tracing",
    "sensitivity": "accelsim.sensitivities",
    "set_threads": "accelsim.threads",
    "simulate": "accelsim.simulation",
    "sweep": "accelsim.sweeps",
    "trace": "accelsim.tracing",
}
_MODULES = {"nn", "pe_level", "robustness"}

__all__ = ["__version__", *sorted(_HOMES), *sorted(_MODULES)]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"accelsim.{name}")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'accelsim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
