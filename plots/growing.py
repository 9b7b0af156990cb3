"""Result tables that grow as a script goes on, so that after an interruption it does only the rest.

A table is written whole or not at all. Rows that were measured with other weights than those that a
workload has now are thrown away when it is opened.
"""

from pathlib import Path

import pandas as pd

from accelsim.files import write_atomically
from accelsim.workload import weights_hash

RESULTS = Path(__file__).parent / "results"
KEY = ["workload", "weights", "multiplier"]


class GrowingTable:
    """``results/NAME.csv``, whose rows belong to a workload, its weights and a multiplier.

    Of one workload, if *weights* is a file in place of the shipped ones.
    """

    def __init__(self, name: str, weights: Path | None = None) -> None:
        self.path, self.weights = RESULTS / f"{name}.csv", weights
        rows = pd.read_csv(self.path) if self.path.exists() else pd.DataFrame(columns=KEY)
        current = {name: weights_hash(name, weights) for name in rows["workload"].unique()}
        self.rows = rows[rows["weights"] == rows["workload"].map(current)]

    def has(self, workload: str, multiplier: str) -> bool:
        """Return whether the rows of *workload* on *multiplier* are there."""
        return bool(self._mine(workload, multiplier).any())

    def add(self, workload: str, multiplier: str, rows: pd.DataFrame) -> None:
        """Put *rows* of *workload* on *multiplier* in the place of those that are there."""
        key = dict(
            zip(KEY, (workload, weights_hash(workload, self.weights), multiplier), strict=True)
        )
        rows = rows.assign(**key)
        rows = rows[[*KEY, *(name for name in rows if name not in KEY)]]
        kept = [part for part in (self.rows[~self._mine(workload, multiplier)], rows) if len(part)]
        text = pd.concat(kept, ignore_index=True).to_csv(index=False, float_format="%.5g")
        write_atomically(self.path, text.encode())
        # As it will be read again: numbers rounded.
        self.rows = pd.read_csv(self.path)

    def _mine(self, workload: str, multiplier: str) -> pd.Series:
        return (self.rows["workload"] == workload) & (self.rows["multiplier"] == multiplier)
