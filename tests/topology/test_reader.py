"""What SCALE-Sim's files say, in every way in which they say it, and what is refused."""

import re

import numpy as np
import pytest

from accelsim.errors import ConfigError, DataError
from accelsim.layer import LayerShape
from accelsim.topology import is_topology, read_topology

ROWS = "conv, 9, 8, 3, 2, 4, 5, 1,\nfc, 1, 1, 1, 1, 20, 10, 1,\n"
SHAPES = [
    LayerShape(n=1, m=5, c=4, h=9, w=8, r=3, s=2),
    LayerShape(n=1, m=10, c=20),
]


def shapes(found):
    return [layer.shape for layer in found.layers]


QUIRKS = {
    "as most files are": lambda text: text,
    "no comma at the end": lambda text: text.replace(",\n", "\n"),
    "no line end at the end": lambda text: text.rstrip(),
    "a comma at the end of some rows": lambda text: text.replace("1,\nfc", "1\nfc"),
    "many commas at the end": lambda text: text.replace(",\n", ",,,, \n"),
    "no header": lambda text: ROWS,
    "the header again": lambda text: text.replace("fc", f"{text.splitlines()[0]}\nfc"),
    "empty lines": lambda text: "\n" + text.replace("\n", "\n\n") + "\n",
    "lines of commas": lambda text: text.replace("\n", "\n,,,,,,,,\n , , ,\n"),
    "remarks": lambda text: "# a net\n" + text.replace("fc", "  # fully, 1, 2\nfc"),
    "blanks and tabs": lambda text: text.replace(" ", "   ").replace("fc", "\tfc "),
    "no blanks": lambda text: text.replace(" ", ""),
    "tabs": lambda text: text.replace(",", "\t"),
    "semicolons": lambda text: text.replace(",", ";"),
    "Windows": lambda text: text.replace("\n", "\r\n"),
    "old line ends": lambda text: text.replace("\n", "\r"),
    "a byte order mark": lambda text: f"\ufeff{text}",
    "a byte order mark, no header": lambda text: f"\ufeff{ROWS}",
    "quotes": lambda text: text.replace("conv,", '"conv",').replace("9", '"9"'),
    "numbers of a spreadsheet": lambda text: text.replace("9,", "9.0,").replace("20", "20."),
    "small letters": lambda text: text.lower().replace("num filter,", "num filters,"),
    "two widths": lambda text: text.replace("IFMAP Height", "IFMAP Width"),
    "written by SCALE-Sim": lambda text: text.replace(
        "Strides", "Stride height,Stride width"
    ).replace(" 1,\n", " 1, 1,\n"),
}


@pytest.mark.parametrize("quirk", QUIRKS)
def test_the_same_layers_however_they_are_written(topology, header, quirk):
    found = topology(QUIRKS[quirk](f"{header}\n{ROWS}"))
    assert [layer.name for layer in found.layers] == ["conv", "fc"]
    assert [layer.op for layer in found.layers] == ["conv2d", "conv2d"]
    assert shapes(found) == SHAPES
    assert (found.name, found.output, found.notes) == ("net", "fc", ())


def test_matrix_products(topology):
    for text in ("Layer,M,N,K\nL0,6,5,7\n", "Layer Name, M, N, K,\r\nL0, 6, 5, 7,", "L0,6,5,7"):
        found = topology(text, images=2)
        (layer,) = found.layers
        assert layer.shape.gemm == (12, 5, 7)
        assert (layer.op, layer.output_shape) == ("linear", (2, 6, 1, 5))
        assert found.notes == ()


def test_the_stride_in_width_is_that_in_height_unless_there_is_one(topology, header):
    row = "conv, 9, 9, 3, 3, 4, 5, 2"
    for text, stride in (
        (f"{header}\n{row}", (2, 2)),
        (f"{header}\n{row}, 3", (2, 3)),
        (f"{row}, 3", (2, 3)),
        (f"{header} Stride Width\n{row}, 3", (2, 3)),
        (f"{header} Sparsity, Stride Width\n{row}, , 3", (2, 3)),
    ):
        assert topology(text).layers[0].shape.stride == stride, text


