"""State dicts of the usual implementations load: their names and shapes, written out here."""

from itertools import pairwise

import pytest
import torch

from accelsim.errors import DataError
from accelsim.weights import read_weights
from accelsim.workload import WORKLOADS, load_workload


def layer(name, *weight, bias=True):
    return {f"{name}.weight": weight, **({f"{name}.bias": weight[:1]} if bias else {})}


def batch_norm(name, channels):
    ends = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{end}": (channels,) for end in ends} | {f"{name}.num_batches_tracked": ()}


def alexnet(widths, kernels, shares):
    """Five convolutions, then three linear layers."""
    state, places = {}, (0, 3, 6, 8, 10)
    inputs = (3, *widths)
    for place, (before, after), kernel, share in zip(
        places, pairwise(inputs), kernels, shares, strict=True
    ):
        state |= layer(f"features.{place}", after, before // share, kernel, kernel)
    sizes = (9216, 4096, 4096, 1000)
    for place, (before, after) in zip((1, 4, 6), pairwise(sizes), strict=True):
        state |= layer(f"classifier.{place}", after, before)
    return state


def vgg(places, widths):
    state = {}
    for place, (before, after) in zip(places, pairwise((3, *widths)), strict=True):
        state |= layer(f"features.{place}", after, before, 3, 3)
    sizes = (25088, 4096, 4096, 1000)
    for place, (before, after) in zip((0, 3, 6), pairwise(sizes), strict=True):
        state |= layer(f"classifier.{place}", after, before)
    return state


def resnet(blocks, kernels, factor):
    state = layer("conv1", 64, 3, 7, 7, bias=False) | batch_norm("bn1", 64)
    inputs = 64
    for stage, (count, width) in enumerate(zip(blocks, (64, 128, 256, 512), strict=True), start=1):
        for number in range(count):
            name, outputs = f"layer{stage}.{number}", width * factor
            channels = (inputs, *[width] * (len(kernels) - 1), outputs)
            for place, (kernel, (before, after)) in enumerate(
                zip(kernels, pairwise(channels), strict=True), start=1
            ):
                state |= layer(f"{name}.conv{place}", after, before, kernel, kernel, bias=False)
                state |= batch_norm(f"{name}.bn{place}", after)
            if inputs != outputs or (number == 0 and stage > 1):
                state |= layer(f"{name}.downsample.0", outputs, inputs, 1, 1, bias=False)
                state |= batch_norm(f"{name}.downsample.1", outputs)
            inputs = outputs
    return state | layer("fc", 1000, inputs)


def mobilenet_v2():
    widths = [16, *[24] * 2, *[32] * 3, *[64] * 4, *[96] * 3, *[160] * 3, 320]
    state = layer("features.0.0", 32, 3, 3, 3, bias=False) | batch_norm("features.0.1", 32)
    for number, (before, after) in enumerate(pairwise([32, *widths]), start=1):
        name, hidden = f"features.{number}.conv", before * (1 if number == 1 else 6)
        last = 1 if number == 1 else 2
        if number > 1:
            state |= layer(f"{name}.0.0", hidden, before, 1, 1, bias=False)
            state |= batch_norm(f"{name}.0.1", hidden)
        state |= layer(f"{name}.{last - 1}.0", hidden, 1, 3, 3, bias=False)
        state |= batch_norm(f"{name}.{last - 1}.1", hidden)
        state |= layer(f"{name}.{last}", after, hidden, 1, 1, bias=False)
        state |= batch_norm(f"{name}.{last + 1}", after)
    state |= layer("features.18.0", 1280, 320, 1, 1, bias=False)
    state |= batch_norm("features.18.1", 1280)
    return state | layer("classifier.1", 1000, 1280)


def deit_tiny():
    state = {"cls_token": (1, 1, 192), "pos_embed": (1, 197, 192)}
    state |= layer("patch_embed.proj", 192, 3, 16, 16)
    for number in range(12):
        name = f"blocks.{number}"
        state |= layer(f"{name}.norm1", 192) | layer(f"{name}.norm2", 192)
        state |= layer(f"{name}.attn.qkv", 576, 192) | layer(f"{name}.attn.proj", 192, 192)
        state |= layer(f"{name}.mlp.fc1", 768, 192) | layer(f"{name}.mlp.fc2", 192, 768)
    return state | layer("norm", 192) | layer("head", 1000, 192)


PAPER = (96, 256, 384, 384, 256)
USUAL = {
    "alexnet": alexnet((64, 192, 384, 256, 256), (11, 5, 3, 3, 3), (1, 1, 1, 1, 1)),
    "alexnet_2012": alexnet(PAPER, (11, 5, 3, 3, 3), (1, 2, 1, 2, 2)),
    "alexnet_2012_ungrouped": alexnet(PAPER, (11, 5, 3, 3, 3), (1, 1, 1, 1, 1)),
    "vgg11": vgg((0, 3, 6, 8, 11, 13, 16, 18), (64, 128, 256, 256, 512, 512, 512, 512)),
    "vgg16": vgg(
        (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
        (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512),
    ),
    "resnet18": resnet((2, 2, 2, 2), (3, 3), 1),
    "resnet50": resnet((3, 4, 6, 3), (1, 3, 1), 4),
    "mobilenet_v2": mobilenet_v2(),
    "vit_tiny": deit_tiny(),
}


@pytest.mark.parametrize("name", USUAL)
def test_names_and_shapes_are_the_usual_ones(name):
    with torch.device("meta"):
        state = WORKLOADS[name].build().state_dict()
    assert {key: tuple(tensor.shape) for key, tensor in state.items()} == USUAL[name]


@pytest.fixture
def hub():
    """A state dict of MobileNetV2 as a hub has it, with values."""
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.tensor(7)
        if name.endswith("num_batches_tracked")
        else torch.rand(shape, generator=generator)
        for name, shape in USUAL["mobilenet_v2"].items()
    }


@pytest.mark.parametrize("counters", [True, False])
def test_a_state_dict_of_a_hub_loads(tmp_path, hub, counters):
    """Old files lack the counters of batch norms."""
    kept = {name: one for name, one in hub.items() if counters or "num_batches" not in name}
    torch.save(kept, tmp_path / "hub.pth")
    model, _, labels = load_workload("mobilenet_v2", limit=1, weights=tmp_path / "hub.pth")
    assert labels is None
    state = model.state_dict()
    assert torch.equal(
        state["features.3.conv.1.1.running_var"], hub["features.3.conv.1.1.running_var"]
    )
    assert torch.equal(state["classifier.1.weight"], hub["classifier.1.weight"])


def test_rejects_a_state_dict_that_lacks_a_mean(tmp_path, hub):
    del hub["features.3.conv.1.1.running_mean"]
    torch.save(hub, tmp_path / "hub.pth")
    with pytest.raises(DataError, match=r"missing features\.3\.conv\.1\.1\.running_mean$"):
        read_weights(WORKLOADS["mobilenet_v2"].build(), tmp_path / "hub.pth")


def test_the_released_lenet5_loads_and_has_its_accuracy(real_data):
    """984 of the first 1,000 test images; of all 10,000 it is the 9,889 that others measured."""
    path = real_data / "defensive_approximation" / "trained_lenet5.pt"
    if not path.is_file():
        pytest.skip(f"{path} does not exist")
    model, images, labels = load_workload("lenet5_mnist", limit=1000, weights=path, data=real_data)
    with torch.inference_mode():
        found = model(torch.from_numpy(images)).argmax(1)
    assert (found.numpy() == labels).sum() == 984
