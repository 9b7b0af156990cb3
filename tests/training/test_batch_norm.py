"""Tests of accelsim.training.batch_norm."""

import pytest
import torch
from torch import nn

from accelsim.training.batch_norm import fold_batch_norm, insert_batch_norm


@pytest.mark.parametrize("bias", [True, False])
def test_the_folded_network_does_what_the_normalized_one_did(bias):
    torch.manual_seed(0)
    own = nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4))
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=bias), nn.ReLU(), own, nn.Flatten(), nn.Linear(16, 2)
    )
    images = torch.randn(8, 3, 4, 4)
    names = list(net.state_dict())
    insert_batch_norm(net)
    assert [type(module) for module in net.modules()].count(nn.BatchNorm2d) == 3
    net(images)  # in train mode: means and variances move
    expected = net.eval()(images)
    fold_batch_norm(net)
    torch.testing.assert_close(net(images), expected, rtol=1e-5, atol=1e-6)
    # What the network had of its own stays; a folded convolution has a bias.
    added = set() if bias else {"0.bias"}
    assert {*net.state_dict()} == {*names} | added
