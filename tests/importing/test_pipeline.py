import hashlib

import numpy as np
import pytest

import accelsim
from accelsim.errors import ConfigError, DataError
from accelsim.importing import import_multiplier
from accelsim.kernels import accumulate
from accelsim.multipliers import IntegerMultiplier

DECLARED = {
    "name": "unit", "bits": 4, "signed": False, "operand_order": "activation,weight"
}  # fmt: skip


def product(a, w):
    return (a & ~3) * (w & ~1)


def test_a_function_becomes_a_unit(table):
    unit = accelsim.import_multiplier(product, **DECLARED)
    assert isinstance(unit, IntegerMultiplier)
    assert unit.name == "unit"
    np.testing.assert_array_equal(unit.table, table(4, False))
    assert unit.source.kind == "python"
    assert unit.source.file == "product"
    assert unit.source.operand_order == "activation,weight"
    assert unit.circuit is None


@pytest.mark.parametrize(
    ("order", "swapped"),
    [
        ("activation,weight", False),
        ("weight,activation", True),
        ("a=activation,w=weight", False),
        ("w=weight, a=activation", False),
        ("w=activation,a=weight", True),
    ],
)
def test_the_declared_order_turns_the_table(table, order, swapped):
    unit = import_multiplier(product, **{**DECLARED, "operand_order": order})
    expected = table(4, False)
    np.testing.assert_array_equal(unit.table, expected.T if swapped else expected)


def test_warns_of_what_no_measure_can_tell():
    unit = import_multiplier(product, **DECLARED)
    assert any("operand order unverified" in warning for warning in unit.warnings)
    assert any("a was declared to be the activation" in warning for warning in unit.warnings)
    assert any("nothing to compare with" in warning for warning in unit.warnings)
    exact = import_multiplier(lambda a, w: a * w, **DECLARED, expected={"EP%": 0, "WCE": "0"})
    assert exact.warnings == ()
    assert exact.stated == {"EP%": "0", "WCE": "0"}
    odd = import_multiplier(lambda a, w: a * w + 1, **DECLARED)
    assert any("31 products with a zero operand are not zero" in text for text in odd.warnings)


def test_refuses_a_table_that_contradicts_what_is_expected(tmp_path):
    out = tmp_path / "unit.npz"
    with pytest.raises(
        DataError, match=r"^import of product: EP% is stated as 12.5 but measures 7"
    ):
        import_multiplier(product, **DECLARED, expected={"EP%": 12.5}, out=out)
    assert list(tmp_path.iterdir()) == []


def test_a_sign_error_in_one_quadrant_is_refused(tmp_path):
    """A converter that multiplies magnitudes: what tools have shipped for a signed multiplier."""
    values = np.arange(-8, 8)
    right = product(values[:, None], values)
    magnitude = product(np.abs(values)[:, None], np.abs(values))
    both = (values[:, None] < 0) & (values < 0)
    wrong = np.where(both, magnitude, right)
    declared = {**DECLARED, "signed": True, "index_order": "ascending"}
    measured = import_multiplier(right, **declared).errors.mae
    text = {"MAE": f"{measured:.3f}"}
    assert import_multiplier(right, **declared, expected=text).stated == text
    with pytest.raises(DataError, match="MAE is stated as"):
        import_multiplier(wrong, **declared, expected=text)


def test_the_file_is_a_name_everywhere(tmp_path, table):
    path = str(tmp_path / "unit.npz")
    unit = import_multiplier(product, **DECLARED, out=path, delay_ps=700)
    assert path in accelsim.MULTIPLIERS
    found = accelsim.MULTIPLIERS[path]
    assert (found.name, found.delay_ps, found.delay_source) == ("unit", 700, unit.delay_source)
    assert found.latency_cycles(2000) == 2
    assert accelsim.MULTIPLIERS[path] is found
    rng = np.random.default_rng(0)
    activations, weights = (rng.integers(0, 16, shape, np.uint8) for shape in ((5, 7), (3, 5)))
    psums = np.zeros((3, 7), np.int32)
    accumulate(path, "int32", activations, weights, psums)
    by_hand = table(4, False)[activations[None], weights[:, :, None]].sum(axis=1)
    np.testing.assert_array_equal(psums, by_hand)


