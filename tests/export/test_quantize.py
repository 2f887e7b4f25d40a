"""Quantised folders: layout, errors, streaming, and a random one of a shape."""

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from axk1 import arch
from axk1.arch import ModelConfig
from axk1.checkpoint import CheckpointError, CheckpointFolder, Scheme, expected, plan
from axk1.checkpoint.names import DOWN, GATE_UP
from axk1.checkpoint.quantization import codec
from axk1.checkpoint.tensorfile import Entry
from axk1.export.huggingface import save
from axk1.export.quantize import REPORT, quantize
from axk1.export.quantize_formats import PARTS, Formats, format_name, named_formats, parse_format, part_of
from axk1.export.quantize_random import random_folder, zipf_biases
from axk1.export.shards import write_json, write_shards
from axk1.export.statistics import ChannelStatistics

TINY = dataclasses.replace(
    arch.preset("nano"), vocab_size=64, num_hidden_layers=2, n_routed_experts=4, n_group=2, num_experts_per_tok=2
)
DEEPSEEK = dataclasses.replace(TINY, model_type="deepseek_v3", q_lora_rank=None, num_nextn_predict_layers=1)
TIED = dataclasses.replace(TINY, tie_word_embeddings=True)


def state_of(config: ModelConfig, mtp: bool = False) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        name: torch.randn(shape, generator=generator) * 0.05 + (len(shape) == 1)
        for name, shape in expected(config, mtp=mtp).items()
    }


def source(folder: Path, config: ModelConfig = TINY, dtype: torch.dtype = torch.bfloat16, **options) -> Path:
    files = {"tokenizer.json": b"{}", "chat_template.jinja": b"x", "notes.txt": b"left behind"}
    mtp = options.get("mtp", False)
    save(state_of(config, mtp), config, folder, files, dtype=dtype, **options)
    return folder


def formats(everything: str = "int4-g64", **parts: str) -> Formats:
    names = dict.fromkeys(("experts", "shared", "dense", "attention"), everything) | parts
    return Formats(**{part: parse_format(name) for part, name in names.items()})


def relative(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.sqrt(np.square(found - wanted).sum() / np.square(wanted).sum()))


EXPERTS = "model.layers.1.mlp.experts"


@pytest.mark.parametrize("config", [TINY, DEEPSEEK, TIED], ids=["axk1", "deepseek_v3", "tied"])
@pytest.mark.parametrize("options", [{}, {"fused_experts": True}, {"shard_bytes": 100_000}], ids=str)
def test_every_weight_is_near_its_source(tmp_path: Path, config: ModelConfig, options: dict) -> None:
    mtp = bool(config.num_nextn_predict_layers)
    given = source(tmp_path / "in", config, mtp=mtp, **options)
    quantize(given, tmp_path / "out", formats(attention="int8"), shard_bytes=options.get("shard_bytes", 10**9))
    folder, state = CheckpointFolder(tmp_path / "out"), state_of(config, mtp)
    assert folder.config == config
    mapping = plan(folder.config, {name: one.shape for name, one in folder.weights.items()}, mtp=mtp)
    assert set(mapping.dropped) == ({"model.layers.0.post_mlp_layernorm.weight"} if config.post_mlp_norm else set())
    for name, pieces in mapping.sources.items():
        for piece in pieces:
            whole = state[name].bfloat16().float().numpy()
            wanted = whole if piece.expert is None else whole[piece.expert][piece.first_row :][: piece.shape[0]]
            found = folder.decode(piece.tensor).reshape(piece.shape)
            part, scheme = part_of(piece.tensor), folder.weights[piece.tensor].scheme
            assert (scheme is not None) == (part in ("experts", "shared", "dense", "attention")), piece.tensor
            limit = 0.0 if scheme is None else 0.11 if scheme.bits == 4 else 0.01
            if name.endswith("bias"):  # float32 in the source too
                wanted = state[name].numpy()
            assert relative(found, wanted) <= limit, piece.tensor


