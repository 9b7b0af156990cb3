"""README and docs: every code block is executed, or says visibly why not; every page is linked.

A page's blocks run in their order, in one folder:

- ``python`` blocks are doctests that share their names. Other Python than at ``>>>`` is refused.
- ``sh`` blocks, and those without a language that hold a line of ``accelsim``, are commands.
- ``console`` blocks are commands behind ``$`` with what they print; ``...`` stands for anything.
- ``text`` blocks, and other blocks without a language, are what something printed.
- Indented blocks are commands.

Scripts in ``plots/`` take minutes or hours: of commands that call one, only its file is looked for.
A command that cannot run here ends with ``# not run: REASON``; its options are checked even so. A
``python`` block that cannot begins with that; its imports are made even so.
"""

import ast
import contextlib
import doctest
import io
import os
import re
import shlex
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer

from accelsim.cli import main
from accelsim.cli.app import app

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]

EXTRAS = {"onnx"}
"""Pages of packages that need not be installed."""

NOT_RUN = re.compile(r"(?:^|\s)# not run: (\S.*)$", re.M)
SHELL = set("|&;<>$`*(){}")
"""Characters for which a command takes a shell."""


@dataclass
class Block:
    language: str
    text: str
    line: int
    """Of its first line of text."""

    @property
    def kind(self):
        """How it is run: python, sh or console; text if there is nothing to run."""
        if self.language or not re.search(r"^accelsim ", self.text, re.M):
            return self.language or "text"
        return "sh"

    def commands(self):
        """Return (command, expected output or None) of each; lines that go on are joined."""
        if self.kind == "sh":
            return [(text, None) for text in _command_lines(self.text)]
        parts = re.split(r"^\$ ", self.text, flags=re.M)
        assert not parts[0], f"line {self.line}: output before the first command"
        found = []
        for part in parts[1:]:
            command, output = re.fullmatch(r"((?:.*\\\n)*.*\n)((?:.*\n)*)", part).groups()
            found.append((command, output))
        return found


def _command_lines(text):
    """Return the commands of a script: lines with those that they go on in."""
    found, lines = [], iter(text.splitlines(keepends=True))
    for line in lines:
        while line.rstrip("\n").endswith("\\"):
            line += next(lines)
        if here := re.search(r"<<'(\w+)'", line):
            for more in lines:
                line += more
                if more.strip() == here[1]:
                    break
        if line.strip() and not line.startswith("#"):
            found.append(line)
    return found


def blocks_of(page):
    text = page.read_text()
    found = []
    for match in re.finditer(r"^```([^\n]*)\n(.*?)^```$", text, re.S | re.M):
        line = text.count("\n", 0, match.start()) + 2
        found.append(Block(match[1].strip(), match[2], line))
    assert text.count("\n```") + text.startswith("```") == 2 * len(found), "an open block"
    fences = re.compile(r"^```.*?^```$", re.S | re.M)
    fenced = fences.sub(lambda block: "\n" * block[0].count("\n"), text)
    for match in re.finditer(r"(?<=\n\n)(?: {4}.*\n)+", fenced):
        line = fenced.count("\n", 0, match.start()) + 1
        found.append(Block("sh", textwrap.dedent(match[0]), line))
    return sorted(found, key=lambda block: block.line)


def reason_not_to_run(command):
    found = NOT_RUN.search(command)
    return found[1] if found else None


@pytest.mark.parametrize(
    # The examples of the API page are those of docstrings, which pytest runs where they stand; here
    # they would register the same operator twice.
    "page",
    [page for page in PAGES if page.name != "api.md"],
    ids=lambda page: page.name,
)
def test_every_block_of_a_page_runs(page, tmp_path, monkeypatch):
    if page.stem in EXTRAS:
        pytest.importorskip(page.stem, reason=f"needs pip install 'accelsim[{page.stem}]'")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    names = {}
    for block in blocks_of(page):
        where = f"{page.name}, line {block.line}"
        if block.kind == "python":
            run_python(block, names, page)
        elif block.kind in ("sh", "console"):
            for command, expected in block.commands():
                check_options(command, where)
                if script := re.match(r"python (plots/\S+)", command):
                    assert (ROOT / script[1]).is_file(), f"{where}: {command}"
                elif reason_not_to_run(command) is None:
                    printed = run_command(command, where)
                    if expected is not None:
                        assert_printed(expected, printed, f"{where}: {command}")
        else:
            assert block.kind == "text", f"{where}: nobody knows how to run {block.language!r}"
            assert not re.search(r"^(>>> |\$ )", block.text, re.M), f"{where}: name its language"


def run_python(block, names, page):
    """Run a block of doctests in *names*, which it adds to."""
    if block.text.startswith("# not run: "):
        tree = ast.parse(block.text)
        imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        exec(compile(ast.Module(imports, []), str(page), "exec"), {})
        return
    outside = re.sub(r"^(>>>|\.\.\.).*$", "", block.text, flags=re.M)
    example = doctest.DocTestParser().get_doctest(
        block.text, names, page.name, str(page), block.line - 1
    )
    assert example.examples, f"{page.name}, line {block.line}: Python without >>> is not run"
    assert not re.search(r"^(import|from|def|class) ", outside, re.M)
    report = []
    runner = doctest.DocTestRunner()
    runner.run(example, out=report.append, clear_globs=False)
    names.update(example.globs)
    assert report == []


