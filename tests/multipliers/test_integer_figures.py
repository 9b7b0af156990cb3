"""Error figures of the 8x8 unsigned units over all 65,536 pairs, as this project measured them.

Conventions, which differ in the literature:

- EP: share of all pairs with a wrong product, %.
- MED: mean of |product - exact| over all pairs.
- NMED: MED over the greatest exact product, 255^2, %.
- MRED: mean of |product - exact| / exact over the pairs with exact product above 0, %.
- bias: the same with its sign.
- WCE: greatest |product - exact| over all pairs.

The figures guard against changes; those that are published are in tests/paper.
"""

from __future__ import annotations

import numpy as np
import pytest

from accelsim.multipliers import MULTIPLIERS

FIGURES = """
mitchell       93.09    606.40   0.933     3.788     -3.788   4096
mbm            98.70    393.38   0.605     2.711     +0.048   2816
drum3          98.78   1847.05   2.841    12.095     +3.433  14849
drum4          97.72    925.86   1.424     5.887     +1.596   7425
drum5          94.58    465.18   0.715     2.839     +0.937   3904
drum6          85.43    232.83   0.358     1.301     +0.571   2000
roba           93.09    455.06   0.700     2.862     -0.015   4096
kulkarni       46.73    903.12   1.389     3.280     -3.280  14450
bam_h0v4       81.25     12.25   0.019     0.564     -0.564     49
bam_h0v6       93.75     80.25   0.123     2.638     -2.638    321
bam_h0v8       98.05    448.25   0.689     9.780     -9.780   1793
bam_h2v0       74.71    191.25   0.294     3.566     -3.566    765
bam_h2v4       87.21    196.25   0.302     3.784     -3.784    785
truncated1     74.61    127.25   0.196     2.655     -2.655    509
truncated2     93.16    380.25   0.585     7.005     -7.005   1521
truncated3     97.75    880.25   1.354    14.121    -14.121   3521
truncated4     98.88   1856.25   2.855    25.411    -25.411   7425
ama1           99.21  13158.36  20.236   224.633   +119.946  64770
ama2           99.99  16952.24  26.070  1728.010  +1723.619  32766
ama3          100.00  17452.48  26.840  1272.836  +1268.703  43434
ama4           99.21   6348.94   9.764    61.601    -39.750  32384
ama5           98.83   8128.00  12.500    68.464    -29.813  32512
ama1_cut8      97.94    286.50   0.441    10.880     +0.728   1538
ama2_cut8      99.55    261.47   0.402    19.682    +19.528    854
ama3_cut8      99.97    561.54   0.864    45.480    +45.463    938
ama4_cut8      97.92    105.88   0.163     3.776     -1.547    440
ama5_cut8      96.48    101.47   0.156     3.131     -0.228    398
"""
ROWS = [line.split() for line in FIGURES.strip().splitlines()]


@pytest.mark.parametrize(("family", "row"), [(row[0], row[1:]) for row in ROWS])
def test_figures_to_the_printed_digits(family, row):
    values = np.arange(256)
    exact = values[:, None] * values
    error = MULTIPLIERS[f"{family}_u8"].table.astype(np.int64) - exact
    relative = error[exact > 0] / exact[exact > 0]
    measured = (
        100 * (error != 0).mean(),
        np.abs(error).mean(),
        100 * np.abs(error).mean() / 255**2,
        100 * np.abs(relative).mean(),
        100 * relative.mean(),
        np.abs(error).max(),
    )
    # Half a unit of the last digit, and the rounding of a half itself.
    for printed, value in zip(row, measured, strict=True):
        digits = len(printed.partition(".")[2])
        assert abs(value - float(printed)) <= 0.5000001 * 10.0**-digits, (printed, value)
