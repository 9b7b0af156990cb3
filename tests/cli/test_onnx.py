"""Verbs that take a network from an ONNX file."""

import json

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs the onnx package: pip install 'accelsim[onnx]'")

from accelsim.workload import WORKLOADS, load_workload, weights_hash  # noqa: E402


@pytest.fixture(autouse=True)
def no_default_folder(monkeypatch):
    monkeypatch.delenv("ACCELSIM_DATA", raising=False)


def save(path, size, seed=0):
    """Write a network of digits of *size* pixels, or of any (None), to *path*."""
    random, make = np.random.default_rng(seed), onnx.helper.make_node
    arrays = {
        "w": random.standard_normal((2, 1, 5, 5)), "fc.w": random.standard_normal((10, 2)),
    }  # fmt: skip
    nodes = [
        make("Conv", ["x", "w"], ["a"], name="/conv/Conv", strides=[4, 4]),
        make("Relu", ["a"], ["b"], name="/act/Relu"),
        make("MaxPool", ["b"], ["c"], name="/pool/MaxPool", kernel_shape=[6, 6]),
        make("Flatten", ["c"], ["d"], name="/flatten/Flatten"),
        make("Gemm", ["d", "fc.w"], ["y"], name="/fc/Gemm", transB=1),
    ]
    info, kind = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        nodes, "digits", [info("x", kind, ("N", 1, size, size))], [info("y", kind, ("N", 10))],
        [onnx.numpy_helper.from_array(one.astype(np.float32), key) for key, one in arrays.items()],
    )  # fmt: skip
    opsets = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


@pytest.fixture
def net(tmp_path):
    return save(tmp_path / "net.onnx", 28)


def test_simulate_runs_a_file_on_a_set_that_is_named(accelsim, net):
    line = ("simulate", net, "--data", "digits", "--images", "2", "-m", "exact_uint8", "--json")
    code, out, err = accelsim(*line)
    assert code == 0, err
    found = json.loads(out)[0]
    assert found["summary"]["workload"] == str(net)
    assert found["summary"]["accuracy"] is not None
    # The ReLU is done as the convolution leaves the array.
    layers = ["conv_Conv", "pool_MaxPool", "fc_Gemm"]
    assert [row["layer"] for row in found["layers"]] == layers


def test_simulate_needs_no_data_for_cycles(accelsim, net):
    line = ("simulate", net, "--images", "2", "--timing-only", "--json", "-m", "exact_uint8")
    code, out, err = accelsim(*line)
    made_up = json.loads(out)[0]["summary"]
    assert (code, made_up["workload"], made_up["accuracy"]) == (0, str(net), None)
    assert "its images are random" in err.replace("\n", " ")
    real = json.loads(accelsim(*line, "--data", "digits")[1])[0]["summary"]
    assert made_up["latency_cycles"] == real["latency_cycles"]


def test_says_which_data_are_missing(accelsim, net, tmp_path):
    code, _, err = accelsim("simulate", save(tmp_path / "open.onnx", None), "--timing-only")
    assert code == 2
    text = err.replace("\n", " ")
    assert "size of its images open (1x?x?), so the data must be named (--data): " in text
    code, _, err = accelsim("simulate", save(tmp_path / "small.onnx", 25), "--data", "digits")
    assert (code, "takes images of 1x25x25, but those of 'digits' have 1x28x28" in err) == (2, True)


def test_says_what_is_wrong_with_the_file(accelsim, tmp_path):
    path = tmp_path / "bad.onnx"
    code, _, err = accelsim("simulate", path, "--timing-only")
    assert (code, "cannot be read: No such file" in err.replace("\n", " ")) == (2, True)
    path.write_bytes(b"nothing of the kind")
    code, _, err = accelsim("simulate", path, "--timing-only")
    assert (code, "is no ONNX file" in err.replace("\n", " ")) == (2, True)


def test_sweep_show_and_train_know_it(accelsim, net, tmp_path):
    grid = ("--vary", "array.rows=8,16", "--timing-only", "--workers", "1", "--json")
    code, out, err = accelsim("sweep", net, "--data", "digits", *grid, "--out", tmp_path / "w")
    assert code == 0, err
    code, out, _ = accelsim("show", net)
    assert code == 0
    assert "ONNX opset 17, 5 nodes" in out
    assert "1x28x28" in out
    code, _, err = accelsim("train", net, "--data", "digits", "--out", tmp_path / "w.safetensors")
    assert (code, "has no recipe to train it by" in err.replace("\n", " ")) == (2, True)


def test_its_hash_is_that_of_its_weights(net, tmp_path):
    """Wherever these lie."""
    before = weights_hash(str(net))
    assert before == weights_hash(str(net))
    assert before != weights_hash(str(save(tmp_path / "other.onnx", 28, seed=1)))
    onnx.save(onnx.load(net), net, save_as_external_data=True, location="w", size_threshold=0)
    outside = weights_hash(str(net))
    data = bytearray((tmp_path / "w").read_bytes())
    data[2] ^= 1
    (tmp_path / "w").write_bytes(data)
    assert weights_hash(str(net)) != outside


def test_the_entry_says_what_the_file_says(net):
    entry = WORKLOADS[str(net)]
    assert (entry.input_shape, entry.classes) == ((1, 28, 28), 10)
    assert entry.dataset == "random:1x28x28"
    model, images, labels = load_workload(str(net), limit=3, data="digits")
    assert (images.shape, labels.shape, model.training) == ((3, 1, 28, 28), (3,), False)
