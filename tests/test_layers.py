"""The layering table of the house: which module may import which, and which libraries.

An import inside ``if TYPE_CHECKING:`` does not count; one inside a function does.
"""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "accelsim"

# module -> (layer, third-party libraries it may use)
TABLE: dict[str, tuple[int, set[str]]] = {
    "errors": (0, set()),
    "registry": (0, set()),
    "version": (0, set()),
    "notebook": (0, set()),
    "resources": (0, set()),
    "sources": (0, set()),
    "threads": (1, set()),
    "files": (0, set()),
    "workers": (1, {"loky"}),
    "dominance": (0, {"numpy"}),
    "statistics": (0, {"numpy", "scipy"}),
    "yaml_files": (0, {"ruamel"}),
    "fields": (1, {"pydantic"}),
    "sections": (1, {"pydantic"}),
    "config": (1, {"pydantic"}),
    "layer": (1, set()),
    "topology": (1, {"numpy"}),
    "recipe": (1, set()),
    "windows": (1, {"numpy"}),
    "formats": (1, {"numpy", "numba"}),
    "lanes": (1, {"numpy", "numba", "llvmlite"}),
    "compilation": (1, {"numpy", "numba"}),
    "multipliers": (2, {"numpy", "numba"}),
    "circuits": (2, {"numpy", "numba"}),
    "accumulators": (2, {"numpy", "numba"}),
    "clock": (2, set()),
    "layer_units": (2, set()),
    "quantizer": (2, {"numpy"}),
    "quantization": (2, {"numpy"}),
    "dataflows": (2, {"numpy"}),
    "kernels": (3, {"numpy", "numba", "llvmlite"}),
    "vector_functions": (3, {"numpy", "numba"}),
    "pe_level": (3, {"numpy", "numba"}),
    "consistency": (3, {"numpy"}),
    "importing": (3, {"numpy"}),
    "operands": (3, {"numpy"}),
    "metrics": (3, {"numpy"}),
    "surfaces": (3, {"numpy"}),
    "costs": (3, {"numpy"}),
    "energy": (3, {"numpy", "pandas", "ruamel"}),
    "machine": (4, {"simpy", "numpy"}),
    "timeline": (4, {"numpy", "pandas", "vcd"}),
    "differences": (4, {"pandas"}),
    "results": (4, {"numpy", "pandas"}),
    "tabulation": (4, {"numpy", "pandas"}),
    "folders": (4, {"pandas"}),
    "store": (4, {"pandas"}),
    "rtl": (4, {"numpy"}),
    "datasets": (5, {"numpy", "sklearn", "PIL"}),
    "normalization": (5, {"torch"}),
    "weights": (5, {"torch", "safetensors"}),
    "workload": (5, {"numpy", "torch"}),
    "training": (5, {"numpy", "torch", "safetensors"}),
    "tracing": (5, {"numpy", "torch"}),
    "nn": (5, {"numpy", "torch"}),
    "onnx": (5, {"numpy", "torch", "onnx", "google"}),
    "simulation": (5, {"numpy"}),
    "characterization": (5, {"numpy", "pandas"}),
    "validation": (5, {"numpy", "pandas"}),
    "robustness": (5, {"numpy", "torch", "pandas", "art", "foolbox", "eagerpy", "pyautoattack"}),
    "sweeps": (6, {"pandas", "optuna", "distributed"}),
    "comparison": (6, {"pandas"}),
    "scores": (6, {"pandas"}),
    "tradeoffs": (6, {"pandas"}),
    "sensitivities": (6, {"pandas"}),
    "figures": (6, {"numpy", "pandas", "matplotlib"}),
    "report": (6, {"numpy", "pandas", "matplotlib", "jinja2"}),
    "cli": (6, {"typer", "rich", "pandas", "ruamel"}),
    "__init__": (6, set()),
}


def test_the_table_names_every_module():
    found = {path.stem for path in ROOT.glob("*.py")} | {
        path.parent.name for path in ROOT.glob("*/__init__.py")
    }
    assert found == set(TABLE)


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_to_the_same_or_a_lower_layer(path):
    owner = path.relative_to(ROOT).parts[0].removesuffix(".py")
    layer, libraries = TABLE[owner]
    for name in _imports(ast.parse(path.read_text())):
        top, _, rest = name.partition(".")
        if top == "accelsim":
            target = rest.partition(".")[0]
            if target:
                assert TABLE[target][0] <= layer, f"{owner} (layer {layer}) imports {name}"
        elif top not in sys.stdlib_module_names:
            assert top in libraries, f"{owner} may not use {top}"


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_no_print_or_exit_below_the_command_line(path):
    if path.parent.name == "cli":
        return
    for node in ast.walk(ast.parse(path.read_text())):
        assert not (isinstance(node, ast.Name) and node.id == "print"), f"{path}:{node.lineno}"
        assert not (isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.exit"), path
        assert not isinstance(node, ast.Assert), f"{path}:{node.lineno}"


def _imports(tree: ast.AST) -> list[str]:
    names: list[str] = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names.append(node.module or "")
        names += _imports(node)
    return names


def test_importing_the_package_loads_neither_torch_nor_matplotlib():
    import subprocess

    code = (
        "import accelsim, sys; print({'torch', 'matplotlib', 'pandas', 'numba'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
