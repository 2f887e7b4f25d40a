"""The figures against published numbers, against transformers' own modules and against counted FLOPs."""

import dataclasses
import json

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoConfig, AutoModelForCausalLM, AXK1Config, DeepseekV3Config

from axk1 import arch
from axk1.arch import ModelConfig, RopeParameters

# (parameters, active parameters): counted from transformers' models when the shapes were drawn up
COUNTS = {
    "nano": (21_886_592, 8_124_032),
    "mini": (341_286_912, 93_560_832),
    "base": (3_624_984_576, 982_573_056),
    "slice": (9_217_226_752, 1_113_831_424),
    "30b-a3b": (30_449_035_264, 3_392_628_736),
    "moonlight-16b-a3b": (15_960_108_544, 2_914_774_528),
    "deepseek-v3": (671_026_404_352, 37_552_282_624),
    "k1": (518_983_052_288, 32_779_332_608),
}

# What the makers of three models publish, reduced to the keys that carry meaning
DEEPSEEK_V3 = {
    "architectures": ["DeepseekV3ForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "auto_map": {"AutoConfig": "configuration_deepseek.DeepseekV3Config"},
    "aux_loss_alpha": 0.001,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "ep_size": 1,
    "first_k_dense_replace": 3,
    "hidden_act": "silu",
    "hidden_size": 7168,
    "initializer_range": 0.02,
    "intermediate_size": 18432,
    "kv_lora_rank": 512,
    "max_position_embeddings": 163840,
    "model_type": "deepseek_v3",
    "moe_intermediate_size": 2048,
    "moe_layer_freq": 1,
    "n_group": 8,
    "n_routed_experts": 256,
    "n_shared_experts": 1,
    "norm_topk_prob": True,
    "num_attention_heads": 128,
    "num_experts_per_tok": 8,
    "num_hidden_layers": 61,
    "num_key_value_heads": 128,
    "num_nextn_predict_layers": 1,
    "pretraining_tp": 1,
    "q_lora_rank": 1536,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]},
    "rms_norm_eps": 1e-06,
    "rope_scaling": {
        "beta_fast": 32,
        "beta_slow": 1,
        "factor": 40,
        "mscale": 1.0,
        "mscale_all_dim": 1.0,
        "original_max_position_embeddings": 4096,
        "type": "yarn",
    },
    "rope_theta": 10000,
    "routed_scaling_factor": 2.5,
    "scoring_func": "sigmoid",
    "seq_aux": True,
    "tie_word_embeddings": False,
    "topk_group": 4,
    "topk_method": "noaux_tc",
    "torch_dtype": "bfloat16",
    "use_cache": True,
    "v_head_dim": 128,
    "vocab_size": 129280,
}
A_X_K1 = {
    "architectures": ["AXK1ForCausalLM"],
    "model_type": "AXK1",
    "max_position_embeddings": 131072,
    "rope_theta": 10000,
    "rope_scaling": {
        "type": "yarn",
        "factor": 4.0,
        "original_max_position_embeddings": 32768,
        "beta_fast": 32,
        "beta_slow": 1,
        "mscale": 1.0,
        "mscale_all_dim": 0.0,
    },
}
MOONLIGHT = {
    "architectures": ["DeepseekV3ForCausalLM"],
    "model_type": "deepseek_v3",
    "vocab_size": 163840,
    "hidden_size": 2048,
    "intermediate_size": 11264,
    "moe_intermediate_size": 1408,
    "num_hidden_layers": 27,
    "num_attention_heads": 16,
    "num_key_value_heads": 16,
    "n_routed_experts": 64,
    "n_shared_experts": 2,
    "num_experts_per_tok": 6,
    "n_group": 1,
    "topk_group": 1,
    "q_lora_rank": None,
    "first_k_dense_replace": 1,
    "max_position_embeddings": 8192,
    "rms_norm_eps": 1e-5,
    "rope_scaling": None,
    "rope_theta": 50000.0,
    "routed_scaling_factor": 2.446,
    "num_nextn_predict_layers": 0,
}


def nano(**changes: object) -> ModelConfig:
    return dataclasses.replace(arch.preset("nano"), **changes)


@pytest.mark.parametrize("name", COUNTS)
def test_parameter_counts(name):
    facts = arch.facts(arch.preset(name), name)
    assert (facts.parameters, facts.active_parameters) == COUNTS[name]
    parts = (facts.embedding_parameters, facts.attention_parameters, facts.dense_mlp_parameters)
    experts = (facts.routed_expert_parameters, facts.shared_expert_parameters, facts.router_parameters)
    assert sum((*parts, *experts, facts.norm_parameters)) == facts.parameters


def test_every_preset_has_counts_here():
    assert set(arch.PRESETS) == set(COUNTS)


