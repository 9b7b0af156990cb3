"""AlexNet for ImageNet: the one-column network in common use, and that of the 2012 paper."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING

from accelsim.workload import WORKLOADS, Workload

if TYPE_CHECKING:
    from torch import nn


def build() -> nn.Module:
    """Return the one-column network: (N, 3, 224, 224) images to (N, 1000) logits, 714 M MACs each.

    conv 64 11x11 stride 4 pad 2, pool 3/2, conv 192 5x5 pad 2, pool 3/2, conv 384, 256 and 256 of
    3x3 pad 1, pool 3/2, average pool to 6x6, linear 9216-4096-4096-1000. Parameters are named as in
    torchvision's.
    """
    from torch import nn

    features = nn.Sequential(
        nn.Conv2d(3, 64, kernel_size=11, stride=4, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Conv2d(64, 192, kernel_size=5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Conv2d(192, 384, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 256, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.Conv2d(256, 256, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=3, stride=2),
    )
    return _network(features, nn.AdaptiveAvgPool2d((6, 6)))


def build_2012(groups: int) -> nn.Module:
    """Return the paper's network: (N, 3, 227, 227) images to (N, 1000) logits.

    conv 96 11x11 stride 4, pool 3/2, conv 256 5x5 pad 2, pool 3/2, conv 384, 384 and 256 of 3x3
    pad 1, pool 3/2, linear 9216-4096-4096-1000. With 2 *groups*, as on the paper's two GPUs, the
    second, fourth and fifth convolution see half of the channels each: 724 M MACs, with one 1.14 G.
    """
    from torch import nn

    features = nn.Sequential(
        nn.Conv2d(3, 96, kernel_size=11, stride=4),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Conv2d(96, 256, kernel_size=5, padding=2, groups=groups),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Conv2d(256, 384, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 384, kernel_size=3, padding=1, groups=groups),
        nn.ReLU(),
        nn.Conv2d(384, 256, kernel_size=3, padding=1, groups=groups),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=3, stride=2),
    )
    return _network(features, nn.Identity())


def _network(features: nn.Module, pooling: nn.Module) -> nn.Module:
    from torch import nn

    from accelsim.normalization import imagenet_normalization

    return nn.Sequential(
        OrderedDict(
            normalization=imagenet_normalization(),
            features=features,
            avgpool=pooling,
            flatten=nn.Flatten(),
            classifier=nn.Sequential(
                nn.Dropout(),
                nn.Linear(256 * 6 * 6, 4096),
                nn.ReLU(),
                nn.Dropout(),
                nn.Linear(4096, 4096),
                nn.ReLU(),
                nn.Linear(4096, 1000),
            ),
        )
    )


PAPER = (
    "A. Krizhevsky, I. Sutskever and G. E. Hinton, 'ImageNet Classification with Deep "
    "Convolutional Neural Networks', NIPS 2012"
)

WORKLOADS.register(
    "alexnet",
    Workload(
        name="alexnet",
        title="AlexNet (one column, as in torchvision) for ImageNet",
        dataset="random:3x224x224",
        build=build,
        input_shape=(3, 224, 224),
        classes=1000,
        source=(
            "A. Krizhevsky, 'One weird trick for parallelizing convolutional neural networks', "
            f"arXiv 1404.5997, 2014, after {PAPER}"
        ),
    ),
)

for name, groups, words in (
    ("alexnet_2012", 2, "two groups"),
    ("alexnet_2012_ungrouped", 1, "without groups"),
):
    WORKLOADS.register(
        name,
        Workload(
            name=name,
            title=f"AlexNet (2012, {words}, without local response normalization) for ImageNet",
            dataset="random:3x227x227",
            build=partial(build_2012, groups),
            input_shape=(3, 227, 227),
            classes=1000,
            source=f"{PAPER}; local response normalization is left out",
        ),
    )
