"""A unit's sums of products beside the exact ones, layer by layer, of the same operands."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from accelsim.errors import ConfigError
from accelsim.nn import ApproximateModule, approximate
from accelsim.nn.operators import Unit
from accelsim.nn.sums import AdjustedModule, LayerCall
from accelsim.workload import check_images

__all__ = ["compare_sums", "exactly"]

See = Callable[[LayerCall, Tensor], None]


def exactly(net: ApproximateModule) -> ApproximateModule:
    """Return *net*'s network on the exact float32 unit: the same bits however it is batched."""
    return approximate(net.network, multiplier="exact_fp32", gradient="none").eval()


def compare_sums(
    net: ApproximateModule, images: NDArray[np.float32], see: See, batch_size: int
) -> None:
    """Run the exact network and show *see* each layer's exact sums beside those of *net*'s unit.

    Each layer of the unit reads what the exact layers before it made, so that a layer's error is
    its own. No sum has the bias in it.

    Parameters
    ----------
    net : ApproximateModule
        Its units, with their accumulators and calibration, are looked at.
    images : (N, ...) float32
    see : callable
        Called with a `LayerCall` of the exact layer and the unit's sums, layer by layer, batch by
        batch.
    batch_size : int

    Raises
    ------
    ConfigError
        If *batch_size* is not an int >= 1.
    DataError
        If *images* cannot be used.
    """
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ConfigError(f"batch_size must be an int >= 1, got {batch_size!r}")
    check_images(images, any_rank=True)
    exact = exactly(net)
    for first in range(0, len(images), batch_size):
        # A new one for each batch, since it counts the calls.
        unit = Unit(net.network, net.units)

        def show(call: LayerCall, unit: Unit = unit) -> Tensor:
            see(call, call.compute(unit, call.first, call.second))
            return call.sums

        batch = torch.from_numpy(np.ascontiguousarray(images[first : first + batch_size]))
        with torch.no_grad():
            AdjustedModule(exact, adjust=show)(batch)
        unit.finish()