def check_options(command, where):
    """Refuse an `accelsim` command line whose verb or options do not exist."""
    words = shlex.split(command.replace("\\\n", " "), comments=True)
    if not words or words[0] != "accelsim":
        return
    end = next((place for place, word in enumerate(words) if word in {"|", ">", "&&"}), None)
    verb, words = typer.main.get_command(app), words[1:end]
    while hasattr(verb, "commands"):
        if words and words[0].startswith("-"):
            return  # an option of the whole program acts as soon as it is read
        assert {*words[:1]} & {*verb.commands}, f"{where}: no such verb: {command}"
        verb, words = verb.commands[words[0]], words[1:]
    try:
        verb.make_context(verb.name, list(words))
    except typer.Exit:  # --version and the like
        pass
    except typer.TyperException as error:
        pytest.fail(f"{where}: {error.format_message()}: {command}")


def run_command(command, where):
    """Run a command, in this process if it is one of accelsim's alone; return its stdout."""
    words = shlex.split(command.replace("\\\n", " "), comments=True)
    if words[0] == "accelsim" and not SHELL & set("".join(words)):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main(words[1:])
            except SystemExit as done:
                code = done.code or 0
        assert code == 0, f"{where}: {command}{err.getvalue()}"
        return out.getvalue()
    shim = Path("accelsim.sh").resolve()
    call = f'{shlex.quote(sys.executable)} -c "from accelsim.cli import main; main()" "$@"'
    shim.write_text(f"accelsim() {{ {call}; }}\n")
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", f". {shlex.quote(str(shim))}\n{command}"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{where}: {command}{done.stderr}"
    return done.stdout


def assert_printed(expected, printed, where):
    """Compare what was printed with what a page shows, but for blanks at the ends of lines."""
    shown, found = (
        "\n".join(line.rstrip() for line in text.strip("\n").splitlines()) + "\n"
        for text in (expected, printed)
    )
    checker = doctest.OutputChecker()
    same = checker.check_output(shown, found, doctest.ELLIPSIS)
    assert same, f"{where}\nshown:\n{shown}\nprinted:\n{found}"


def test_readme_has_examples():
    assert any(block.kind == "python" for block in blocks_of(README))


def test_every_page_is_linked_from_the_readme():
    text = README.read_text()
    assert [page.name for page in PAGES[1:] if f"(docs/{page.name}" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_a_page_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in target:
            continue
        path, _, part = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name} links {target}"
        if part:
            heads = re.findall(r"^#+ (.*)$", file.read_text(), re.M)
            slugs = {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
            assert part in slugs, f"{page.name} links {target}"


def test_every_verb_of_the_command_line_is_listed():
    text = README.read_text()
    for command in app.registered_commands:
        assert f"`accelsim {command.name} " in text
    for group in app.registered_groups:
        for command in group.typer_instance.registered_commands:
            assert f"`accelsim {group.name} {command.name}" in text


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("accelsim a \\\n  b\naccelsim c\n", ["accelsim a \\\n  b\n", "accelsim c\n"]),
        ("# remark\n\nmake x\n", ["make x\n"]),
        ("cat > f <<'E'\nmake x\nE\nmake y\n", ["cat > f <<'E'\nmake x\nE\n", "make y\n"]),
    ],
)
def test_a_script_is_cut_into_commands(text, commands):
    assert [command for command, _ in Block("sh", text, 1).commands()] == commands


def test_a_console_is_commands_and_what_they_print():
    block = Block("console", "$ a \\\n  b\nout\n\nput\n$ c  # not run: no c\n", 1)
    assert block.commands() == [("a \\\n  b\n", "out\n\nput\n"), ("c  # not run: no c\n", "")]
    assert [reason_not_to_run(command) for command, _ in block.commands()] == [None, "no c"]


@pytest.mark.parametrize(
    "text",
    [
        "```python\nimport accelsim\n```\n",
        "```python\n>>> 1 + 1\n3\n\n```\n",
        "```\n$ accelsim list\n```\n",
        "```sh\naccelsim list nothing\n```\n",
        "```sh\naccelsim simulate lenet5 --imgaes 2  # not run: slow\n```\n",
        "```\naccelsim shw ax_fpm\n```\n",
        "```sh\nfalse\n```\n",
        "```console\n$ echo a\nb\n```\n",
        "```ruby\nputs 1\n```\n",
        "```sh\naccelsim list\n",
        "Text.\n\n    accelsim list nothing\n",
        "Text.\n\n    from accelsim import list\n",
        "```python\n# not run: it is slow\nfrom accelsim import nothing\n```\n",
        "```python\n# not run: it is slow\nfrom accelsim import (\n```\n",
        "```sh\npython plots/nothing.py\n```\n",
    ],
)
def test_a_page_that_is_wrong_is_refused(text, tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises((AssertionError, pytest.fail.Exception, ImportError, SyntaxError)):
        test_every_block_of_a_page_runs(page, tmp_path, monkeypatch)
