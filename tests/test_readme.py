"""The Python examples of README and docs print what they say."""

import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]

EXTRAS = {"onnx"}
"""Pages of packages that need not be installed."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_examples_print_what_the_page_shows(page, tmp_path, monkeypatch):
    if page.stem in EXTRAS:
        pytest.importorskip(page.stem, reason=f"needs pip install 'accelsim[{page.stem}]'")
    monkeypatch.chdir(tmp_path)
    text = "\n".join(re.findall(r"^```python\n(.*?)^```", page.read_text(), re.S | re.M))
    example = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    assert example.examples or page != README
    report: list[str] = []
    doctest.DocTestRunner().run(example, out=report.append)
    assert report == []


def test_every_verb_of_the_command_line_is_listed():
    from accelsim.cli.app import app

    text = README.read_text()
    for command in app.registered_commands:
        assert f"`accelsim {command.name} " in text
