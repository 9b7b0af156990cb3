"""Errors of single products, the tiled and the flat array of AMA5 adders: the gallery's pictures.

No results are read; the units are measured here.
"""

from pathlib import Path

from accelsim.figures import error_magnitude, error_surfaces
from accelsim.metrics import exact_product
from accelsim.multipliers import MULTIPLIERS
from accelsim.operands import random_pairs
from accelsim.surfaces import error_surface

HERE = Path(__file__).parent
UNITS = [MULTIPLIERS[name] for name in ("ax_fpm", "ax_fpm_flat")]

surfaces = error_surfaces([error_surface(unit) for unit in UNITS])
surfaces.savefig(HERE / "product_error_surface.png", dpi=120)
for unit in UNITS:
    pairs = random_pairs(unit, 250_000)
    ((a, w),) = pairs.chunks()
    figure = error_magnitude(
        exact_product(a, w),
        unit.product(a, w).astype(float),
        f"{unit.name}: relative error of products, {pairs.text}",
    )
    figure.savefig(HERE / f"product_error_{unit.name}.png", dpi=120)
