"""A study: many pieces, done in processes, kept as they are done, and gone on with after a kill."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelsim.datasets import fingerprint
from accelsim.errors import ConfigError, DataError
from accelsim.robustness.outcomes import KEYS, OUTCOMES, checked_outcomes, numbered
from accelsim.robustness.pieces import Piece, run_piece
from accelsim.store import Store, point_key, stored_rows
from accelsim.version import MODEL_VERSION, __version__
from accelsim.workers import check_workers, in_processes

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["STORE", "outcomes_in", "run_study"]

STORE = "outcomes.sqlite"

DEATHS = 3
"""Of worker processes, one after the other, without a piece finished in between: then it is no
accident."""

Progress = Callable[[int, int, str], None]


def run_study(
    pieces: Iterable[Piece],
    determined_by: Mapping[str, Any],
    *,
    folder: Path | None = None,
    workers: int | None = 1,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return the outcomes of all *pieces*, columns as `OUTCOMES`, in the order of the pieces.

    Parameters
    ----------
    pieces : iterable of Piece
        No two with the same key.
    determined_by : mapping
        What besides a piece's own settings, images and labels its outcomes depend on, as JSON can
        hold it: the hashes of weights and unit files, how integers are quantized.
    folder : Path, optional
        An existing folder. Each piece is kept there in `STORE` as soon as it is done; those that
        are kept are not done again, nor lost to a kill.
    workers : int, optional
        Processes, each with its share of the CPUs as threads; None: one for each CPU; 1: this
        process, with its threads.
        If one of them is killed, what was under way is done again.
    progress : callable, optional
        Called with (pieces done, pieces in all, what was done last).

    Raises
    ------
    ConfigError, DataError
        As `run_piece` does, at the first piece that fails, or a worker process is killed `DEATHS`
        times without a piece being done; what was done before is kept.
    """
    import pandas as pd

    check_workers(workers)
    todo: dict[str, Piece] = {}
    # What the first version of the model kept has no number of it in its keys.
    model = {"model": MODEL_VERSION} if MODEL_VERSION > 1 else {}
    for piece in pieces:
        key = point_key({**determined_by, **_settings(piece), **model, "version": __version__})
        if key in todo:
            raise ConfigError(f"two pieces of the study are the same: {piece.key}")
        todo[key] = piece
    if not todo:
        raise ConfigError("there is nothing to study: no attack, no source or no image")
    found: dict[str, dict[str, Any]] = {}

    def keep(key: str, row: dict[str, Any], store: Store | None) -> None:
        found[key] = row
        if store is not None:
            store.put(key, row)
        if progress is not None:
            progress(len(found), len(todo), todo[key].key)

    def do(store: Store | None) -> None:
        if store is not None:
            found.update({key: row for key, row in store.rows().items() if key in todo})
        left = {key: piece for key, piece in todo.items() if key not in found}
        if progress is not None:
            progress(len(found), len(todo), "")
        if workers == 1:
            for key, piece in left.items():
                keep(key, _plain(piece), store)
        else:
            for key, row in _by_workers(left, workers):
                keep(key, row, store)

    if folder is None:
        do(None)
    else:
        with Store(folder / STORE) as store:
            do(store)
    tables = [pd.DataFrame(found[key]) for key in todo]
    return pd.concat(tables, ignore_index=True)[list(OUTCOMES)]


def _by_workers(
    pieces: Mapping[str, Piece], workers: int | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the key and outcomes of each piece, once, as they are done."""
    left, deaths = dict(pieces), 0
    while left:
        try:
            for key, row in in_processes(_plain, dict(left), workers):
                del left[key]
                deaths = 0
                yield key, row
        except BrokenProcessPool:
            deaths += 1
            if deaths >= DEATHS:
                raise ConfigError(
                    f"workers: processes were killed {deaths} times without finishing any of the "
                    f"{len(left)} pieces left, the first of them {next(iter(left.values())).key}; "
                    "that is often for want of memory: give fewer workers, or a smaller chunk or "
                    "batch_size"
                ) from None


def outcomes_in(folder: Path) -> pd.DataFrame:
    """Return all outcomes that studies of one network kept in *folder*, columns as `OUTCOMES`.

    Of a run and image that two studies did, in pieces of other sizes, the later one counts. Nothing
    is written into the folder.

    Raises
    ------
    DataError
        If there is no store or it is empty, cannot be read, is damaged, or holds outcomes of
        several networks or sets of images: the same target then judges the same unattacked image
        differently.
    """
    import pandas as pd

    path = folder / STORE
    if not path.is_file():
        raise DataError(f"{folder} holds no outcomes ({STORE}); run a study with that folder first")
    rows = list(stored_rows(path).values())
    if not rows:
        raise DataError(f"{path} is empty; run a study with that folder first")
    if missing := [name for name in OUTCOMES if any(name not in row for row in rows)]:
        raise DataError(f"{path} is damaged: outcomes in it lack {', '.join(missing)}")
    table = pd.DataFrame({name: [one for row in rows for one in row[name]] for name in OUTCOMES})
    last = ~pd.Series(numbered(table, [*KEYS, "image"])).duplicated(keep="last")
    table = checked_outcomes(table[last])
    case = numbered(table, ["target", "image"])
    judged = numbered(table, ["target", "image", "label", "margin_clean"])
    if judged.max() > case.max():
        first = pd.DataFrame({"case": case, "judged": judged}).drop_duplicates()
        row = table[pd.Series(case).isin(first["case"][first["case"].duplicated()])].iloc[0]
        raise DataError(
            f"{path} holds outcomes of several networks or sets of images: {row['target']} judges "
            f"image {row['image']} unattacked in more than one way; keep each in its own folder"
        )
    return table


def _settings(piece: Piece) -> dict[str, Any]:
    """Return what tells a piece from every other whose models are the same."""
    plan = dataclasses.asdict(piece.plan)
    # Under the name that the keys of what is kept have.
    identities = {"controls": dict(piece.identities)} if piece.identities else {}
    return {
        **identities,
        "piece": piece.key,
        "targets": list(piece.targets),
        "plan": {**plan, "settings": dict(plan["settings"])},
        "seed": piece.seed,
        "data": fingerprint(piece.images, piece.labels),
    }


def _plain(piece: Piece) -> dict[str, Any]:
    """Return the outcomes of a piece as lists by column, which JSON can hold."""
    return {str(name): list(values) for name, values in run_piece(piece).to_dict("list").items()}
