"""What quantization alone costs: exact integer units against exact float32, on all test images.

Writes ``results/quantization_accuracy.csv``. Activations are calibrated on the first 128
training images. ``right`` counts the images classified correctly, ``agree`` those that get the
class that ``exact_fp32`` gives them; ``logit_error`` is the root mean square of the differences of
the logits, in standard deviations of the logits of ``exact_fp32``.
"""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch

import accelsim
from accelsim.nn import CALIBRATION_IMAGES, Scheme, approximate, calibrate

KINDS = ("symmetric", "affine")
UNITS = ("exact_int16", "exact_int8", "exact_uint8", "exact_int6", "exact_int4")

model, images, labels = accelsim.load_workload("lenet5_digits")
_, training, _ = accelsim.load_workload("lenet5_digits", split="train", limit=CALIBRATION_IMAGES)
ranges = {name: calibrate(model, training, observer=name) for name in accelsim.nn.OBSERVERS}


def logits(unit: str, **settings: object) -> np.ndarray:
    """Return the logits of all test images on *unit*."""
    net = approximate(model, multiplier=unit, gradient="none", **settings)
    return np.concatenate([net(part).numpy() for part in torch.from_numpy(images).split(60)])


def row(unit: str, scheme: Scheme | None, observer: str, outputs: np.ndarray) -> dict[str, object]:
    """Return one line of the table."""
    classes = outputs.argmax(axis=1)
    return {
        "multiplier": unit,
        "activations": "-" if scheme is None else scheme.activations,
        "weights": "-" if scheme is None else scheme.weights,
        "scales": "-" if scheme is None else "filter" if scheme.per_channel else "layer",
        "observer": observer,
        "images": len(labels),
        "right": int((classes == labels).sum()),
        "accuracy": round(float((classes == labels).mean()), 4),
        "agree": int((classes == exact.argmax(axis=1)).sum()),
        "logit_error": float(f"{np.sqrt(((outputs - exact) ** 2).mean()) / exact.std():.3g}"),
    }


exact = logits("exact_fp32")
rows = [row("exact_fp32", None, "-", exact)]
for unit, activations, weights, per_channel in product(UNITS, KINDS, KINDS, (True, False)):
    scheme = Scheme(activations, weights, per_channel)
    for observer in ranges if per_channel and activations == weights else ("minmax",):
        outputs = logits(unit, calibration=ranges[observer], scheme=scheme)
        rows.append(row(unit, scheme, observer, outputs))
table = pd.DataFrame(rows)
table.to_csv(Path(__file__).parent / "results" / "quantization_accuracy.csv", index=False)
print(table.to_string(index=False))