def test_windows_are_rounded_up_as_scalesim_does(topology, header):
    """(224 - 11) / 4 leaves one over: 55 windows, which reach rows and columns up to 227."""
    found = topology(f"{header}\nconv, 224, 225, 11, 11, 3, 96, 4,\ns, 56, 57, 1, 1, 8, 8, 2,")
    assert [(one.h, one.w, one.p, one.q) for one in shapes(found)] == [
        (227, 227, 55, 55),
        (57, 57, 29, 29),
    ]
    (note,) = found.notes
    assert re.search(r"net.csv:2 and 1 more: the last windows reach beyond the ifmap", note)
    assert topology(f"{header}\nconv, 227, 227, 11, 11, 3, 96, 4,").notes == ()


def test_depthwise_layers_are_those_that_scalesim_takes_for_it(topology, header):
    """``DP`` in the name: as many layers of one channel there, as many groups of one here."""
    found = topology(f"{header}\nConvDP1, 8, 8, 3, 3, 6, 2, 1,\nDepthwise, 8, 8, 3, 3, 6, 1, 1,")
    assert shapes(found) == [
        LayerShape(n=1, m=12, c=6, h=8, w=8, r=3, s=3, groups=6),
        LayerShape(n=1, m=1, c=6, h=8, w=8, r=3, s=3),
    ]
    (note,) = found.notes
    assert "net.csv:2: DP in the name: depthwise" in note


def test_names_that_come_again_are_numbered(topology):
    row = ", 6, 5, 7\n"
    found = topology("".join(name + row for name in ("a", "a#2", "a", "a", "input", "b")))
    assert [layer.name for layer in found.layers] == ["a", "a#2", "a#3", "a#4", "input#2", "b"]
    (note,) = found.notes
    assert "net.csv:3 and 2 more: its name is taken" in note


@pytest.mark.parametrize(
    ("more", "row", "said"),
    [
        ("", "#dw", "the remark '#dw' is not read"),
        (" Sparsity,", "1:4,", "sparsity is not modelled: layers are timed dense"),
        ("", "2:4", "sparsity is not modelled"),
        (", Eh", ",110", "the column 'Eh' is not read"),
        (", Target", "NPU", "'NPU' in column 9, which has no name, is not read"),
        (" Batch Size", "1", None),
        (", FFN_up", "", None),
    ],
)
def test_what_is_not_read_is_said(topology, header, more, row, said):
    text = f"{header}{more}\nconv, 9, 8, 3, 2, 4, 5, 1,{row}\nfc, 1, 1, 1, 1, 20, 10, 1,{row}\n"
    found = topology(text)
    assert shapes(found) == SHAPES
    assert len(found.notes) == (said is not None)
    if said:
        assert found.notes[0].endswith(f"net.csv:2 and 1 more: {said}") or said in found.notes[0]


