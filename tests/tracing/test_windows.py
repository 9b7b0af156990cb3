"""Windows, padding, moves, concatenations: traced, on a tiny machine, and as a module."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

import accelsim
from accelsim.errors import MappingError, TraceError
from accelsim.kernels.network import run_trace
from accelsim.machine import run_machine

IMAGES = np.random.default_rng(0).standard_normal((2, 4, 6, 7)).astype(np.float32)

# Two slots of 72 words: images of 4 x 42 words and signals of 4 x 42 are cut into tiles.
TINY = accelsim.Accelerator.preset("tiny_4x4").replace(
    **{f"glb.{name}_kib": 2 * 72 * 4 / 1024 for name in ("ifmap", "weight", "ofmap")}
)


class Calls(nn.Module):
    """A function of images and of some layers."""

    def __init__(self, function):
        super().__init__()
        torch.manual_seed(0)
        self.function = function
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.signal = nn.Conv1d(4, 6, 3, padding=1, stride=2)
        self.lopsided = nn.Conv2d(4, 3, (2, 4), padding="same")
        self.reflected = nn.Conv2d(4, 2, 3, padding=(1, 2), padding_mode="reflect")
        self.up = nn.ConvTranspose2d(4, 3, 3, 2, 1, 1)
        self.up_groups = nn.ConvTranspose2d(4, 4, 2, (2, 3), (2, 0), groups=2, dilation=(1, 2))
        self.up_signal = nn.ConvTranspose1d(4, 2, 3, 3, 4, 2, dilation=2)
        self.token = nn.Parameter(torch.randn(1, 1, 4))

    def forward(self, x):
        return self.function(self, x)


def tokens(x):
    return x.flatten(2).transpose(1, 2)


def pooled_signal(m, x):
    y = functional.avg_pool1d(m.signal(x.flatten(2)), 3, 2, 1, True, count_include_pad=False)
    return functional.max_pool1d(y, 2)


def adaptive_signal(m, x):
    y = functional.adaptive_avg_pool1d(m.signal(x.flatten(2)), 8)
    return functional.adaptive_max_pool1d(y, 3)


def unet(m, x):
    """Down, up again in two ways, and beside what was there before."""
    down = functional.max_pool2d(m.conv(x), 2, ceil_mode=True)
    up = functional.interpolate(m.conv(down), size=x.shape[2:], mode="bilinear")
    return torch.cat([x, m.up(down)[..., :6, :7], torch.relu(up)], 1)


def padded_on_all_sides(m, x):
    return functional.pad(m.conv(x), (1, 2, -1, 0, 1, 1), value=2.0)


def with_class_token(m, x):
    """A parameter among the operands, the same for all images."""
    return torch.cat([m.token.expand(len(x), -1, -1), tokens(m.conv(x))], 1)


def shuffled_groups(m, x):
    first, second = m.conv(x).chunk(2, 1)
    return torch.stack([first, second], 2).flatten(1, 2)


def of_one_layer(m, x):
    """A layer called twice, its output read by three, an operand taken twice."""
    y = m.conv(x)
    return torch.cat([m.conv(y), y, y[:, :1], functional.avg_pool2d(y, 3, 1, 1)], 1)


MODELS = {
    "conv1d": lambda m, x: m.signal(x.flatten(2)),
    "lopsided": lambda m, x: m.lopsided(x),
    "reflected": lambda m, x: m.reflected(m.conv(x)),
    "transposed": lambda m, x: m.up(m.conv(x)),
    "transposed_groups": lambda m, x: m.up_groups(x),
    "transposed_signal": lambda m, x: m.up_signal(x.flatten(2)),
    "constant": padded_on_all_sides,
    "circular": lambda m, x: m.conv(functional.pad(x, (1, 2, 0, 3), mode="circular")),
    "replicated": lambda m, x: functional.pad(m.signal(x.flatten(2)), (3, 1), mode="replicate"),
    "cropped": lambda m, x: m.conv(functional.pad(x, (-1, -1, -2, 0))),
    "channels": lambda m, x: functional.pad(m.conv(x)[:, :, ::2, ::2], (0, 0, 0, 0, 2, 3)),
    "pooled_signal": pooled_signal,
    "adaptive_signal": adaptive_signal,
    "adaptive_avg": lambda m, x: functional.adaptive_avg_pool2d(m.conv(x), (3, 4)),
    "adaptive_max": lambda m, x: functional.adaptive_max_pool2d(m.conv(x), (4, 2)),
    "more_than_pixels": lambda m, x: functional.adaptive_avg_pool2d(m.conv(x), (9, 8)),
    "global": lambda m, x: functional.adaptive_avg_pool2d(m.conv(x), 1).flatten(1),
    "mean": lambda m, x: m.conv(x).mean((2, 3)),
    "mean_of_channels": lambda m, x: m.conv(x).mean(1, keepdim=True),
    "mean_apart": lambda m, x: m.conv(x).mean((1, 3), keepdim=True),
    "mean_of_tokens": lambda m, x: torch.mean(tokens(m.conv(x)), 1),
    "global_max": lambda m, x: m.conv(x).amax((-1, -2)),
    "without_indices": lambda m, x: functional.max_pool2d(x, 2, return_indices=True)[0],
    "nearest": lambda m, x: m.conv(functional.interpolate(m.conv(x), scale_factor=2)),
    "nearest_exact": lambda m, x: functional.interpolate(m.conv(x), (9, 4), mode="nearest-exact"),
    "nearest_signal": lambda m, x: functional.interpolate(m.signal(x.flatten(2)), 50),
    "bilinear": lambda m, x: m.conv(
        functional.interpolate(x, scale_factor=(1.7, 2), mode="bilinear")
    ),
    "corners": lambda m, x: functional.interpolate(
        m.conv(x), (9, 4), mode="bilinear", align_corners=True
    ),
    "linear": lambda m, x: functional.interpolate(
        m.signal(x.flatten(2)), scale_factor=2, mode="linear"
    ),
    "flipped": lambda m, x: m.conv(x.flip(2, 3, 1)),
    "rolled": lambda m, x: torch.roll(m.conv(x), (1, -2), (2, 3)),
    "repeated": lambda m, x: m.conv(x[:, :2].repeat(1, 2, 1, 1)),
    "pixels_from_channels": lambda m, x: functional.max_pool2d(
        functional.pixel_shuffle(m.conv(x), 2), 3, 1
    ),
    "channels_from_pixels": lambda m, x: functional.pixel_unshuffle(m.conv(x)[..., 1:], 3),
    "mixed_channels": lambda m, x: m.conv(functional.channel_shuffle(m.conv(x), 2)),
    "interleaved": lambda m, x: m.conv(x).repeat_interleave(2, dim=3),
    "unet": unet,
    "concat_of_columns": lambda m, x: torch.cat([m.conv(x), x.flip(3)[..., 1:]], -1),
    "concat_of_features": lambda m, x: torch.cat([tokens(x), tokens(m.conv(x))], -1),
    "with_class_token": with_class_token,
    "shuffled_groups": shuffled_groups,
    "of_one_layer": of_one_layer,
}  # fmt: skip


def check(net, machine, multiplier="ax_fpm", **how):
    """The trace computes what the module does, machine, trace and module on a unit the same."""
    traced, images = accelsim.trace(net, IMAGES, **how), torch.from_numpy(IMAGES)
    own = accelsim.nn.approximate(net, multiplier=multiplier, **how)
    with torch.no_grad():
        expected, module = net(images).numpy(), own(images).numpy()
    outputs = run_trace(traced, "exact_fp32", "float64").reshape(expected.shape)
    # Both round to float32, in other orders.
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)
    machine = machine.replace(multiplier=multiplier)
    orders = accelsim.accumulation_orders(traced, machine)
    if machine.array.dataflow == "rs":
        own = accelsim.nn.approximate(net, multiplier=multiplier, orders=orders, **how)
        with torch.no_grad():
            module = own(images).numpy()
    bits = run_machine(traced, machine).outputs.tobytes()
    assert bits == run_trace(traced, multiplier, "auto", orders=orders).tobytes()
    assert bits == module.tobytes()
    return traced


@pytest.mark.parametrize("name", MODELS)
def test_machine_trace_and_module_agree(name):
    check(Calls(MODELS[name]).eval(), TINY)


@pytest.mark.parametrize("dataflow", ["os", "is", "rs"])
def test_in_other_dataflows_and_from_layer_to_layer_in_the_glb(dataflow):
    glb = {f"glb.{name}_kib": 4.0 for name in ("ifmap", "weight", "ofmap")}
    machine = TINY.replace(
        **glb,
        **{"array.dataflow": dataflow, "glb.unified": True, "glb.forwarding": dataflow != "rs"},
    )
    for name in ("unet", "transposed", "adaptive_signal"):
        check(Calls(MODELS[name]).eval(), machine)


@pytest.mark.parametrize("scheme", [None, accelsim.nn.Scheme("affine", "affine", False)])
def test_units_of_integers_quantize_the_zeros_like_any_activation(scheme):
    how = {"multiplier": "exact_int8", "calibration": IMAGES}
    for name in ("transposed_groups", "lopsided", "conv1d"):
        net = Calls(MODELS[name]).eval()
        traced = accelsim.trace(net, IMAGES, calibration=IMAGES)
        own = accelsim.nn.approximate(net, scheme=scheme, **how)
        with torch.no_grad():
            expected = own(torch.from_numpy(IMAGES)).numpy()
        outputs = run_trace(traced, "exact_int8", "auto", scheme)
        assert outputs.tobytes() == expected.tobytes()


@settings(max_examples=15)
@given(st.data())
def test_transposed_convolutions_of_any_form(data):
    """Kernel, stride, padding beyond the kernel's reach, dilation, groups, output padding."""

    def pair(low, high):
        return data.draw(st.tuples(st.integers(low, high), st.integers(low, high)))

    stride, dilation, groups = pair(1, 3), pair(1, 2), data.draw(st.integers(1, 2))
    more = [data.draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True)]
    net = nn.ConvTranspose2d(
        4, 2 * groups, pair(1, 3), stride, pair(0, 2), more, groups, dilation=dilation
    )
    traced = accelsim.trace(net, IMAGES)
    with torch.no_grad():
        expected = net(torch.from_numpy(IMAGES)).numpy()
        own = accelsim.nn.approximate(net)(torch.from_numpy(IMAGES)).numpy()
    outputs = run_trace(traced, "exact_fp32", "float64")
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)
    assert run_trace(traced, "ax_fpm", "float32").tobytes() == own.tobytes()


