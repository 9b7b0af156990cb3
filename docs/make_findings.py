"""Fill the tables of docs/findings.md from plots/results: python docs/make_findings.py

A table stands between ``<!-- table NAME -->`` and ``<!-- end of table -->``; `TABLES` makes it.
Most cells are a number of one row of the rates that ``plots/robustness.py`` writes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from cells import (
    ALEXNET,
    APGD,
    APGD_T,
    AUTHORS,
    CLASSIC,
    CLASSIC_DIGITS,
    DDN,
    DEEPFOOL,
    DIGITS,
    FAB,
    FGSM,
    JSMA,
    LSA,
    MIM,
    OTHERS,
    OURS,
    PGD,
    SQUARE,
    TWO_DDN,
    Cell,
    Where,
    asking,
    cell,
    cw,
    from_exact,
    from_proxy,
    grid,
    interval,
    knowing,
    length,
    lines,
    of_right,
    on_itself,
    part,
    pixels,
    share,
)
from judgements import closing, verdicts
from noise import GRADIENTS, budgets, more_steps, noise_ratios, noise_units, smallest

PAGE = Path(__file__).with_name("findings.md")
SMALL = (
    ("authors' weights", AUTHORS, "0.1", 0.1),
    ("digits", DIGITS, "0.1", 0.1),
    ("classic, digits", CLASSIC_DIGITS, "0.1", 0.1),
    ("AlexNet", ALEXNET, "2/255", round(2 / 255, 6)),
)
"""Network, title, and the smallest budget of its white boxes: what it is called, and as rounded."""

FEW = " (100 images)"
FROM_EXACT: list[tuple[str, Where]] = [
    *((f"FGSM, epsilon {e}", FGSM | {"epsilon": e}) for e in (0.1, 0.2)),
    *((f"PGD, epsilon {e}", PGD | {"epsilon": e}) for e in (0.1, 0.2)),
    ("APGD on the DLR loss, epsilon 0.1", APGD | {"epsilon": 0.1}),
    ("APGD towards each class, epsilon 0.1", APGD_T | {"epsilon": 0.1}),
    ("momentum PGD, epsilon 0.1", MIM | {"epsilon": 0.1}),
    (f"Square, 5,000 queries, epsilon 0.2{FEW}", SQUARE | {"epsilon": 0.2}),
    ("FAB, epsilon 0.2", FAB | {"epsilon": 0.2}),
    ("JSMA, at most 14.5 % of the pixels", JSMA),
    (f"LSA{FEW}", LSA),
    ("DeepFool, as it stops", DEEPFOOL),
    ("DeepFool, 1.25 times as far", DEEPFOOL | {"scale": 1.25}),
    ("DeepFool, 1.5 times as far", DEEPFOOL | {"scale": 1.5}),
    ("DDN, as it stops", DDN),
    ("DDN, 1.5 times as far", DDN | {"scale": 1.5}),
    ("C&W, confidence 0, as it stops", cw(0.0)),
    ("C&W, confidence 0, 1.05 times as far", cw(0.0) | {"scale": 1.05}),
    ("C&W, confidence 0, 1.25 times as far", cw(0.0) | {"scale": 1.25}),
    *((f"C&W, confidence {sure:.0f}", cw(sure)) for sure in (2.0, 5.0, 10.0)),
    (f"Boundary, 1,000 queries{FEW}", asking("boundary", 1000)),
    (f"Boundary, 5,000 queries{FEW}", asking("boundary", 5000)),
    (f"HopSkipJump, 1,000 queries{FEW}", asking("hopskipjump", 1000)),
    (f"HopSkipJump, 5,000 queries{FEW}", asking("hopskipjump", 5000)),
    ("HopSkipJump, 5,000 queries, 1.25 times as far",
     asking("hopskipjump", 5000) | {"scale": 1.25}),
]  # fmt: skip
"""Attacks on the exact LeNet-5, in transfer."""


def transfer() -> str:
    transfers = interval("transfer_success")
    units = ("ax_fpm", "ax_fpm_flat", "exact_bfloat16", "drum4_s8")
    fooled = (OURS, from_exact("ax_fpm"), share("source_success"))
    return grid(
        "attack",
        FROM_EXACT,
        {"fools the exact network": fooled}
        | {f"and `{unit}`": (OURS, from_exact(unit), transfers) for unit in units},
    )


def other_weights() -> str:
    transfers = interval("transfer_success")
    columns = {net: (title, from_exact("ax_fpm"), transfers) for net, title in OTHERS.items()}
    return grid("attack", FROM_EXACT, columns)


def alexnet() -> str:
    ce = {"attack": "apgd_ce"}
    runs = [
        *((f"FGSM, {one}/255", FGSM | part(one)) for one in (1, 4, 8)),
        *((f"PGD, {one}/255", PGD | part(one)) for one in (1, 2, 4, 8, 16)),
        *((f"APGD on the cross entropy, {one}/255", ce | part(one)) for one in (2, 8)),
        *((f"APGD on the DLR loss, {one}/255", APGD | part(one)) for one in (4, 8)),
        *((f"APGD towards each class, {one}/255", APGD_T | part(one)) for one in (4, 8)),
        ("FAB, 8/255", FAB | part(8)),
        (f"Square, 5,000 queries, 8/255{FEW}", SQUARE | part(8)),
        ("JSMA, at most 14.5 % of the pixels", JSMA),
        (f"LSA{FEW}", LSA),
        ("DeepFool, as it stops", DEEPFOOL),
        ("DDN, as it stops", DDN),
        *((f"C&W, confidence {sure:.0f}", cw(sure)) for sure in (0.0, 5.0, 10.0, 20.0)),
        (f"Boundary, 5,000 queries{FEW}", asking("boundary", 5000)),
        (f"HopSkipJump, 5,000 queries{FEW}", asking("hopskipjump", 5000)),
    ]
    unit, transfers = from_exact("ax_fpm"), interval("transfer_success")
    return grid(
        "attack",
        runs,
        {
            "fools the exact network": (ALEXNET, unit, share("source_success")),
            "and `ax_fpm`": (ALEXNET, unit, transfers),
            "and `ax_fpm`, of what both have right": (ALEXNET, unit, of_right),
            "and `exact_bfloat16`": (ALEXNET, from_exact("exact_bfloat16"), transfers),
        },
    )


def black_box() -> str:
    runs = [
        *((f"FGSM, epsilon {e}", FGSM | {"epsilon": e}) for e in (0.1, 0.2)),
        *((f"PGD, epsilon {e}", PGD | {"epsilon": e}) for e in (0.1, 0.2)),
        ("DeepFool, as it stops", DEEPFOOL),
        ("DeepFool, 1.5 times as far", DEEPFOOL | {"scale": 1.5}),
    ]
    nets = {"our weights": OURS, **OTHERS}
    return lines(
        ["attack", *nets],
        [[name, *(_both(title, where) for title in nets.values())] for name, where in runs],
    )


def _both(title: str, where: Where) -> str:
    """Return which share of a run on `ax_fpm`'s proxy fools it, and which the exact network."""
    cells = (
        cell(title, where | from_proxy("ax_fpm", unit), share("transfer_success"))
        for unit in ("ax_fpm", "exact_fp32")
    )
    return " and ".join(filter(None, cells))


