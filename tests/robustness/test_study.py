"""Tests of accelsim.robustness.study: pieces are done once, in any process, and kept."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys

import pandas as pd
import pytest
import torch

from accelsim.errors import ConfigError, DataError
from accelsim.robustness import study
from accelsim.robustness.outcomes import OUTCOMES, checked_outcomes
from accelsim.robustness.pieces import Plan, Source, split
from accelsim.robustness.study import STORE, outcomes_in, run_study
from accelsim.store import Store

KNOWN = {"weights": "w", "data": "d"}


def pieces(tiny, *plans, chunk=2):
    model, images, labels = tiny
    source = Source("torch", model)
    return [
        one
        for plan in plans or (Plan("pgd", 0.2),)
        for one in split(
            "transfer",
            source,
            {"same": model},
            plan,
            images,
            labels,
            seed=1,
            batch_size=8,
            chunk=chunk,
        )
    ]


def test_processes_make_the_same_bits_in_the_same_order(tiny):
    plans = Plan("pgd", 0.2), Plan("fgsm", 0.3)
    here = run_study(pieces(tiny, *plans), KNOWN)
    assert here["image"].tolist() == [0, 1, 2, 3] * 2
    there = run_study(pieces(tiny, *plans), KNOWN, workers=2)
    pd.testing.assert_frame_equal(here, there)


def deadly(model, marker):
    """*model*, but its process is killed at the image 0.9 0.1 unless there is a file *marker*,
    which it leaves."""

    class Deadly(torch.nn.Module):  # of this function, so that processes get it as a value
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, images):
            if images[0, 0, 0, 0] > 0.85 and not (marker and marker.exists()):
                if marker:
                    marker.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return self.model(images)

    return Deadly()


NOISE = Plan("noise", 0.3, {"draws": 2})


def test_what_a_killed_worker_was_at_is_done_by_another(tiny, tmp_path):
    """Its process is killed at the second image of two; each piece arrives once all the same."""
    model, images, labels = tiny
    network = deadly(model, tmp_path / "killed"), images[:2], labels[:2]
    lines = []
    found = run_study(
        pieces(network, NOISE, chunk=1),
        KNOWN,
        folder=tmp_path,
        workers=2,
        progress=lambda *line: lines.append(line),
    )
    assert (tmp_path / "killed").exists()
    assert [line[:2] for line in lines] == [(done, 2) for done in range(3)]
    assert len({line[2] for line in lines}) == 3
    pd.testing.assert_frame_equal(found, run_study(pieces(network, NOISE, chunk=1), KNOWN))
    assert sorted(outcomes_in(tmp_path)["image"]) == [0, 1]


def test_rejects_to_go_on_where_workers_keep_being_killed(tiny, monkeypatch):
    """At a piece that kills whoever does it; once is enough here."""
    monkeypatch.setattr(study, "DEATHS", 1)
    model, images, labels = tiny
    network = deadly(model, None), images[1:2], labels[1:2]
    message = r"workers: processes were killed 1 times .* of the 1 pieces left, the first .*noise"
    with pytest.raises(ConfigError, match=message):
        run_study(pieces(network, NOISE), KNOWN, workers=2)


DRIVER = """
import pickle, sys, time
from pathlib import Path
from accelsim.robustness.study import run_study

def tell(done, total, what):
    print(done, flush=True)
    time.sleep(60 * (done == 2))

