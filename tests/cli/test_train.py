"""Tests of accelsim train: weights that simulate takes, and going on after an interruption."""

SIMULATE = ("simulate", "lenet5_digits", "--images", "1")


def test_train(accelsim, tmp_path):
    weights = tmp_path / "w.safetensors"
    code, out, _ = accelsim("train", "lenet5_digits", "--epochs", "1", "--out", weights)
    assert code == 0
    assert "test accuracy" in out
    assert accelsim(*SIMULATE, "--weights", weights, "--timing-only")[0] == 0


def test_an_interrupted_training_goes_on(accelsim, tmp_path, monkeypatch):
    from accelsim.training.fitting import Fit

    line = ("train", "lenet5_classic_digits", "--epochs", "2", "--out", tmp_path / "w.safetensors")
    step = Fit._step

    def interrupt(self):
        if self.state()["done"] == 45:  # the first epoch
            raise KeyboardInterrupt
        step(self)

    with monkeypatch.context() as patch:
        patch.setattr(Fit, "_step", interrupt)
        code, _, err = accelsim(*line)
    assert (code, f"command goes on from {tmp_path / 'w.checkpoint'}" in err) == (130, True)
    code, _, err = accelsim(*line, "--seed", "1")
    assert (code, "of another training: seed 0 there, 1 here" in err) == (2, True)
    code, out, err = accelsim(*line)
    assert (code, f"goes on from {tmp_path / 'w.checkpoint'}" in err) == (0, True)
    assert "test accuracy" in out
