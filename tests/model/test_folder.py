"""Folders that transformers writes load with its logits; a broken folder says in one line what is wrong."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

from axk1 import arch
from axk1.arch import ModelConfig, RopeParameters
from axk1.checkpoint import CheckpointError, expected
from axk1.model.folder import load

AXK1 = ModelConfig(
    vocab_size=97,
    hidden_size=48,
    intermediate_size=80,
    moe_intermediate_size=20,
    num_hidden_layers=3,
    num_attention_heads=3,
    num_key_value_heads=3,
    n_routed_experts=8,
    num_experts_per_tok=3,
    n_group=2,
    topk_group=1,
    q_lora_rank=24,
    kv_lora_rank=16,
    qk_nope_head_dim=10,
    qk_rope_head_dim=6,
    v_head_dim=12,
    max_position_embeddings=64,
    initializer_range=0.1,
)
YARN = RopeParameters(rope_type="yarn", factor=4.0, original_max_position_embeddings=16)
DEEPSEEK = dataclasses.replace(AXK1, model_type="deepseek_v3", n_shared_experts=2, rms_norm_eps=1e-5)
CONFIGS = {
    "axk1": AXK1,
    "axk1 yarn tied": dataclasses.replace(AXK1, rope_parameters=YARN, tie_word_embeddings=True),
    "axk1 two dense": dataclasses.replace(AXK1, first_k_dense_replace=2),
    "deepseek": DEEPSEEK,
    "deepseek q_lora_rank none": dataclasses.replace(DEEPSEEK, q_lora_rank=None, first_k_dense_replace=0),
    "deepseek yarn": dataclasses.replace(
        DEEPSEEK, rope_parameters=dataclasses.replace(YARN, mscale=0.8, mscale_all_dim=1.2)
    ),
}


def theirs(config: ModelConfig) -> torch.nn.Module:
    """A random transformers model whose norms and selection biases are no longer ones and zeros."""
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config.to_huggingface())).eval()
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if value.ndim == 1:
                value.normal_(0.0 if name.endswith("bias") else 1.0, 0.1)
    return model


def tokens() -> torch.Tensor:
    return torch.randint(0, 97, (2, 33), generator=torch.Generator().manual_seed(2))


def assert_same_logits(model: torch.nn.Module, folder: Path) -> None:
    with torch.no_grad():
        torch.testing.assert_close(load(folder)(tokens()), model(tokens()).logits, atol=1e-4, rtol=0)


def rewrite(folder: Path, change) -> None:
    """Passes the tensors of a one-file folder through `change`."""
    file = folder / "model.safetensors"
    save_file(change(load_file(file)), file, metadata={"format": "pt"})


@pytest.fixture
def saved(tmp_path) -> Path:
    theirs(AXK1).save_pretrained(tmp_path / "m")
    return tmp_path / "m"


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("shards", ["50GB", "20KB"])
def test_logits_of_transformers(tmp_path, name, shards):
    model = theirs(CONFIGS[name])
    model.save_pretrained(tmp_path / "m", max_shard_size=shards)
    assert (tmp_path / "m" / "model.safetensors.index.json").exists() == (shards == "20KB")
    assert_same_logits(model, tmp_path / "m")


@pytest.mark.parametrize("config", [AXK1, DEEPSEEK])
def test_pre_fused_experts(tmp_path, config):
    """The layout of the released A.X K1: transformers' parameters as they are, norms of dense layers beside them."""
    model = theirs(config)
    model.save_pretrained(tmp_path / "m", save_original_format=False)
    assert any(name.endswith("experts.gate_up_proj") for name in load_file(tmp_path / "m" / "model.safetensors"))
    if config.post_mlp_norm:
        rewrite(tmp_path / "m", lambda state: {**state, "model.layers.0.post_mlp_layernorm.weight": torch.rand(48)})
    assert_same_logits(model, tmp_path / "m")


def test_absent_selection_bias_is_zero(tmp_path):
    model = theirs(AXK1)
    for name, value in model.state_dict().items():
        if name.endswith("e_score_correction_bias"):
            value.zero_()
    model.save_pretrained(tmp_path / "m")
    rewrite(tmp_path / "m", lambda state: {name: value for name, value in state.items() if "bias" not in name})
    assert_same_logits(model, tmp_path / "m")


