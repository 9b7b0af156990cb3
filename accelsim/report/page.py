"""The page: everything a report tells, rendered into one HTML file that needs no other."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterable
from pathlib import Path

from accelsim.report.evidence import evidence
from accelsim.report.headline import headlines, tiles
from accelsim.report.pictures import attack_picture, run_pictures, sweep_picture
from accelsim.report.provenance import provenance
from accelsim.report.reproduction import recipes
from accelsim.report.results import gather
from accelsim.report.sections import configuration, layer_table, point_table, unit_table
from accelsim.version import __version__

__all__ = ["report"]

HERE = Path(__file__).parent


def report(folders: Iterable[str | Path]) -> str:
    """Return a report on the runs, scores and sweeps in *folders* as one HTML page.

    It loads nothing from outside, which it forbids itself, and works from disk. The same folders
    give the same bytes.

    Parameters
    ----------
    folders : iterable of path
        Folders that simulate, score and sweep wrote, of one network; each itself, or those one
        level below.

    Raises
    ------
    DataError
        A folder holds no such result, or a damaged, unfinished or newer one, or results that do
        not belong together.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    results = gather(folders)
    script = (HERE / "page.js").read_text(encoding="utf-8")
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(
        results=results,
        version=__version__,
        style=(HERE / "page.css").read_text(encoding="utf-8"),
        script=script,
        script_hash=b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        machines=" and ".join(dict.fromkeys(one.stored.name for one in results.runs)),
        headlines=headlines(results),
        pictures=run_pictures(results),
        tiles=tiles(results),
        configuration=configuration(results),
        units=unit_table(results),
        layers=[(one.label, layer_table(one, place)) for place, one in enumerate(results.runs)],
        provenance=provenance(results),
        evidence=evidence(results),
        attack_picture=attack_picture(results.scores, results.workload) if results.scores else None,
        sweeps=[
            (sweep, point_table(sweep, place), sweep_picture(sweep, place))
            for place, sweep in enumerate(results.sweeps)
        ],
        recipes=recipes(results),
    )
