"""Unit files: what is written is read, and nothing that is damaged or foreign is."""

import copy
import io
import json
import pickle
import zipfile

import numpy as np
import pytest

import accelsim
from accelsim.circuits import integer_circuit
from accelsim.errors import DataError, UnknownNameError
from accelsim.formats import IntegerFormat
from accelsim.multipliers import imported as module
from accelsim.multipliers.imported import (
    Source,
    file_fingerprints,
    imported,
    read_unit_file,
)
from accelsim.multipliers.measures import measure_table


@pytest.fixture
def unit():
    """The exact int4 multiplier with its netlist, as if it had been imported."""
    operands = IntegerFormat(4, signed=True)
    circuit = integer_circuit(4, signed=True)
    values = operands.values()
    table = circuit.product(values[:, None], values).astype(np.int32)
    return imported(
        name="four",
        operands=operands,
        table=table,
        errors=measure_table(table, operands),
        stated={"EP%": "0.00"},
        source=Source("verilog", "x.v", "0" * 64, "module x", "activation,weight", ""),
        warnings=("mind the step",),
        delay_ps=123.5,
        delay_source="a test",
        power_mw=0.5,
        area_um2=None,
        netlist=circuit.netlist,
    )


@pytest.fixture
def path(unit, tmp_path):
    return unit.save(tmp_path / "four.npz")


def rewritten(path, change=None, table=None):
    """The file with its fields changed, and perhaps another table."""
    with np.load(path) as arrays:
        fields, products = json.loads(arrays["unit"].tobytes()), arrays["table"]
    if change is not None:
        change(fields)
    text = np.frombuffer(json.dumps(fields).encode(), np.uint8)
    np.savez(path, unit=text, table=products if table is None else table)
    return path


def test_what_is_written_is_read(unit, path):
    again = read_unit_file(path)
    np.testing.assert_array_equal(again.table, unit.table)
    for field in (
        "name", "title", "description", "sources", "operands", "errors", "stated", "source",
        "warnings", "delay_ps", "delay_source", "power_mw", "area_um2",
    ):  # fmt: skip
        assert getattr(again, field) == getattr(unit, field), field
    assert again.netlist.gates == unit.netlist.gates
    assert again.circuit.product(-8, 7) == -56
    assert accelsim.MULTIPLIERS[str(path)] is again


def test_a_pickle_holds_the_whole_unit(unit):
    again = pickle.loads(pickle.dumps(unit))
    np.testing.assert_array_equal(again.table, unit.table)
    assert again.fingerprint == unit.fingerprint
    assert again.circuit.product(-8, 7) == -56
    assert copy.deepcopy(unit) is copy.copy(unit) is unit


def test_a_changed_file_is_read_anew(unit, path):
    first = read_unit_file(path)
    rewritten(path, lambda fields: fields.update(name="five"))
    assert (first.name, read_unit_file(path).name) == ("four", "five")


def test_units_read_last_stay_within_their_bytes(unit, tmp_path, monkeypatch):
    """Three files with room for two: the one that was asked for least recently is read again."""
    monkeypatch.setattr(module, "_recent", {})
    monkeypatch.setattr(module, "RECENT_BYTES", 2 * unit.table.nbytes)
    one, two, three = (unit.save(tmp_path / f"{name}.npz") for name in ("one", "two", "three"))
    first, second = read_unit_file(one), read_unit_file(two)
    assert read_unit_file(one) is first
    third = read_unit_file(three)
    assert list(module._recent.values()) == [first, third]
    assert read_unit_file(one) is first
    assert read_unit_file(three) is third
    assert read_unit_file(two) is not second
    monkeypatch.setattr(module, "RECENT_BYTES", 1)
    again = read_unit_file(one)
    assert read_unit_file(one) is again  # a unit that is too large alone is still kept


def test_fingerprints_tell_files_from_registered_units_and_each_other(unit, path):
    first = file_fingerprints([str(path), "exact_int8", "exact_fp32"])
    assert first == {str(path): unit.fingerprint}
    rewritten(path, lambda fields: fields.update(delay_ps=200))
    second = file_fingerprints([str(path)])
    assert second.keys() == first.keys()
    assert second != first


def test_writing_twice_gives_the_same_bytes(unit, path, tmp_path):
    assert unit.save(tmp_path / "again.npz").read_bytes() == path.read_bytes()
    assert read_unit_file(path).save(tmp_path / "more.npz").read_bytes() == path.read_bytes()


def test_rejects_a_name_that_is_no_unit_file(unit, tmp_path):
    with pytest.raises(DataError, match=r"must end in \.npz"):
        unit.save(tmp_path / "four.npy")
    with pytest.raises(UnknownNameError, match=r"no multiplier file '.*none.npz'.*accelsim import"):
        read_unit_file(tmp_path / "none.npz")
    assert accelsim.MULTIPLIERS.get(str(tmp_path / "none.npz")) is None
    assert str(tmp_path / "none.npz") not in accelsim.MULTIPLIERS


