"""Tests of accelsim config: accelerators as files, and the schema of those."""

import json

import pytest

from accelsim.config import Accelerator, presets
from accelsim.fields import field_types


@pytest.mark.parametrize("preset", presets())
def test_what_is_shown_loads_back_to_the_same_hash(accelsim, tmp_path, preset):
    changes = ("--set", "clock_mhz=auto", "--set", "glb.word_bits=64", "--set", "name=[a: b] #")
    for more in ((), changes):
        code, out, err = accelsim("config", "show", preset, *more)
        assert (code, err) == (0, "")
        (tmp_path / "a.yaml").write_text(out)
        expected = Accelerator.preset(preset)
        if more:
            expected = expected.replace(
                **{"clock_mhz": "auto", "glb.word_bits": 64, "name": "[a: b] #"}
            )
        assert Accelerator.from_yaml(tmp_path / "a.yaml").config_hash == expected.config_hash
    # A file is shown as a preset is.
    assert accelsim("config", "show", tmp_path / "a.yaml") == (0, out, "")


def test_every_field_is_shown(accelsim):
    shown = accelsim("config", "show")[1]
    assert all(f"{name.rpartition('.')[2]}:" in shown for name in field_types(Accelerator))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("edge_61x16",), "Did you mean 'edge_16x16'?"),
        (("--set", "rows=4"), "Did you mean 'array.rows'?"),
        (("--set", "aray.rows=4"), "Did you mean 'array.rows'?"),
        (("--set", "objectiv=traffic"), "Did you mean 'mapper.objective'?"),
        (("--set", "array.rows=0"), "array.rows: input should be greater"),
        (("none.yaml",), "cannot read accelerator file 'none.yaml'"),
    ],
)
def test_rejects(accelsim, arguments, message):
    code, out, err = accelsim("config", "show", *arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_the_schema_tells_every_field_and_refuses_others(accelsim):
    code, out, err = accelsim("config", "schema")
    assert (code, err) == (0, "")
    schema = json.loads(out)
    sections = {"": schema, **schema["$defs"]}
    assert all(one["additionalProperties"] is False for one in sections.values())
    for name in field_types(Accelerator):
        section, _, field = name.rpartition(".")
        owner = schema
        if section:
            reference = schema["properties"][section]["$ref"]
            owner = schema["$defs"][reference.removeprefix("#/$defs/")]
        assert owner["properties"][field]["description"]
    assert schema["$defs"]["ArrayConfig"]["properties"]["rows"]["minimum"] == 1
    assert schema["$defs"]["ArrayConfig"]["required"] == ["rows", "cols"]