def test_every_parameter_comes_from_the_file(saved):
    """Nothing keeps its random start: each of our parameters is one of transformers', bit for bit."""
    state = theirs(AXK1).state_dict()
    ours = load(saved).state_dict()
    assert ours.keys() == expected(AXK1).keys()
    for name, value in ours.items():
        other = state[name.replace(".post_mlp_layernorm", ".mlp.post_mlp_layernorm")]
        assert torch.equal(value, other), name


def test_dtypes(saved):
    stored = load(saved)
    assert stored.model.embed_tokens.weight.dtype == torch.float32
    assert not stored.training
    half = load(saved, dtype=torch.bfloat16)
    assert {value.dtype for value in half.state_dict().values()} == {torch.bfloat16, torch.float32}
    assert torch.equal(half.model.embed_tokens.weight, stored.model.embed_tokens.weight.to(torch.bfloat16))
    for router, exact in zip(half.routers, stored.routers, strict=True):
        assert torch.equal(router.weight, exact.weight)
        assert torch.equal(router.e_score_correction_bias, exact.e_score_correction_bias)
    rewrite(saved, lambda state: {name: value.to(torch.bfloat16) for name, value in state.items()})
    assert load(saved).model.embed_tokens.weight.dtype == torch.bfloat16


def test_gradients_reach_loaded_parameters(saved):
    model = load(saved)
    model.loss(tokens(), tokens()).total.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def drop(name):
    return lambda state: {other: value for other, value in state.items() if other != name}


def add(name, value):
    return lambda state: {**state, name: value}


SHARED = "model.layers.1.mlp.shared_experts.up_proj.weight"
BROKEN = [
    (drop(SHARED), rf"tensor {SHARED} \[20, 48\] is missing"),
    (drop("lm_head.weight"), r"tensor lm_head.weight \[97, 48\] is missing"),
    (drop("model.layers.2.mlp.experts.7.up_proj.weight"), r"experts.7.up_proj.weight \[20, 48\] is missing"),
    (add("model.layers.1.mlp.shared_expert.up_proj.weight", torch.ones(20, 48)), "shared_expert.up_proj.* is surplus"),
    (add("model.layers.3.input_layernorm.weight", torch.ones(48)), "layers.3.input_layernorm.weight .* is surplus"),
    (add(SHARED, torch.ones(48, 20)), rf"tensor {SHARED} has shape \[48, 20\], wanted \[20, 48\]"),
    (add("model.norm.weight", torch.ones(48, dtype=torch.int8)), "tensor model.norm.weight has dtype I8, wanted F64"),
]


@pytest.mark.parametrize(("change", "message"), BROKEN)
def test_a_broken_folder_is_one_clear_line(saved, change, message):
    rewrite(saved, change)
    with pytest.raises(CheckpointError, match=message) as caught:
        load(saved)
    assert str(saved) in str(caught.value)
    assert "\n" not in str(caught.value)


def change_config(folder: Path, **values: object) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, **values}), encoding="utf-8")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model_type": "llama", "architectures": ["LlamaForCausalLM"]}, "'LlamaForCausalLM'.* is not supported"),
        ({"n_routed_experts": 6}, "tensor model.layers.1.mlp.gate.weight has shape .8, 48., wanted .6, 48."),
        ({"vocab_size": 100}, "tensor model.embed_tokens.weight has shape .97, 48., wanted .100, 48."),
        ({"num_hidden_layers": 2, "mlp_layer_types": None}, "tensor model.layers.2.* is surplus"),
        ({"model_type": "deepseek_v3", "architectures": None}, "is missing|post_mlp_layernorm.weight .* is surplus"),
        ({"quantization_config": {"quant_method": "fp8"}}, "a quantised checkpoint"),
    ],
)
def test_a_config_that_is_not_the_checkpoints(saved, values, message):
    change_config(saved, **values)
    with pytest.raises(CheckpointError, match=message) as caught:
        load(saved)
    assert "\n" not in str(caught.value)


def test_a_truncated_file(saved):
    file = saved / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"model\.safetensors: cut short"):
        load(saved)


def test_the_presets_fit_the_module_tree():
    """`expected` and the torch model agree on every name and shape, MTP layers included."""
    from axk1.model.transformer import Transformer

    for config in (*arch.PRESETS.values(), dataclasses.replace(AXK1, num_nextn_predict_layers=2)):
        with torch.device("meta"):
            state = Transformer(config).state_dict()
        assert {name: tuple(value.shape) for name, value in state.items()} == expected(config, mtp=True)
