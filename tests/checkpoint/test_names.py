"""The plan against the names transformers and the released A.X K1 use; nothing is dropped or invented in silence."""

import dataclasses
import math
import re

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from axk1 import arch
from axk1.arch import ModelConfig
from axk1.checkpoint import CheckpointError, Piece, expected, plan

AXK1 = dataclasses.replace(arch.preset("nano"), num_hidden_layers=3, n_routed_experts=8, n_group=2, topk_group=1)
DEEPSEEK = dataclasses.replace(AXK1, model_type="deepseek_v3", q_lora_rank=None, first_k_dense_replace=2)
BIAS = "model.layers.1.mlp.gate.e_score_correction_bias"
POST = "model.layers.1.post_mlp_layernorm.weight"
GATE_UP = "model.layers.1.mlp.experts.gate_up_proj"

Shapes = dict[str, tuple[int, ...]]


def separate(config: ModelConfig, shapes: Shapes) -> Shapes:
    """The same tensors with every expert apart, spelt out here on its own."""
    out: Shapes = {}
    inner, width = config.moe_intermediate_size, config.hidden_size
    for name, shape in shapes.items():
        base = name.removesuffix(".gate_up_proj").removesuffix(".down_proj")
        if not base.endswith(".experts"):
            out[name] = shape
            continue
        for expert in range(config.n_routed_experts):
            if name.endswith("down_proj"):
                out[f"{base}.{expert}.down_proj.weight"] = (width, inner)
            else:
                out[f"{base}.{expert}.gate_proj.weight"] = (inner, width)
                out[f"{base}.{expert}.up_proj.weight"] = (inner, width)
    return out


def read_tensors(config: ModelConfig, present: Shapes, **options: bool) -> list[str]:
    found = plan(config, present, **options)
    return [piece.tensor for pieces in found.sources.values() for piece in pieces]


@pytest.mark.parametrize("config", [AXK1, DEEPSEEK, dataclasses.replace(AXK1, tie_word_embeddings=True)])
def test_names_and_shapes_are_those_of_transformers(config):
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config.to_huggingface()))
    theirs = {
        name.replace(".mlp.post_mlp_layernorm", ".post_mlp_layernorm"): tuple(value.shape)
        for name, value in model.state_dict().items()
        if not (config.tie_word_embeddings and name == "lm_head.weight")
    }
    assert expected(config) == theirs


@pytest.mark.parametrize("name", ["k1", "30b-a3b", "deepseek-v3"])
def test_shapes_add_up_to_the_arithmetic(name):
    config = arch.preset(name)
    numbers = {mtp: sum(math.prod(shape) for shape in expected(config, mtp=mtp).values()) for mtp in (False, True)}
    bias = len(config.sparse_layers) * config.n_routed_experts
    assert numbers[False] == arch.parameters(config) + bias
    assert numbers[True] - numbers[False] == arch.mtp_parameters(config) + (
        config.num_nextn_predict_layers * config.n_routed_experts
    )


@pytest.mark.parametrize("config", [AXK1, DEEPSEEK])
@pytest.mark.parametrize("layout", [lambda config, shapes: shapes, separate])
def test_every_tensor_is_read_exactly_once(config, layout):
    present = layout(config, expected(config))
    found = plan(config, present)
    assert sorted(read_tensors(config, present)) == sorted(present)
    assert not found.zeros
    assert not found.dropped
    assert found.sources.keys() == expected(config).keys()


def test_experts_fill_their_parameter_without_gap_or_overlap():
    inner, pieces = AXK1.moe_intermediate_size, plan(AXK1, separate(AXK1, expected(AXK1))).sources[GATE_UP]
    prefix = "model.layers.1.mlp.experts"
    assert pieces[6] == Piece(f"{prefix}.3.gate_proj.weight", (inner, 256), expert=3, first_row=0)
    assert pieces[7] == Piece(f"{prefix}.3.up_proj.weight", (inner, 256), expert=3, first_row=inner)
    filled = {(piece.expert, piece.first_row + row) for piece in pieces for row in range(piece.shape[0])}
    assert len(filled) == sum(piece.shape[0] for piece in pieces) == 8 * 2 * inner


def test_the_released_a_x_k1_layout():
    """976 keys: fused experts, a post-MLP norm on the dense layer too, no selection bias."""
    k1 = arch.preset("k1")
    present = {name: shape for name, shape in expected(k1).items() if not name.endswith("bias")}
    present["model.layers.0.post_mlp_layernorm.weight"] = (7168,)
    assert len(present) == 976
    found = plan(k1, present)
    assert list(found.dropped) == ["model.layers.0.post_mlp_layernorm.weight"]
    assert len(found.zeros) == 60
    assert all(name.endswith("e_score_correction_bias") for name in found.zeros)
    assert len(read_tensors(k1, present)) == 975


def test_the_norm_inside_the_mlp_module():
    present = {name.replace(".post_mlp", ".mlp.post_mlp"): shape for name, shape in expected(AXK1).items()}
    present["model.layers.0.mlp.post_mlp_layernorm.weight"] = (256,)
    found = plan(AXK1, present)
    assert found.sources[POST][0].tensor == "model.layers.1.mlp.post_mlp_layernorm.weight"
    assert list(found.dropped) == ["model.layers.0.mlp.post_mlp_layernorm.weight"]


