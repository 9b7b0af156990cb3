"""Write docs/api.md, the public face of accelsim with its docstrings: python docs/make_api.py"""

from __future__ import annotations

import ast
import doctest
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import accelsim
from accelsim.registry import Registry

PAGE = Path(__file__).with_name("api.md")

HEAD = """# API

Everything that `import accelsim` offers, from the docstrings; made by `python docs/make_api.py`,
and a test holds it to them. What is not here is not promised to stay. Errors are all
`accelsim.AccelsimError`: one clear message with what was got, what was expected and the way out.
"""


def api_page() -> str:
    """Return the text of the page."""
    names = sorted(set(accelsim.__all__) - {"__version__"}, key=str.lower)
    objects = {name: getattr(accelsim, name) for name in names}
    parts = [HEAD]
    for title, wanted in (
        ("Functions", inspect.isfunction),
        ("Classes", inspect.isclass),
        ("Registries", lambda one: isinstance(one, Registry)),
        ("Modules", inspect.ismodule),
    ):
        found = {name: one for name, one in objects.items() if wanted(one)}
        parts.append(f"## {title}\n")
        if title == "Registries":
            parts.append(
                f"Each a mapping from name to entry; see `accelsim list`. {_first(Registry)}\n"
            )
        for name, one in found.items():
            parts += _entry(f"accelsim.{name}", one)
    return "\n".join(parts)


def _entry(name: str, one: Any) -> Iterator[str]:
    if isinstance(one, Registry):
        yield f"- `{name}`: {one.kind}s by name"
        return
    yield f"### {name}\n"
    if inspect.ismodule(one):
        yield f"{_first(one)}\n"
        for inner in getattr(one, "__all__", ()):
            member = getattr(one, inner)
            if callable(member):
                yield f"- `{inner}{_signature(member)}`: {_first(member)}"
        yield ""
        return
    yield f"```text\n{textwrap.fill(name + _signature(one), 96, subsequent_indent='    ')}\n```\n"
    yield _doc(one)
    if inspect.isclass(one):
        members = [
            (inner, value)
            for inner, value in vars(one).items()
            if not inner.startswith("_") and _own(value, one)
        ]
        yield from (_member(inner, getattr(value, "__func__", value)) for inner, value in members)
        if members:
            yield ""


def _own(value: Any, owner: type) -> bool:
    """Return whether *value* is a method or property with a docstring of the class's own."""
    function = getattr(value, "fget", None) or getattr(value, "__func__", value)
    return inspect.isfunction(function) and function.__module__ == owner.__module__


def _member(name: str, value: Any) -> str:
    return f"- `.{name}{'' if isinstance(value, property) else _signature(value)}`: {_first(value)}"


def _signature(one: Any) -> str:
    """Return the parameters without types: the docstring has those."""
    try:
        found = inspect.signature(one)
    except (TypeError, ValueError):
        return ""
    bare = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in found.parameters.values()
        if parameter.name not in ("self", "cls")
    ]
    return str(found.replace(parameters=bare, return_annotation=inspect.Signature.empty))


def _first(one: Any) -> str:
    """Return the first sentence or paragraph of a docstring, in one line."""
    return " ".join((inspect.getdoc(one) or "").split("\n\n")[0].split())


def _doc(one: Any) -> str:
    """Return a docstring: prose as it is, sections as text, examples as Python that runs."""
    whole = re.sub(r"^Examples\n-+\n", "", inspect.getdoc(one) or "", flags=re.M)
    prose, _, sections = re.sub(r"\n\n(?=[A-Z]\w+\n-{3,}\n)", "\0", whole, count=1).partition("\0")
    parts = []
    for text in (prose, sections):
        plain, example = [], []
        for paragraph in text.split("\n\n"):
            (example if paragraph.startswith(">>>") else plain).append(paragraph)
        body = "\n\n".join(plain).strip()
        if body:
            parts.append(f"{body}\n" if text is prose else f"```text\n{body}\n```\n")
        if example:
            shown = "\n".join(example)
            parts.append(f"```python\n{_imports(one, shown)}\n{shown}\n\n```\n")
    return "\n".join(parts)


def _imports(one: Any, example: str) -> str:
    """Return import lines of the names that *example* takes from the module of *one*."""
    code = "\n".join(part.source for part in doctest.DocTestParser().get_examples(example))
    nodes = list(ast.walk(ast.parse(code)))
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    names -= {alias.name for node in nodes if hasattr(node, "names") for alias in node.names}
    lines, module = set(), inspect.getmodule(one)
    for name, value in vars(module).items():
        if name in names and inspect.ismodule(value):
            lines.add(f">>> import {value.__name__} as {name}")
        elif name in names:
            home = "accelsim" if name in accelsim.__all__ else value.__module__
            lines.add(f">>> from {home} import {name}")
    return "\n".join(sorted(lines))


if __name__ == "__main__":
    PAGE.write_text(api_page(), encoding="utf-8")
