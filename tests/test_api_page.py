"""docs/api.md says what the docstrings say."""

import runpy
from pathlib import Path

import accelsim

DOCS = Path(__file__).parents[1] / "docs"


def test_the_page_is_what_the_docstrings_make():
    made = runpy.run_path(str(DOCS / "make_api.py"))["api_page"]()
    assert made == (DOCS / "api.md").read_text(), "run python docs/make_api.py"


def test_every_public_name_is_on_it():
    text = (DOCS / "api.md").read_text()
    for name in set(accelsim.__all__) - {"__version__"}:
        assert f"accelsim.{name}" in text