def test_a_delay_is_declared_or_unknown():
    unknown = import_multiplier(product, **DECLARED)
    assert unknown.delay_ps is None
    with pytest.raises(ConfigError, match="no known delay .*--delay-ps"):
        unknown.latency_cycles(100)
    for bad in (0, -1, float("nan"), float("inf"), "1", True):
        with pytest.raises(ConfigError, match="delay_ps must be a finite number > 0"):
            import_multiplier(product, **DECLARED, delay_ps=bad)


def test_negative_products_of_unsigned_operands_are_told():
    signed = np.multiply.outer(*(np.arange(16).astype(np.int8) << 4 >> 4,) * 2)
    (warning,) = import_multiplier(signed, **DECLARED, expected={"WCE": 224}).warnings
    assert warning.startswith("112 products of unsigned operands are negative; is the multiplier")
    declared = {**DECLARED, "signed": True, "index_order": "pattern"}
    assert import_multiplier(signed, **declared, expected={"WCE": 0}).warnings == ()


def test_the_source_is_named_with_its_checksum(tmp_path):
    path = tmp_path / "table.txt"
    path.write_text(" ".join(str(a * w) for a in range(4) for w in range(4)))
    unit = import_multiplier(path, **{**DECLARED, "bits": 2})
    assert unit.source.file == "table.txt"
    assert unit.source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert "table.txt" in unit.title
    assert unit.source.sha256 in unit.sources[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": None}, r"name must be given.*--name"),
        ({"name": "a b"}, "name must be letters, digits and _"),
        ({"name": "exact_int8"}, "'exact_int8' is a unit of accelsim"),
        ({"name": "drum9_u8"}, "'drum9_u8' is a unit of accelsim or named as one"),
        ({"bits": None}, r"width must be declared: bits=8 \(--bits 8\)"),
        ({"bits": 1}, r"^import of product: bits must lie in 2\.\."),
        ({"bits": 13}, r"13-bit operands have 2\^26 products.*imports go up to 12 bits"),
        ({"bits": "8"}, "bits must be an int"),
        ({"signed": None}, r"signedness must be declared.*--signed or --unsigned"),
        ({"signed": 1}, "signedness must be declared"),
        ({"operand_order": None}, r"order of the operands must be declared.*--order"),
        ({"operand_order": "a,b"}, "operand_order must be 'activation,weight'"),
        ({"operand_order": "activation,activation"}, "operand_order must be"),
        ({"operand_order": "A=activation,B=weight"}, "names A and B, but .* are called a and w"),
        ({"index_order": "random"}, "index_order must be 'pattern' or 'ascending'"),
        ({"expected": {"EPP": 1}}, "expected: no measure named 'EPP'"),
        ({"expected": {"EP%": "x"}}, "expected: EP% must be a number"),
        ({"expected": ["EP%"]}, "expected must map measures to numbers, .* got list"),
        ({"out": "unit.txt"}, "out must end in .npz"),
        ({"function": "f"}, "function is for .c files only"),
        ({"module": "m"}, "module is for .v files only"),
        ({"time_limit_s": 0}, "time_limit_s must be an int >= 1"),
    ],
)
def test_rejects_declarations(change, message):
    with pytest.raises(ConfigError, match=message):
        import_multiplier(product, **{**DECLARED, **change})


def test_rejects_sources(tmp_path):
    with pytest.raises(ConfigError, match=r"must end in .c, .v, .*, got .pdf"):
        import_multiplier(tmp_path / "x.pdf", **DECLARED)
    with pytest.raises(DataError, match="import of x.c: cannot read .*No such file"):
        import_multiplier(tmp_path / "x.c", **DECLARED)
    with pytest.raises(ConfigError, match="a source must be a file, an array or a function"):
        import_multiplier(7, **DECLARED)
    with pytest.raises(DataError, match=r"products must fit into int32, got 0\.\.4294967296"):
        import_multiplier(lambda a, w: a * w + (a * w > 100) * (2**32 - a * w), **DECLARED)
    (tmp_path / "nowhere").write_text("a file")
    with pytest.raises(DataError, match=r"cannot write .*nowhere"):
        import_multiplier(product, **DECLARED, out=tmp_path / "nowhere" / "unit.npz")
