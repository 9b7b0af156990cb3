"""The README's Python example prints what it says."""

import doctest
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_the_example_prints_what_the_readme_shows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = README.read_text().split("```python\n")[1].split("```")[0]
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
