"""accelsim validate as a user meets it; on AlexNet alone, for time."""

import json

import pytest

from accelsim.validation import eyeriss_layers


@pytest.fixture(autouse=True)
def _alexnet(monkeypatch):
    layers = eyeriss_layers()[:5]
    monkeypatch.setattr("accelsim.validation.eyeriss.eyeriss_layers", lambda: layers)


def test_tables_fit_80_columns_and_show_signed_errors(accelsim, tmp_path):
    out = tmp_path / "eyeriss.png"
    code, text, err = accelsim("validate", "--out", out)
    assert code == 0, err
    assert all(len(line) <= 80 for line in text.splitlines())
    words = " ".join(text.split())
    assert "CONV5 published 10.0 11.1 +11.2 24.9 +0.1 10.5" in words
    assert "total 103.5 104.5 +0.9" in words
    assert "LSTM1 2.8 6.5 +132.7" in words
    assert out.read_bytes()[:4] == b"\x89PNG"
    assert f"wrote {out}" in err


def test_json_is_json_alone_and_chosen_mappings_are_others(accelsim):
    code, text, _ = accelsim("validate", "--mapping", "chosen", "--json")
    assert code == 0
    found = json.loads(text)
    assert [row["app"] for row in found["tpu_v1"]][:2] == ["MLP0", "MLP1"]
    assert {row["mapping_source"] for row in found["eyeriss"][:-1]} == {"chosen"}
    assert found["eyeriss"][-1]["layer"] == "total"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (("--mapping", "choosen"), "Did you mean 'chosen'?"),
        (("--out", "eyeriss.txt"), "--out must end in .png, .svg or .pdf, got 'eyeriss.txt'"),
    ],
)
def test_bad_input_is_told_in_one_line(accelsim, line, message):
    code, out, err = accelsim("validate", *line)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_figure_that_cannot_be_written(accelsim, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = accelsim("validate", "--out", tmp_path / "file" / "eyeriss.png")
    assert code == 2
    assert "cannot write" in err
