import numpy as np
import pytest

from accelsim.errors import ConfigError, DataError
from accelsim.importing import import_multiplier
from accelsim.importing.c_source import _compile_failure
from accelsim.importing.children import Ended

pytestmark = pytest.mark.usefixtures("cc")

DECLARED = {
    "name": "unit", "bits": 4, "signed": False, "operand_order": "A=activation,B=weight"
}  # fmt: skip


def imported(tmp_path, text, **changes):
    path = tmp_path / "x.c"
    path.write_text(text)
    return import_multiplier(path, **{**DECLARED, **changes})


@pytest.mark.parametrize(
    ("style", "signed", "first"),
    [("uint64", False, "B"), ("int8", True, "A"), ("uint8", True, "A"), ("uint8", False, "A")],
)
def test_the_styles_of_evoapproxlib(tmp_path, table, netlist, c_text, header, style, signed, first):
    """One circuit, written three ways: by name the order is the same, by position it is not."""
    products = table(8, signed)
    comments = header(products, 8, signed)
    text = c_text(netlist(8, signed), "mul8_x", style, comments)
    unit = imported(tmp_path, text, bits=8, signed=signed)
    np.testing.assert_array_equal(unit.table, products)
    assert len(unit.stated) == 8
    assert (unit.delay_ps, unit.power_mw, unit.area_um2) == (1250, 0.123, 456.7)
    assert "mul8_x(" in unit.source.detail
    by_position = imported(tmp_path, text, bits=8, signed=signed, operand_order="activation,weight")
    expected = products if first == "A" else products.T
    np.testing.assert_array_equal(by_position.table, expected)


def test_unsigned_parameters_get_patterns_and_signed_ones_values(tmp_path):
    text = "int32_t f(uint64_t A, int B) { return A > 15 || B > 7 ? 99 : (int)A * 16 + B; }"
    unit = imported(tmp_path, text, signed=True)
    assert unit.product(-1, -8) == 15 * 16 - 8
    assert unit.product(7, 7) == 7 * 16 + 7


def test_measures_refuse_the_wrong_signedness(tmp_path, table, netlist, c_text, header):
    """Signed multipliers in unsigned types are the trap: the header finds it out."""
    text = c_text(netlist(8, True), "mul8_x", "uint8", header(table(8, True), 8, True))
    with pytest.raises(DataError, match=r"MAE% is stated as .* check signedness"):
        imported(tmp_path, text, bits=8, signed=False)


def test_other_types_and_a_helper(tmp_path):
    text = """
        typedef int word;
        static inline unsigned int keep(unsigned int x, unsigned int m) { return x & m; }
        unsigned short int mul ( unsigned char const A , long unsigned B )
        #define UNUSED(a, b) int unused(int a, int b) { return 0; }
        { if (A) { return keep(A, ~3u) * keep((unsigned)B, ~1u); } return 0; }
        word typed(word a, word b) { return a; }
        double real(double a, double b) { return a * b; }
        int *pointer(int a, int b) { return 0; }
        int main(int argc, char **argv) { return 9; }
    """
    text = text.replace("long unsigned", "unsigned long")
    unit = imported(tmp_path, text)
    assert unit.product(7, 5) == 4 * 4
    assert unit.source.detail.startswith("C function unsigned short mul(unsigned char A, unsigned")