def alexnet_black_box() -> str:
    runs = [
        *((f"FGSM, {one}/255", FGSM | part(one)) for one in (2, 8)),
        *((f"PGD, {one}/255", PGD | part(one)) for one in (2, 4, 8)),
        ("DeepFool, as it stops", DEEPFOOL),
        ("DeepFool, 1.5 times as far", DEEPFOOL | {"scale": 1.5}),
    ]
    sides = {
        "`ax_fpm`, of its proxy": ("ax_fpm", "ax_fpm"),
        "the exact network, of the same": ("ax_fpm", "exact_fp32"),
        "the exact network, of its own proxy": ("exact_fp32", "exact_fp32"),
    }
    columns = {
        head: (ALEXNET, from_proxy(learned, target), of_right)
        for head, (learned, target) in sides.items()
    }
    return grid("attack", runs, columns)


def adaptive() -> str:
    further = {"scale": 1.25}
    runs = [
        *((f"PGD, epsilon {e}", PGD | {"epsilon": e}) for e in (0.1, 0.2)),
        ("DeepFool, as it stops", DEEPFOOL),
        ("DeepFool, 1.25 times as far", DEEPFOOL | further),
        *TWO_DDN,
    ]
    return _known(["attack"], [([name], OURS, where) for name, where in runs])


