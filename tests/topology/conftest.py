"""Topologies written where a test runs."""

import pytest

from accelsim.topology import read_topology

HEADER = (
    "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, "
    "Strides,"
)


@pytest.fixture
def header():
    """The header of most files that SCALE-Sim ships."""
    return HEADER


@pytest.fixture
def topology(tmp_path):
    """Write a file (text, or bytes) and return what is read of it."""

    def read(content, images=1, name="net.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_topology(path, images)

    return read
