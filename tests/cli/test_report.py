"""accelsim report as a user meets it."""

from accelsim.folders import write_manifest


def test_help_has_an_example(accelsim):
    code, out, _ = accelsim("report", "--help")
    assert (code, "Example: accelsim report runs/x" in " ".join(out.split())) == (0, True)


def test_a_report_is_one_file(accelsim, runs, tmp_path):
    runs[0].save(tmp_path / "r")
    path = tmp_path / "new" / "report.html"
    code, out, err = accelsim("report", tmp_path / "r", "--out", path)
    assert (code, out) == (0, "")
    assert f"wrote {path}" in err
    assert [one.name for one in path.parent.iterdir()] == ["report.html"]
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert "lenet5_digits" in text


def test_bad_input_is_one_clear_line_and_leaves_nothing(accelsim, runs, tmp_path):
    runs[0].save(tmp_path / "r")
    (tmp_path / "foreign").mkdir()
    for name, manifest in (("newer", {"kind": "run"}), ("other", {"kind": "rtl"})):
        (tmp_path / name).mkdir()
        write_manifest(tmp_path / name, manifest | ({"schema": 99} if name == "newer" else {}))
    (tmp_path / "file").write_text("x")
    before = sorted(tmp_path.rglob("*"))
    for line, message in (
        ("foreign --out x.html", "holds no result of accelsim (no manifest.json)"),
        ("none --out x.html", "holds no result of accelsim (no manifest.json)"),
        ("newer --out x.html", "was written by a newer accelsim (layout 99, this one reads up"),
        ("other --out x.html", "holds a rtl; a report is of the folders that accelsim simulate"),
        ("r --out x.pdf", "--out must end in .html, got"),
        ("r --out file/x.html", "x.html: "),
        ("r", "--out"),
    ):
        words = [str(tmp_path / word) if word[0] != "-" else word for word in line.split()]
        code, out, err = accelsim("report", *words)
        assert (code, out) == (2, ""), err
        assert message in err
        assert len(err.strip().splitlines()) == 1
        assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_that_cannot_be_written_is_told(accelsim, runs, tmp_path):
    runs[0].save(tmp_path / "r")
    code, _, err = accelsim("report", tmp_path / "r", "--out", "/proc/none/report.html")
    assert (code, "cannot write /proc/none/report.html: " in err) == (2, True)
    (tmp_path / "page.html").mkdir()
    code, _, err = accelsim("report", tmp_path / "r", "--out", tmp_path / "page.html")
    assert (code, "Is a directory" in err) == (2, True)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["page.html", "r"]


def test_scores_can_contradict_a_claim(accelsim, tmp_path):
    """A step that large fools everybody: no check of attacks is asked whether it was strong."""
    line = ("score", "lenet5_digits", "-m", "ax_fpm", "--attack", "fgsm", "--epsilon", "0.5")
    code, _, err = accelsim(*line, "--images", "100", "--out", tmp_path / "s")
    assert code == 0, err
    pages = []
    for name in ("a.html", "b.html"):
        assert accelsim("report", tmp_path / "s", "--out", tmp_path / name)[0] == 0
        pages.append((tmp_path / name).read_bytes())
    assert pages[0] == pages[1]
    assert b"less than half of what fgsm 0.5 makes" in pages[0]
    assert b'class="badge">contradicted<' in pages[0]
    (tmp_path / "s" / "checks.csv").unlink()
    assert accelsim("report", tmp_path / "s", "--out", tmp_path / "without.html")[0] == 0
    text = (tmp_path / "without.html").read_text()
    assert 'class="badge">contradicted<' not in text
    assert "keeps none of the network, as of an earlier accelsim" in text
