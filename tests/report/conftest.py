"""Folders of results to report on, and reports taken apart."""

from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from accelsim.folders import versions, write_manifest, write_table
from accelsim.report import report
from accelsim.robustness import OUTCOMES, summarize
from accelsim.robustness.study import STORE
from accelsim.scores import ScoreFolder
from accelsim.store import Store


class Page(HTMLParser):
    """Tables by id as rows of cells, links and other addresses, all text."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.addresses, self.ids, self.words = {}, [], [], []
        self.commands, self._row, self._stack = [], None, []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        names = ("href", "src", "xlink:href", "action", "srcset", "data", "poster")
        self.addresses += [given[name] for name in names if given.get(name)]
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "table":
            self._table = self.tables.setdefault(given["id"], [])
        elif tag == "tr":
            self._table.append([])
        elif tag in ("td", "th"):
            self._table[-1].append("")
        elif tag == "code":
            self.commands.append("")
        self._stack.append(tag)

    def handle_endtag(self, tag):
        while self._stack and self._stack.pop() != tag:
            pass

    def handle_data(self, data):
        if {"script", "style"} & set(self._stack):
            return
        self.words.append(data)
        if {"td", "th"} & set(self._stack):
            self._table[-1][-1] += f"|{data}" if self._table[-1][-1] else data
        if "code" in self._stack:
            self.commands[-1] += data


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


@pytest.fixture(scope="session")
def parse():
    """What takes the text of a report apart."""
    return Page


@pytest.fixture(scope="session")
def parsed(page):
    return Page(page)
