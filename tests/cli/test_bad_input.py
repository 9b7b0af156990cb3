"""Bad input to any verb: one clear message, exit code 2, nothing written."""

import pytest

from accelsim.config import Accelerator
from accelsim.energy.rows import COLUMNS


@pytest.fixture
def files(tmp_path):
    """Bad files by name."""
    (tmp_path / "bad.yaml").write_text("name: x\narray: {rows: 1\n")
    preset = Accelerator.preset("tiny_4x4").to_yaml()
    (tmp_path / "rows.yaml").write_text(preset.replace("rows: 4", "rows: 0"))
    header = ",".join(COLUMNS)
    for name, value, source in (("negative", -1, "some source"), ("sourceless", 1, "")):
        row = f"rf,read,{value},pJ,45,1,32,,typical,,{source},45,1,published,"
        (tmp_path / f"{name}.csv").write_text(f"{header}\n{row}\n")
    (tmp_path / "text.pt").write_text("not weights")
    (tmp_path / "cut.safetensors").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{}")
    (tmp_path / "file").write_text("x")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "thesis.tex").write_text("x")
    return tmp_path


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("simulat lenet5_digits", "No such command 'simulat'. Did you mean 'simulate'?"),
        ("simulate lenet5_digit", "no workload named 'lenet5_digit'; known: alexnet, "),
        ("simulate lenet5_digit", "Did you mean 'lenet5_digits'?"),
        ("simulate lenet5_digits -m ax_fmp", "Did you mean 'ax_fpm'?"),
        ("simulate lenet5_digits --accelerator edge_61x16", "Did you mean 'edge_16x16'?"),
        ("simulate lenet5_digits --accelerator none.yaml", "cannot read accelerator file"),
        ("simulate lenet5_digits --accelerator {0}/bad.yaml", "bad.yaml:3:1: not valid YAML"),
        ("simulate lenet5_digits --accelerator {0}/rows.yaml", "array.rows: input should"),
        ("simulate lenet5_digits --set array.rwos=3", "Did you mean 'array.rows'?"),
        ("simulate lenet5_digits --set array.rows=0", "array.rows: input should be greater"),
        ("simulate lenet5_digits --set array.rows=-3", "got -3"),
        ("simulate lenet5_digits --set clock_mhz=nan", "clock_mhz: input should be a"),
        ("simulate lenet5_digits --set clock_mhz=.nan", "should be a finite number, got nan"),
        ("simulate lenet5_digits --set array.rows", "--set takes FIELD=VALUE"),
        ("simulate lenet5_digits --set name=a --set name=b", "--set gives 'name' twice"),
        ("simulate lenet5_digits --set array.dataflow=oss", "no dataflow named 'oss'"),
        ("simulate lenet5_digits --set accumulator=f32", "no accumulator named 'f32'"),
        ("simulate lenet5_digits --set energy_table=cmos54", "Did you mean 'cmos45'?"),
        ("simulate lenet5_digits --set energy_table={0}/negative.csv", "negative.csv:2: value"),
        ("simulate lenet5_digits --set energy_table={0}/sourceless.csv", "source must not be"),
        (
            "simulate lenet5_digits --set technology_nm=28",
            "is of 28 nm (technology_nm), its",
        ),
        ("simulate lenet5_digits --set energy_table=eyeriss65", "'eyeriss65' has no row for"),
        ("simulate lenet5_digits --set glb.word_bits=128", "accesses of 16 to 64 bits"),
        ("show {0}/negative.csv", "negative.csv:2: value must be a finite number >= 0, got '-1'"),
        ("simulate lenet5_digits --set glb.ifmap_kib=0.5", "layer 'conv1' fits no tiling"),
        (
            "simulate lenet5_digits --accelerator eyeriss_168 --set array.overlap=both",
            "array.overlap is of the systolic dataflows",
        ),
        (
            "simulate lenet5_digits --accelerator eyeriss_168 --set array.rows=2",
            "layer 'conv1' does not fit the row-stationary array",
        ),
        ("simulate lenet5_digits --set spatial.hop_cycles=-1", "spatial.hop_cycles: input should"),
        ("simulate lenet5_digits --images 0", "--images"),
        ("simulate lenet5_digits --images many", "--images"),
        ("simulate lenet5_digits --images 361", "has 360"),
        ("simulate lenet5_digits --weights {0}/text.pt", "text.pt"),
        ("simulate lenet5_digits --weights {0}/cut.safetensors", "cut.safetensors"),
        ("simulate lenet5_digits --weights {0}/none.pt", "does not exist"),
        ("simulate lenet5_digits --out {0}/file", "is a file"),
        ("simulate lenet5_digits --out /proc/accelsim", "cannot be written"),
        ("simulate lenet5_digits --out {0}/foreign", "not results of accelsim"),
        ("simulate lenet5_digits --imags 3", "--images"),
        ("simulate lenet5_digits --set quantization.weights=no", "quantization.weights: input"),
        ("score lenet5_digits --attack fgms", "Did you mean 'fgsm'?"),
        ("score lenet5_digits --epsilon 0", "epsilon must be a number in (0, 1]"),
        ("score lenet5_digits --epsilon nan", "epsilon must be a number in (0, 1]"),
        ("score lenet5_digits --scenario whitebox --out {0}/s", "transfer"),
        ("score lenet5_digits --epsilon 0 --out {0}/s", "epsilon must be a number in (0, 1]"),
        ("score lenet5_digits --out {0}/foreign", "not results of accelsim"),
        ("score lenet5_digits --accelerator eyeris_168", "Did you mean 'eyeriss_168'?"),
        ("sweep lenet5_digits --out {0}/s", "--vary"),
        ("sweep lenet5_digits --out {0}/s --vary array.rows=0", "array.rows"),
        ("sweep lenet5_digits --out {0}/s --vary array.rows", "--vary takes FIELD=V1,V2"),
        ("sweep lenet5_digits --out {0}/s --vary name=a --set name=b", "by --vary and by --set"),
        ("sweep lenet5_digits --out {0}/s --vary multiplier=ax_fmp", "Did you mean 'ax_fpm'?"),
        ("sweep lenet5_digits --out {0}/foreign --vary array.rows=4", "not results of accelsim"),
        ("plot {0}/foreign --out {0}/x.png", "holds no result of accelsim"),
        ("plot {0}/none --out {0}/x.png", "holds no result of accelsim"),
        ("compare {0}/none", "holds no result of accelsim"),
        ("characterize ax_fmp", "Did you mean 'ax_fpm'?"),
        ("characterize none.unit", "no multiplier named 'none.unit'"),
        ("characterize ax_fpm --against exact_in8", "Did you mean 'exact_int8'?"),
        ("characterize ax_fpm --against exact_int8", "ax_fpm takes floats and exact_int8 integers"),
        ("characterize ax_fpm --pairs 999 --out {0}/s", "pairs must be an int >= 1000, got 999"),
        ("characterize ax_fpm --pairs many", "--pairs"),
        ("characterize ax_fpm --seed -1", "seed must be an int >= 0, got -1"),
        ("characterize ax_fpm --distribution norml", "Did you mean 'normal'?"),
        ("characterize exact_int8 --distribution normal", "integer operands are drawn uniformly"),
        ("characterize exact_int8 --exhaustive-bits 13", "exhaustive_bits must be an int in 0..12"),
        ("characterize ax_fpm --workload lenet5_digit", "Did you mean 'lenet5_digits'?"),
        ("characterize exact_int8 --set quantization.weights=affine", "give --workload"),
        (
            "characterize exact_int8 --workload lenet5_digits --set quantization.weight=affine",
            "Did you mean 'quantization.weights'?",
        ),
        (
            "characterize exact_int8 --workload lenet5_digits --set quantization.weights=afine",
            "quantization.weights: input should be 'auto', 'affine' or 'symmetric', got 'afine'",
        ),
        (
            "characterize exact_int8 --workload lenet5_digits --set array.rows=8",
            "--set changes quantization here, such as quantization.weights=affine or "
            "quantization.per_channel=false, got 'array.rows'",
        ),
        ("score lenet5_digits --set clock_mhz=5 --out {0}/s", "--set changes quantization here"),
        ("characterize ax_fpm --out {0}/file", "is a file"),
        ("characterize ax_fpm --out {0}/foreign", "not results of accelsim"),
        ("list multiplers", "Did you mean 'multipliers'?"),
        ("show ax_fpn", "Did you mean 'ax_fpm'?"),
        ("show drum9_u8", "'drum9_u8': k must lie in 2..8, got 9"),
        *(
            (line, "no multiplier file '{0}/none.npz' (No such file or directory)")
            for line in (
                "show {0}/none.npz",
                "characterize {0}/none.npz",
                "characterize exact_int8 --against {0}/none.npz",
                "simulate lenet5_digits --out {0}/s -m {0}/none.npz",
                "simulate lenet5_digits --out {0}/s --set multiplier={0}/none.npz",
                "score lenet5_digits --out {0}/s -m {0}/none.npz",
                "sweep lenet5_digits --out {0}/s --vary multiplier=exact_fp32,{0}/none.npz",
            )
        ),
        (
            "train resnet18 --out {0}/w.safetensors",
            "no recipe to train it by; those that have one: ",
        ),
        (
            "train lenet5_digits --out {0}/w.safetensors --data random:1x28x28",
            "the images of 'random:1x28x28' have no labels",
        ),
        (
            "score mobilenet_v2 --images 1",
            "cannot be scored with random weights, seed 0 on random:",
        ),
        (
            "score lenet5_digits --weights random:1 --out {0}/s",
            "cannot be scored with random weights, seed 1 on digits: give trained weights with",
        ),
        ("train lenet5_digits --out {0}/w.pt", "must be a file name ending in .safetensors"),
        ("train lenet5_digits --out {0}/file/w.safetensors", "cannot be written"),
        ("train lenet5_digits --out {0}/w.safetensors --seed 99999999999999999999", "seed must be"),
        (
            "train lenet5_digits --out {0}/w.safetensors --epochs 0",
            "epochs must be an int in 1..",
        ),
    ],
)
def test_bad_input_is_one_clear_message_and_exit_code_2(accelsim, files, line, message):
    before = sorted(path.name for path in files.iterdir())
    code, out, err = accelsim(*line.format(files).split())
    assert code == 2, err
    assert out == ""
    assert message.format(files) in err
    assert err.startswith("accelsim: error: ")
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) == 1
    assert not (files / "s").exists()
    assert sorted(path.name for path in files.iterdir()) == before
