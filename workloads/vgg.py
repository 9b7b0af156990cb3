"""VGG-11 and VGG-16 for ImageNet: 3x3 convolutions in five stages, without batch norm."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from accelsim.workload import WORKLOADS, Workload

if TYPE_CHECKING:
    from torch import nn


def build(convolutions: Sequence[int]) -> nn.Module:
    """Return the untrained network: (N, 3, 224, 224) images to (N, 1000) logits.

    Five stages of 64, 128, 256, 512 and 512 channels, each of as many *convolutions* 3x3 pad 1 with
    ReLU and a pool 2; average pool to 7x7; linear 25088-4096-4096-1000. Parameters are named as in
    torchvision's.
    """
    from torch import nn

    from accelsim.normalization import imagenet_normalization

    layers: list[nn.Module] = []
    channels = 3
    for width, count in zip((64, 128, 256, 512, 512), convolutions, strict=True):
        for _ in range(count):
            layers += [nn.Conv2d(channels, width, kernel_size=3, padding=1), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(
        OrderedDict(
            normalization=imagenet_normalization(),
            features=nn.Sequential(*layers),
            avgpool=nn.AdaptiveAvgPool2d((7, 7)),
            flatten=nn.Flatten(),
            classifier=nn.Sequential(
                nn.Linear(512 * 7 * 7, 4096),
                nn.ReLU(),
                nn.Dropout(),
                nn.Linear(4096, 4096),
                nn.ReLU(),
                nn.Dropout(),
                nn.Linear(4096, 1000),
            ),
        )
    )


for depth, convolutions in ((11, (1, 1, 2, 2, 2)), (16, (2, 2, 3, 3, 3))):
    WORKLOADS.register(
        f"vgg{depth}",
        Workload(
            name=f"vgg{depth}",
            title=f"VGG-{depth} for ImageNet",
            dataset="random:3x224x224",
            build=partial(build, convolutions),
            input_shape=(3, 224, 224),
            classes=1000,
            source=(
                "K. Simonyan and A. Zisserman, 'Very Deep Convolutional Networks for Large-Scale "
                "Image Recognition', ICLR 2015 (configurations A and D)"
            ),
        ),
    )