@pytest.mark.parametrize("name", ["nano", "slice", "30b-a3b", "k1"])
def test_counts_are_those_of_transformers_modules(name):
    config = AutoConfig.for_model(**arch.preset(name).to_huggingface())
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    assert arch.parameters(arch.preset(name)) == sum(parameter.numel() for parameter in model.parameters())


def test_k1_facts():
    facts = arch.facts(arch.preset("k1"), "k1")
    assert facts.parameters_with_unused_norms == 518_983_059_456
    assert facts.kv_cache_bytes["bf16"] == 70_272
    assert facts.weight_bytes["bf16"] == 1_037_966_104_576
    assert facts.weight_bytes["int4"] * 8 == facts.weight_bytes["fp32"]
    assert facts.context == 131_072
    deepseek = arch.facts(arch.preset("deepseek-v3"), "deepseek-v3")
    assert deepseek.parameters_with_unused_norms == deepseek.parameters
    assert json.loads(json.dumps(dataclasses.asdict(facts)))["parameters"] == facts.parameters


def test_tied_embeddings_count_once_and_still_multiply():
    tied, untied = nano(tie_word_embeddings=True), nano()
    assert arch.parameters(untied) - arch.parameters(tied) == 8192 * 256
    assert arch.prefill_flops(tied, 64) == arch.prefill_flops(untied, 64)


def test_an_mtp_layer_is_what_deepseek_v3_ships_beside_its_671_billion():
    # DeepSeek-V3's README: 11.5B unique parameters in the MTP module
    assert arch.mtp_parameters(arch.preset("deepseek-v3")) == pytest.approx(11.5e9, rel=0.02)


def test_flops_are_the_ones_torch_counts():
    """A forward pass of transformers' eager model, whose attention computes the full square instead of the triangle."""
    config, length = nano(vocab_size=512, num_hidden_layers=3), 24
    theirs = AXK1Config(**config.to_huggingface(), attn_implementation="eager", experts_implementation="eager")
    model = AutoModelForCausalLM.from_config(theirs)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.randint(0, 512, (1, length)), use_cache=False)
    square = 2 * config.num_hidden_layers * config.num_attention_heads * (config.qk_head_dim + config.v_head_dim)
    triangle = square * (length + 1) // 2
    expected = length * (arch.prefill_flops(config, length) - triangle + square * length)
    assert counter.get_total_flops() == expected
    assert arch.training_flops(config, length) == 3 * arch.prefill_flops(config, length)


def test_a_longer_context_costs_the_latent_attention_alone():
    config = nano()
    per_key = 2 * 6 * 4 * (64 + 64 + 32)  # layers, heads, two passes over the latent and one over the rotated key
    assert arch.decoding_flops(config, 1000) - arch.decoding_flops(config, 0) == 1000 * per_key


def test_unknown_names_are_explained():
    with pytest.raises(ValueError, match=r"no preset 'nanu'.*nano"):
        arch.preset("nanu")
    with pytest.raises(ValueError, match=r"no dtype 'fp3'.*bf16"):
        arch.stored_bytes(1, "fp3")
    with pytest.raises(ValueError, match="at least 1 token"):
        arch.facts(nano(), "nano", 0)


@pytest.mark.parametrize(
    ("published", "name"), [(DEEPSEEK_V3, "deepseek-v3"), (A_X_K1, "k1"), (MOONLIGHT, "moonlight-16b-a3b")]
)
def test_published_configs_are_read(published, name):
    found = ModelConfig.from_huggingface(json.loads(json.dumps(published)))
    assert dataclasses.replace(found, aux_loss_alpha=arch.preset(name).aux_loss_alpha) == arch.preset(name)


@pytest.mark.parametrize("name", COUNTS)
def test_a_written_config_reads_back(name):
    config = arch.preset(name)
    assert ModelConfig.from_huggingface(json.loads(json.dumps(config.to_huggingface()))) == config


@pytest.mark.parametrize("name", ["nano", "30b-a3b", "k1", "deepseek-v3"])
def test_transformers_understands_a_written_config_as_we_do(name):
    config = arch.preset(name)
    theirs = AutoConfig.for_model(**config.to_huggingface())
    assert ModelConfig.from_huggingface(theirs.to_dict()) == config


@pytest.mark.parametrize("theirs", [AXK1Config, DeepseekV3Config])
def test_missing_keys_mean_the_class_defaults(theirs):
    bare = ModelConfig.from_huggingface({"model_type": theirs.model_type})
    full = ModelConfig.from_huggingface(theirs().to_dict())
    assert bare == dataclasses.replace(full, num_nextn_predict_layers=0)


def test_layers_given_one_by_one():
    values = {**nano().to_huggingface(), "num_hidden_layers": 7}
    del values["first_k_dense_replace"], values["moe_layer_freq"]
    values["mlp_layer_types"] = ["dense", "dense", "sparse", "dense", "sparse", "dense", "sparse"]
    config = ModelConfig.from_huggingface(values)
    assert config.sparse_layers == (2, 4, 6)
    values["mlp_layer_types"] = ["dense"] * 7
    assert ModelConfig.from_huggingface(values).sparse_layers == ()
    values["mlp_layer_types"] = ["sparse", "sparse", "dense", "sparse", "sparse", "sparse", "dense"]
    with pytest.raises(ValueError, match="mlp_layer_types follows no rule"):
        ModelConfig.from_huggingface(values)


