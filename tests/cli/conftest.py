"""The command line in this process."""

import pytest

from accelsim.cli import main


@pytest.fixture
def accelsim(capsys, monkeypatch):
    """Run a command line in this process, 80 columns wide; return (exit code, stdout, stderr)."""
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        return (caught.value.code or 0, *capsys.readouterr())

    return run
