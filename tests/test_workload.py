"""Tests of accelsim.workload and accelsim.weights."""

from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from accelsim import workload as workload_module
from accelsim.datasets import DATASETS
from accelsim.errors import ConfigError, DataError, UnknownNameError
from accelsim.registry import Registry
from accelsim.weights import read_weights
from accelsim.workload import (
    WORKLOADS,
    check_images,
    check_labels,
    load_workload,
    weights_text,
)

NAME = "lenet5_digits"


@pytest.fixture
def state():
    return load_file(WORKLOADS[NAME].weights_path)


BUILT_IN = [name for name, entry in WORKLOADS.items() if entry.dataset == "digits"]
TRAINED = [name for name, entry in WORKLOADS.items() if entry.recipe is not None]


@pytest.mark.parametrize("name", [*BUILT_IN, "mobilenet_v2", "vit_tiny"])
def test_a_workload_is_complete(name):
    """Those that take neither files nor much memory; tests/workloads has the others' shapes."""
    entry = WORKLOADS[name]
    assert entry.name == name
    model, images, labels = load_workload(name, limit=3)
    assert not model.training
    check_images(images, entry.input_shape)
    with torch.inference_mode():
        logits = model(torch.from_numpy(images))
    assert logits.shape == (3, entry.classes)
    assert logits.isfinite().all()
    assert not torch.equal(logits[0], logits[1])
    assert (labels is None) == (name not in TRAINED)


@pytest.mark.parametrize("name", WORKLOADS)
def test_weights_are_shipped_or_said_to_be_random(name):
    entry = WORKLOADS[name]
    assert entry.weights_path.is_file() == (name in TRAINED)
    assert ("random weights, seed 0" in entry.label) == (name not in TRAINED)
    digest = "" if entry.card is None else entry.card["sha256"][:16]
    assert weights_text(name) in ("random weights, seed 0", f"{entry.weights}, SHA-256 {digest}")


def test_the_shipped_weights_stay_under_20_mb():
    folder = WORKLOADS[NAME].weights_path.parent
    files = {path.name: path.stat().st_size for path in folder.glob("*.safetensors")}
    assert {*files} == {WORKLOADS[name].weights for name in TRAINED}
    assert sum(files.values()) < 20e6


@pytest.mark.parametrize("name", TRAINED)
def test_every_card_describes_its_weights(name, data_folder):
    """On the first images of the test split, or on all where they are few."""
    entry, card = WORKLOADS[name], WORKLOADS[name].card
    assert card["workload"] == name
    assert card["sha256"] == hashlib.sha256(entry.weights_path.read_bytes()).hexdigest()
    state = DATASETS[entry.dataset].state("test", data_folder)
    if state == "missing":
        pytest.skip(f"{data_folder} does not hold the test split of {entry.dataset}")
    model, images, labels = load_workload(name, data=data_folder)
    count, share = len(labels), card["test_accuracy"]
    few = min(count, 1000)
    with torch.inference_mode():
        right = model(torch.from_numpy(images[:few])).argmax(1).numpy() == labels[:few]
    tolerance = 1.5 / count if few == count else 4 * (share * (1 - share) / few) ** 0.5
    assert right.mean() == pytest.approx(share, abs=tolerance)