def adaptive_elsewhere() -> str:
    return _known(
        ["network", "attack"],
        [
            ([network, attack], title, where)
            for network, title, small, epsilon in SMALL
            for attack, where in [(f"PGD, epsilon {small}", PGD | {"epsilon": epsilon}), *TWO_DDN]
        ],
    )


def _known(heads: list[str], runs: list[tuple[list[str], str, Where]]) -> str:
    """Return what `ax_fpm` withstands of *runs* (names, title, where) by who knows how much."""
    sources = {
        "made on the exact network": from_exact("ax_fpm"),
        "on the surrogate": knowing("ax_fpm", "surrogate"),
        "on the ensemble": knowing("ax_fpm", "ensemble"),
        "on `ax_fpm` itself": on_itself("ax_fpm", "exact"),
    }
    right = share("robust_accuracy")
    return lines(
        [*heads, *sources],
        [
            [*names, *(cell(title, where | of, right) for of in sources.values())]
            for names, title, where in runs
        ],
    )


def units_elsewhere() -> str:
    units = ("exact_fp32", "ax_fpm", "ax_fpm_carry", "ax_fpm_flat", "ax_bfloat16")
    heads, columns = [], []
    for network, title, small, epsilon in SMALL:
        heads += [f"{network}: PGD at {small}", "DDN, median L2"]
        columns.append((title, PGD | {"epsilon": epsilon}, share("robust_accuracy")))
        columns.append((title, DDN, length))
    return lines(
        ["unit", *heads],
        [
            [
                f"`{unit}`",
                *(cell(one, how | on_itself(unit, "exact"), text) for one, how, text in columns),
            ]
            for unit in (*units, "exact_bfloat16", "exact_int8", "drum4_s8")
        ],
    )


def adaptive_units() -> str:
    units = ("ax_fpm_carry", "ax_fpm_flat", "ax_bfloat16", "exact_bfloat16", "exact_int8")
    small = PGD | {"epsilon": 0.1}
    runs: list[tuple[str, Where, Callable[[str], Where]]] = [
        ("PGD at 0.1, exact network", small, from_exact),
        ("ensemble", small, lambda unit: knowing(unit, "ensemble")),
        ("the unit itself", small, lambda unit: on_itself(unit, "exact")),
        ("DeepFool, exact network", DEEPFOOL, from_exact),
        ("surrogate", DEEPFOOL, lambda unit: knowing(unit, "surrogate")),
        ("DDN, exact network", DDN, from_exact),
        ("surrogate", DDN, lambda unit: knowing(unit, "surrogate")),
    ]
    return lines(
        ["unit", *(name for name, *_ in runs)],
        [
            [
                f"`{unit}`",
                *(cell(OURS, where | of(unit), share("robust_accuracy")) for _, where, of in runs),
            ]
            for unit in (*units, "drum4_s8")
        ],
    )


