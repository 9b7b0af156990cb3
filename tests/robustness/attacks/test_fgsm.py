"""Tests of accelsim.robustness.attacks.fgsm."""

from __future__ import annotations

import numpy as np
import torch

from accelsim.robustness.attacks import ATTACKS


def test_fgsm_is_one_step_of_its_definition(lenet):
    """x' = clip(x + epsilon * sign(gradient of the cross entropy), 0, 1), here by torch."""
    model, images, labels = lenet
    x = torch.from_numpy(images).clone().requires_grad_()
    loss = torch.nn.functional.cross_entropy(model(x), torch.from_numpy(labels))
    (gradient,) = torch.autograd.grad(loss, x)
    expected = (x + 0.1 * gradient.sign()).clamp(0, 1).detach().numpy()
    examples = ATTACKS["fgsm"].run(model, images, labels, classes=10, epsilon=0.1).examples
    # A gradient of about 0 may change its sign with the order of torch's sums.
    assert (np.abs(examples - expected) < 1e-6).mean() > 0.999
