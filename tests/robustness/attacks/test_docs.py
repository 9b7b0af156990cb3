"""Test of docs/attacks.md: its table has every attack, as it declares itself."""

from __future__ import annotations

from pathlib import Path

from accelsim.robustness.attacks import ATTACKS

PAGE = Path(__file__).parents[3] / "docs" / "attacks.md"


def test_the_table_has_every_attack():
    text = PAGE.read_text(encoding="utf-8")
    table = text[text.index("| name |") : text.index("## What they cost")]
    cells = [[cell.strip() for cell in line.split("|")] for line in table.splitlines()[2:]]
    listed = {row[1].strip("`"): tuple(row[3:6]) for row in cells if len(row) > 6}
    assert listed == {name: (one.norm, one.aim, one.access) for name, one in ATTACKS.items()}
