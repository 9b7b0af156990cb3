"""What a report says of checks and verdicts."""

import shutil

import pytest

from accelsim.folders import read_manifest
from accelsim.report import report
from accelsim.report.network import counting, network_of
from accelsim.report.results import gather
from accelsim.robustness.checks import Check, NetworkChecks
from accelsim.scores import ScoreFolder


def test_sanity_checks_pass_fail_or_say_why_not(parsed, folders):
    _, *rows = parsed.tables["checks-1"]
    by_name = {row[1].partition("|")[0]: row for row in rows}
    assert len(rows) == 14
    assert by_name["determinism"][2:4] == [
        "not run",
        f"{folders / 'transfer'}, {folders / 'white'} keep none of the network, as of an earlier "
        "accelsim; the same accelsim score adds them",
    ]
    assert by_name["statistics"][2] == "pass"
    assert by_name["adaptivity"][2] == "pass"
    assert by_name["gradient free"][2] == "FAIL"
    assert by_name["gain invariance"][2:4] == [
        "FAIL",
        "alone, without a margin loss or a second attack: linf 0.1: cross entropy 81.0%",
    ]


def test_verdicts_name_what_stands_in_the_way(parsed):
    _, *rows = parsed.tables["verdicts"]
    transfer = next(row for row in rows if row[0].startswith("less than half of what pgd 0.1"))
    # 50 of 60 that fool the source.
    assert transfer[2] == "83.33|72.0\N{EN DASH}90.7"
    assert transfer[3] == "inconclusive"
    assert "which speaks against it, but 1 check is in the way" in transfer[4]
    assert "check 1 determinism: not run" in transfer[4]


def keep(place, target, passed, **slopes):
    """Keep checks of the network in a folder of scores; *slopes*: gradient -> check 2 passed."""
    manifest = read_manifest(place)
    known = ("schema", "kind", "attacks", "config_hash", "versions")
    settings = {name: value for name, value in manifest.items() if name not in known}
    found = {
        gradient: (Check(2, "gradient_consistency", one, gradient), Check(3, "saturation", one, ""))
        for gradient, one in slopes.items()
    }
    ScoreFolder(place, settings, []).keep_checks(
        target, NetworkChecks(Check(1, "determinism", passed, "of bits"), found)
    )


@pytest.fixture
def scored(folders, tmp_path):
    """Copies of the folders of scores, into which checks can be put."""
    for name in ("transfer", "white"):
        shutil.copytree(folders / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def rows_of(parse):
    """What returns the rows of a table of the report on both folders of a place."""
    return lambda place, table: parse(report([place / "transfer", place / "white"])).tables[table][
        1:
    ]


def test_a_claim_is_contradicted_where_the_network_is_the_same_each_time(rows_of, scored):
    keep(scored / "transfer", "ax_fpm", True)
    keep(scored / "white", "ax_fpm", True, exact=False, effective=True)
    grades = {row[0].partition(" fools")[0]: row[3] for row in rows_of(scored, "verdicts")}
    # 50 of 60 that fool the source in transfer; 81 of 100 in the white box, by either gradient.
    assert grades["less than half of what pgd 0.1 makes of images that ax_fpm has right"] == (
        "contradicted"
    )
    assert list(grades.values()).count("contradicted") == 4


def test_slopes_are_told_by_gradient_and_count_where_it_was_followed(rows_of, scored):
    keep(scored / "transfer", "ax_fpm", True)
    keep(scored / "white", "ax_fpm", True, exact=False, effective=True)
    found = [(row[1].partition("|")[0], row[2]) for row in rows_of(scored, "checks-1")[:5]]
    assert found == [
        ("determinism", "pass"),
        ("gradient consistency, slopes of effective", "pass"),
        ("saturation, slopes of effective", "pass"),
        ("gradient consistency, slopes of exact", "FAIL"),
        ("saturation, slopes of exact", "FAIL"),
    ]
    scores = gather([scored / "transfer", scored / "white"]).scores
    network = network_of(scores, "ax_fpm")
    assert [check.passed for check in network.of("exact")] == [True, False, False]
    assert [counting(network, name) for name in ("none", "exact")] == ["effective", "exact"]


@pytest.mark.parametrize(
    ("transfer", "white", "result"),
    [
        (True, False, "FAIL"),
        (False, True, "FAIL"),
        (True, None, "not run"),
        (None, True, "not run"),
    ],
)
def test_every_folder_that_judges_a_unit_has_to_know_its_network(
    rows_of, scored, transfer, white, result
):
    """Folders may differ in how integers are quantized: one does not speak for another."""
    for name, passed in (("transfer", transfer), ("white", white)):
        if passed is not None:
            keep(scored / name, "ax_fpm", passed)
    row = rows_of(scored, "checks-1")[0]
    assert row[2] == result
    assert {row[3] for row in rows_of(scored, "verdicts")} == {"inconclusive"}
    if result == "not run":
        without = scored / ("transfer" if transfer is None else "white")
        assert row[3].startswith(f"{without} keeps none of the network")
