"""What became of every image, compressed, so that it can be committed and need not be made again.

Run ``python plots/outcomes.py unpack WORKLOAD`` before ``robustness.py``, ``verdicts.py``,
``closing_table.py`` or ``noise_ratio.py`` to have the outcomes that are committed where these look
for them, below ``results/outcomes``; what is kept there already stays. ``pack`` is the way back: it
writes ``results/outcomes_<workload>-<weights>.sqlite.xz``, what that holds already and what has
been kept since, but for pieces that were made again later, in pieces of another size. An archive
holds the runs of some scenarios and attacks, not always all of which the tables tell: ``unpack``
prints them.
"""

import argparse
import lzma
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from study import kept_outcomes

from accelsim.cli import script
from accelsim.errors import DataError
from accelsim.files import write_atomically
from accelsim.robustness.outcomes import KEYS, numbered
from accelsim.robustness.study import STORE, outcomes_in
from accelsim.store import Store, stored_rows
from accelsim.workload import WORKLOADS

RESULTS = Path(__file__).parent / "results"


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["pack", "unpack"])
    parser.add_argument("workload", choices=[n for n in WORKLOADS if WORKLOADS[n].recipe])
    parser.add_argument("--weights", type=Path, help="a file in place of the shipped weights")
    return parser.parse_args()


def unpack(archive: Path, folder: Path) -> int:
    """Add what *archive* holds to the store in *folder*; return how many pieces were not there.

    What was there counts as the later, where both tell an image's outcome.

    Raises
    ------
    DataError
        If the archive is damaged, or holds no store.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        unpacked = Path(scratch) / STORE
        try:
            unpacked.write_bytes(lzma.decompress(archive.read_bytes()))
        except lzma.LZMAError as error:
            raise DataError(f"{archive} is damaged: {error}") from None
        rows = stored_rows(unpacked)
    with Store(folder / STORE) as store:
        there = store.rows()
        missing = [key for key in rows if key not in there]
        for key in missing:
            store.put(key, rows[key])
        if missing:
            for key, row in there.items():
                store.put(key, row)
    return len(missing)


def needed(rows: dict[str, dict]) -> list[str]:
    """Return the keys of the pieces that tell at least one outcome which no later piece tells."""
    names = [*KEYS, "image"]
    table = pd.DataFrame(
        {name: [one for row in rows.values() for one in row[name]] for name in names}
    )
    last = ~pd.Series(numbered(table, names)).duplicated(keep="last").to_numpy()
    piece = np.repeat(np.arange(len(rows)), [len(row["image"]) for row in rows.values()])
    keys = list(rows)
    return [keys[number] for number in np.unique(piece[last])]


def pack(folder: Path, archive: Path) -> None:
    """Write what is `needed` of the store in *folder* to *archive*; what that holds is added first.

    Raises
    ------
    DataError
        If there is no store, or the archive that is there is damaged.
    """
    if not (folder / STORE).is_file():
        raise DataError(f"{folder} holds no outcomes ({STORE}); run robustness.py first")
    if archive.exists():
        unpack(archive, folder)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        whole = Path(scratch) / STORE
        rows = stored_rows(folder / STORE)
        with Store(whole) as packed:
            for key in needed(rows):
                packed.put(key, rows[key])
        write_atomically(archive, lzma.compress(whole.read_bytes(), preset=9))


def main() -> None:
    """Pack or unpack; say what there is now."""
    asked = arguments()
    folder = kept_outcomes(asked.workload, asked.weights)
    archive = RESULTS / f"outcomes_{folder.name}.sqlite.xz"
    if asked.what == "pack":
        pack(folder, archive)
        print(f"{archive}: {archive.stat().st_size / 1e6:.1f} MB")
    elif archive.exists():
        print(f"{folder}: {unpack(archive, folder)} pieces were not there yet")
    else:
        raise DataError(f"{archive} is missing: nothing is committed of these weights")
    runs = outcomes_in(folder)
    for (scenario, attack), part in runs.groupby(["scenario", "attack"], sort=True):
        judges = part.groupby("target")["image"].nunique()
        print(f"{scenario:<10} {attack:<12} {len(judges)} judges, up to {judges.max()} images")


if __name__ == "__main__":
    script(main)