def layers_of(function, images=IMAGES):
    return accelsim.trace(Calls(function).eval(), images).layers


def test_a_transposed_convolution_is_zeros_between_pixels_and_a_convolution():
    """6 x 7 pixels at stride 2 are 11 x 13, with output padding 12 x 14; margins 3 - 1 - 1."""
    spread, conv = layers_of(lambda m, x: m.up(x))
    assert (spread.name, spread.op, spread.output_shape) == ("up_spread", "spread", (2, 4, 12, 14))
    assert spread.window.rows == (0, -1, 1, -1, 2, -1, 3, -1, 4, -1, 5, -1)
    assert (conv.name, conv.op, conv.source) == ("up", "conv_transpose2d", "up_spread")
    assert (conv.shape.padding, conv.shape.stride) == ((1, 1), (1, 1))
    # Products with the zeros are counted.
    assert conv.shape.macs == 2 * 3 * (12 * 14) * 4 * 9
    alone = nn.ConvTranspose2d(4, 2, 3, padding=1)
    assert [layer.op for layer in accelsim.trace(alone, IMAGES).layers] == ["conv_transpose2d"]


def test_what_is_no_more_than_a_part_costs_nothing():
    assert [layer.op for layer in layers_of(MODELS["cropped"])] == ["conv2d"]


