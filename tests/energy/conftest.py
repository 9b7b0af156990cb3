"""Writes energy tables of a few rows."""

import pytest

from accelsim.energy.rows import COLUMNS

CELLS = {
    "component": "rf",
    "action": "read",
    "value": "1",
    "unit": "pJ",
    "technology_nm": "45",
    "voltage_v": "0.9",
    "bits": "32",
    "capacity_bytes": "",
    "corner": "typical",
    "factor": "",
    "source": "some source",
    "source_technology_nm": "45",
    "source_voltage_v": "0.9",
    "confidence": "published",
    "note": "",
}
"""A row that is right, of an action that is not by capacity."""


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a table of rows, each given by how it differs from `CELLS`."""

    def write(*rows, header=COLUMNS):
        lines = [header]
        for row in rows:
            lines.append(['"' + str(cell) + '"' for cell in ({**CELLS, **row}).values()])
        path = tmp_path / "mine.csv"
        path.write_text("".join(",".join(line) + "\n" for line in lines))
        return str(path)

    return write


@pytest.fixture
def memory():
    """Return a function that gives the cells of a GLB's read: capacity, bits and pJ."""

    def memory(capacity_bytes, bits, value, action="read"):
        unit = "mW" if action == "leak" else "pJ"
        cells = {"capacity_bytes": capacity_bytes, "bits": bits, "value": repr(value)}
        return {"component": "glb", "action": action, "unit": unit, **cells}

    return memory
