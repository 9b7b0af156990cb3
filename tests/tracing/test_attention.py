"""Scaled-dot-product attention and transformers: taken apart in trace and module alike."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention as attend

import accelsim
from accelsim.errors import TraceError
from accelsim.machine import run_machine

IMAGES = np.random.default_rng(0).standard_normal((2, 6, 5, 1)).astype(np.float32)


class Attention(nn.Module):
    """Two heads of three channels over five tokens; *how* calls the attention."""

    def __init__(self, how):
        super().__init__()
        torch.manual_seed(0)
        self.how = how
        self.qkv = nn.Linear(6, 18)
        self.out = nn.Linear(6, 2)
        self.register_buffer("bias", torch.randn(5, 5))
        self.register_buffer("seen", torch.rand(2, 5, 5) > 0.5)
        self.seen |= torch.eye(5, dtype=torch.bool)
        self.mha = nn.MultiheadAttention(6, 2, batch_first=True)
        self.encoder = nn.TransformerEncoderLayer(6, 2, 8, batch_first=True, activation="gelu")
        self.first = nn.TransformerEncoderLayer(6, 2, 8, batch_first=True, norm_first=True)
        self.register_buffer("causal", nn.Transformer.generate_square_subsequent_mask(5))

    def forward(self, x):
        x = x.flatten(2).transpose(1, 2)
        q, k, v = self.qkv(x).unflatten(-1, (3, 2, 3)).permute(2, 0, 3, 1, 4)
        return self.out(self.how(self, x, q, k, v))


def joined(y):
    return y.transpose(1, 2).flatten(2)


HOW = {
    "plain": lambda m, x, q, k, v: joined(attend(q, k, v)),
    "scaled": lambda m, x, q, k, v: joined(attend(q, k, v, scale=0.3)),
    "causal": lambda m, x, q, k, v: joined(attend(q, k, v, is_causal=True)),
    "biased": lambda m, x, q, k, v: joined(attend(q, k, v, attn_mask=m.bias)),
    "masked": lambda m, x, q, k, v: joined(attend(q, k, v, attn_mask=m.seen)),
    "made_mask": lambda m, x, q, k, v: joined(
        attend(q, k, v, attn_mask=torch.ones(5, 5, dtype=torch.bool).tril() | m.seen[0])
    ),
    "one_head": lambda m, x, q, k, v: attend(x, x, x),
    "module": lambda m, x, q, k, v: m.mha(x, x, x, need_weights=False)[0],
    "module_with_weights": lambda m, x, q, k, v: m.mha(x, x, x)[0],
    "module_with_mask": lambda m, x, q, k, v: m.mha(x, x, x, attn_mask=m.causal)[0],
    "by_hand": lambda m, x, q, k, v: joined(
        (q @ k.mT / 3**0.5).masked_fill(~m.seen, -torch.inf).softmax(-1) @ v
    ),
    "added_by_hand": lambda m, x, q, k, v: joined((q @ k.mT * 0.6 + m.causal).softmax(-1) @ v),
    "encoder": lambda m, x, q, k, v: m.encoder(x),
    "norm_first": lambda m, x, q, k, v: m.first(x, src_mask=m.causal),
}


def attention(name):
    return Attention(HOW[name]).eval()


@pytest.mark.parametrize("name", HOW)
def test_machine_trace_and_module_agree_bit_for_bit(name, agree, roomy):
    agree(attention(name), IMAGES, roomy)


@pytest.mark.parametrize("name", HOW)
def test_results_and_gradients_are_torchs_within_float_rounding(name, beside_torch):
    (expected, gradient), (got, own) = beside_torch(attention(name), IMAGES)
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(own, gradient, rtol=1e-4, atol=1e-5)


def test_layers_of_a_masked_attention():
    layers = accelsim.trace(attention("causal"), IMAGES).layers
    path = "scaled_dot_product_attention"
    assert [(layer.name, layer.op) for layer in layers] == [
        ("qkv", "linear"),
        (f"{path}_scores", "matmul"),
        (f"{path}_scale", "mul"),
        (f"{path}_mask", "add"),
        (f"{path}_softmax", "softmax"),
        (path, "matmul"),
        ("out_copy", "copy"),
        ("out", "linear"),
    ]


def test_products_of_attention_run_on_the_unit():
    with torch.no_grad():
        images = torch.from_numpy(IMAGES)
        net = attention("one_head")
        exact, rough = (
            accelsim.nn.approximate(net, multiplier=unit)(images)
            for unit in ("exact_fp32", "ax_fpm")
        )
    assert not torch.equal(exact, rough)


def test_integer_units_quantize_scores_and_weights(roomy):
    """Four ranges for an attention: queries and keys, weights and values."""
    net = attention("encoder")
    traced = accelsim.trace(net, IMAGES, calibration=IMAGES)
    outputs = run_machine(traced, roomy.replace(multiplier="exact_int8")).outputs
    module = accelsim.nn.approximate(net, multiplier="exact_int8", calibration=IMAGES)
    with torch.no_grad():
        assert outputs.tobytes() == module(torch.from_numpy(IMAGES)).numpy().tobytes()


NOTHING = torch.ones(5, 5, dtype=torch.bool).tril(-1)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (lambda m, x, q, k, v: joined(attend(q, k, v, dropout_p=0.5)), "dropout_p=0.5 is not mod"),
        (lambda m, x, q, k, v: joined(attend(q, k, v, attn_mask=NOTHING)), "nothing to attend to"),
        (
            lambda m, x, q, k, v: joined(attend(q, k[:, :1], v[:, :1], enable_gqa=True)),
            "enable_gqa=True is not modelled",
        ),
    ],
)
def test_module_and_trace_reject_the_same(how, message):
    net = Attention(how).eval()
    with pytest.raises(TraceError, match=message):
        accelsim.trace(net, IMAGES)
    with torch.no_grad(), pytest.raises(TraceError, match=message):
        accelsim.nn.approximate(net)(torch.from_numpy(IMAGES))


def test_rejects_a_mask_of_the_images():
    net = Attention(lambda m, x, q, k, v: joined(attend(q, k, v, attn_mask=q @ k.mT))).eval()
    with pytest.raises(TraceError, match="attn_mask must not depend on the images"):
        accelsim.trace(net, IMAGES)