def test_a_reader_of_the_library_finds_its_tensors(tmp_path: Path) -> None:
    quantize(source(tmp_path / "in"), tmp_path / "out", formats("int4-g32-asym"))
    config = json.loads((tmp_path / "out/config.json").read_text(encoding="utf-8"))
    assert config["architectures"] == ["AXK1ForCausalLM"]
    assert config["dtype"] == "bfloat16"
    settings = config["quantization_config"]
    assert (settings["quant_method"], settings["format"]) == ("compressed-tensors", "pack-quantized")
    assert settings["ignore"][0] == "lm_head"
    assert settings["config_groups"]["group_0"]["targets"] == ["Linear"]
    with safe_open(tmp_path / "out/model.safetensors", framework="pt") as file:
        found = {
            leaf: file.get_tensor(f"{EXPERTS}.3.up_proj.weight_{leaf}")
            for leaf in ("packed", "scale", "zero_point", "shape")
        }
        assert file.get_tensor("model.layers.1.mlp.gate.weight").dtype == torch.bfloat16
        assert file.get_tensor("model.layers.1.mlp.gate.e_score_correction_bias").dtype == torch.float32
        assert torch.equal(file.get_tensor("model.layers.0.post_mlp_layernorm.weight"), torch.ones(256).bfloat16())
    assert {leaf: (str(one.dtype), tuple(one.shape)) for leaf, one in found.items()} == {
        "packed": ("torch.int32", (128, 32)),
        "scale": ("torch.bfloat16", (128, 8)),
        "zero_point": ("torch.int32", (16, 8)),
        "shape": ("torch.int64", (2,)),
    }


def test_packed_tensors_begin_at_cache_lines(tmp_path: Path) -> None:
    quantize(source(tmp_path / "in"), tmp_path / "out", formats())
    for info in CheckpointFolder(tmp_path / "out").tensors.values():
        if info.nbytes % 64 == 0:
            assert info.offset % 64 == 0, info
        assert info.offset % min(info.nbytes & -info.nbytes, 64) == 0, info


def test_files_beside_the_model(tmp_path: Path) -> None:
    quantize(source(tmp_path / "in"), tmp_path / "out", formats())
    files = {file.name for file in (tmp_path / "out").iterdir()}
    assert files == {
        *("config.json", "model.safetensors", "generation_config.json", "tokenizer.json", "chat_template.jinja", REPORT)
    }


