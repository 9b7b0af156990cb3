"""One way to compile: `jit`, Numba's ``njit`` with a disk cache that never runs stale code.

Numba's own cache knows a function by the file that defines it: a callee that changed in another
file goes unseen, a closure over a jitted function never hits (the callee is pickled with a random
uuid), and two processes that write one index at once can swap two functions. Here the place of
compiled code names everything that it was made from::

    <cache>/<sha256 of the sources that hold jitted code>/<name>-<sha256 of the function,
        what it closes over and calls, its signature, Numba's version, the processor>.nbc

so that another source is another file, and nothing is ever overwritten with something else. What
cannot be fingerprinted is compiled and not stored. ``<cache>`` is ``NUMBA_CACHE_DIR`` when that is
set, else the user's cache directory; a directory that cannot be written costs the compilation, not
an error. With ``NUMBA_DISABLE_JIT=1`` `jit` returns the Python function.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import numbers
import os
import pickle
import secrets
import tempfile
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba.core import bytecode, caching, compiler, dispatcher, extending, serialize
from numba.core import types as numba_types
from numba.np import linalg

from accelsim.sources import PACKAGE, cache_root, source_digest

__all__ = ["cache_directory", "jit"]

SOURCES = (
    "formats.py",
    "lanes.py",
    "compilation.py",
    "accumulators.py",
    "multipliers",
    "circuits",
    "kernels",
    "pe_level",
    "vector_functions",
)
"""Files and packages of accelsim that may hold jitted code, or constants that it reads."""
# Numba numbers the functions of each process from 1 and names their symbols so. Of two stored forms
# that two processes have made, one would then run the callees of the other where it is loaded
# second: their symbols have to differ between processes.
_identity: Any = bytecode.FunctionIdentity
_identity._unique_ids = iter(functools.partial(secrets.randbits, 62), None)

_COMPILED_IN = {"builtins", "llvmlite", "math", "numba", "numpy"}
"""Foreign modules that jitted code may name: what it uses of them comes with Numba's version."""


def jit(function: Callable[..., Any] | None = None, *, contract: bool = False) -> Any:
    """Return *function* compiled in nopython mode, its machine code cached on disk.

    Parameters
    ----------
    function : callable
        What to compile, at its first call for each type of arguments. May be a closure over other
        jitted functions: they are inlined.
    contract : bool
        Lets ``a * b + c`` become one fused operation. Only for formulas whose fused and unfused
        results are proven equal; no other relaxation of IEEE 754 is on offer.

    Examples
    --------
    >>> @jit
    ... def twice(x):
    ...     return 2 * x
    >>> twice(21)
    42
    """
    if function is None:
        return functools.partial(jit, contract=contract)
    flags = {"contract"} if contract else set()
    compiled: Any = numba.njit(function, fastmath=flags, error_model="numpy", nogil=True)
    # With NUMBA_DISABLE_JIT it is the function itself.
    if compiled is not function:
        compiled._cache = _DiskCache(function)
    return compiled


def cache_directory() -> Path:
    """Return where compiled code of the present sources is stored."""
    return cache_root() / f"accelsim-{_package_digest()}"


@functools.lru_cache(maxsize=1)
def _package_digest() -> str:
    # Once per process: the code that runs is the code that was imported.
    return source_digest(PACKAGE, SOURCES)


