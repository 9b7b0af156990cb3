"""Pickles of plain data: what is read, and that nothing else is, or runs."""

import os
import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from accelsim.datasets.plain_pickle import PlainArray, read_plain
from accelsim.errors import DataError

ARRAY = np.arange(12, dtype=np.uint8).reshape(3, 4)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("array", [ARRAY, np.asfortranarray(ARRAY), ARRAY[:0]])
def test_arrays_of_bytes_come_back_from_every_protocol(protocol, array):
    found = read_plain(pickle.dumps(array, protocol), "it")
    assert_array_equal(found.array(), array)


def test_what_python_2_wrote_is_read():
    """Its strings are bytes here, and NumPy's functions had their old names."""
    text = (
        b"\x80\x02}q\x00U\x04dataq\x01cnumpy.core.multiarray\n_reconstruct\nq\x02cnumpy\nndarray\n"
        b"q\x03K\x00\x85U\x01b\x87Rq\x04(K\x01K\x02K\x02\x86cnumpy\ndtype\nq\x05U\x02u1K\x00K\x01"
        b"\x87Rq\x06(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x04\x01\x02\x03"
        b"\x04tbs."
    )
    found = read_plain(text, "it")
    assert_array_equal(found[b"data"].array(), [[1, 2], [3, 4]])


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_values_come_back(protocol):
    value = {b"a": [1, -(2**70), 1.5, None, True, "text", b"bytes \xff", (1, 2)]}
    assert read_plain(pickle.dumps(value, protocol), "it") == value


class Malicious:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (os.system, ("touch {}",), f"{os.system.__module__}.system"),
        (eval, ("open('{}', 'w')",), r"(__)?builtins?(__)?\.eval"),
        (getattr, ([], "append"), r"(__)?builtins?(__)?\.getattr"),
        (np.load, ("{}",), "numpy.load"),
        (np.array, ([1],), "numpy.array"),
        (bytearray, (9,), r"(__)?builtins?(__)?\.bytearray"),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_refuses_every_other_name_and_runs_nothing(tmp_path, function, arguments, name, protocol):
    target = tmp_path / "made"
    filled = [a.format(target) if isinstance(a, str) else a for a in arguments]
    content = pickle.dumps({"data": Malicious(function, *filled)}, protocol)
    with pytest.raises(DataError, match=rf"^batch 1: refused, .* asks for .*{name}; one of plain"):
        read_plain(content, "batch 1")
    assert list(tmp_path.iterdir()) == []


def test_refuses_an_array_of_objects():
    content = pickle.dumps(np.array([{}, 1], dtype=object), 2)
    with pytest.raises(ValueError, match="an array of O8, not of uint8"):
        read_plain(content, "it").array()


@pytest.mark.parametrize(
    "state",
    [
        (),
        (1, (2,), None, False, b"ab"),
        (1, (2,), "u1", False, b"ab"),
    ],
)
def test_refuses_arrays_whose_parts_do_not_fit(state):
    array = PlainArray()
    array.__setstate__(state)
    with pytest.raises(ValueError, match="an array"):
        array.array()


@pytest.mark.parametrize("size", [0, 1, 3])
def test_refuses_arrays_with_more_or_fewer_bytes_than_their_shape(size):
    content = pickle.dumps(np.zeros(2, np.uint8), 2)
    array = read_plain(content, "it")
    array.state = (*array.state[:4], b"a" * size)
    with pytest.raises(ValueError, match=r"shape \(2,\) without as many bytes"):
        array.array()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no pickle",
        pickle.dumps([1, 2])[:-3],
        pickle.dumps(ARRAY, 2)[:-20],
        b"\x80\x02(K\x01cnumpy\nndarray\nR.",
        b"\x80\x02cnumpy\ndtype\n)R.",  # dtype()
        b"\x80\x02cnumpy\nndarray\n}b.",  # state for the class itself
        b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00utf-8\x86R.",
        b"P1\n.",  # a persistent identifier
        b"\x80\x05\x97.",  # a buffer out of band
        b"\x80\x02\x82\x01.",  # a registered extension
        b"\x80\x63.",
        b"g1\n.",
        b"F1.5x\n.",
    ],
)
def test_refuses_damaged_pickles(content):
    with pytest.raises(DataError, match="it: "):
        read_plain(content, "it")
