"""What a notebook shows: small tables of a run, an accelerator and a unit, every text escaped."""

import subprocess
import sys
from html.parser import HTMLParser

import pytest

import accelsim
from accelsim.errors import ConfigError
from accelsim.multipliers import MULTIPLIERS
from accelsim.results import SHOWN_LAYERS

TAGS = {"table", "caption", "tr", "th", "td", "p", "code"}
EVIL = "<script>alert('&')</script>"


class Page(HTMLParser):
    """Collects the texts of a page, and checks that its tags are closed in order."""

    def __init__(self, html):
        super().__init__()
        self.texts, self._open = [], []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        assert tag in TAGS
        assert not attrs
        self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.mark.parametrize("name", MULTIPLIERS)
def test_a_unit(name):
    html = MULTIPLIERS[name]._repr_html_()
    assert f"{name}: {MULTIPLIERS[name].title}" in Page(html).texts
    assert len(html) < 5000


def test_an_accelerator_shows_every_field_and_no_markup_of_its_own():
    machine = accelsim.Accelerator.preset("edge_16x16").replace(name=EVIL)
    html = machine._repr_html_()
    texts = Page(html).texts
    assert f"Accelerator {EVIL}" in texts
    assert machine.config_hash in texts
    assert any(text.startswith("rows=16, cols=16, dataflow=os") for text in texts)
    assert set(type(machine).model_fields) <= set(texts)
    assert len(html) < 5000
    mixed = machine.replace(layer_multipliers={"conv1": "ax_fpm", "fc": "heap"})
    assert "conv1=ax_fpm, fc=heap" in Page(mixed._repr_html_()).texts


def test_a_run_shows_its_summary_and_its_slowest_layers(runs):
    run = runs[0]
    texts = Page(run._repr_html_()).texts
    assert "lenet5_digits on edge_16x16 with exact_fp32" in texts
    assert "accuracy" in texts
    assert set(run.layers["layer"]) <= set(texts)
    assert not any("quicker layers" in text for text in texts)


def test_a_run_of_many_layers_stays_small(runs):
    from dataclasses import replace

    import pandas as pd

    run = runs[0]
    layers = pd.concat([run.layers.assign(layer=EVIL + run.layers["layer"])] * 9)
    html = replace(run, layers=layers)._repr_html_()
    texts = Page(html).texts
    assert sum(text.startswith(EVIL) for text in texts) == SHOWN_LAYERS
    assert f"{len(layers) - SHOWN_LAYERS} quicker layers are in " in texts
    assert len(html) < 5000


def test_what_a_notebook_shows_imports_neither_torch_nor_matplotlib():
    code = (
        "import accelsim, sys\n"
        "accelsim.Accelerator.preset('edge_16x16')._repr_html_()\n"
        "accelsim.MULTIPLIERS['ax_fpm']._repr_html_()\n"
        "import accelsim.results\n"
        "print(sorted({'torch', 'matplotlib', 'IPython'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_leaf_of_a_field_is_what_was_meant():
    machine = accelsim.Accelerator.preset("tiny_4x4")
    with pytest.raises(ConfigError, match="Did you mean 'vector_unit.lanes'?"):
        machine.replace(lanes=4)
