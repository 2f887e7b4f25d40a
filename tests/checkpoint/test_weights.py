"""Quantised folders: what is joined, what kernels get, and every way such a folder can contradict itself."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from axk1 import arch
from axk1.arch import ModelConfig
from axk1.checkpoint import CheckpointError, CheckpointFolder, Scheme, expected, plan
from axk1.checkpoint.compressed_tensors import unpack
from axk1.checkpoint.floats import from_float32
from axk1.checkpoint.fp8 import E4M3
from axk1.checkpoint.names import DOWN, GATE_UP, expert_pieces
from axk1.checkpoint.quantization import codec
from axk1.checkpoint.tensorfile import Entry, write

TINY = dataclasses.replace(
    arch.preset("nano"), vocab_size=64, num_hidden_layers=2, n_routed_experts=4, n_group=2, num_experts_per_tok=2
)
SCHEMES = {
    "fp8": Scheme("fp8", 8, 128, block_rows=128, scale_dtype="F32"),
    "int4-g32": Scheme("pack-quantized", 4, 32),
    "int4-g64-asym": Scheme("pack-quantized", 4, 64, symmetric=False),
    "int8": Scheme("pack-quantized", 8, scale_dtype="F16"),
    "plain int8": Scheme("int-quantized", 8, 64, symmetric=False, scale_dtype="F32"),
}
Tensors = dict[str, tuple[str, np.ndarray]]
Build = Callable[..., Path]


def settings_of(scheme: Scheme) -> dict[str, object]:
    described = codec(scheme.codec).describe(scheme)
    if scheme.codec == "fp8":
        return described
    group = {"targets": ["Linear"], **described}
    ignore = ["lm_head", "re:.*mlp\\.gate$"]
    return {
        "quant_method": "compressed-tensors",
        "format": scheme.codec,
        "config_groups": {"group_0": group},
        "ignore": ignore,
    }


def logical_weights(config: ModelConfig = TINY) -> dict[str, np.ndarray]:
    """A weight per expert and projection, float32."""
    rng = np.random.default_rng(0)
    shapes = {}
    for name, shape in expected(config).items():
        fused = name.endswith((GATE_UP, DOWN))
        shapes |= {one.tensor: one.shape for one in expert_pieces(name, shape)} if fused else {name: shape}
    return {name: rng.standard_normal(shape).astype(np.float32) * 0.05 for name, shape in shapes.items()}


def is_quantised(name: str) -> bool:
    return name.endswith(("_proj.weight", "_with_mqa.weight"))


def stored_tensors(weights: Mapping[str, np.ndarray], scheme: Scheme) -> Tensors:
    tensors: Tensors = {}
    found = codec(scheme.codec)
    for name, weight in weights.items():
        if not is_quantised(name):
            dtype = "F32" if name.endswith("bias") else "BF16"
            tensors[name] = (dtype, from_float32(weight, dtype))
            continue
        stored = found.encode(weight, scheme)
        for role, leaf in found.layout(weight.shape, scheme).items():
            tensors[f"{name.removesuffix('.weight')}.{found.leaves[role]}"] = (leaf.dtype, stored[role])
    return tensors


def write_folder(folder: Path, tensors: Tensors, quantization: object, config: ModelConfig = TINY) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    values = config.to_huggingface()
    if quantization is not None:
        values["quantization_config"] = quantization
    (folder / "config.json").write_text(json.dumps(values), encoding="utf-8")
    entries = [Entry(name, array.shape, dtype) for name, (dtype, array) in tensors.items()]
    write(folder / "model.safetensors", entries, lambda name: memoryview(tensors[name][1].tobytes()))
    return folder


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """`build("int8", tensors=change, settings=change)` writes a folder; the changes work in place."""

    def make(name: str, tensors: Callable | None = None, settings: Callable | None = None) -> Path:
        stored, quantization = stored_tensors(logical_weights(), SCHEMES[name]), settings_of(SCHEMES[name])
        for change, value in ((tensors, stored), (settings, quantization)):
            if change:
                change(value)
        return write_folder(tmp_path / "m", stored, quantization)

    return make


MODULE = "model.layers.1.mlp.experts.2.down_proj"
ATTENTION = "model.layers.0.self_attn.o_proj"
TOLERANCE = {"fp8": 0.04, "int4-g32": 0.11, "int4-g64-asym": 0.11, "int8": 0.02, "plain int8": 0.01}


@pytest.mark.parametrize("name", SCHEMES)
def test_every_weight_is_found_and_decoded(build: Callable, name: str) -> None:
    folder, wanted = CheckpointFolder(build(name)), logical_weights()
    assert set(folder.weights) == set(wanted)
    mapping = plan(folder.config, {key: stored.shape for key, stored in folder.weights.items()})
    assert not mapping.zeros
    assert not mapping.dropped
    for key, weight in wanted.items():
        found = folder.decode(key).reshape(weight.shape)
        error = np.sqrt(np.square(found - weight).mean() / np.square(weight).mean())
        assert error < (TOLERANCE[name] if is_quantised(key) else 0.004), key


@pytest.mark.parametrize("name", SCHEMES)
def test_rows_are_decoded_apart(build: Callable, name: str) -> None:
    folder = CheckpointFolder(build(name))
    for key in ("model.layers.0.mlp.gate_proj.weight", "model.embed_tokens.weight"):
        whole = folder.decode(key)
        np.testing.assert_array_equal(folder.decode(key, 0, 13), whole[:13])
        if len(whole) > 256:
            np.testing.assert_array_equal(folder.decode(key, 128, 200), whole[128:328])
            np.testing.assert_array_equal(folder.decode(key, 256), whole[256:])


def test_kernels_get_the_mapped_bytes(build: Callable) -> None:
    folder = CheckpointFolder(build("int4-g64-asym"))
    weight = folder.weight(f"{MODULE}.weight")
    assert (weight.kind, weight.shape, weight.group_size, weight.symmetric) == ("int4", (256, 128), 64, False)
    assert (weight.packed, weight.scale_dtype, weight.block_rows) == (True, "BF16", 1)
    assert weight.values.readonly
    assert weight.scale is not None
    assert weight.zero_point is not None
    assert weight.values.obj is folder.raw(f"{MODULE}.weight_packed").obj  # mapped, not copied
    codes = unpack(np.frombuffer(weight.values, dtype="<i4").reshape(256, 16), 4, 128).astype(np.float32)
    zeros = unpack(np.frombuffer(weight.zero_point, dtype="<i4").reshape(32, 2).T, 4, 256).T
    scales = (np.frombuffer(weight.scale, dtype="<u2").astype(np.uint32) << 16).view(np.float32).reshape(256, 2)
    by_hand = (codes - np.repeat(zeros, 64, axis=1)) * np.repeat(scales, 64, axis=1)
    np.testing.assert_array_equal(by_hand, folder.decode(f"{MODULE}.weight"))


def test_other_kinds(build: Callable) -> None:
    folder = CheckpointFolder(build("fp8"))
    weight = folder.weight(f"{MODULE}.weight")
    assert (weight.kind, weight.group_size, weight.block_rows, weight.scale_dtype) == ("fp8_block", 128, 128, "F32")
    assert weight.scale is not None
    assert E4M3[weight.values[0]] * weight.scale.cast("f")[0] == folder.decode(f"{MODULE}.weight")[0, 0]
    assert folder.weight("model.norm.weight").kind == "bf16"
    assert folder.weight("model.layers.1.mlp.gate.e_score_correction_bias").kind == "f32"
    folder = CheckpointFolder(build("plain int8"))
    weight = folder.weight(f"{MODULE}.weight")
    assert (weight.kind, weight.packed, weight.group_size) == ("int8", False, 64)
    assert CheckpointFolder(build("int8")).weight(f"{MODULE}.weight").group_size is None


def drop(name: str) -> Callable:
    return lambda tensors: tensors.pop(name)


def put(name: str, dtype: str, array: np.ndarray) -> Callable:
    return lambda tensors: tensors.update({name: (dtype, array)})


I32, U8, U16 = np.int32, np.uint8, np.uint16
BROKEN = [
    ("int8", drop(f"{MODULE}.weight_scale"), rf"tensor {MODULE}\.weight_scale is missing, its weight is quantised"),
    ("int8", drop(f"{MODULE}.weight_packed"), rf"tensor {MODULE}\.weight_packed is missing"),
    ("int8", drop(f"{MODULE}.weight_shape"), rf"tensor {MODULE}\.weight_shape is missing"),
    ("int4-g64-asym", drop(f"{MODULE}.weight_zero_point"), rf"tensor {MODULE}\.weight_zero_point is missing"),
    ("fp8", drop(f"{MODULE}.weight_scale_inv"), rf"tensor {MODULE}\.weight_scale_inv is missing"),
    ("fp8", drop(f"{MODULE}.weight"), rf"tensor {MODULE}\.weight is missing"),
    (
        "int4-g32",
        put(f"{MODULE}.weight_scale", "BF16", np.zeros((256, 3), U16)),
        rf"tensor {MODULE}\.weight_scale is BF16 \[256, 3\], wanted BF16 \[256, 4\]",
    ),
    (
        "int4-g32",
        put(f"{MODULE}.weight_scale", "U8", np.zeros((256, 4), U8)),
        rf"{MODULE}\.weight_scale has dtype U8, wanted one of F32, BF16, F16",
    ),
    (
        "int4-g32",
        put(f"{MODULE}.weight_packed", "I32", np.zeros((256, 8), I32)),
        rf"{MODULE}\.weight_packed is I32 \[256, 8\], wanted I32 \[256, 16\]",
    ),
    (
        "int8",
        put(f"{MODULE}.weight_packed", "F32", np.zeros((256, 32), np.float32)),
        rf"{MODULE}\.weight_packed is F32 \[256, 32\], wanted I32 \[256, 32\]",
    ),
    (
        "int8",
        put(f"{MODULE}.weight_shape", "I64", np.array([-256, 128])),
        rf"{MODULE}\.weight_shape says \[-256, 128\], which is no shape",
    ),
    (
        "int8",
        put(f"{MODULE}.weight_shape", "I64", np.array([256, 1 << 40])),
        r"weight_shape says \[256, 1099511627776\]",
    ),
    (
        "int8",
        put(f"{MODULE}.weight_shape", "I64", np.zeros(3, np.int64)),
        r"weight_shape is I64 \[3\], wanted I64 \[2\]",
    ),
    (
        "int4-g32",
        put(f"{MODULE}.weight_shape", "I64", np.array([256, 120])),
        rf"tensor {MODULE}\.weight \[256, 120\]: 120 columns do not divide into groups of 32",
    ),
    (
        "int8",
        put(f"{MODULE}.weight", "BF16", np.zeros((256, 128), U16)),
        rf"tensor {MODULE}\.weight \[256, 128\] is there plain and quantised",
    ),
    (
        "fp8",
        put(f"{MODULE}.weight_scale_inv", "F32", np.zeros((3, 1), np.float32)),
        rf"{MODULE}\.weight_scale_inv is F32 \[3, 1\], wanted F32 \[2, 1\]",
    ),
    ("int8", put("lm_head.weight_scale", "BF16", np.zeros(2, U16)), "the weight of lm_head is quantised, but quant"),
]


@pytest.mark.parametrize(("name", "change", "message"), BROKEN)
def test_a_folder_that_contradicts_itself(build: Callable, name: str, change: Callable, message: str) -> None:
    folder = CheckpointFolder(build(name, tensors=change))
    with pytest.raises(CheckpointError, match=message) as caught:
        _ = folder.weights
    assert "\n" not in str(caught.value)
    assert str(folder.path) in str(caught.value)


def test_a_surplus_zero_point_is_left_to_the_plan(build: Callable) -> None:
    name = f"{MODULE}.weight_zero_point"
    folder = CheckpointFolder(build("int8", tensors=put(name, "I32", np.zeros((64, 1), I32))))
    with pytest.raises(CheckpointError, match=rf"tensor {name} \[64, 1\] is surplus"):
        plan(folder.config, {key: stored.shape for key, stored in folder.weights.items()})


def test_a_whole_weight_that_is_missing_or_misshapen(build: Callable) -> None:
    def drop_all(tensors: dict) -> None:
        for leaf in ("packed", "scale", "shape"):
            tensors.pop(f"{ATTENTION}.weight_{leaf}")

    folder = CheckpointFolder(build("int8", tensors=drop_all))
    with pytest.raises(CheckpointError, match=rf"tensor {ATTENTION}\.weight \[256, 128\] is missing"):
        plan(folder.config, {key: stored.shape for key, stored in folder.weights.items()})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"quant_method": "gptq"},
            "config.json: quantization 'gptq' is not known: this reads fp8, int-quantized, pack-q",
        ),
        ({"format": "nvfp4-pack-quantized"}, "quantization 'nvfp4-pack-quantized' is not known"),
        ({"config_groups": {}}, "no config_groups"),
        ({"config_groups": {"g": 3}}, "config group g must be an object"),
        ({"config_groups": {"g": {"targets": "Linear", "weights": {"group_size": -1}}}}, "targets of g must be a list"),
        ({"ignore": ["re:("]}, r"'re:\(' is not a pattern"),
        ({"ignore": [3]}, "ignore must be a list of names"),
    ],
)
def test_a_config_that_is_not_read(build: Callable, change: dict, message: str) -> None:
    folder = CheckpointFolder(build("int8", settings=lambda settings: settings.update(change)))
    with pytest.raises(CheckpointError, match=message) as caught:
        _ = folder.weights
    assert "\n" not in str(caught.value)


def test_a_name_counts_before_a_pattern_and_that_before_a_class(build: Callable) -> None:
    def mixed(settings: dict) -> None:
        weights = settings["config_groups"]["group_0"]["weights"]
        four = {"weights": {**weights, "num_bits": 4, "strategy": "group", "group_size": 32}}
        settings["config_groups"]["group_1"] = {"targets": [ATTENTION], **four}
        settings["config_groups"]["group_2"] = {"targets": [r"re:.*\.self_attn\..*"], "weights": weights}

    quantization = CheckpointFolder(build("int8", settings=mixed)).quantization
    assert quantization is not None
    found = {name: quantization.scheme_of(name) for name in (ATTENTION, MODULE, "lm_head", "model.embed_tokens")}
    assert [scheme and scheme.bits for scheme in found.values()] == [4, 8, None, None]