def test_the_report_tells_what_was_lost(tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    given = source(tmp_path / "in", dtype=torch.float32)
    chosen = formats(shared="int8-g32", head="int8")
    report = quantize(given, tmp_path / "out", chosen, progress=lambda *one: heard.append(one))
    written = json.loads((tmp_path / "out" / REPORT).read_text(encoding="utf-8"))
    assert written == json.loads(json.dumps(report.to_json()))
    assert list(written["parts"]) == ["experts", "shared", "dense", "attention", "head"]
    state, folder = state_of(TINY), CheckpointFolder(tmp_path / "out")
    down = np.concatenate([folder.decode(f"{EXPERTS}.{expert}.down_proj.weight") for expert in range(4)])
    up = np.concatenate(
        [folder.decode(f"{EXPERTS}.{n}.{part}_proj.weight") for n in range(4) for part in ("gate", "up")]
    )
    wanted = [state[f"model.layers.1.{name}"].numpy().ravel() for name in (GATE_UP, DOWN)]
    whole = relative(np.concatenate([up.ravel(), down.ravel()]), np.concatenate(wanted))
    experts = written["parts"]["experts"]
    assert experts["relative_error"] == pytest.approx(whole, rel=1e-4)
    assert experts["worst"]["relative_error"] >= whole
    assert experts["weights"] == 4 * 3 * 256 * 128
    assert experts["format"] == "int4-g64"
    total = sum(info.nbytes for info in folder.tensors.values())
    assert sum(part["stored_bytes"] for part in written["parts"].values()) + written["kept_bytes"] == total
    assert heard[-1] == (total, total)


def test_a_quantised_source_is_quantised_again(tmp_path: Path) -> None:
    quantize(source(tmp_path / "in"), tmp_path / "eight", formats("int8-g32"))
    quantize(tmp_path / "eight", tmp_path / "four", formats("int4-g32"))
    quantize(tmp_path / "in", tmp_path / "direct", formats("int4-g32"))
    name = f"{EXPERTS}.0.up_proj.weight"
    wanted = state_of(TINY)[f"model.layers.1.{GATE_UP}"][0, 128:].numpy()
    twice, once = (relative(CheckpointFolder(tmp_path / one).decode(name), wanted) for one in ("four", "direct"))
    assert twice == pytest.approx(once, rel=0.02)
    # and a part that is kept becomes plain again
    quantize(tmp_path / "eight", tmp_path / "plain", formats("int8", attention="none"))
    assert CheckpointFolder(tmp_path / "plain").weight("model.layers.0.self_attn.o_proj.weight").kind == "bf16"


def test_statistics_move_the_error(tmp_path: Path) -> None:
    given = source(tmp_path / "in", dtype=torch.float32)
    means = np.exp(np.random.default_rng(0).standard_normal(256) * 2).astype(np.float32)
    ChannelStatistics({f"{EXPERTS}.up_proj": means}).save(tmp_path / "s.npz")
    quantize(given, tmp_path / "blind", formats())
    report = quantize(given, tmp_path / "seeing", formats(), ChannelStatistics.load(tmp_path / "s.npz"))
    assert report.calibrated
    name, wanted = f"{EXPERTS}.2.up_proj.weight", state_of(TINY)[f"model.layers.1.{GATE_UP}"][2, 128:].numpy()
    blind, seeing = (
        (np.square(CheckpointFolder(tmp_path / one).decode(name) - wanted) * means).sum() for one in ("blind", "seeing")
    )
    assert seeing < 0.95 * blind


def test_statistics_of_another_model(tmp_path: Path) -> None:
    statistics = ChannelStatistics({f"{EXPERTS}.up_proj": np.ones(99, np.float32)})
    with pytest.raises(ValueError, match=r"have \[99\] values for its 256 columns: they were measured on another"):
        quantize(source(tmp_path / "in"), tmp_path / "out", formats(), statistics)


def test_fp8_becomes_int4(tmp_path: Path) -> None:
    """As DeepSeek-V3 is published, with a block that is cut short (kv_a_proj_with_mqa has 96 rows)."""
    scheme = Scheme("fp8", 8, 128, block_rows=128, scale_dtype="F32")
    plain, entries, data = CheckpointFolder(source(tmp_path / "bf16", DEEPSEEK)), [], {}
    for name, stored in plain.weights.items():
        quantised = part_of(name) in ("experts", "shared", "dense", "attention")
        if not quantised:
            entries.append(Entry(name, stored.shape, stored.parts["values"].dtype))
            data[name] = memoryview(plain.read(name))
            continue
        arrays = codec("fp8").encode(plain.decode(name), scheme)
        for role, leaf in codec("fp8").layout(stored.shape, scheme).items():
            part = f"{name.removesuffix('.weight')}.{codec('fp8').leaves[role]}"
            entries.append(Entry(part, leaf.shape, leaf.dtype))
            data[part] = memoryview(arrays[role].tobytes())
    (tmp_path / "in").mkdir()
    write_shards(tmp_path / "in", entries, data.__getitem__)
    write_json(tmp_path / "in/config.json", {**plain.raw_config, "quantization_config": codec("fp8").describe(scheme)})
    quantize(tmp_path / "in", tmp_path / "out", formats("int4-g32"))
    quantize(tmp_path / "bf16", tmp_path / "direct", formats("int4-g32"))
    for name in (f"{EXPERTS}.3.down_proj.weight", "model.layers.0.self_attn.kv_a_proj_with_mqa.weight"):
        near, direct = (
            relative(CheckpointFolder(tmp_path / one).decode(name), plain.decode(name)) for one in ("out", "direct")
        )
        assert direct < near < 1.1 * direct
    assert CheckpointFolder(tmp_path / "out").weight("model.norm.weight").kind == "bf16"


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros((2, 2), np.float32)}, r"x must be a list of floats, found float32 \[2, 2\]"),
        ({"x": np.zeros(2, np.int64)}, "found int64"),
        ({"x": np.array([1.0, -1.0])}, "no means of squares"),
        ({"x": np.array([1.0, np.nan])}, "no means of squares"),
    ],
)
def test_statistics_that_are_none(tmp_path: Path, arrays: dict, message: str) -> None:
    np.savez(tmp_path / "s.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        ChannelStatistics.load(tmp_path / "s.npz")
    (tmp_path / "s.npz").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"not a \.npz file"):
        ChannelStatistics.load(tmp_path / "s.npz")


