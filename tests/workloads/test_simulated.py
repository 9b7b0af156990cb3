"""Every network of the zoo on the machine, at its own size: torch's logits and published MACs."""

import numpy as np
import pytest
import torch

import accelsim
from accelsim.nn import approximate
from accelsim.workload import WORKLOADS, load_workload

BOUND = 1e-5
"""Largest difference of a logit, in units of the largest: 84 roundings of float32.

The machine adds products in k order, up to 25,088 a sum; torch's BLAS in an order of its own. The
largest difference seen is 4.4e-6 (VGG-16); an operator that is wrong is off by 1e-2 and more.
"""


def loaded(name, batch):
    """Return the network, so many images of noise, and what torch makes of them."""
    shape = WORKLOADS[name].input_shape
    noise = f"random:{'x'.join(map(str, shape))}"
    model, images, labels = load_workload(name, limit=batch, data=noise)
    assert images.shape == (batch, *shape)
    assert labels is None
    with torch.inference_mode():
        return model, images, model(torch.from_numpy(images)).numpy()


def check(run, expected, name):
    """Assert that logits are *expected* but for the order of sums, and MACs as published."""
    assert np.abs(run.outputs - expected).max() <= BOUND * np.abs(expected).max()
    assert run.summary["macs"][0] == len(expected) * MACS[name]


@pytest.mark.parametrize("name", WORKLOADS)
def test_three_images_get_the_logits_of_torch(name):
    model, images, expected = loaded(name, 3)
    check(accelsim.simulate(accelsim.trace(model, images), "server_64x64"), expected, name)


@pytest.fixture(scope="module", params=WORKLOADS)
def one_image(request):
    """The name of a network, its trace of an image, torch's logits, and the module's."""
    model, images, expected = loaded(request.param, 1)
    module = approximate(model, multiplier="exact_fp32", gradient="none")
    same = module(torch.from_numpy(images)).numpy()
    return request.param, accelsim.trace(model, images), expected, same


@pytest.mark.parametrize("dataflow", ["os", "ws", "is"])
def test_one_image_gets_the_logits_of_torch_and_the_bits_of_the_module(one_image, dataflow):
    name, trace, expected, same = one_image
    machine = accelsim.Accelerator.preset("server_64x64").replace(**{"array.dataflow": dataflow})
    run = accelsim.simulate(trace, machine)
    check(run, expected, name)
    np.testing.assert_array_equal(run.outputs, same)


MACS = {
    "alexnet": 714_188_480,
    "alexnet_2012": 724_406_816,
    "alexnet_2012_ungrouped": 1_135_256_096,
    "alexnet_cifar10": 24_155_136,
    "lenet5_classic_digits": 416_520,
    "lenet5_classic_mnist": 416_520,
    "lenet5_digits": 4_467_664,
    "lenet5_mnist": 4_467_664,
    "mobilenet_v2": 300_774_272,
    "resnet18": 1_814_073_344,
    "resnet50": 4_089_184_256,
    "vgg11": 7_609_090_048,
    "vgg16": 15_470_264_320,
    "vit_tiny": 1_253_683_200,
}
"""Name -> MACs of an image; `test_zoo` has what is published of them."""