def attacks_elsewhere() -> str:
    """Return what the other attacks find on the exact network and on `ax_fpm` themselves."""
    right = share("robust_accuracy")

    def row(name: str, where: Where, slope: str, text: Cell, *, budget: bool = False) -> list[str]:
        return [name, *(
            cell(title, where | ({"epsilon": epsilon} if budget else {}) | on_itself(unit, slope),
                 text)
            for _, title, _, epsilon in SMALL for unit in ("exact_fp32", "ax_fpm")
        )]  # fmt: skip

    noise, small = {"attack": "noise"}, "0.1 (AlexNet 2/255): withstood by"
    rows = [
        *(row(f"C&W, {slope}: median L2", cw(0.0), slope, length) for slope in GRADIENTS),
        row("Boundary, 1,000 queries: median L2", asking("boundary", 1000), "none", length),
        *(
            row(f"HopSkipJump, {count:,} queries: median L2", asking("hopskipjump", count),
                "none", length)
            for count in (1000, 5000)
        ),
        *(row(f"JSMA, {one}: median number of pixels", JSMA, one, pixels) for one in GRADIENTS),
        row("LSA: withstood by", LSA, "none", right),
        *(
            row(f"APGD on the DLR loss, {one}, {small}", APGD, one, right, budget=True)
            for one in GRADIENTS
        ),
        row(f"Square, 5,000 queries, {small}", SQUARE, "none", right, budget=True),
        row(f"best of 100 random noises, {small}", noise, "none", right, budget=True),
    ]  # fmt: skip
    heads = [head for network, *_ in SMALL for head in (f"{network}: exact", "`ax_fpm`")]
    return lines(["attack on the unit itself", *heads], rows)


JUDGES = ("ax_fpm", "ax_fpm_noise", "ax_fpm_gain", "weights_po2", "weights_int4")
"""Who has to beat whom: the unit, and what is free."""


def noise_elsewhere() -> str:
    rows = []
    for network, title, small, epsilon in (("classic", CLASSIC, "0.1", 0.1), *SMALL):
        for name, where in (
            (f"FGSM, epsilon {small}", FGSM | {"epsilon": epsilon}),
            (f"PGD, epsilon {small}", PGD | {"epsilon": epsilon}),
            ("JSMA", JSMA),
            ("DeepFool, as it stops", DEEPFOOL),
        ):
            found = (cell(title, where | from_exact(one), of_right) for one in JUDGES)
            rows.append([network, name, *found])
    return lines(["network", "attack", *(f"`{one}`" for one in JUDGES)], rows)


def free_noise() -> str:
    runs = [
        ("FGSM, epsilon 0.1", FGSM | {"epsilon": 0.1}),
        *((f"PGD, epsilon {e}", PGD | {"epsilon": e}) for e in (0.1, 0.2)),
        ("JSMA", JSMA),
        ("DeepFool, as it stops", DEEPFOOL),
    ]
    white = [("DDN, exact", DDN), ("DeepFool, exact", DEEPFOOL)]
    return lines(
        ["attack", *(f"`{one}`" for one in JUDGES)],
        [
            *(
                [name, *(cell(OURS, where | from_exact(one), share("transfer_success"))
                         for one in JUDGES)]
                for name, where in runs
            ),
            *(
                [f"white box, median L2: {name}",
                 *(cell(OURS, where | on_itself(one, "exact"), length) for one in JUDGES)]
                for name, where in white
            ),
        ],
    )  # fmt: skip


TABLES = {
    one.__name__: one
    for one in (
        *(
            transfer,
            other_weights,
            alexnet,
            smallest,
            noise_ratios,
            noise_units,
            more_steps,
            budgets,
            black_box,
            alexnet_black_box,
        ),
        *(adaptive, adaptive_units, adaptive_elsewhere, units_elsewhere),
        *(attacks_elsewhere, free_noise, noise_elsewhere, closing, verdicts),
    )
}
"""Name -> function that makes the table."""

BETWEEN = re.compile(r"(<!-- table (\w+) -->\n).*?(?=<!-- end of table -->)", re.DOTALL)


def findings_page() -> str:
    """Return the text of the page with its tables made anew."""
    return BETWEEN.sub(lambda found: f"{found[1]}\n{TABLES[found[2]]()}\n\n", PAGE.read_text())


if __name__ == "__main__":
    PAGE.write_text(findings_page())
