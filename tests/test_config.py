import pytest

from accelsim.config import Accelerator, presets
from accelsim.errors import ConfigError, UnknownNameError


@pytest.mark.parametrize("name", presets())
def test_every_preset_reads_and_bears_its_file_name(name):
    assert Accelerator.preset(name).name == name


@pytest.mark.parametrize("name", presets())
def test_yaml_round_trip(name, tmp_path):
    machine = Accelerator.preset(name)
    path = tmp_path / "machine.yaml"
    path.write_text(machine.to_yaml())
    assert Accelerator.from_yaml(path) == machine
    assert Accelerator.from_yaml(path).config_hash == machine.config_hash


def test_replace_changes_nested_fields_and_the_hash():
    machine = Accelerator.preset("edge_16x16")
    other = machine.replace(multiplier="ax_fpm", **{"array.rows": 32, "dram.bytes_per_cycle": 4})
    assert (other.multiplier, other.array.rows, other.dram.bytes_per_cycle) == ("ax_fpm", 32, 4)
    assert machine.array.rows == 16
    assert other.config_hash != machine.config_hash
    assert machine.replace(clock_mhz=200) == machine
    assert machine.replace(clock_mhz=200).config_hash == machine.config_hash


def test_schema_describes_the_fields():
    schema = Accelerator.model_json_schema()
    assert "Clock of the array" in schema["properties"]["clock_mhz"]["description"]


def test_rejects_all_faults_of_a_file_at_once_with_file_and_line(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text(
        "name: x\nclock_mhz: .nan\narray:\n  rwos: 3\n  cols: -4\n"
        "glb: {ifmap_kib: 1, weight_kib: 1e-3, ofmap_kib: 0}\n"
        "dram:\n  bytes_per_cycle: 1.5\n  latency_cycles: true\n"
    )
    with pytest.raises(ConfigError) as caught:
        Accelerator.from_yaml(path)
    assert str(caught.value).splitlines() == [
        f"{path}:1:1: vector_unit: required field is missing",
        f"{path}:2:1: clock_mhz: input should be a finite number, got nan",
        f"{path}:3:1: array.rows: required field is missing",
        f"{path}:4:3: array.rwos: unknown field. Did you mean 'rows'?",
        f"{path}:5:3: array.cols: input should be greater than or equal to 1, got -4",
        f"{path}:6:39: glb.ofmap_kib: input should be greater than 0, got 0",
        f"{path}:8:3: dram.bytes_per_cycle: input should be a valid integer, got 1.5",
        f"{path}:9:3: dram.latency_cycles: input should be a valid integer, got True",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1, 2", r"bad.yaml:1:\d+: not valid YAML: "),
        ("name: a\nname: b\n", "bad.yaml:2:1: not valid YAML: found duplicate key"),
        ("- 1\n", "bad.yaml:1: expected a mapping of fields, got a list"),
        ("", "bad.yaml:1: expected a mapping of fields, got nothing"),
        ("\x00", "bad.yaml: not valid YAML"),
    ],
)
def test_rejects_what_is_not_a_mapping_in_yaml(text, message, tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        Accelerator.from_yaml(path)


def test_rejects_a_missing_file(tmp_path):
    with pytest.raises(ConfigError, match="cannot read accelerator file .*No such file"):
        Accelerator.from_yaml(tmp_path / "none.yaml")


def test_rejects_a_file_that_is_not_text(tmp_path):
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot read accelerator file"):
        Accelerator.from_yaml(path)


def test_load_takes_a_preset_or_a_path(tmp_path):
    path = tmp_path / "mine"
    path.write_text(Accelerator.preset("tiny_4x4").to_yaml())
    assert Accelerator.load("tiny_4x4") == Accelerator.load(path)
    with pytest.raises(ConfigError, match="cannot read accelerator file .*: Is a directory"):
        Accelerator.load(tmp_path)
    with pytest.raises(ConfigError, match="cannot read accelerator file .*: File name too long"):
        Accelerator.load("/" + "x" * 999)


def test_rejects_an_unknown_preset():
    with pytest.raises(UnknownNameError, match=r"no preset named 'edge_61x16'.*'edge_16x16'\?"):
        Accelerator.load("edge_61x16")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"array.rows": 0}, "array.rows: input should be greater than or equal to 1, got 0"),
        ({"array.rows": True}, "array.rows: input should be a valid integer, got True"),
        ({"clock_mhz": float("nan")}, "clock_mhz: input should be a finite number, got nan"),
        ({"clock_mhz": -1}, "clock_mhz: input should be greater than or equal to 0.001, got -1"),
        ({"glb.ifmap_kib": float("inf")}, "glb.ifmap_kib: input should be a finite number"),
        ({"array.rwos": 1}, r"no field 'array.rwos' .*Did you mean 'array.rows'\?"),
        ({"array.rows.x": 1}, "no field 'array.rows.x'"),
        ({"array": 3}, r"array: has fields of its own, such as array\.rows; give these, got 3"),
        ({"glb.forwarding": True}, "glb: forwarding needs unified: true"),
        ({"multiplier": ""}, "multiplier: string should have at least 1 character"),
        ({"multiplier": None}, "multiplier: input should be a valid string, got None"),
    ],
)
def test_rejects_impossible_changes(change, message):
    with pytest.raises(ConfigError, match=message):
        Accelerator.preset("edge_16x16").replace(**change)


