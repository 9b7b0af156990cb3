"""Eyeriss as measured beside what is simulated: the gallery's pictures.

No results are read; the layers are simulated here, as `accelsim validate` does.
"""

from pathlib import Path

from accelsim.figures import measured_and_simulated, power_by_component
from accelsim.validation import validate_eyeriss, validate_eyeriss_energy

for name, figure in (
    ("validation_eyeriss", measured_and_simulated(validate_eyeriss())),
    ("validation_eyeriss_energy", power_by_component(validate_eyeriss_energy())),
):
    figure.savefig(Path(__file__).with_name(f"{name}.png"), dpi=120)
