"""Every network of the zoo: what it takes and gives, and its counts beside published ones."""

import re
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from accelsim.workload import WORKLOADS

PUBLISHED = {
    # torchvision's documentation of its weights: parameters, "GFLOPS" (it counts MACs).
    "alexnet": (61_100_840, 0.71),
    "vgg11": (132_863_336, 7.61),
    "vgg16": (138_357_544, 15.47),
    "resnet18": (11_689_512, 1.81),
    "resnet50": (25_557_032, 4.09),
    "mobilenet_v2": (3_504_872, 0.30),
    # Caffe's model zoo (CaffeNet has the same layers); "724 M" of many tables, Eyeriss' among them.
    "alexnet_2012": (60_965_224, 0.72),
    # The same without groups: 1.07 G in its convolutions, 58.6 M in its linear layers.
    "alexnet_2012_ungrouped": (62_378_344, 1.14),
    # timm: 5.72 M parameters, 1.26 G MACs with the products of attention.
    "vit_tiny": (5_717_416, 1.25),
    # LeCun et al. 1998 and successors: 61,706 parameters with every map of C3 fed by all of S2.
    "lenet5_classic_digits": (61_706, 0.000416520),
    "lenet5_classic_mnist": (61_706, 0.000416520),
    # The paper's release, and this project's AlexNet for CIFAR-10.
    "lenet5_digits": (648_226, 0.004467664),
    "lenet5_mnist": (648_226, 0.004467664),
    "alexnet_cifar10": (2_896_650, 0.024155136),
}
"""Name -> parameters, and G MACs of an image to as many digits as are given."""


def counted(name):
    """Return parameters, MACs of an image and shape of the logits; no value is made for that."""
    entry = WORKLOADS[name]
    with torch.device("meta"):
        model, image = entry.build().eval(), torch.empty(1, *entry.input_shape)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        logits = model(image)
    parameters = sum(one.numel() for one in model.parameters())
    return parameters, counter.get_total_flops() // 2, logits.shape


def test_every_workload_has_published_counts():
    assert {*WORKLOADS} == {*PUBLISHED}


@pytest.mark.parametrize("name", WORKLOADS)
def test_counts_are_the_published_ones(name):
    parameters, giga_macs = PUBLISHED[name]
    found, macs, logits = counted(name)
    assert found == parameters
    assert logits == (1, WORKLOADS[name].classes)
    digits = max(2, len(str(giga_macs).partition(".")[2]))
    assert round(macs / 1e9, digits) == giga_macs


def test_the_page_of_networks_has_these_counts():
    """Each network has a row: input, MACs, parameters, where its weights are from, accuracy."""
    page = Path(__file__).parents[2] / "docs" / "networks.md"
    rows = re.findall(r"^\| `(\w+)` \|(.*)\|$", page.read_text(), re.M)
    cells = {name: [cell.strip() for cell in row.split("|")] for name, row in rows}
    assert {*cells} == {*WORKLOADS}
    for name, (_, size, macs, parameters, weights, accuracy) in cells.items():
        entry = WORKLOADS[name]
        found, counted_macs, _ = counted(name)
        assert size == "x".join(map(str, entry.input_shape))
        assert (macs, parameters) == (f"{counted_macs:,}", f"{found:,}")
        told = "random", ""
        if entry.card is not None:
            share, images = entry.card["test_accuracy"], entry.card["data"]["test"]["images"]
            told = "trained", f"{100 * share:.2f} % of {images:,}"
        assert (weights, accuracy) == told