def test_random_weights_are_those_of_their_seed():
    state = torch.get_rng_state()
    first, again, other = (
        load_workload("lenet5_classic_digits", limit=1, weights=f"random:{seed}")
        for seed in (3, 3, 4)
    )
    assert torch.equal(torch.get_rng_state(), state)
    assert all(labels is None for _, _, labels in (first, again, other))
    weights = [model.conv1.weight for model, _, _ in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert weights_text("lenet5_classic_digits", "random:3") == "random weights, seed 3"


def test_random_weights_have_the_variance_of_he():
    """2 / inputs, in every convolution and linear layer; within 4 of its own deviations."""
    for module in load_workload("mobilenet_v2", limit=1)[0].modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            weight = module.weight.detach()
            expected, count = 2 / weight[0].numel(), weight.numel()
            # The fourth moment of a uniform one is 9/5 of its variance squared.
            assert weight.square().mean().item() == pytest.approx(
                expected, rel=4 * (0.8 / count) ** 0.5
            )


def test_lenet5_digits_classifies_96_5_percent_of_the_test_images():
    model, images, labels = load_workload(NAME)
    right = model(torch.from_numpy(images)).argmax(1).numpy() == labels
    assert right.mean() >= 0.965


def test_lenet5_digits_is_the_network_of_the_release(state):
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    assert shapes == {
        "conv1.weight": (32, 1, 3, 3),
        "conv1.bias": (32,),
        "conv2.weight": (64, 32, 3, 3),
        "conv2.bias": (64,),
        "linear1.weight": (200, 3136),
        "linear1.bias": (200,),
        "linear2.weight": (10, 200),
        "linear2.bias": (10,),
    }


def test_limit_takes_the_first_images():
    _, some, some_labels = load_workload(NAME, limit=5)
    _, images, labels = load_workload(NAME)
    np.testing.assert_array_equal(some, images[:5])
    np.testing.assert_array_equal(some_labels, labels[:5])


def test_listing_workloads_does_not_import_torch():
    code = (
        "import sys, accelsim.workload as w; assert list(w.WORKLOADS); "
        "assert 'torch' not in sys.modules and 'sklearn' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_only_the_workload_folder_is_searched(tmp_path, monkeypatch):
    """A lenet5_release.py or a workloads package in the user's directory is none of ours."""
    (tmp_path / "workloads").mkdir()
    for file in ("lenet5_release.py", "workloads/__init__.py", "workloads/lenet5_release.py"):
        (tmp_path / file).write_text("raise SystemExit('imported from the user')")
    code = "from accelsim.workload import WORKLOADS; print(WORKLOADS['lenet5_digits'].title)"
    monkeypatch.syspath_prepend(str(tmp_path))
    result = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path = {sys.path!r}; {code}"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    assert "LeNet-5" in result.stdout


def discover(folder, monkeypatch, text):
    folder.joinpath("fresh_workload.py").write_text(text)
    monkeypatch.setattr(workload_module, "resource_dir", lambda name: folder)
    shelf = Registry("workload", workload_module._import_workload_files)
    monkeypatch.setattr(workload_module, "WORKLOADS", shelf)
    monkeypatch.delitem(sys.modules, "accelsim.workloads.fresh_workload", raising=False)
    return shelf


def test_a_file_dropped_into_the_folder_is_a_workload(tmp_path, monkeypatch):
    text = "from accelsim.workload import WORKLOADS\nWORKLOADS.register('fresh', __name__)\n"
    shelf = discover(tmp_path, monkeypatch, text)
    assert shelf["fresh"] == "accelsim.workloads.fresh_workload"
    del sys.modules["accelsim.workloads.fresh_workload"]


def test_rejects_a_workload_file_that_cannot_be_imported(tmp_path, monkeypatch):
    shelf = discover(tmp_path, monkeypatch, "x = (")
    with pytest.raises(ConfigError, match=r"fresh_workload\.py cannot be imported: SyntaxError"):
        shelf["fresh"]
    assert "accelsim.workloads.fresh_workload" not in sys.modules


def test_rejects_an_unknown_workload():
    with pytest.raises(
        UnknownNameError, match=r"no workload named 'lenet'; known: .*lenet5_digits"
    ):
        load_workload("lenet")


def test_rejects_an_unknown_split():
    with pytest.raises(ConfigError, match="split must be one of train, test, got 'val'"):
        load_workload(NAME, split="val")


@pytest.mark.parametrize("limit", [0, -1, True, 2.0, "3"])
def test_rejects_a_limit_that_is_no_positive_int(limit):
    with pytest.raises(ConfigError, match=r"limit must be an int >= 1 .*, got"):
        load_workload(NAME, limit=limit)


def test_rejects_a_limit_beyond_the_split():
    with pytest.raises(
        DataError, match=r"limit asks for 361 images, but the test split .* has 360"
    ):
        load_workload(NAME, limit=361)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_weights_are_read_from_both_formats(tmp_path, state, suffix):
    state["conv1.bias"] = torch.arange(32.0)
    path = tmp_path / f"weights{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    model, *_ = load_workload(NAME, limit=1, weights=path)
    assert torch.equal(model.conv1.bias, torch.arange(32.0))


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@pytest.mark.parametrize("share", [0, 0.0001, 0.5, 0.999])
def test_rejects_truncated_weights(tmp_path, state, suffix, share):
    path = tmp_path / f"weights{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match=rf"weights file .*weights\{suffix} is not a complete"):
        load_workload(NAME, limit=1, weights=path)


def test_rejects_missing_weights_file(tmp_path):
    with pytest.raises(DataError, match=r"weights file .*none\.pt does not exist"):
        load_workload(NAME, limit=1, weights=tmp_path / "none.pt")


def test_rejects_missing_shipped_weights(tmp_path, monkeypatch):
    WORKLOADS[NAME]
    monkeypatch.setattr(workload_module, "resource_dir", lambda name: tmp_path)
    with pytest.raises(DataError, match=r"has no weights .* make them with: accelsim train lenet5"):
        load_workload(NAME, limit=1)


class Payload:
    """Unpickling it would run code."""

    def __reduce__(self):
        return exec, ("raise SystemExit('code in a weights file was run')",)


@pytest.mark.parametrize("writer", [torch.save, lambda x, p: p.write_bytes(pickle.dumps(x))])
def test_rejects_weights_that_hold_code(tmp_path, writer):
    path = tmp_path / "weights.pt"
    writer({"conv1.bias": Payload()}, path)
    with pytest.raises(DataError, match=r"weights\.pt is not a plain state dict"):
        load_workload(NAME, limit=1, weights=path)


@pytest.mark.parametrize("content", [[torch.ones(2)], {"epoch": 3}, {1: torch.ones(2)}, None])
def test_rejects_a_file_that_is_no_state_dict(tmp_path, content):
    path = tmp_path / "weights.pt"
    torch.save(content, path)
    with pytest.raises(DataError, match="must hold a state dict"):
        load_workload(NAME, limit=1, weights=path)


def test_rejects_text_as_weights(tmp_path):
    path = tmp_path / "weights.txt"
    path.write_text("hello, I am no network\n" * 10)
    with pytest.raises(DataError, match=r"weights file .*weights\.txt"):
        load_workload(NAME, limit=1, weights=path)


def test_rejects_weights_of_another_network(tmp_path, state):
    state["fc.weight"] = state.pop("linear2.weight")
    path = tmp_path / "weights.safetensors"
    save_file(state, path)
    with pytest.raises(DataError, match=r"missing linear2\.weight; unexpected fc\.weight"):
        load_workload(NAME, limit=1, weights=path)


@pytest.mark.parametrize(
    ("tensor", "reason"),
    [
        (torch.ones(31), r"conv1\.bias must be \(32,\) torch\.float32, got \(31,\)"),
        (torch.ones(32).double(), r"must be \(32,\) torch\.float32, got \(32,\) torch\.float64"),
        (torch.full((32,), torch.nan), r"conv1\.bias holds NaN or infinity"),
        (torch.full((32,), -torch.inf), r"conv1\.bias holds NaN or infinity"),
    ],
)
def test_rejects_wrong_tensors(tmp_path, state, tensor, reason):
    path = tmp_path / "weights.safetensors"
    save_file({**state, "conv1.bias": tensor}, path)
    model = WORKLOADS[NAME].build()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(DataError, match=reason):
        read_weights(model, path)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        ([[0.0]], r"must be a NumPy array \(N, 1, 2, 2\) float32, got list"),
        (np.zeros((1, 2, 2), np.float32), r"shape \(N, 1, 2, 2\), got \(1, 2, 2\)"),
        (np.zeros((3, 1, 2, 3), np.float32), r"shape \(N, 1, 2, 2\), got \(3, 1, 2, 3\)"),
        (np.zeros((0, 1, 2, 2), np.float32), r"at least one image .*, got \(0, 1, 2, 2\)"),
        (np.zeros((1, 1, 2, 2)), "must be float32, got float64"),
        (np.zeros((1, 1, 2, 2), np.uint8), "must be float32, got uint8"),
        (np.full((3, 1, 2, 2), np.nan, np.float32), "NaN or infinity in 3 of 3 images, .* image 0"),
        (np.full((1, 1, 2, 2), np.inf, np.float32), "NaN or infinity in 1 of 1 images"),
    ],
)
def test_rejects_images(images, reason):
    with pytest.raises(DataError, match=reason):
        check_images(images, (1, 2, 2))


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ([0, 1, 2], "one an image: got 3 for 2 images"),
        ([0.0, 1.0], "one-dimensional array of integers, got shape .* float64"),
        ([[0, 1]], r"one-dimensional array of integers, got shape \(1, 2\)"),
        ([0, 3], r"must lie in 0\.\.2, got 3 at index 1 \(1 in all\)"),
        ([-1, 0], r"must lie in 0\.\.2, got -1 at index 0 \(1 in all\)"),
    ],
)
def test_rejects_labels(labels, reason):
    with pytest.raises(DataError, match=reason):
        check_labels(labels, 2, 3)
