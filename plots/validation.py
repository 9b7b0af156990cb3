"""Eyeriss as measured beside what is simulated: the gallery's picture.

No results are read; the layers are simulated here, as `accelsim validate` does.
"""

from pathlib import Path

from accelsim.figures import measured_and_simulated
from accelsim.validation import validate_eyeriss

figure = measured_and_simulated(validate_eyeriss())
figure.savefig(Path(__file__).with_name("validation_eyeriss.png"), dpi=120)