pieces = pickle.loads(Path(sys.argv[1]).read_bytes())
run_study(pieces, {}, folder=Path(sys.argv[2]), progress=tell)
"""


def test_a_study_that_was_killed_goes_on(tiny, tmp_path):
    """Killed as a whole at two pieces of four; what is kept is not done again, nothing is lost."""
    (tmp_path / "pieces").write_bytes(pickle.dumps(pieces(tiny, NOISE, chunk=1)))
    command = [sys.executable, "-c", DRIVER, str(tmp_path / "pieces"), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as killed:
        assert [killed.stdout.readline() for _ in range(3)] == ["0\n", "1\n", "2\n"]
        killed.kill()
    assert sorted(outcomes_in(tmp_path)["image"]) == [0, 1]
    lines = []
    found = run_study(
        pieces(tiny, NOISE, chunk=1), {}, folder=tmp_path, progress=lambda *one: lines.append(one)
    )
    assert [line[:2] for line in lines] == [(2, 4), (3, 4), (4, 4)]
    pd.testing.assert_frame_equal(found, run_study(pieces(tiny, NOISE, chunk=1), {}))


def test_what_is_kept_is_not_done_again(tiny, tmp_path, monkeypatch):
    """Killed at the second piece; the first is there, and the rest is the same as in one go."""
    real, asked = study.run_piece, []

    def killed(piece):
        asked.append(piece.first)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return real(piece)

    monkeypatch.setattr(study, "run_piece", killed)
    with pytest.raises(KeyboardInterrupt):
        run_study(pieces(tiny, chunk=1), KNOWN, folder=tmp_path)
    lines = []
    found = run_study(
        pieces(tiny, chunk=1), KNOWN, folder=tmp_path, progress=lambda *line: lines.append(line)
    )
    assert asked == [0, 1, 1, 2, 3]
    assert [line[:2] for line in lines] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    pd.testing.assert_frame_equal(found, run_study(pieces(tiny, chunk=1), KNOWN))


def test_other_weights_are_another_study(tiny, tmp_path, monkeypatch):
    run_study(pieces(tiny), KNOWN, folder=tmp_path)
    asked = []
    real = study.run_piece
    monkeypatch.setattr(study, "run_piece", lambda piece: asked.append(1) or real(piece))
    run_study(pieces(tiny), KNOWN, folder=tmp_path)
    assert not asked
    run_study(pieces(tiny), {**KNOWN, "weights": "others"}, folder=tmp_path)
    assert len(asked) == 2


def test_another_version_of_the_model_is_another_study(tiny, tmp_path, monkeypatch):
    """The first one's keys are those of before there was a number in them: nothing is lost."""
    counted, run = [], study.run_piece
    monkeypatch.setattr(study, "run_piece", lambda piece: counted.append(1) or run(piece))
    for version in (1, 2, 2, 1):
        monkeypatch.setattr(study, "MODEL_VERSION", version)
        run_study(pieces(tiny), KNOWN, folder=tmp_path)
    assert len(counted) == 2 * len(pieces(tiny))


def test_all_that_was_kept_is_one_table(tiny, tmp_path):
    """Of two attacks and, anew, of one of them in larger pieces, which count."""
    fgsm, pgd = Plan("fgsm", 0.3), Plan("pgd", 0.2)
    run_study(pieces(tiny, fgsm, pgd), KNOWN, folder=tmp_path)
    again = run_study(pieces(tiny, pgd, chunk=3), KNOWN, folder=tmp_path)
    before = tmp_path.stat().st_mtime_ns
    found = outcomes_in(tmp_path)
    assert tmp_path.stat().st_mtime_ns == before, "reading made files"
    assert found.groupby("attack").size().to_dict() == {"fgsm": 4, "pgd": 4}
    last = found[found["attack"] == "pgd"].reset_index(drop=True)
    pd.testing.assert_frame_equal(last, checked_outcomes(again))


def test_rejects_outcomes_of_two_networks(tiny, tmp_path):
    run_study(pieces(tiny), KNOWN, folder=tmp_path)
    with torch.no_grad():
        tiny[0][1].weight.mul_(2)
    run_study(pieces(tiny, Plan("fgsm", 0.3)), {**KNOWN, "weights": "2"}, folder=tmp_path)
    with pytest.raises(DataError, match="several networks .*: same judges image 0 unattacked in m"):
        outcomes_in(tmp_path)


def test_rejects_a_folder_without_outcomes(tmp_path):
    with pytest.raises(DataError, match=r"holds no outcomes \(outcomes.sqlite\); run a study"):
        outcomes_in(tmp_path)
    with Store(tmp_path / STORE):
        pass
    with pytest.raises(DataError, match="outcomes.sqlite is empty; run a study"):
        outcomes_in(tmp_path)
    with Store(tmp_path / STORE) as store:
        store.put("point", {name: [] for name in OUTCOMES if name not in ("seed", "cause")})
    with pytest.raises(DataError, match="sqlite is damaged: outcomes in it lack seed, cause"):
        outcomes_in(tmp_path)


def test_rejects_nothing_and_the_same_twice(tiny):
    with pytest.raises(ConfigError, match="there is nothing to study"):
        run_study([], KNOWN)
    with pytest.raises(ConfigError, match="two pieces of the study are the same: transfer"):
        run_study(pieces(tiny, Plan("fgsm"), Plan("fgsm")), KNOWN)
    with pytest.raises(ConfigError, match="workers must be an int >= 1, got 0"):
        run_study(pieces(tiny), KNOWN, workers=0)


def test_an_error_of_a_piece_keeps_what_was_done(tiny, tmp_path, monkeypatch):
    real = study.run_piece

    def failing(piece):
        if piece.first == 2:
            raise DataError("broken")
        return real(piece)

    monkeypatch.setattr(study, "run_piece", failing)
    with pytest.raises(DataError, match="broken"):
        run_study(pieces(tiny), KNOWN, folder=tmp_path)
    monkeypatch.setattr(study, "run_piece", lambda piece: real(piece) if piece.first else 1 / 0)
    assert len(run_study(pieces(tiny), KNOWN, folder=tmp_path)) == 4