def test_rejects_truncated_and_flipped_files(path, tmp_path):
    """A changed byte is found, or changes nothing that is read."""
    content, whole = path.read_bytes(), read_unit_file(path)
    broken = tmp_path / "broken.npz"
    for length in (0, 1, 50, len(content) // 2, len(content) - 1):
        broken.write_bytes(content[:length])
        with pytest.raises(DataError, match="damaged or no unit file"):
            read_unit_file(broken)
    found = 0
    for position in range(0, len(content), 7):
        flipped = bytearray(content)
        flipped[position] ^= 0x10
        broken.write_bytes(flipped)
        try:
            again = read_unit_file(broken)
        except DataError:
            found += 1
        else:
            np.testing.assert_array_equal(again.table, whole.table)
            assert (again.name, again.delay_ps) == (whole.name, whole.delay_ps)
    assert found > len(content) / 7 * 0.8


def test_rejects_foreign_archives(path, tmp_path):
    other = tmp_path / "other.npz"
    np.savez(other, x=np.zeros(3))
    with pytest.raises(DataError, match=r"must hold table.npy and unit.npy, got x.npy"):
        read_unit_file(other)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("more.py", "print()")
    with pytest.raises(DataError, match="no unit file: it must hold"):
        read_unit_file(path)
    np.savez(other, table=np.zeros((4, 4), np.int32), unit=np.frombuffer(b'{"a": 1}', np.uint8))
    with pytest.raises(DataError, match="does not say 'accelsim unit'"):
        read_unit_file(other)
    np.savez(other, table=np.zeros((4, 4), np.int32), unit=np.frombuffer(b"\xff{", np.uint8))
    with pytest.raises(DataError, match="description is no JSON"):
        read_unit_file(other)


class Exploding:
    """Fails the test if it is ever unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


@pytest.mark.parametrize("member", ["table", "unit"])
def test_never_unpickles(path, member):
    with np.load(path) as arrays:
        found = dict(arrays)
    found[member] = np.array([Exploding()], object)
    np.savez(path, **found)
    with pytest.raises(DataError, match=f"{member}.npy holds Python objects"):
        read_unit_file(path)
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr("table.npy", pickle.dumps(Exploding()))
        archive.writestr("unit.npy", pickle.dumps(Exploding()))
    path.write_bytes(raw.getvalue())
    with pytest.raises(DataError, match=r"unit\.npy is no NumPy array"):
        read_unit_file(path)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (np.zeros((16, 16), np.int64), r"table.npy must be int32 of shape \(16, 16\), got int64"),
        (np.zeros((16, 8), np.int32), r"got int32 of shape \(16, 8\)"),
        (np.asfortranarray(np.arange(256, dtype=np.int32).reshape(16, 16)), "another memory order"),
        (np.zeros((16, 16), np.int32), "the table is not the one that was written"),
    ],
)
def test_rejects_another_table(path, table, message):
    with pytest.raises(DataError, match=message):
        read_unit_file(rewritten(path, table=table))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("version", 2, "version 2, written by a newer accelsim; this one reads version 1"),
        ("version", "1", "version must be an int >= 1"),
        ("version", None, "version must be an int >= 1"),
        ("format", "other", "does not say 'accelsim unit'"),
        ("name", 7, "name must not be 7"),
        ("bits", True, "bits must not be True"),
        ("bits", 13, r"bits must lie in 2\.\.12, got 13"),
        ("bits", 5, r"table.npy must be int32 of shape \(32, 32\)"),
        ("signed", 1, "signed must not be 1"),
        ("signed", False, "contradicts itself"),
        ("delay_ps", -1, "delay_ps must be a finite number > 0"),
        ("delay_ps", float("inf"), "delay_ps must be a finite number > 0"),
        ("power_mw", float("nan"), "power_mw must be a finite number > 0"),
        ("errors", {}, "contradicts itself"),
        ("stated", {"EP%": 1}, "stated must hold texts, got 1"),
        ("warnings", [3], "warnings must hold texts, got 3"),
        ("source", {"kind": "c"}, "its source has the fields"),
        ("table_sha256", "0", "the table is not the one that was written"),
        ("netlist", {}, "its netlist is none"),
        ("netlist", {"inputs": {}, "outputs": {}, "gates": []}, "its netlist has the ports"),
        ("netlist", {"inputs": {}, "outputs": {}, "gates": [["FOX", [2], [3]]]}, "no cell named"),
        ("netlist", {"inputs": {"a": [2.5]}, "outputs": {}, "gates": []}, "a net is an int"),
    ],
)
def test_rejects_fields(path, field, value, message):
    with pytest.raises(DataError, match=message):
        read_unit_file(rewritten(path, lambda fields: fields.update({field: value})))


@pytest.mark.parametrize("field", ["name", "bits", "source", "netlist", "table_sha256"])
def test_rejects_missing_fields(path, field):
    with pytest.raises(DataError, match=f"its description lacks '{field}'"):
        read_unit_file(rewritten(path, lambda fields: fields.pop(field)))


def test_rejects_measures_that_are_not_the_tables(path):
    def better(fields):
        fields["errors"]["mae"] = 0.5

    with pytest.raises(DataError, match="contradicts itself: the measures in it"):
        read_unit_file(rewritten(path, better))


def test_a_circuit_that_is_not_the_tables_is_refused_when_it_is_asked_for(path):
    def swapped(fields):
        ports = fields["netlist"]["outputs"]["p"]
        ports[0], ports[1] = ports[1], ports[0]

    unit = read_unit_file(rewritten(path, swapped))
    with pytest.raises(DataError, match="four: the netlist in its file does not compute its table"):
        _ = unit.circuit
