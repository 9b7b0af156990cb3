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
    assert "with 137.2 mW of clock, fitted to this mean" in words
    assert "CONV1 0.0 332 174 -47.6 311 -6.2 6.9 6.2 -10.3" in words
    assert "CONV5 0.47 1.91 0.69 0.70 1.38 6.31 11.46 9.64 8.29 14.95" in words
    assert "CONV5 rf 33.1 16.7" in words
    for figure in (out, tmp_path / "eyeriss_energy.png"):
        assert figure.read_bytes()[:4] == b"\x89PNG"
        assert f"wrote {figure}" in err


def test_json_has_power_and_energy_and_no_total_of_zeros(accelsim):
    code, text, _ = accelsim("validate", "--json")
    assert code == 0
    found = json.loads(text)
    assert list(found) == ["eyeriss", "eyeriss_energy", "eyeriss_shares", "tpu_v1"]
    first, total = found["eyeriss_energy"][0], found["eyeriss_energy"][-1]
    assert (first["measured_mw"], first["ifmap_zeros"]) == (332, 0.0001)
    assert (total["layer"], total["ifmap_zeros"]) == ("total", None)


def test_json_is_json_alone_and_chosen_mappings_are_others(accelsim):
    code, text, _ = accelsim("validate", "--mapping", "chosen", "--json")
    assert code == 0
    found = json.loads(text)
    assert [row["app"] for row in found["tpu_v1"]][:2] == ["MLP0", "MLP1"]
    assert {row["mapping_source"] for row in found["eyeriss"][:-1]} == {"chosen"}
    assert found["eyeriss"][-1]["layer"] == "total"
    assert "eyeriss_energy" not in found


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
