"""Matmuls of activations in an approximated module: bits, gradients, ranges, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from accelsim import kernels
from accelsim.dataflows.order import AccumulationOrder
from accelsim.errors import ConfigError, DataError, TraceError
from accelsim.multipliers import MULTIPLIERS
from accelsim.nn import Calibration, Scheme, approximate, calibrate
from accelsim.quantization import quantize_matmul

SCHEMES = [Scheme(), Scheme("affine", "affine"), Scheme("symmetric", "symmetric", False)]


class Call(nn.Module):
    """A function of two tensors, which come stacked, and of a matrix of parameters."""

    def __init__(self, function):
        super().__init__()
        torch.manual_seed(0)
        self.function = function
        self.matrix = nn.Parameter(torch.randn(4, 3))

    def forward(self, x):
        return self.function(self, x[:, 0], x[:, 1])


@pytest.fixture
def images():
    """Three images of two operands, each of two heads of 4 x 4."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, 2, 2, 4, 4, generator=generator)


def four(images):
    """The same as (N, C, H, W) for calibration."""
    return images.reshape(len(images), 4, 4, 4)


WAYS = {
    "@": lambda m, a, b: a @ b,
    "torch.matmul": lambda m, a, b: torch.matmul(a, other=b),
    "method": lambda m, a, b: a.matmul(b),
    "linalg": lambda m, a, b: torch.linalg.matmul(a, b),
    "bmm": lambda m, a, b: torch.bmm(a.flatten(0, 1), mat2=b.flatten(0, 1)).view(a.shape),
    "bmm method": lambda m, a, b: a.flatten(0, 1).bmm(b.flatten(0, 1)).view(a.shape),
    "mm": lambda m, a, b: torch.stack(
        [torch.mm(x, y) for x, y in zip(a.flatten(0, 1), b.flatten(0, 1), strict=True)]
    ).view(a.shape),
    "aten": lambda m, a, b: torch.ops.aten.matmul.default(a, b),
}


@pytest.mark.parametrize("multiplier", ["ax_fpm", "exact_fp32", "mitchell_fp32"])
@pytest.mark.parametrize("way", WAYS)
def test_outputs_are_the_kernels_bits_however_it_is_called(images, multiplier, way):
    a, b = (images[:, at].reshape(-1, 4, 4).numpy() for at in (0, 1))
    expected = kernels.matmul(multiplier, "float32", a, b)
    got = approximate(Call(WAYS[way]), multiplier=multiplier)(images)
    assert got.detach().numpy().tobytes() == expected.tobytes()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("multiplier", ["exact_int8", "drum6_u16", "exact_uint8"])
def test_outputs_of_integer_units_are_the_kernels_bits(images, multiplier, scheme):
    """Two ranges a product, the second operand's quantized as weights are, with one scale."""
    net, unit = Call(WAYS["@"]), MULTIPLIERS[multiplier]
    ranges = ((-2.0, 1.5), (-0.5, 3.0))
    layer = quantize_matmul(ranges, unit.operands, scheme, "mul")
    a, b = (images[:, at].reshape(-1, 4, 4).numpy() for at in (0, 1))
    expected = kernels.matmul_quantized(unit, "auto", layer, a, b)
    module = approximate(net, multiplier=multiplier, calibration=Calibration(ranges), scheme=scheme)
    assert module(images).detach().numpy().tobytes() == expected.tobytes()


@pytest.mark.parametrize("multiplier", ["ax_fpm", "exact_int8"])
def test_outputs_depend_neither_on_the_batch_nor_on_threads(images, multiplier):
    net = approximate(
        Call(WAYS["@"]), multiplier=multiplier, calibration=Calibration(((-2, 2), (-2, 2)))
    )
    outputs, threads = net(images), torch.get_num_threads()
    assert torch.equal(torch.cat([net(image[None]) for image in images]), outputs)
    try:
        torch.set_num_threads(3)
        assert torch.equal(net(images), outputs)
    finally:
        torch.set_num_threads(threads)