def test_an_energy_table_beside_the_file_is_found_from_any_folder(tmp_path):
    text = Accelerator.preset("tiny_4x4").to_yaml().replace("cmos45", "mine.csv")
    (tmp_path / "machine.yaml").write_text(text)
    machine = Accelerator.from_yaml(tmp_path / "machine.yaml")
    assert machine.energy_table == str(tmp_path / "mine.csv")


def test_a_unit_file_beside_the_file_is_found_from_any_folder(tmp_path):
    text = Accelerator.preset("tiny_4x4").to_yaml().replace("exact_fp32", "units/mine.npz")
    (tmp_path / "machine.yaml").write_text(text)
    machine = Accelerator.from_yaml(tmp_path / "machine.yaml")
    assert machine.multiplier == str(tmp_path / "units" / "mine.npz")
    assert machine.energy_table == "cmos45"


@pytest.mark.parametrize("text", ["[" * 5000, "name: x\nclock_mhz: 1" + "0" * 5000 + "\n"])
def test_rejects_yaml_that_python_cannot_hold(text, tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="bad.yaml"):
        Accelerator.from_yaml(path)


def test_layers_have_multipliers_by_name_with_dots_of_their_own(tmp_path):
    machine = Accelerator.preset("edge_16x16")
    mixed = machine.replace(**{"layer_multipliers.features.0": "ax_fpm"})
    assert mixed.layer_multipliers == {"features.0": "ax_fpm"}
    assert mixed.units == ("exact_fp32", "ax_fpm")
    assert [mixed.unit_of(name) for name in ("features.0", "fc")] == ["ax_fpm", "exact_fp32"]
    more = mixed.replace(**{"layer_multipliers.fc": "ax_fpm", "multiplier": "heap"})
    assert more.layer_multipliers == {"features.0": "ax_fpm", "fc": "ax_fpm"}
    assert more.units == ("heap", "ax_fpm")
    path = tmp_path / "machine.yaml"
    path.write_text(more.to_yaml())
    assert Accelerator.from_yaml(path) == more
    assert len({machine, mixed, more, Accelerator.from_yaml(path)}) == 3
    assert more.replace(layer_multipliers=mixed.layer_multipliers, multiplier="exact_fp32") == mixed


def test_a_machine_without_them_is_named_as_ever():
    """The hash is that of a time before there was the field; it names points in stores."""
    machine = Accelerator.preset("edge_16x16")
    assert machine.config_hash == "a918df7ce7a0af96"
    assert "layer_multipliers: {}\n" in machine.to_yaml()  # a field to fill in
    assert "layer_multipliers" not in machine.model_dump()
    assert machine.replace(layer_multipliers={}) == machine
    mixed = machine.replace(layer_multipliers={"conv1": "ax_fpm"})
    assert mixed.config_hash != machine.config_hash
    assert "layer_multipliers" in Accelerator.model_json_schema()["properties"]


def test_unit_files_of_layers_lie_beside_the_file(tmp_path):
    text = Accelerator.preset("edge_16x16").to_yaml()
    path = tmp_path / "machine.yaml"
    units = "{conv1: mine.npz, fc: ax_fpm}"
    path.write_text(text.replace("layer_multipliers: {}", f"layer_multipliers: {units}"))
    found = Accelerator.from_yaml(path).layer_multipliers
    assert found == {"conv1": str(tmp_path / "mine.npz"), "fc": "ax_fpm"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"layer_multipliers.conv1": None},
            r"layer_multipliers\.conv1: input should be a valid str",
        ),
        (
            {"layer_multipliers": "ax_fpm"},
            r"layer_multipliers: has fields .* layer_multipliers\.LAYER; give these, got 'ax_fpm'",
        ),
        ({"layer_multiplier.conv1": "ax_fpm"}, "no field .* Did you mean 'layer_multipliers'"),
        (
            {"layer_multipliers.conv1": "ax_fpm", "array.multiplier_delay_ps": 900.0},
            r"layer_multipliers: array\.multiplier_delay_ps is the delay of one unit; set it to",
        ),
    ],
)
def test_rejects_multipliers_of_layers(changes, message):
    with pytest.raises(ConfigError, match=message):
        Accelerator.preset("edge_16x16").replace(**changes)