def test_a_title_is_no_layer(topology, header):
    found = topology(f"A net (of mine),\n{header}\n\nEncoder,\n{ROWS}")
    assert shapes(found) == SHAPES
    assert [note.partition("net.csv:")[2] for note in found.notes] == [
        "1: 'A net (of mine)' has no numbers: a title, no layer",
        "4: 'Encoder' has no numbers: a title, no layer",
    ]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("FC, 1, 1, 1, ,1 2, 2, 1,",
         "layer 'FC': Filter Width must be a whole number >= 1, got ''; Channels must be a "
         "whole number >= 1, got '1 2'"),
        ("c, 9, 9, 3, 3, 0, 5, 1,", "Channels must be a whole number >= 1, got '0'"),
        ("c, 9, 9, 3, 3, -4, 5, 1,", "Channels must be a whole number >= 1, got '-4'"),
        ("c, 9, 9, 3, 3, 4.5, 5, 1,", "Channels must be a whole number >= 1, got '4.5'"),
        ("c, 1, B, 1, 1, H, H, 1,", "IFMAP Width must be a whole number >= 1, got 'B'"),
        ("c, 9, 9, 3, 3, 4, 5", "Strides must be a whole number >= 1, got ''"),
        ("c, 9, 9, 3, 3, 4, 5, 0,", "Strides must be a whole number >= 1, got '0'"),
        ("c, 9, 9, 3, 3, 4, 5, 1, 0", "Stride Width must be a whole number >= 1, got '0'"),
        ("c, 9, 9, 3, 3, 4, 5, 1, 1, 7", "column 10 must have a name in the header, got '7'"),
        ("c, 7, 9, 9, 3, 4, 5, 1,", "must not be larger than the ifmap, got 9x3 on 7x9"),
        ("c, 9, 7, 3, 9, 4, 5, 1,", "must not be larger than the ifmap, got 3x9 on 9x7"),
        (", 9, 9, 3, 3, 4, 5, 1,", "the layer has no name"),
        ("c 9 9 3 3 4 5 1", "one column, got 'c 9 9 3 3 4 5 1'; commas, tabs or semicolons"),
        ('"c, 9, 9, 3, 3, 4, 5, 1', "no row of CSV: unexpected end of data"),
        ("c, 999999, 999999, 1, 1, 99, 1, 1", "at most 1099511627776 words, got 98999802000099"),
        ("c, 1, 1, 1, 1, 9999999999999999999, 1, 1", "Channels must be a whole number >= 1"),
    ],
)  # fmt: skip
def test_rejects_a_row_with_its_line(topology, header, row, said):
    with pytest.raises(DataError, match="net.csv:3: ") as caught:
        topology(f"{header}\n\n{row}\n{ROWS}")
    assert said in str(caught.value)
    assert "A row is Layer name, IFMAP Height" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Layer, M, K, N\na, 1, 2, 3", ":1: in the header: column 3 must be N, got 'K'; column 4"),
        ("Layer, Filter Height, IFMAP Width, IFMAP Height, Filter Width, Channels, Num Filter",
         ":1: in the header: column 2 must be IFMAP Height, got 'Filter Height'; column 4 must be "
         "Filter Height, got 'IFMAP Height'; column 8 must be Strides, got ''"),
        ("Layer, M, N, K\na, 1, 2", ":2: layer 'a': K must be a whole number >= 1, got ''\n"
         "A row is Layer name, M, N, K"),
        ("Layer, M, N, K\na, 1, 2, 3, 4", ":2: layer 'a': column 5 must have a name in the header"),
        ("Layer, M, N, K, Batch Size\na, 1, 2, 3, 4", ":2: layer 'a': Batch Size must be 1, got 4"),
        ("Layer, M, N, K\n# a, 1, 2, 3", ":1: it has no layers"),
        ("", ":1: it has no layers"),
    ],
)  # fmt: skip
def test_rejects_a_file(topology, text, said):
    with pytest.raises(DataError) as caught:
        topology(text)
    assert said in str(caught.value)


def test_tells_every_fault_but_the_many_only_by_number(topology):
    with pytest.raises(DataError) as caught:
        topology("a,1,2,3\n" + "b,1,x,3\n" * 12)
    told = str(caught.value).splitlines()
    assert [line.partition("net.csv:")[2][:2] for line in told[:3]] == ["2:", "3:", "4:"]
    assert told[10:] == [
        "... and 2 lines more",
        "A row is Layer name, M, N, K: correct it, or start it with # to leave it out",
    ]


def test_rejects_what_is_no_text(topology, tmp_path):
    with pytest.raises(DataError, match=r"net.csv is no UTF-8 text \(byte 0\); save it as CSV"):
        topology("Layer,M,N,K\n".encode("utf-16"))
    with pytest.raises(DataError, match=r"none.csv cannot be read: No such file"):
        read_topology(tmp_path / "none.csv")
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        read_topology(tmp_path)


@pytest.mark.parametrize("images", [0, -1, True, 2.0, "2", None])
def test_rejects_no_batch(topology, images):
    with pytest.raises(ConfigError, match="images must be an int >= 1, got"):
        topology(ROWS, images)


def test_rejects_a_batch_beyond_all_memory(topology):
    with pytest.raises(DataError, match=r"layer 'fc': an operand must have at most .* words"):
        topology("fc,1,1,1,1,20,10,1,", images=2**40)


def test_arrays_take_no_room(topology, header):
    found = topology(f"{header}\nlarge, 1000, 1000, 3, 3, 50, 6000, 1,\n{ROWS}", images=64)
    assert found.images.shape == (64, 1000 * 1000 * 50)
    for array in (found.images, *(layer.weight for layer in found.layers)):
        assert array.dtype == np.float32
        assert set(array.strides) == {0}


def test_a_file_is_told_by_its_name():
    assert [is_topology(name) for name in ("a.csv", "x/B.CSV", "csv", "lenet5_digits")] == [
        True, True, False, False,
    ]  # fmt: skip