def test_groups_that_do_not_fit_are_named_before_anything_is_written(tmp_path: Path) -> None:
    message = r"kv_b_proj\.weight \[256, 64\]: 64 columns do not divide into groups of 128: choose .* with --attention"
    with pytest.raises(CheckpointError, match=message):
        quantize(source(tmp_path / "in"), tmp_path / "out", formats("int4-g128"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_leave_no_folder(tmp_path: Path, value: float) -> None:
    state = state_of(TINY)
    state[f"model.layers.1.{DOWN}"][3, 7, 7] = value
    save(state, TINY, tmp_path / "in", {})
    with pytest.raises(CheckpointError, match=r"experts\.3\.down_proj\.weight holds values that are not finite"):
        quantize(tmp_path / "in", tmp_path / "out", formats())
    assert [one.name for one in tmp_path.iterdir()] == ["in"]


def test_mistakes(tmp_path: Path) -> None:
    given = source(tmp_path / "in", TIED)
    with pytest.raises(ValueError, match="is the source itself"):
        quantize(given, tmp_path / "in", formats())
    with pytest.raises(ValueError, match="head is its embedding"):
        quantize(given, tmp_path / "out", formats(head="int8"))
    with pytest.raises(ValueError, match="nothing to quantise"):
        formats("none")
    for name in ("int4", "int3-g32", "int4-g48", "int8-g64-", "fp8", ""):
        with pytest.raises(ValueError, match=re.escape(f"no format {name!r}")):
            parse_format(name)


@pytest.mark.parametrize("name", ["int4-g32", "int4-g128-asym", "int8", "int8-asym", "int8-g64", "none"])
def test_formats_have_one_name(name: str) -> None:
    assert format_name(parse_format(name)) == name
    assert parse_format("int8-sym") == parse_format("int8")


@pytest.mark.parametrize(
    ("names", "every", "wanted"),
    [
        ({}, "", ["int4-g64", "int8", "int8", "int8", "none", "none"]),
        ({}, "int4-g32", [*["int4-g32"] * 4, "none", "none"]),
        ({"experts": "none", "head": "int8"}, "", ["none", "int8", "int8", "int8", "int8", "none"]),
        ({"attention": "int8", "dense": None, "shared": ""}, "int4-g128", [*["int4-g128"] * 3, "int8", "none", "none"]),
    ],
)
def test_a_part_has_its_own_format_or_the_one_for_all_or_its_default(names, every: str, wanted: list[str]) -> None:
    formats = named_formats(names, every)
    assert [format_name(formats.of(part)) for part in PARTS] == wanted


def test_every_matrix_belongs_to_a_part_or_is_kept_on_purpose() -> None:
    config = dataclasses.replace(TINY, num_nextn_predict_layers=1)
    kept = {"model.layers.2.eh_proj.weight", "model.layers.1.mlp.gate.weight", "model.layers.2.mlp.gate.weight"}
    names = [name for name, shape in expected(config, mtp=True).items() if len(shape) == 2]
    assert {name for name in names if part_of(name) is None} == kept
    assert {part_of(name) for name in names if part_of(name)} == set(PARTS) - {"experts"}
    assert part_of(f"{EXPERTS}.0.up_proj.weight") == "experts"


@pytest.mark.parametrize("name", ["int4-g64", "int4-g32-asym", "int8"])
def test_a_random_folder_of_a_shape(tmp_path: Path, name: str) -> None:
    for copy in ("a", "b"):
        random_folder(TINY, tmp_path / copy, formats(name), seed=7, shard_bytes=200_000)
    files = sorted(file.name for file in (tmp_path / "a").iterdir())
    assert all((tmp_path / "a" / one).read_bytes() == (tmp_path / "b" / one).read_bytes() for one in files)
    folder = CheckpointFolder(tmp_path / "a")
    plan(folder.config, {key: stored.shape for key, stored in folder.weights.items()})
    for key in (f"{EXPERTS}.1.down_proj.weight", "model.layers.0.self_attn.o_proj.weight", "lm_head.weight"):
        values = folder.decode(key)
        assert values.std() == pytest.approx(0.02, rel=0.05), key
        assert abs(values.mean()) < 0.001
    assert (folder.decode("model.norm.weight") == 1).all()
    random_folder(TINY, tmp_path / "c", formats(name), seed=8)
    assert not np.array_equal(
        CheckpointFolder(tmp_path / "c").decode("lm_head.weight"), folder.decode("lm_head.weight")
    )


PEAK = """
import resource, sys
from pathlib import Path
from axk1.arch import preset
from axk1.export.quantize import quantize
from axk1.export.quantize_formats import Formats, parse_format
four = parse_format("int4-g64")
quantize(Path(sys.argv[1]), Path(sys.argv[2]), Formats(four, four, four, four))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
quantize(Path(sys.argv[3]), Path(sys.argv[2]), Formats(four, four, four, four))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10, "torch" in sys.modules)
"""


def test_a_larger_model_takes_no_more_memory(tmp_path: Path) -> None:
    """Peak memory beyond that of a tiny model, in MiB, for a source of 70 MiB; and torch is never loaded."""
    config = dataclasses.replace(arch.preset("nano"), n_routed_experts=64, num_hidden_layers=6)
    large = source(tmp_path / "large", config)
    arguments = [str(source(tmp_path / "in")), str(tmp_path / "out"), str(large)]
    assert (large / "model.safetensors").stat().st_size > 70 << 20
    done = subprocess.run([sys.executable, "-c", PEAK, *arguments], capture_output=True, text=True, check=True)
    growth, torch_loaded = done.stdout.split()
    assert int(growth) < 16
    assert torch_loaded == "False"


@pytest.mark.parametrize("exponent", [0.5, 1.0])
def test_skewed_routers_choose_by_a_zipf_law(exponent: float) -> None:
    """Drawn scores, as independent as the biases suppose."""
    config = arch.preset("30b-a3b")
    rng = np.random.default_rng(0)
    spread = config.initializer_range * config.hidden_size**0.5
    scores_TE = 1 / (1 + np.exp(-rng.standard_normal((10_000, config.n_routed_experts)) * spread))
    chosen_TK = np.argsort(-(scores_TE + zipf_biases(config, exponent)))[:, : config.num_experts_per_tok]
    found_E = np.bincount(chosen_TK.ravel(), minlength=config.n_routed_experts) / len(chosen_TK)
    law_E = np.arange(1, config.n_routed_experts + 1) ** -exponent
    law_E *= config.num_experts_per_tok / law_E.sum()
    np.testing.assert_allclose(found_E[1:64], law_E[1:64], rtol=0.25)


def test_an_absurd_skew_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the skew of experts must be 0 to 4, not -1"):
        random_folder(arch.preset("nano"), tmp_path / "out", Formats(*[parse_format("int8")] * 4), skew=-1.0)
