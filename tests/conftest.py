"""Shared fixtures: a small trace and runs of it, and what tests need that may not be there."""

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import accelsim
from accelsim.resources import resource_dir

# No test is timed: the first example of many compiles a kernel. CI looks at the same examples each
# time; elsewhere hypothesis looks for new ones.
settings.register_profile(
    "accelsim",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
settings.load_profile("accelsim")


@pytest.fixture(scope="session")
def small_trace():
    """The first two test images of the built-in workload."""
    model, images, _ = accelsim.load_workload("lenet5_digits", limit=2)
    return accelsim.trace(model, images, name="lenet5_digits")


@pytest.fixture(scope="session")
def small_labels():
    return accelsim.load_workload("lenet5_digits", limit=2)[2]


@pytest.fixture(scope="session")
def runs(small_trace, small_labels):
    """One run per unit on the default machine."""
    machine = accelsim.Accelerator.preset("edge_16x16")
    return [
        accelsim.simulate(
            small_trace, machine.replace(multiplier=unit), labels=small_labels, seed=7
        )
        for unit in ("exact_fp32", "ax_fpm")
    ]


@pytest.fixture(scope="session")
def mixed_run(small_trace, small_labels):
    """The default machine with one layer on the other unit."""
    machine = accelsim.Accelerator.preset("edge_16x16")
    mixed = machine.replace(layer_multipliers={"conv1": "ax_fpm"})
    return accelsim.simulate(small_trace, mixed, labels=small_labels, seed=7)


@pytest.fixture
def in_this_process(monkeypatch):
    """Points of a sweep run one by one in this process, which has imported torch already.

    For tests of what a sweep takes, keeps and prints; others start workers.
    """

    def one_by_one(function, tasks, workers, *, skip, crashed):
        return ((key, function(task)) for key, task in tasks.items() if not skip(key))

    monkeypatch.setattr("accelsim.sweeps.driver.in_processes", one_by_one)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def energies_of(tmp_path):
    """Return a function that writes cmos45 with rows for a unit of a user's, as exact_int8's."""

    def write(unit):
        rows = (resource_dir("energy_tables") / "cmos45.csv").read_text().splitlines()
        own = [row.replace("exact_int8", unit) for row in rows if "multiplier.exact_int8" in row]
        path = tmp_path / "mine.csv"
        path.write_text("\n".join([*rows, *own]) + "\n")
        return path

    return write


@pytest.fixture(scope="session")
def data_folder():
    """Folder of published files, or None: ACCELSIM_DATA, else shared/data beside the project."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("ACCELSIM_DATA") or beside)
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def real_data(data_folder):
    """The folder of published files."""
    if data_folder is None:
        pytest.skip("no published files: neither in ACCELSIM_DATA nor in ../shared/data")
    return data_folder


@pytest.fixture
def yosys():
    """Skips where no Yosys can be run."""
    if shutil.which("yosys") is None and importlib.util.find_spec("pyosys") is None:
        pytest.skip("no yosys program on PATH and no pyosys package: pip install accelsim[rtl]")


FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *("--disable-extensions", "--disable-sync", "--remote-debugging-pipe"),
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
"""No sandbox: in containers the tests run as root. Nothing that Chromium fetches for itself, and
nothing that a page fetches from outside."""


class Browser:
    """One page of a headless Chromium, driven by its own protocol over two pipes.

    Messages are JSON, a NUL byte behind each.
    """

    def __init__(self, program, profile):
        to_it, self._out = os.pipe()
        self._in, from_it = os.pipe()
        # It reads file descriptor 3 and writes 4.
        line = f'exec "$0" "$@" 3<&{to_it} 4>&{from_it}'
        self.process = subprocess.Popen(
            ["bash", "-c", line, program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(to_it, from_it),
            stderr=subprocess.DEVNULL,
        )
        os.close(to_it)
        os.close(from_it)
        self._count, self._rest, self._session, self.events = 0, b"", None, []
        (page,) = [
            one for one in self.call("Target.getTargets")["targetInfos"] if one["type"] == "page"
        ]
        attached = self.call("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        """Return what Chromium answers; what happens meanwhile goes to `events`."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._count:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def _next(self):
        while b"\0" not in self._rest:
            part = os.read(self._in, 1 << 20)
            assert part, "Chromium has gone"
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def open(self, url):
        """Open a page and wait until it is loaded."""
        self.events.clear()
        self.call("Page.navigate", url=url)
        while not any(one.get("method") == "Page.loadEventFired" for one in self.events):
            self.events.append(self._next())

    def run(self, expression):
        """Return the value of an expression of JavaScript in the page, of a promise its result."""
        done = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def press(self, key, code):
        """Press and release a key on what has the focus."""
        text = {"text": "\r"} if key == "Enter" else {"text": key}
        same = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", **same, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **same)

    def click(self, selector):
        """Click with the mouse in the middle of an element."""
        x, y = self.run(
            f"(() => {{ const one = document.querySelector({json.dumps(selector)});"
            "one.scrollIntoView({block: 'center'}); const box = one.getBoundingClientRect();"
            "return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def close(self):
        """End it."""
        with contextlib.suppress(OSError):
            os.write(self._out, b'{"id": 0, "method": "Browser.close"}\0')
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self._out)
        os.close(self._in)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """A running Chromium; skips where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    program = next((found for name in names if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip(f"no Chromium on PATH under any of the names {', '.join(names)}")
    browser = Browser(program, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()
