"""Noise of a layer's outputs against how far its input patch and its filter correlate."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from accelsim.errors import ConfigError, DataError
from accelsim.nn import ApproximateModule
from accelsim.nn.operators import Unit
from accelsim.nn.sums import LayerCall
from accelsim.robustness.analyses.sums import compare_sums, exactly
from accelsim.robustness.attack import checked_seed

__all__ = ["MEASURES", "by_correlation", "correlation_trends", "sample_outputs"]

MEASURES = ("noise", "relative", "residual", "residual_relative")
"""Columns of `sample_outputs` that are magnitudes of an error."""

QUANTILES = {"q25": 0.25, "median": 0.5, "q75": 0.75}
SMALLEST_SAMPLE = 3
"""Fewest outputs that a rank correlation says anything about."""


def sample_outputs(
    net: ApproximateModule,
    images: NDArray[np.float32],
    layers: pd.DataFrame,
    *,
    outputs: int = 50_000,
    seed: int = 0,
    batch_size: int = 50,
) -> pd.DataFrame:
    """Return single outputs of each layer: cosine of patch and filter, exact sum, unit's sum.

    Parameters
    ----------
    net : ApproximateModule
        The network on the unit.
    images : (N, ...) float32
    layers : DataFrame
        Its `layer_gains`, which need not be of the same images.
    outputs : int
        How many are drawn at random of each layer at most; each batch has its images' share.
    seed : int
        Of the draw.
    batch_size : int

    Returns
    -------
    DataFrame
        A row per output: ``call``, ``layer``, ``operator``, ``multiplier``; ``cosine``, the exact
        sum over the lengths of input patch and filter, padding being zeros of the patch;
        ``exact`` and ``unit``, the sums without bias; and magnitudes of errors (`MEASURES`):
        ``noise``, ``|unit - exact|`` over the rms of the layer's exact sums; ``relative``,
        ``|unit - exact| / |exact|``; ``residual``, ``|unit - gain exact|`` over the rms of
        ``gain exact``; ``residual_relative``, ``|unit - gain exact| / |gain exact|``. Outputs whose
        patch or filter is all zeros have no cosine and are left out, as are those of the unit that
        are not finite.

    Raises
    ------
    ConfigError
        If *outputs* or *batch_size* is not an int >= 1, or *seed* is none.
    DataError
        If *images* cannot be used, or *layers* are not of this network.
    """
    if isinstance(outputs, bool) or not isinstance(outputs, int) or outputs < 1:
        raise ConfigError(f"outputs must be an int >= 1, got {outputs!r}")
    checked_seed(seed)
    missing = {"call", "gain", "exact_rms"} - set(layers.columns)
    if missing:
        raise DataError(
            f"layers lack {', '.join(sorted(missing))}; give the layer_gains of this network and "
            "unit"
        )
    exact = exactly(net)
    parts: dict[int, list[pd.DataFrame]] = {}

    def see(call: LayerCall, unit: Tensor) -> None:
        found = parts.setdefault(call.index, [])
        lengths = _lengths(call, Unit(exact.network, exact.units))
        columns = {
            "exact": call.sums.numpy().ravel(),
            "unit": unit.numpy().ravel(),
            "lengths": lengths.expand(call.sums.shape).numpy().ravel(),
        }
        rng = np.random.default_rng([seed, call.index, len(found)])
        first = len(found) * batch_size
        last = min(first + batch_size, len(images))
        share = outputs * last // len(images) - outputs * first // len(images)
        chosen = rng.permutation(columns["exact"].size)[:share]
        part = pd.DataFrame({name: one[chosen].astype(float) for name, one in columns.items()})
        found.append(part.assign(call=call.index, layer=call.name, operator=call.operator))

    compare_sums(net, images, see, batch_size)
    if list(layers["call"]) != sorted(parts):
        raise DataError(
            f"layers hold {len(layers)} rows, but the network called {len(parts)} layers; give the "
            "layer_gains of this network and unit"
        )
    samples = [
        _with_errors(pd.concat(parts[row.call]), row.gain, row.exact_rms)
        for row in layers.itertuples()
    ]
    table = pd.concat(samples, ignore_index=True)
    table["multiplier"] = table["call"].map(net.multiplier_of)
    names = ["call", "layer", "operator", "multiplier", "cosine", "exact", "unit", *MEASURES]
    return table[names]


def by_correlation(samples: pd.DataFrame, bins: int = 20) -> pd.DataFrame:
    """Return what the errors of `sample_outputs` are in bins of equal width of the cosine.

    Returns
    -------
    DataFrame
        A row per multiplier, layer and bin that holds an output: ``multiplier``, ``call``,
        ``layer``, ``cosine_low``, ``cosine_high``, ``outputs``, and for each of `MEASURES` the
        quartiles ``..._q25``, ``..._median``, ``..._q75``.

    Raises
    ------
    ConfigError
        If *bins* is not an int >= 1.
    DataError
        There is no output.
    """
    if isinstance(bins, bool) or not isinstance(bins, int) or bins < 1:
        raise ConfigError(f"bins must be an int >= 1, got {bins!r}")
    _check_any(samples)
    # Rounding may leave a cosine of 1 a little above.
    index = np.clip(np.floor((samples["cosine"] + 1) / 2 * bins), 0, bins - 1).astype(int)
    grouped = samples.assign(bin=index).groupby(["multiplier", "call", "layer", "bin"], sort=False)
    table = grouped.size().rename("outputs").to_frame()
    for measure in MEASURES:
        for name, share in QUANTILES.items():
            table[f"{measure}_{name}"] = grouped[measure].quantile(share)
    table = table.reset_index().sort_values(["multiplier", "call", "bin"], ignore_index=True)
    low = 2 * table["bin"] / bins - 1
    table.insert(4, "cosine_low", low)
    table.insert(5, "cosine_high", low + 2 / bins)
    return table.drop(columns="bin")


def correlation_trends(samples: pd.DataFrame) -> pd.DataFrame:
    """Return Spearman's rank correlation of the cosine's magnitude with each error, per layer.

    Returns
    -------
    DataFrame
        A row per multiplier and layer: ``multiplier``, ``call``, ``layer``, ``outputs``, and for
        each of `MEASURES` a column: 1 where the error always grows with the magnitude of the
        cosine, -1 where it always shrinks, NaN where it is the same everywhere.

    Raises
    ------
    DataError
        There is no output.
    """
    _check_any(samples)
    rows = []
    for (multiplier, call, layer), part in samples.groupby(["multiplier", "call", "layer"]):
        row = {"multiplier": multiplier, "call": call, "layer": layer, "outputs": len(part)}
        ranks = part["cosine"].abs().rank()
        for measure in MEASURES:
            errors = part[measure]
            known = len(part) >= SMALLEST_SAMPLE and errors.nunique() > 1
            row[measure] = float(ranks.corr(errors.rank())) if known else np.nan
        rows.append(row)
    return pd.DataFrame(rows)


def _check_any(samples: pd.DataFrame) -> None:
    if samples.empty:
        raise DataError(
            "samples hold no output: none has a finite sum on the unit, and a patch "
            "and a filter that are not all zeros"
        )


def _lengths(call: LayerCall, unit: Unit) -> Tensor:
    """Return the product of the lengths of each output's patch and filter, to be broadcast."""
    first, second = call.first, call.second
    if call.operator == "linear":
        return first.norm(dim=-1, keepdim=True) * second.norm(dim=-1)
    if call.operator == "matmul":
        return first.norm(dim=-1, keepdim=True) * second.norm(dim=-2, keepdim=True)
    # Padding is zeros, so that the convolution of squares with ones sums a patch's squares.
    patches = call.compute(unit, first.square(), torch.ones_like(second)).clamp(min=0).sqrt()
    rank = second.dim() - 2
    if call.operator == "convolution":
        filters = second.flatten(1).norm(dim=1)
    else:
        groups = call.sums.shape[-rank - 1] // second.shape[1]
        grouped = second.reshape(groups, -1, *second.shape[1:])
        filters = grouped.movedim(2, 1).flatten(2).norm(dim=2).flatten()
    return patches * filters.reshape(-1, *[1] * rank)


def _with_errors(part: pd.DataFrame, gain: float, rms: float) -> pd.DataFrame:
    """Return the sampled outputs of a layer with their cosines and errors."""
    part = part[(part["lengths"] > 0) & np.isfinite(part["unit"])]
    exact, unit = part["exact"], part["unit"]
    noise, residual = (unit - exact).abs(), (unit - gain * exact).abs()
    size = exact.abs().where(exact != 0)
    return part.assign(
        cosine=(exact / part["lengths"]).clip(-1, 1),
        noise=noise / rms,
        relative=noise / size,
        residual=residual / abs(gain * rms),
        residual_relative=residual / (abs(gain) * size),
    )
