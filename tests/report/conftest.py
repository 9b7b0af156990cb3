"""Folders of results to report on, and a real browser for the pages.

The browser is headless Chromium, driven by its own protocol over two pipes.
"""

import contextlib
import json
import os
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from accelsim.folders import versions, write_manifest, write_table
from accelsim.report import report
from accelsim.robustness import OUTCOMES, summarize
from accelsim.robustness.study import STORE
from accelsim.scores import ScoreFolder
from accelsim.store import Store

FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *("--disable-extensions", "--disable-sync", "--remote-debugging-pipe"),
)
"""No sandbox: in containers the tests run as root. Nothing that Chromium fetches for itself."""


class Browser:
    """One page of a running Chromium; messages are JSON, a NUL byte behind each."""

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

    def open(self, path):
        """Open a file and wait until it is loaded."""
        self.events.clear()
        self.call("Page.navigate", url=path.absolute().as_uri())
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


def outcomes(target, fools, attack="pgd", **settings):
    """Outcomes of one run on 100 images, which source and target classify right but one.

    *fools*: how many of the first images fool the target; ten more fool the source.
    """
    image = np.arange(100)
    given = {
        **{"scenario": "transfer", "source": "torch", "gradient": "exact", "target": target},
        **{"attack": attack, "settings": "", "norm": "linf", "aim": "budget", "epsilon": 0.1},
        **{"scale": 1.0, "seed": 0, "image": image, "label": image % 10},
        **{"source_right": image < 99, "target_right": image < 99},
        **{"source_fooled": (image < fools + 10) | (image == 99)},
        **{"target_fooled": (image < fools) | (image == 99)},
        **{"l0": 400, "l2": 1.5, "linf": 0.1, "mse": 0.005, "psnr": 23.0, "cause": ""},
        **{"forwards": 42.0, "gradients": 40.0},
        **{"confidence_clean": 0.9, "confidence_attacked": 0.4},
        **{"margin_clean": 5.0, "margin_attacked": -1.0},
        **settings,
    }
    return pd.DataFrame(given)[list(OUTCOMES)]


def save_score(folder, tables, workload="lenet5_digits", **manifest):
    """Write a folder of scores as accelsim score does it, of outcomes that nobody has measured."""
    first = tables[0].iloc[0]
    settings = {
        **{"workload": workload, "weights_hash": "27380258a878e05c", "data_hash": "0123"},
        **{"scenario": first["scenario"], "multipliers": ["exact_fp32", "ax_fpm"]},
        **{"accumulator": "auto", "images": 100, "epsilon": None, "seed": 0, "sources": ["torch"]},
        **manifest,
    }
    attacks = list(dict.fromkeys(name for table in tables for name in table["attack"]))
    place = ScoreFolder(folder, settings, attacks)
    with Store(folder / STORE) as store:
        for number, table in enumerate(tables):
            store.put(str(number), table.to_dict("list"))
    place.write(summarize(pd.concat(tables)))
    return folder


def save_sweep(folder, runs, workload="lenet5_digits"):
    """Write a folder of a sweep over multipliers as accelsim sweep does it; the last one failed."""
    folder.mkdir()
    units = [run.accelerator.multiplier for run in runs]
    points = pd.concat([run.summary for run in runs]).assign(error="")
    points.loc[:, "workload"] = workload
    failed = pd.DataFrame([{"multiplier": "heap", "error": "layer 'conv1' fits no tiling"}])
    write_table(folder / "results.csv", pd.concat([points, failed]))
    base = runs[0].accelerator
    manifest = {
        **{"kind": "sweep", "workload": workload, "accelerator": base.model_dump(mode="json")},
        **{"config_hash": base.config_hash, "grid": {"multiplier": [*units, "heap"]}},
        **{"images": 2, "data": None, "values": True, "versions": versions()},
    }
    write_manifest(folder, manifest)
    return folder


@pytest.fixture(scope="session")
def folders(runs, tmp_path_factory):
    """Folders of two runs, of scores in two scenarios, and of a sweep."""
    place = tmp_path_factory.mktemp("results")
    for run in runs:
        run.save(place / "sim" / run.accelerator.multiplier)
    transfer = [
        outcomes(unit, fools, attack)
        for attack, count in (("fgsm", 50), ("pgd", 70))
        for unit, fools in (("exact_fp32", count), ("ax_fpm", count - 20))
    ]
    save_score(place / "transfer", transfer)
    white = [
        outcomes(unit, 80, scenario="white_box", source=unit, gradient=gradient)
        for unit, gradient in (
            *(("exact_fp32", "exact"), ("ax_fpm", "exact"), ("ax_fpm", "effective")),
        )
    ]
    save_score(place / "white", white, gradients=["exact", "effective"])
    save_sweep(place / "sweep", runs)
    return place


@pytest.fixture
def score_of():
    """Return a function that writes scores of three examples, with a manifest of one's own."""
    return lambda folder, **settings: save_score(folder, [outcomes("ax_fpm", 3)], **settings)


@pytest.fixture(scope="session")
def page(folders):
    """The report on all of them."""
    names = ("sim", "transfer", "white", "sweep")
    return report([folders / name for name in names])
