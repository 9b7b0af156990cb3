"""The README's Python examples print what they say."""

import doctest
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_the_examples_print_what_the_readme_shows(tmp_path, monkeypatch):
    """One after the other, as a reader types them."""
    monkeypatch.chdir(tmp_path)
    blocks = README.read_text().split("```python\n")[1:]
    text = "\n".join(block.split("```")[0] for block in blocks)
    example = doctest.DocTestParser().get_doctest(text, {}, "README", str(README), 0)
    assert len(example.examples) >= 10
    report: list[str] = []
    doctest.DocTestRunner().run(example, out=report.append)
    assert report == []


def test_every_verb_of_the_command_line_is_listed():
    from accelsim.cli.app import app

    text = README.read_text()
    for command in app.registered_commands:
        assert f"`accelsim {command.name} " in text
