"""docs/findings.md says what the tables of the study say."""

import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def made():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DOCS)
        return runpy.run_path(str(DOCS / "make_findings.py"))


def test_its_tables_are_those_of_the_study(made):
    text = (DOCS / "findings.md").read_text()
    assert made["findings_page"]() == text, "run python docs/make_findings.py"
    assert all(f"<!-- table {name} -->" in text for name in made["TABLES"])
    assert text.count("<!-- end of table -->") == len(made["TABLES"])


def test_a_cell_is_a_number_of_one_row(made):
    cell, share = made["cell"], made["share"]("clean_accuracy")
    judged = {"scenario": "transfer", "source": "torch", "target": "exact_fp32"}
    assert cell(made["OURS"], {**judged, "attack": "jsma"}, share) == "99.4 %"
    assert cell(made["OURS"], {**judged, "attack": "nothing"}, share) == ""
    with pytest.raises(ValueError, match="7 rows"):
        cell(made["OURS"], {**judged, "attack": "fgsm"}, share)
