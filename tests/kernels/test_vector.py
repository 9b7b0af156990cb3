"""The vector unit has torch's bits."""

import numpy as np
import torch

from accelsim.kernels import relu


def test_relu_has_torchs_bits(rng):
    values = rng.integers(0, 2**32, 4099, dtype=np.uint32).view(np.float32)
    values[:4] = (0.0, -0.0, np.inf, -np.inf)
    values[np.isnan(values)] = np.nan
    assert relu(values).tobytes() == torch.relu(torch.from_numpy(values)).numpy().tobytes()
