"""Networks of the zoo on the machine: logits as torch has them, and MACs as they are published."""

from functools import partial

import numpy as np
import pytest
import torch

import accelsim
from accelsim.weights import draw_model
from accelsim.workload import WORKLOADS, load_workload

ROOMY = accelsim.Accelerator.preset("server_64x64")


def check_logits(model, images):
    """Assert that the machine's logits are torch's but for the order of sums."""
    run = accelsim.simulate(accelsim.trace(model, images), ROOMY)
    with torch.inference_mode():
        expected = model(torch.from_numpy(images)).numpy()
    scale = float(np.abs(expected).max())
    np.testing.assert_allclose(run.outputs / scale, expected / scale, atol=1e-5)


def test_alexnet_with_its_normalization_keeps_its_logits():
    model, images, labels = load_workload("alexnet_cifar10", limit=2, data="random:3x32x32")
    assert labels is None
    check_logits(model, images)


SMALL = {
    "mobilenet_v2": WORKLOADS["mobilenet_v2"].build,
    "resnet18": WORKLOADS["resnet18"].build,
    "vit_tiny": partial(WORKLOADS["vit_tiny"].build, size=32, depth=2),
}
"""Networks that take 32x32 pixels as well; the transformer in a smaller form."""


@pytest.mark.parametrize("name", SMALL)
def test_small_inputs_give_the_logits_of_torch(name, rng):
    model = draw_model(SMALL[name], 0).eval()
    check_logits(model, rng.random((1, 3, 32, 32), np.float32))


TIMED = {"mobilenet_v2": 300_774_272, "resnet50": 4_089_184_256, "vit_tiny": 1_253_683_200}
"""Name -> MACs of an image; every operator of the zoo is in one of these."""


@pytest.mark.parametrize("name", TIMED)
def test_a_large_network_is_timed(name):
    model, images, _ = load_workload(name, limit=1)
    run = accelsim.simulate(accelsim.trace(model, images, name=name), ROOMY, values=False)
    assert run.summary["macs"][0] == TIMED[name]
    assert run.outputs is None