def test_mtp_layers_are_left_aside_or_read():
    config = dataclasses.replace(DEEPSEEK, num_nextn_predict_layers=1)
    with_mtp = expected(config, mtp=True)
    copies = {"model.layers.3.embed_tokens.weight": (8192, 256), "model.layers.3.shared_head.head.weight": (8192, 256)}
    present = separate(config, {**with_mtp, **copies})
    aside = plan(config, present)
    assert set(aside.dropped) == {name for name in present if name.startswith("model.layers.3.")}
    assert set(plan(DEEPSEEK, present).dropped) == set(aside.dropped)
    asked = plan(config, present, mtp=True)
    assert set(asked.dropped) == set(copies)
    assert asked.sources["model.layers.3.eh_proj.weight"][0].shape == (256, 512)
    with pytest.raises(CheckpointError, match=r"model\.layers\.3\.enorm\.weight \[256\] is missing \(and"):
        plan(config, expected(DEEPSEEK), mtp=True)


def test_a_main_layer_too_many_is_not_taken_for_mtp():
    present = expected(dataclasses.replace(DEEPSEEK, num_hidden_layers=4))
    with pytest.raises(CheckpointError, match=r"tensor model\.layers\.3\..* is surplus \(and"):
        plan(DEEPSEEK, present)


def test_tied_head_and_rotary_tables_are_left_aside():
    tied = dataclasses.replace(AXK1, tie_word_embeddings=True)
    extra = {"lm_head.weight": (8192, 256), "model.layers.0.self_attn.rotary_emb.inv_freq": (16,)}
    assert set(plan(tied, {**expected(tied), **extra}).dropped) == set(extra)


@pytest.mark.parametrize("layout", [lambda config, shapes: shapes, separate])
def test_any_missing_tensor_is_named(layout):
    present = layout(AXK1, expected(AXK1))
    for name in present:
        left = {other: shape for other, shape in present.items() if other != name}
        if name.endswith("e_score_correction_bias"):
            assert plan(AXK1, left).zeros == (name,)
            continue
        with pytest.raises(CheckpointError) as caught:
            plan(AXK1, left)
        if name.endswith("experts.gate_up_proj"):  # then the file might hold experts apart
            assert ".experts.0.gate_proj.weight [128, 256] is missing" in str(caught.value)
        elif name.endswith("experts.down_proj"):
            assert ".experts.0.down_proj.weight [256, 128] is missing" in str(caught.value)
        else:
            assert f"tensor {name} {list(present[name])} is missing" in str(caught.value)


@pytest.mark.parametrize("layout", [lambda config, shapes: shapes, separate])
def test_any_misshapen_tensor_is_named_with_both_shapes(layout):
    present = layout(AXK1, expected(AXK1))
    for name, shape in present.items():
        wrong = (*shape[:-1], shape[-1] + 1)
        with pytest.raises(CheckpointError) as caught:
            plan(AXK1, {**present, name: wrong})
        assert str(caught.value) == f"tensor {name} has shape {list(wrong)}, wanted {list(shape)}"


def test_transposed_fused_experts_are_misshapen():
    config = dataclasses.replace(AXK1, moe_intermediate_size=150)
    with pytest.raises(CheckpointError, match=r"gate_up_proj has shape \[8, 256, 300\], wanted \[8, 300, 256\]"):
        plan(config, {**expected(config), GATE_UP: (8, 256, 300)})


@pytest.mark.parametrize(
    "name",
    [
        "model.layers.1.mlp.shared_expert.gate_proj.weight",
        "model.layers.1.self_attn.q_a_proj.bias",
        "model.layers.1.self_attn.q_a_proj.weight_scale_inv",
        "model.layers.1.mlp.experts.0.up_proj.weight",
        "model.layers.1.mlp.experts.8.up_proj.weight",
        "model.layers.1.mlp.post_mlp_layernorm.weight",
        "model.layers.9.input_layernorm.weight",
        "model.layers.x.input_layernorm.weight",
        "transformer.wte.weight",
    ],
)
def test_a_surplus_tensor_is_named(name):
    with pytest.raises(CheckpointError, match=rf"^tensor {re.escape(name)} \[8, 8\] is surplus$"):
        plan(AXK1, {**expected(AXK1), name: (8, 8)})


def test_post_mlp_norms_are_surplus_in_deepseek():
    with pytest.raises(CheckpointError, match=r"post_mlp_layernorm\.weight .* is surplus"):
        plan(DEEPSEEK, {**expected(DEEPSEEK), "model.layers.0.post_mlp_layernorm.weight": (256,)})


@pytest.mark.parametrize("key", ["num_hidden_layers", "n_routed_experts"])
def test_a_config_of_far_more_tensors_than_there_are_is_refused_at_once(key):
    """Before two thousand million names are made."""
    present = separate(AXK1, expected(AXK1))
    with pytest.raises(CheckpointError, match=f"{key} is 2000000000, but the files hold only {len(present)} tensors"):
        plan(dataclasses.replace(AXK1, **{key: 2 * 10**9}), present)