class _DiskCache(caching._Cache):
    """The compiled forms of one function, one file each."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._enabled = True
        self._fingerprint: str | None = None

    @property
    def cache_path(self) -> str:
        return str(cache_directory())

    def enable(self) -> None:
        self._enabled = True

    def disable(self) -> None:
        self._enabled = False

    def flush(self) -> None:
        """Forget nothing: a stored form is never wrong, only unused."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the stored compile result for *sig*, or None."""
        file = self._file(sig, target_context.codegen())
        if file is None:
            return None
        with _without_scipy():
            target_context.refresh()
        # A missing, unreadable or truncated file is a miss.
        with contextlib.suppress(OSError, EOFError, pickle.UnpicklingError):
            payload = pickle.loads(file.read_bytes())
            return compiler.CompileResult._rebuild(target_context, *payload)
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Store the compile result *data* for *sig*, if the directory can be written."""
        file = self._file(sig, data.codegen)
        if file is None or data.lifted or data.library.has_dynamic_globals:
            return
        with contextlib.suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            _write_whole(file, serialize.dumps(data._reduce()))

    def _file(self, sig: Any, codegen: Any) -> Path | None:
        if not self._enabled or _holds_functions(sig):
            return None
        if self._fingerprint is None:
            try:
                # Not before the first call, when all names it uses have been defined.
                self._fingerprint = _fingerprint(self._function)
            except _NotFingerprintableError:
                self.disable()
                return None
        made_from = (self._fingerprint, str(sig), codegen.magic_tuple(), numba.__version__)
        key = hashlib.sha256(repr(made_from).encode()).hexdigest()
        return cache_directory() / f"{self._function.__name__}-{key[:40]}.nbc"


@contextlib.contextmanager
def _without_scipy() -> Iterator[None]:
    """Let Numba load what it knows of NumPy without scipy.linalg, a quarter of a process's start.

    Numba imports it to see that it is there, and once more where a function does linear algebra.
    Loading is done under Numba's own lock: no other thread compiles meanwhile.
    """
    ensure_blas = linalg.ensure_blas

    def find_scipy() -> None:
        if importlib.util.find_spec("scipy") is None:
            ensure_blas()

    linalg.ensure_blas = find_scipy
    try:
        yield
    finally:
        linalg.ensure_blas = ensure_blas


def _holds_functions(sig: Any) -> bool:
    """Return whether a function is among the argument types: its text holds an address."""
    arguments = sig if isinstance(sig, tuple) else sig.args
    return any(isinstance(kind, numba_types.Callable) for kind in arguments)


def _write_whole(file: Path, content: bytes) -> None:
    """Write *content* so that another process sees all of it or nothing."""
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=file.name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        os.replace(temporary, file)
    except OSError:
        os.unlink(temporary)
        raise


class _NotFingerprintableError(Exception):
    """A function that reads something whose content cannot be put into a key."""


def _fingerprint(function: Callable[..., Any]) -> str:
    """Return the sha256 of the source of *function* and of all that it closes over and names."""
    digest = hashlib.sha256()
    for part in _parts(function, set()):
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()


def _parts(value: Any, seen: set[int]) -> Iterator[str]:
    """Yield texts that change whenever what *value* compiles to could."""
    if isinstance(value, dispatcher.Dispatcher):
        yield repr(sorted((name, str(option)) for name, option in value.targetoptions.items()))
        value = value.py_func
    elif isinstance(value, extending._Intrinsic):
        value = value._defn
    if isinstance(value, types.FunctionType):
        yield from _function_parts(value, seen)
    elif isinstance(value, types.ModuleType | type):
        name = value.__name__ if isinstance(value, types.ModuleType) else value.__module__
        if not _is_covered(name):
            raise _NotFingerprintableError(name)
        yield f"{name}.{value.__name__}"
    elif isinstance(value, tuple):
        for item in value:
            yield from _parts(item, seen)
    elif value is None or isinstance(value, numbers.Number | str | bytes | np.dtype | np.generic):
        yield f"{type(value).__name__} {value!r}"
    elif isinstance(value, np.ndarray) and not value.dtype.hasobject:
        yield f"{value.dtype} {value.shape} {hashlib.sha256(value.tobytes()).hexdigest()}"
    else:
        raise _NotFingerprintableError(repr(value))


def _is_covered(module: str) -> bool:
    """Return whether the key covers what *module* holds, by `source_digest` or as compiled in."""
    names = module.split(".")
    if names[0] == PACKAGE.name:
        return len(names) > 1 and names[1] in {Path(source).stem for source in SOURCES}
    return names[0] in _COMPILED_IN


def _function_parts(function: types.FunctionType, seen: set[int]) -> Iterator[str]:
    code = function.__code__
    if id(code) in seen and not function.__closure__:
        return
    seen.add(id(code))
    try:
        source = hashlib.sha256(Path(code.co_filename).read_bytes()).hexdigest()
    except OSError:
        raise _NotFingerprintableError(code.co_filename) from None
    yield f"{source} {function.__module__}.{function.__qualname__} {code.co_firstlineno}"
    for cell in function.__closure__ or ():
        yield from _parts(cell.cell_contents, seen)
    yield from _parts(function.__defaults__, seen)
    for name in code.co_names:
        if name in function.__globals__:
            yield name
            yield from _parts(function.__globals__[name], seen)