def test_absent_mscale_stays_absent():
    rope = {"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 64, "mscale_all_dim": 1.0}
    config = ModelConfig.from_huggingface({**nano().to_huggingface(), "rope_parameters": rope})
    assert config.rope_parameters.mscale == 0.0
    assert "mscale" not in config.to_huggingface()["rope_parameters"]


def test_several_end_tokens():
    config = ModelConfig.from_huggingface({**nano().to_huggingface(), "eos_token_id": [1, 5]})
    assert config.eos_token_ids == (1, 5)
    assert config.to_huggingface()["eos_token_id"] == [1, 5]


WRONG = [
    ({"model_type": "llama", "architectures": ["LlamaForCausalLM"]}, "LlamaForCausalLM.*not supported: only AXK1"),
    ({"model_type": "axk2"}, "'axk2' is not supported"),
    ({"model_type": ""}, "is not supported"),
    ({"architectures": ["AXK1ForSequenceClassification"]}, "AXK1ForSequenceClassification.*not supported"),
    ({"scoring_func": "softmax"}, "scoring_func must be 'sigmoid'.*softmax"),
    ({"topk_method": "greedy"}, "topk_method must be 'noaux_tc'"),
    ({"attention_bias": True}, "attention_bias must be False"),
    ({"hidden_act": "gelu"}, "hidden_act must be 'silu'"),
    ({"rope_interleave": False}, "rope_interleave must be True"),
    ({"rope_parameters": {"rope_type": "llama3"}}, "rope_type 'llama3' is not known"),
    ({"rope_parameters": "yarn"}, "rope_parameters must be an object"),
    ({"rope_parameters": {"rope_type": "yarn", "factor": 0.5}}, "factor >= 1"),
    ({"rope_parameters": {"rope_type": "yarn", "factor": "4"}}, "factor must be a non-negative number"),
    ({"rope_parameters": {"rope_type": "yarn", "factor": 4.0, "attention_factor": 1.3}}, "'attention_factor' = 1.3"),
    ({"rope_parameters": {"rope_theta": 0}}, "rope_theta must be a positive number"),
    ({"hidden_size": "256"}, "hidden_size must be a whole number"),
    ({"num_hidden_layers": 0}, "num_hidden_layers must be a whole number of at least 1"),
    ({"vocab_size": True}, "vocab_size must be a whole number"),
    ({"q_lora_rank": None}, "q_lora_rank must be set for axk1"),
    ({"num_key_value_heads": 2}, "num_key_value_heads 2 must equal num_attention_heads 4"),
    ({"qk_rope_head_dim": 31}, "qk_rope_head_dim must be even"),
    ({"n_group": 5}, "32 is not divisible by n_group 5"),
    ({"n_group": 2, "topk_group": 3}, "topk_group 3 exceeds n_group 2"),
    ({"n_group": 32, "topk_group": 32}, "at least 2 experts"),
    ({"num_experts_per_tok": 17}, "num_experts_per_tok 17 exceeds the 16 experts"),
    ({"first_k_dense_replace": 7}, "first_k_dense_replace 7 exceeds num_hidden_layers 6"),
    ({"norm_topk_prob": "yes"}, "norm_topk_prob must be true or false"),
    ({"rms_norm_eps": 0}, "rms_norm_eps must be a positive number"),
    ({"eos_token_id": -1}, "token id must be a whole number"),
    ({"eos_token_id": 1.5}, "eos_token_id must be a token id or a list of them"),
    ({"eos_token_id": {"a": 1}}, "eos_token_id must be a token id or a list of them"),
    ({"rms_norm_eps": float("nan")}, "rms_norm_eps must be a positive number"),
    ({"routed_scaling_factor": float("inf")}, "routed_scaling_factor must be a positive number"),
    ({"max_position_embeddings": 2**31}, "max_position_embeddings must be at most 2147483647"),
    ({"rope_parameters": {"rope_type": "yarn", "factor": 4.0, "rope_theta": 1}}, "yarn needs rope_theta > 1"),
    ({"mlp_layer_types": "sparse"}, "mlp_layer_types must be a list"),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_a_wrong_config_is_one_clear_line(change, message):
    with pytest.raises(ValueError, match=message) as caught:
        ModelConfig.from_huggingface({**nano().to_huggingface(), **change})
    assert "\n" not in str(caught.value)


def test_yarn_needs_the_original_context():
    with pytest.raises(ValueError, match="original_max_position_embeddings of yarn"):
        RopeParameters(rope_type="yarn", factor=4.0)
