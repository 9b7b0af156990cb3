"""Write the shipped tables anew: ``python energy_tables/regenerate.py``.

Own rows stay, what is worked out from them follows: see `accelsim.energy.generation`.
"""

from pathlib import Path

from accelsim.energy.generation import shipped_tables

if __name__ == "__main__":
    for name, text in shipped_tables().items():
        Path(__file__).with_name(f"{name}.csv").write_text(text, encoding="utf-8")
