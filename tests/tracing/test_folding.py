"""Batch norms folded into the layers before them: the same network within float rounding."""

import numpy as np
import pytest
import torch
from torch import nn

import accelsim
from accelsim.errors import TraceError
from accelsim.kernels.network import run_trace

IMAGES = np.random.default_rng(0).standard_normal((2, 4, 6, 6)).astype(np.float32)


class Net(nn.Module):
    """A residual block of batch norms, one that reads a sum, one behind a linear layer."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv1 = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1, groups=2)
        self.bn2 = nn.BatchNorm2d(4, affine=False)
        self.bn3 = nn.BatchNorm2d(4)
        self.fc = nn.Linear(144, 8)
        self.bn4 = nn.BatchNorm1d(8)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2)
                if module.affine:
                    nn.init.normal_(module.weight)
                    nn.init.normal_(module.bias)

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn3(self.bn2(self.conv2(y)) + x))
        return self.bn4(self.fc(y.flatten(1)))


def test_folded_outputs_are_the_same_within_float_rounding():
    """In float64 sums: weights and results round once, 2^-24 relative, through four layers."""
    net = Net().eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    folded = accelsim.fold_batch_norms(net, IMAGES)
    results = [
        run_trace(accelsim.trace(one, IMAGES), "exact_fp32", "float64") for one in (net, folded)
    ]
    scale = np.abs(results[0]).max()
    assert 0 < np.abs(results[1] - results[0]).max() <= 16 * 2.0**-24 * scale
    with torch.no_grad():
        expected = net(torch.from_numpy(IMAGES)).numpy()
    np.testing.assert_allclose(results[1].reshape(expected.shape), expected, rtol=1e-5, atol=1e-5)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())


def test_what_follows_weights_is_folded_and_the_rest_is_not(agree):
    folded = accelsim.fold_batch_norms(Net().eval(), IMAGES)
    kinds = {name: type(module).__name__ for name, module in folded.named_children()}
    assert [kinds[f"bn{number}"] for number in (1, 2, 3, 4)] == [
        "Identity",
        "Identity",
        "BatchNorm2d",
        "Identity",
    ]
    traced = agree(folded, IMAGES)
    assert [layer.op for layer in traced.layers] == [
        "conv2d",
        "relu",
        "conv2d",
        "add",
        "scale_shift",
        "relu",
        "linear",
    ]


class Twice(nn.Module):
    """What must stay: a layer that others read or that is called twice, a norm called twice."""

    def __init__(self, how):
        super().__init__()
        self.how = how
        self.one, self.two = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)
        self.bn = nn.BatchNorm2d(4)

    def forward(self, x):
        return self.how(self, x)


@pytest.mark.parametrize(
    "how",
    [
        lambda m, x: m.bn(y := m.one(x)) + y,
        lambda m, x: m.bn(m.one(m.one(x))),
        lambda m, x: m.bn(m.two(m.bn(m.one(x)))),
        lambda m, x: m.bn(m.one(x) + m.two.bias[:, None, None]),
    ],
)
def test_what_is_shared_is_not_folded(how):
    net = Twice(how).eval()
    folded = accelsim.fold_batch_norms(net, IMAGES)
    assert isinstance(folded.bn, nn.BatchNorm2d)
    with torch.no_grad():
        assert torch.equal(folded(torch.from_numpy(IMAGES)), net(torch.from_numpy(IMAGES)))


def test_rejects_training_mode():
    with pytest.raises(TraceError, match="Net is in training mode.* call model.eval"):
        accelsim.fold_batch_norms(Net(), IMAGES)
