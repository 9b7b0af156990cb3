"""How to reproduce results: the commands that make them again, from what their folders tell."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from accelsim.config import Accelerator, presets
from accelsim.report.results import LabelledRun, Results, Score, Sweep, plain_fields
from accelsim.topology import is_topology
from accelsim.workload import WORKLOADS

__all__ = ["Recipe", "recipes"]


@dataclass(frozen=True)
class Recipe:
    """The command that makes the results of a folder again."""

    title: str
    command: str
    file: str
    """Content of the accelerator file that the command names; empty where it needs none."""
    determined_by: tuple[tuple[str, str], ...]
    """Name of what the results depend on -> its value, hashes first of all."""


def recipes(results: Results) -> list[Recipe]:
    """Return the recipe of every folder, runs first.

    A folder does not keep where images and weights lay, only their hashes.
    """
    return [
        *(_of_run(one) for one in results.runs),
        *(_of_score(one) for one in results.scores),
        *(_of_sweep(one) for one in results.sweeps),
    ]


def machine_options(
    accelerator: Accelerator, file: str, varied: Sequence[str] = ()
) -> tuple[list[str], str]:
    """Return the options that build *accelerator*, and the content of *file* if they name it.

    A preset of the same name, or any, with the fields that differ set; else the file. Fields that
    are *varied* are not set besides.
    """
    wanted = plain_fields(accelerator)
    if accelerator.name in presets():
        base = plain_fields(Accelerator.preset(accelerator.name))
        changed = {
            name: value
            for name, value in wanted.items()
            if value != base.get(name) and name not in ("multiplier", *varied)
        }
        settings = [part for name, value in changed.items() for part in _set(name, value)]
        return ["--accelerator", accelerator.name, *settings], ""
    return ["--accelerator", file], accelerator.to_yaml()


def _set(name: str, value: object) -> list[str]:
    return ["--set", f"{name}={_text(value)}"]


def _of_run(one: LabelledRun) -> Recipe:
    manifest, summary = one.run.manifest, one.run.summary.iloc[0]
    machine, content = machine_options(one.stored, "machine.yaml")
    words = ["simulate", str(summary["workload"]), "-m", one.stored.multiplier, *machine]
    words += ["--images", str(int(summary["images"]))]
    if one.run.outputs is None:
        words.append("--timing-only")
    weights = str(manifest.get("weights") or "")
    if weights.startswith("random weights, seed "):
        words += ["--weights", f"random:{weights.rpartition(' ')[2]}"]
    known = {
        "network": "" if words[1] in WORKLOADS else "of a file: give its path in place of its name",
        "weights": weights,
        "network and images (network_hash)": manifest.get("network_hash"),
        "configuration (config_hash)": manifest.get("config_hash"),
        "energy table (table_hash)": manifest.get("table_hash"),
        "calibration": manifest.get("calibration"),
        "unit files": manifest.get("unit_files"),
        "seed": manifest.get("seed"),
    }
    return _recipe(f"Run {one.label}", words, "again", content, known, manifest)


def _of_score(one: Score) -> Recipe:
    manifest, first = one.manifest, one.rates.iloc[0]
    units = manifest.get("multipliers", list(dict.fromkeys(one.rates["target"])))
    attacks = manifest.get("attacks", list(dict.fromkeys(one.rates["attack"])))
    words = ["score", str(first["workload"])]
    words += _each("-m", units) + _each("--attack", attacks)
    words += ["--scenario", str(first["scenario"]), "--images", str(int(first["images"]))]
    words += _each("--source", manifest.get("sources", []))
    words += _each("--gradient", manifest.get("gradients", []))
    words += _options(manifest, "queries", "epsilon", "accumulator", "seed")
    content = ""
    if "accelerator" in manifest:
        machine, content = machine_options(
            Accelerator.from_dict(manifest["accelerator"]), "machine.yaml"
        )
        words += machine
    else:
        for name, value in manifest.get("quantization", {}).items():
            words += _set(f"quantization.{name}", value)
    known = {
        "weights (weights_hash)": manifest.get("weights_hash"),
        "images and labels (data_hash)": manifest.get("data_hash"),
        "settings (config_hash)": manifest.get("config_hash"),
        "calibration": manifest.get("calibration"),
        "unit files": manifest.get("unit_files"),
    }
    name = one.folder.resolve().name
    return _recipe(f"Scores {name}", words, f"again/{name}", content, known, manifest)


def _of_sweep(one: Sweep) -> Recipe:
    manifest = one.manifest
    machine, content = machine_options(one.base, "machine.yaml", varied=one.varied)
    words = ["sweep", str(manifest["workload"]), *machine]
    if one.base.multiplier != "exact_fp32" and "multiplier" not in manifest["grid"]:
        words += _set("multiplier", one.base.multiplier)
    for name, values in manifest["grid"].items():
        words += ["--vary", f"{name}={_axis(values)}"]
    if manifest.get("search", "grid") != "grid":
        words += _options(manifest, "search", "points", "seed")
    words += _each("--objective", manifest.get("objectives", []))
    words += _options(manifest, "images", "data")
    if not manifest.get("values", True) or is_topology(str(manifest["workload"])):
        words.append("--timing-only")
    known = {
        "weights": manifest.get("weights"),
        "base configuration (config_hash)": manifest.get("config_hash"),
    }
    name = one.folder.resolve().name
    return _recipe(f"Sweep {name}", words, f"again/{name}", content, known, manifest)


def _axis(values: Sequence[Any] | str) -> str:
    """Return what a field of a sweep varies over as --vary takes it; a range is a text already."""
    if isinstance(values, str):
        return values
    return ",".join(_text(value) for value in values)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _each(option: str, values: Sequence[str]) -> list[str]:
    return [part for value in values for part in (option, str(value))]


def _options(manifest: Mapping[str, Any], *names: str) -> list[str]:
    """Return the options of these *names* that a manifest has values for."""
    given = [name for name in names if manifest.get(name) is not None]
    return [part for name in given for part in (f"--{name}", str(manifest[name]))]


def _recipe(
    title: str,
    words: list[str],
    out: str,
    content: str,
    known: Mapping[str, Any],
    manifest: Mapping[str, Any],
) -> Recipe:
    versions = ", ".join(f"{name} {one}" for name, one in manifest.get("versions", {}).items())
    told = {**known, "versions": versions}
    return Recipe(
        title,
        shlex.join(["accelsim", *words, "--out", out]),
        content,
        tuple((name, str(value)) for name, value in told.items() if value),
    )