def test_calibration_has_a_range_for_each_operand_in_the_order_of_calls(images):
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.fc = nn.Linear(4, 4)

        def forward(self, x):
            a, b = x[:, :2], x[:, 2:]
            return (self.fc(a) @ b) @ (2 * b)

    net, x = Two().eval(), four(images)
    with torch.no_grad():
        first, b = net.fc(x[:, :2]), x[:, 2:]
        read = [x[:, :2], first, b, first @ b, 2 * b]
    ranges = calibrate(net, x).ranges
    assert len(ranges) == 5
    for got, tensor in zip(ranges, read, strict=True):
        np.testing.assert_allclose(got, (tensor.min(), tensor.max()), rtol=1e-5, atol=1e-6)
    sixteen = approximate(net, multiplier="exact_int16", calibration=x)(x)
    torch.testing.assert_close(sixteen, net(x), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("multiplier", ["ax_fpm", "exact_int8"])
def test_a_matrix_of_parameters_makes_a_linear_layer(images, multiplier):
    """Its weights are quantized by their own ranges, per filter; only the activation has one."""
    x = four(images)
    matmuls = Call(lambda m, a, b: (a @ m.matrix) @ m.matrix.t())
    linears = Call(lambda m, a, b: F.linear(F.linear(a, m.matrix.t()), m.matrix))
    assert len(calibrate(matmuls, x).ranges) == 2
    got, expected = (
        approximate(one, multiplier=multiplier, calibration=x)(x) for one in (matmuls, linears)
    )
    assert torch.equal(got, expected)


BROADCAST = [((3, 2), (3, 2)), ((3, 2), (3, 1)), ((3, 1), (3, 2)), ((3,), ()), ((), (3, 2))]


@pytest.mark.parametrize(("first", "second"), BROADCAST)
def test_exact_gradients_are_torchs_for_both_operands(first, second):
    """With an exact unit and with an approximate one: straight through."""
    torch.manual_seed(0)
    a, b = torch.randn(*first, 4, 5), torch.randn(*second, 5, 6)
    grads = torch.randn(torch.matmul(a, b).shape)

    class Product(nn.Module):
        def forward(self, a, b):
            return a @ b

    found = []
    for module in (
        Product(),
        *(approximate(Product(), multiplier=m) for m in ("exact_fp32", "ax_fpm")),
    ):
        operands = [one.clone().requires_grad_() for one in (a, b)]
        module(*operands).backward(grads)
        found.append([one.grad for one in operands])
    for got in found[1:]:
        for one, exact in zip(got, found[0], strict=True):
            torch.testing.assert_close(one, exact, rtol=1e-5, atol=1e-5)


def test_gradients_reach_a_matrix_of_parameters(images):
    exact, unit = (Call(lambda m, a, b: a @ m.matrix) for _ in range(2))
    net = approximate(unit, multiplier="exact_fp32")
    for module in (exact, net):
        module(images).square().sum().backward()
    torch.testing.assert_close(net.network.matrix.grad, exact.matrix.grad, rtol=1e-4, atol=1e-4)


def test_gradients_through_the_table_of_an_exact_unit_are_near_the_exact_ones(images):
    net, x = Call(WAYS["@"]), four(images)
    found = []
    for gradient in ("exact", "unit"):
        module = approximate(net, multiplier="exact_int8", calibration=x, gradient=gradient)
        values = x.clone().requires_grad_()
        module(values).backward(torch.ones(3, 4, 4))
        found.append(values.grad)
    assert not torch.equal(*found)
    torch.testing.assert_close(found[1], found[0], rtol=0.05, atol=0.05)


def test_gradient_none_carries_none(images):
    net = approximate(Call(WAYS["@"]), gradient="none")
    assert not net(images.requires_grad_()).requires_grad


def test_rejects_the_units_gradient_without_a_table():
    with pytest.raises(ConfigError, match="ax_fpm"):
        approximate(Call(WAYS["@"]), multiplier="ax_fpm", gradient="unit")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda m, a, b: a @ b[..., :3, :], r"must be .*\(3, 2, 4, 4\) and \(3, 2, 3, 4\)"),
        (lambda m, a, b: a @ b[0, 0, 0], r"operands must be .* unsqueeze or transpose one"),
        (lambda m, a, b: a @ b[:, :, None].expand(3, 2, 5, 4, 4), "do not broadcast; expand or"),
        (lambda m, a, b: a @ b.double(), "other must be float32 on the CPU, got torch.float64"),
    ],
)
def test_rejects_operands_that_do_not_fit(images, function, message):
    with pytest.raises(DataError, match=f"a call of matmul: .*{message}"):
        approximate(Call(function))(images)


def test_rejects_results_that_are_written_elsewhere(images):
    net = approximate(Call(lambda m, a, b: torch.matmul(a, b, out=torch.empty_like(a))))
    with torch.no_grad(), pytest.raises(TraceError, match="multiplies and accumulates"):
        net(images)


def test_rejects_calibrations_of_other_networks(images):
    few, many = Calibration(((0, 1),)), Calibration(((0, 1),) * 3)
    with pytest.raises(DataError, match="a call of matmul is called as number 1, but calibration"):
        approximate(Call(WAYS["@"]), multiplier="exact_int8", calibration=few)(images)
    with pytest.raises(DataError, match=r"called 1 .* read 2 activations, but .* ranges for 3"):
        approximate(Call(WAYS["@"]), multiplier="exact_int8", calibration=many)(images)


def test_rejects_orders_of_other_networks(images):
    order = AccumulationOrder(np.arange(4), np.array([2, 2]))
    twice = Call(lambda m, a, b: (a @ b) @ b)
    for net, orders in ((twice, [order]), (Call(WAYS["@"]), [order, order])):
        with pytest.raises(DataError, match=r"called (as number )?[12].* there are [12] orders"):
            approximate(net, multiplier="exact_fp32", orders=orders)(images)
    with pytest.raises(DataError, match="a call of matmul: called as number 2"):
        approximate(twice, multiplier="exact_fp32", orders=[order])(images)


def test_operands_without_a_range_are_told():
    net = Call(lambda m, a, b: (a @ b) @ (1 / (b - b)))
    with pytest.raises(DataError, match="a call of matmul: its activations hold NaN or infinity"):
        calibrate(net, torch.ones(1, 4, 4, 4))