def test_chooses_among_several(tmp_path):
    text = "int f(int A, int B) { return A * B; } int g(int A, int B) { return A & B; }"
    with pytest.raises(DataError, match=r"f, g could each be the multiplier; .*--function"):
        imported(tmp_path, text)
    assert imported(tmp_path, text, function="g").product(7, 5) == 5
    with pytest.raises(DataError, match=r"no function 'ff' .*: f, g\. Did you mean 'f'"):
        imported(tmp_path, text, function="ff")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("int f(int A) { return A; }", "no function that takes two integers.*; it defines f"),
        ("/* int f(int A, int B) {} */", "no function that takes two integers and returns one"),
        ("int f(int A, int B) { return A *; }", r"does not compile: source.c:1:\d+: error"),
        ("#error no way\nint f(int A, int B) { return A; }", "does not compile: .*no way"),
        ('#include "other.h"\nint f(int A, int B) { return A; }', "does not compile: .*other.h"),
        ("int f(int A, int B) { return g(A, B); }", "does not compile: .*undefined reference"),
        ("char f(int A, int B) { return 1; }", "no function that takes two integers"),
        ("int8_t f(int A, int B) { return 1; }", r"returns int8_t, which cannot hold the product"),
        ("int f(int A, int B) { static int n; return n++; }", "in another order"),
        ("#include <stdlib.h>\nint f(int A, int B) { exit(0); }", "left a table of 0 bytes"),
        ("#include <stdlib.h>\nint f(int A, int B) { exit(7); }", "was stopped: exit status 7"),
        ("int f(int A, int B) { return *(int *)8; }", "was stopped: SIGSEGV"),
        ("int f(int A, int B) { return f(A, B) + 1; }", "SIGSEGV|ran for more than"),
        ("uint64_t f(int A, int B) { return -1; }", "must fit into int32, got 1844674407370955161"),
    ],
)
def test_rejects_code(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        imported(tmp_path, text, time_limit_s=5, out=tmp_path / "unit.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["x.c"]


def test_rejects_code_that_runs_away(tmp_path):
    spins = "int f(int A, int B) { volatile int x = 1; while (x); return A; }"
    with pytest.raises(DataError, match=r"f ran for more than 1 s .*--time-limit"):
        imported(tmp_path, spins, time_limit_s=1)
    sleeps = "#include <unistd.h>\nint f(int A, int B) { pause(); return A; }"
    with pytest.raises(DataError, match="f ran for more than 1 s"):
        imported(tmp_path, sleeps, time_limit_s=1)


def test_rejects_code_that_takes_too_much(tmp_path):
    greedy = """
        #include <stdlib.h>
        int f(int A, int B) {
            volatile char *p = malloc(1L << 30);
            for (long i = 0; i < 1L << 30; i += 4096) p[i] = 1;
            return p[A];
        }
    """
    with pytest.raises(DataError, match="SIGSEGV .*more than the 64 MiB of memory"):
        imported(tmp_path, greedy, memory_limit_mib=64)
    with pytest.raises(DataError, match="left no memory for the table within 64 MiB"):
        imported(tmp_path, "int f(int A, int B) { return A; }", bits=12, memory_limit_mib=64)
    writes = """
        #include <stdio.h>
        int f(int A, int B) {
            FILE *o = fopen("x", "w"); for (int i = 0; i < 9999; i++) fputs("hello", o);
            fclose(o); return A;
        }
    """
    with pytest.raises(DataError, match="f wrote more than the 2048 bytes of the table"):
        imported(tmp_path, writes)


@pytest.mark.parametrize(
    ("text", "changes", "message"),
    [
        (
            "int f(int8_t A, int B) { return A; }",
            {"bits": 8},
            "parameter A of f is int8_t, which cannot hold uint8",
        ),
        (
            "int f(int A, uint8_t B) { return A; }",
            {"bits": 10, "signed": True},
            "parameter B of f is uint8_t, which cannot hold int10",
        ),
        (
            "int16_t f(int A, int B) { return A; }",
            {"bits": 8},
            "f returns int16_t, which cannot hold the product of two uint8",
        ),
        (
            "uint32_t f(int A, int B) { return 1 << 16; }",
            {"bits": 8, "signed": True},
            "must be a two's complement pattern of 16 bits, got 65536",
        ),
    ],
)
def test_rejects_types_that_cannot_be_what_is_declared(tmp_path, text, changes, message):
    with pytest.raises(DataError, match=message):
        imported(tmp_path, text, **changes)


def test_rejects_an_order_by_names_it_does_not_have(tmp_path):
    with pytest.raises(ConfigError, match="names A and B, but the operands are called x and y"):
        imported(tmp_path, "int f(int x, int y) { return x * y; }")


def test_rejects_a_system_without_compiler(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError, match=r"no C compiler \(cc, gcc, clang\) on PATH; install one"):
        imported(tmp_path, "int f(int A, int B) { return A * B; }")


def test_a_compiler_that_runs_out_of_memory_says_so_behind_an_empty_line():
    ended = Ended(1, False, "\ncc1: out of memory allocating 2147483664 bytes\n")
    assert _compile_failure(ended).startswith("does not compile: cc1: out of memory")


def test_leaves_nothing_behind(tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    imported(tmp_path, "int f(int A, int B) { return A * B; }")
    with pytest.raises(DataError, match="does not compile"):
        imported(tmp_path, "int f(int A, int B) { return A * ; }")
    assert list((tmp_path / "temporary").iterdir()) == []
