import io
import pickle

import numpy as np
import pytest

from accelsim.errors import ConfigError, DataError
from accelsim.importing import import_multiplier

UNSIGNED = {
    "name": "unit", "bits": 4, "signed": False, "operand_order": "activation,weight"
}  # fmt: skip
SIGNED = {**UNSIGNED, "signed": True, "index_order": "pattern"}
BYTE = {**UNSIGNED, "bits": 8}


def written(path, content):
    if isinstance(content, str):
        content = content.encode()
    path.write_bytes(content)
    return path


def rows_of(table):
    return "\n".join(" ".join(map(str, row)) for row in table.tolist())


def c_array(table):
    rows = ",\n".join("{" + ", ".join(map(str, row)) + "}" for row in table.tolist())
    return f"#include <stdint.h>\n\nconst int16_t lut [{len(table)}][{len(table)}] = {{{rows}}};\n"


@pytest.mark.parametrize("signed", [False, True])
def test_all_formats_hold_the_same_table(tmp_path, table, signed):
    declared = SIGNED if signed else UNSIGNED
    products = table(4, signed)
    saved = io.BytesIO()
    np.save(saved, products.astype(np.int16))
    files = {
        "t.bin": products.astype("<i2" if signed else "<u2").tobytes(),
        "t.h": c_array(products),
        "t.txt": rows_of(products),
        "t.npy": saved.getvalue(),
    }
    for name, content in files.items():
        unit = import_multiplier(written(tmp_path / name, content), **declared)
        np.testing.assert_array_equal(unit.table, products, err_msg=name)
    np.testing.assert_array_equal(import_multiplier(products, **declared).table, products)


def test_row_and_column_are_declared(tmp_path, table):
    file = written(tmp_path / "t.txt", rows_of(table(4, False)))
    for order in ("weight,activation", "column=activation,row=weight"):
        unit = import_multiplier(file, **{**UNSIGNED, "operand_order": order})
        np.testing.assert_array_equal(unit.table, table(4, False).T)


def test_ascending_rows_are_those_of_values():
    values = np.arange(-8, 8)
    products = (values[:, None] & ~3) * (values & ~1)
    unit = import_multiplier(products, **{**SIGNED, "index_order": "ascending"})
    assert unit.product(-7, 5) == -8 * 4
    assert unit.product(7, -8) == 4 * -8
    np.testing.assert_array_equal(unit.product(values[:, None], values), products)


def test_an_unsigned_table_reads_the_same_either_way(table):
    unit = import_multiplier(table(4, False), **UNSIGNED, index_order="ascending")
    np.testing.assert_array_equal(unit.table, table(4, False))


def test_reads_a_table_of_12_bits():
    values = np.arange(1 << 12)
    unit = import_multiplier(values[:, None] * values, **{**UNSIGNED, "bits": 12})
    assert unit.product(4095, 4095) == 4095**2
    assert unit.errors.mae == 0


def test_comments_may_state_measures(tmp_path, table, header):
    products = table(4, False)
    text = header(products, 4, False) + rows_of(products)
    unit = import_multiplier(written(tmp_path / "t.txt", text), **UNSIGNED)
    assert len(unit.stated) == 8
    assert (unit.delay_ps, unit.power_mw, unit.area_um2) == (1250, 0.123, 456.7)
    with pytest.raises(DataError, match="is stated as"):
        import_multiplier(
            written(tmp_path / "t.h", header(products, 4, False) + c_array(products + 1)),
            **UNSIGNED,
        )


@pytest.mark.parametrize("wrong", [1, -1])
def test_rejects_long_and_short_tables(tmp_path, table, wrong):
    numbers = [str(x) for x in table(4, False).ravel().tolist()]
    numbers = [*numbers, "0"] if wrong == 1 else numbers[:-1]
    text = " ".join(numbers)
    with pytest.raises(DataError, match=rf"16x16 = 256 numbers, got {256 + wrong}"):
        import_multiplier(written(tmp_path / "t.txt", text), **UNSIGNED)
    with pytest.raises(DataError, match=rf"16x16 = 256 numbers, got {256 + wrong}"):
        import_multiplier(written(tmp_path / "t.h", f"int t[] = {{{text}}};"), **UNSIGNED)
    with pytest.raises(DataError, match=rf"must have 512 bytes .*, got {512 + 2 * wrong}"):
        import_multiplier(written(tmp_path / "t.bin", bytes(512 + 2 * wrong)), **UNSIGNED)
    with pytest.raises(DataError, match=r"must have the shape \(16, 16\), got \(16, 17\)"):
        import_multiplier(np.zeros((16, 17), int), **UNSIGNED)


def test_rejects_wrong_contents(tmp_path):
    bad = {
        "a.txt": ("1 2 x", "decimal integers only, got 'x'"),
        "b.txt": ("1.5 2", "decimal integers only, got '.5 2'"),
        "c.txt": ("9" * 30, "integers inside int32, got '999"),
        "d.txt": (b"\xff\xfe", "must be a text file"),
        "e.txt": ("1 2-3", "integers inside int32, got '2-3'"),
        "a.h": ("int x;", "one array of numbers in braces, got 0"),
        "b.h": ("int x[] = {1}; int y[] = {2};", "one array of numbers in braces, got 2"),
        "a.npy": (b"no array", "no NumPy array"),
    }
    for name, (content, message) in bad.items():
        with pytest.raises(DataError, match=message):
            import_multiplier(written(tmp_path / name, content), **UNSIGNED)


def test_rejects_wrong_dtypes(tmp_path):
    with pytest.raises(DataError, match="must be of an integer dtype, got float64"):
        import_multiplier(np.zeros((16, 16)), **UNSIGNED)
    with pytest.raises(DataError, match=r"dtype uint16 cannot hold products of signed.*\.view"):
        import_multiplier(np.zeros((16, 16), np.uint16), **SIGNED)
    saved = io.BytesIO()
    np.save(saved, np.array([[print]], object), allow_pickle=True)
    with pytest.raises(DataError, match="no NumPy array of plain numbers: Object arrays"):
        import_multiplier(written(tmp_path / "o.npy", saved.getvalue()), **UNSIGNED)
    with pytest.raises(DataError, match="no NumPy array of plain numbers"):
        import_multiplier(written(tmp_path / "p.npy", pickle.dumps([1])), **UNSIGNED)
    with pytest.raises(DataError, match=r"16-bit products, too few for uint9"):
        import_multiplier(written(tmp_path / "t.bin", b""), **{**UNSIGNED, "bits": 9})


def test_rejects_values_outside_of_int32(tmp_path):
    products = np.zeros((16, 16), np.int64)
    products[3, 4] = 1 << 31
    with pytest.raises(DataError, match=r"must fit into int32, got 0\.\.2147483648"):
        import_multiplier(products, **UNSIGNED)
    with pytest.raises(DataError, match="must fit into int32"):
        import_multiplier(written(tmp_path / "t.txt", rows_of(products)), **UNSIGNED)


def test_rejects_a_signed_table_of_undeclared_index(table):
    with pytest.raises(ConfigError, match=r"index_order='pattern' .* or 'ascending'.*--index"):
        import_multiplier(table(4, True), **{**SIGNED, "index_order": None})
