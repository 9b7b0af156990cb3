"""The process around verbs: interruptions, streams that fail, settings from the environment."""

import signal
import subprocess
import sys

COMMAND = [sys.executable, "-c", "from accelsim.cli import main; main()"]
SIMULATE = ("simulate", "lenet5_digits", "--images", "1")


def test_interrupted_verbs_say_what_is_kept(accelsim, tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("accelsim.simulation.run_program", interrupt)
    code, _, err = accelsim(*SIMULATE, "--out", tmp_path / "r")
    assert code == 130
    assert f"0 of 1 runs are kept in {tmp_path / 'r'}; the same command" in err
    monkeypatch.setattr("accelsim.training.fitting.Fit.run", interrupt)
    code, _, err = accelsim("train", "lenet5_digits", "--out", tmp_path / "w.safetensors")
    assert (code, "was not written; the same command starts again" in err) == (130, True)
    monkeypatch.setattr("accelsim.robustness.evaluation.judge", interrupt)
    code, _, err = accelsim("score", "lenet5_digits", "--images", "5", "--out", tmp_path / "s")
    assert code == 130
    assert f"0 pieces are kept in {tmp_path / 's'}; the same command goes on" in err


def test_an_interruption_inside_an_import_is_still_one(monkeypatch, accelsim):
    def half_imported(*_):
        signal.raise_signal(signal.SIGINT)

    def run(*_):
        try:
            half_imported()
        except KeyboardInterrupt:
            raise AttributeError("module 'sympy' has no attribute 'printing'") from None

    monkeypatch.setattr("accelsim.cli._run", run)
    code, _, err = accelsim("list")
    assert (code, err) == (130, "accelsim: interrupted\n")


def test_a_full_disk_for_the_output_is_one_line():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, "list", "presets"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 1
    assert done.stderr.strip() == "accelsim: error: No space left on device"


def test_output_that_nobody_reads_is_no_traceback():
    command = " ".join(["exec", repr(sys.executable), "-c", repr(COMMAND[2]), "show", "cmos45"])
    done = subprocess.run(
        ["bash", "-c", f"({command}) | head -1"], capture_output=True, text=True, timeout=120
    )
    assert "Traceback" not in done.stderr


def test_a_malformed_number_of_threads_is_told_at_once(accelsim, monkeypatch):
    monkeypatch.setenv("ACCELSIM_THREADS", "many")
    code, _, err = accelsim("list", "presets")
    assert code == 2
    assert "ACCELSIM_THREADS must be an int >= 1, got 'many'" in err
