"""A module, its trace and the machine, to be the same in all bits."""

import numpy as np
import pytest
import torch

import accelsim
from accelsim.kernels.network import run_trace
from accelsim.machine import run_machine

SMALL = accelsim.Accelerator.preset("tiny_4x4").replace(
    **{f"glb.{name}_kib": 0.25 for name in ("ifmap", "weight", "ofmap")},
    **{"array.rows": 2, "array.cols": 2},
)
"""Tiles of 32 words of each operand: a layer takes several."""


@pytest.fixture
def small():
    return SMALL


@pytest.fixture
def roomy():
    """Tiles of 64 words of each operand."""
    return SMALL.replace(**{f"glb.{name}_kib": 0.5 for name in ("ifmap", "weight", "ofmap")})


@pytest.fixture
def beside_torch():
    """Return outputs of a module, and gradients of their squares, by torch and by an exact unit."""

    def both(net, images):
        found = []
        for module in (net, accelsim.nn.approximate(net, multiplier="exact_fp32")):
            leaves = torch.from_numpy(images).requires_grad_()
            outputs = module(leaves)
            outputs.square().sum().backward()
            found.append((outputs.detach(), leaves.grad))
        return found

    return both


@pytest.fixture
def agree():
    """Return the trace of a module whose outputs on machine, kernels and unit are the same."""

    def check(net, images, machine=SMALL):
        traced = accelsim.trace(net, images)
        result = run_machine(traced, machine)
        module = accelsim.nn.approximate(net, multiplier=machine.multiplier)
        with torch.no_grad():
            expected = module(torch.from_numpy(images)).numpy()
        assert result.outputs.tobytes() == expected.tobytes()
        reference = run_trace(traced, machine.multiplier, machine.accumulator)
        assert np.ascontiguousarray(reference).tobytes() == expected.tobytes()
        timing = run_machine(traced, machine, values=False)
        assert timing.layers == result.layers
        first = images[:1].copy()
        assert traced.batch(1).fingerprint == accelsim.trace(net, first).fingerprint
        return traced

    return check