def test_lopsided_padding_is_added_where_it_is_more():
    pad, conv = layers_of(lambda m, x: m.lopsided(x))
    assert pad.output_shape == (2, 4, 7, 8)
    assert conv.shape.padding == (0, 1)


def test_a_concatenation_reads_every_word_once_and_writes_it_once():
    """3 x 4 words of an image, and 4 of a parameter: 16 words in, 16 out, through one lane."""
    net = Calls(with_class_token).eval()
    net.conv = nn.Identity()
    images = IMAGES[:1, :, :3, :1].copy()
    record = run_machine(accelsim.trace(net, images), TINY).layers[-1]
    assert (record.op, record.outputs) == ("concat", 16)
    counts = {key: count for key, count in record.counts.items() if count}
    moves = [("dram", "read"), ("dram", "write"), ("glb.ifmap", "read"), ("glb.ofmap", "read")]
    moves += [("glb.ifmap", "write"), ("glb.ofmap", "write")]
    assert counts == dict.fromkeys(moves, 16)
    assert record.compute_cycles == sum(-(-words // TINY.vector_unit.lanes) for words in (12, 4))


@pytest.mark.parametrize("name", ["with_class_token", "unet", "mean_apart", "transposed"])
def test_a_batch_of_a_trace_is_the_trace_of_a_batch(name):
    net = Calls(MODELS[name]).eval()
    cut, own = accelsim.trace(net, IMAGES).batch(1), accelsim.trace(net, IMAGES[:1])
    with torch.no_grad():
        expected = net(torch.from_numpy(IMAGES[:1])).numpy()
    for traced in (cut, own):
        outputs = run_trace(traced, "exact_fp32", "float64").reshape(expected.shape)
        np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            lambda m, x: functional.max_pool2d(x, 2, return_indices=True)[1].flatten(1),
            "the indices of a maximum pooling are not modelled, nor is unpooling",
        ),
        (
            lambda m, x: functional.max_unpool2d(
                *functional.max_pool2d(x, 2, return_indices=True), 2
            ),
            "nor is unpooling; upsample, or use a transposed convolution",
        ),
        (
            lambda m, x: functional.conv3d(x[:, None], m.conv.weight[:, :1, None]),
            "operator .conv3d. in Calls is not modelled; windows go along one dimension or two",
        ),
        (
            lambda m, x: functional.interpolate(x, scale_factor=2, mode="bicubic"),
            "operator .upsample_bicubic2d. .* is not modelled; interpolate with mode 'nearest'",
        ),
        (
            lambda m, x: functional.conv_transpose2d(x, m.up.weight[..., :1, :1], padding=(3, 0)),
            r"padding \(3, 0\) leaves nothing of \(6, 7\) pixels|cannot trace",
        ),
        (lambda m, x: torch.cat([x, x]), "cat of .* mixes images"),
        (lambda m, x: x.flip(0), "flip of .* mixes images"),
        (lambda m, x: torch.roll(x, 1), "roll of all elements mixes images; give dims"),
        (lambda m, x: x.mean(0), "mean of .* mixes images"),
        (lambda m, x: x.mean(), "mean of .* mixes images"),
        (lambda m, x: x.mean((2, 3), dtype=torch.float64), "mean in another type is not modelled"),
        (
            lambda m, x: torch.cat([m.conv.weight[:2, :, 0].mT[..., :4], tokens(x)], 1),
            "cat of .* mixes images",
        ),
        (
            lambda m, x: functional.conv2d(x[:, :, 0], m.conv.weight),
            "expected a tensor of 4 dimensions|cannot trace",
        ),
    ],
)  # fmt: skip
def test_rejects_what_is_not_modelled(function, message):
    with pytest.raises(TraceError, match=message):
        layers_of(function)


def test_rejects_a_mean_of_more_than_a_slot_holds():
    """A window lies in the GLB as a whole: 6 x 7 pixels in a slot of 36 words do not."""
    small = TINY.replace(**{"glb.ifmap_kib": 72 * 4 / 1024, "glb.ofmap_kib": 1})
    traced = accelsim.trace(Calls(lambda m, x: x.mean((2, 3))).eval(), IMAGES)
    with pytest.raises(MappingError, match="layer 'mean' fits no tiling: one ofmap row needs 42"):
        run_machine(traced, small)
