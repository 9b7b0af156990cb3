"""Figures that a source file states about itself, and whether a table agrees with them.

EvoApproxLib writes them into comments of its C and Verilog files, in two styles::

    // MAE% = 0.081 %                 // Delay  (45) = 0.870000
    // MSE = 72829.102e2              // MRE = 7.050000 %
    // PDK45_DELAY = 1.36 ns          // EP = 98.500000 %

A measure is compared to the digits printed: it may differ by half a unit of the last one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from accelsim.errors import DataError
from accelsim.multipliers.measures import TableErrors

__all__ = ["Header", "contradictions", "read_header", "stated_measure"]

MEASURES = ("EP%", "MAE", "MAE%", "WCE", "WCE%", "MRE%", "WCRE%", "MSE")

_LINE = re.compile(
    r"^[\s/*]*(?P<key>[A-Za-z][\w%]*(?:[ \t]*\(45\))?)[ \t]*=[ \t]*"
    r"(?P<value>[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)[ \t]*(?P<unit>%|mW|um2|ns)?"
    r"[ \t]*(?:\*/)?[ \t]*$",
    re.MULTILINE,
)
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_PHYSICAL = {
    "PDK45_PWR": "power", "Power(45)": "power",
    "PDK45_AREA": "area", "Area(45)": "area",
    "PDK45_DELAY": "delay", "Delay(45)": "delay",
}  # fmt: skip


@dataclass(frozen=True)
class Header:
    """What the comments of a file state.

    Attributes
    ----------
    stated : dict of str to str
        Measure -> number as printed.
    power_mw, area_um2, delay_ns : float or None
        Of the circuit synthesized for FreePDK45.
    """

    stated: dict[str, str] = field(default_factory=dict)
    power_mw: float | None = None
    area_um2: float | None = None
    delay_ns: float | None = None


def read_header(text: str) -> Header:
    """Return the figures in the comments of *text*.

    Raises
    ------
    DataError
        A figure is stated twice, differently.

    >>> read_header("// EP% = 74.61 %\\n// PDK45_DELAY = 1.36 ns\\n")
    Header(stated={'EP%': '74.61'}, power_mw=None, area_um2=None, delay_ns=1.36)
    """
    stated: dict[str, str] = {}
    physical: dict[str, float] = {}
    comments = "\n".join(_COMMENT.findall(text))
    for line in _LINE.finditer(comments):
        key, value = re.sub(r"\s", "", line["key"]), line["value"]
        if key in _PHYSICAL:
            physical[_PHYSICAL[key]] = float(value)
            continue
        # The older style writes the percent sign behind the number only.
        name = f"{key}%" if line["unit"] == "%" and not key.endswith("%") else key
        if name not in MEASURES:
            continue
        if stated.setdefault(name, value) != value:
            raise DataError(f"the header states {name} as {stated[name]} and as {value}")
    return Header(stated, physical.get("power"), physical.get("area"), physical.get("delay"))


def stated_measure(name: str, text: str) -> tuple[Decimal, Decimal]:
    """Return the number *text* and half a unit of its last printed digit.

    A number with six decimals comes from printf's ``%f``, whose trailing zeros were never digits of
    the figure: 98.500000 was rounded to 98.5 before. 0.000000 stays as it is.

    Raises
    ------
    DataError
        *name* is no measure, or *text* no number.

    >>> stated_measure("MSE", "72829.102e2"), stated_measure("EP%", "98.500000")
    ((Decimal('7282910.2'), Decimal('0.05')), (Decimal('98.5'), Decimal('0.05')))
    """
    if name not in MEASURES:
        raise DataError(f"no measure named {name!r}; known: {', '.join(MEASURES)}")
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise DataError(f"{name} must be a number, got {text!r}") from None
    if not number.is_finite():
        raise DataError(f"{name} must be a finite number, got {text!r}")
    exponent = number.as_tuple().exponent
    if exponent == -6 and number:
        whole = number.normalize()
        number = whole.quantize(Decimal(1)) if _exponent(whole) > 0 else whole
    return number, Decimal(5).scaleb(_exponent(number) - 1)


def _exponent(number: Decimal) -> int:
    """Return the power of ten of the last digit of a finite number."""
    return int(number.as_tuple().exponent)


def contradictions(stated: dict[str, str], errors: TableErrors) -> list[str]:
    """Return what of *stated* the table's *errors* contradict, one text each."""
    measured = errors.by_name()
    found = []
    for name, text in stated.items():
        number, half_unit = stated_measure(name, text)
        # A last digit of 5 may have been rounded either way from a binary number.
        slack = half_unit + abs(number) * Decimal("1e-9")
        if abs(Decimal(measured[name]) - number) > slack:
            found.append(f"{name} is stated as {text} but measures {measured[name]:.6g}")
    return found
