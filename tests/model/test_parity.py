"""Our model against transformers' AXK1ForCausalLM and DeepseekV3ForCausalLM in fp32: logits, loss, all gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import AXK1Config, AXK1ForCausalLM, DeepseekV3Config, DeepseekV3ForCausalLM, PreTrainedModel

from axk1.arch import ModelConfig, RopeParameters
from axk1.model import Operators, Transformer

LOGITS_ABSOLUTE = 1e-4
GRADIENT_RELATIVE = 1e-3

K1_YARN = RopeParameters("yarn", factor=4.0, original_max_position_embeddings=16, mscale=1.0, mscale_all_dim=0.0)
EQUAL_YARN = RopeParameters("yarn", factor=8.0, original_max_position_embeddings=16, mscale=1.0, mscale_all_dim=1.0)
UNEQUAL_YARN = RopeParameters(
    "yarn",
    rope_theta=5e4,
    factor=3.0,
    original_max_position_embeddings=20,
    beta_fast=16,
    mscale=0.7,
    mscale_all_dim=1.2,
)
ODD_SIZES = {
    "vocab_size": 61, "hidden_size": 30, "intermediate_size": 42, "moe_intermediate_size": 7, "kv_lora_rank": 13,
    "num_attention_heads": 3, "num_key_value_heads": 3, "qk_nope_head_dim": 9, "qk_rope_head_dim": 6, "v_head_dim": 5,
    "n_routed_experts": 15, "n_group": 5, "topk_group": 3, "num_experts_per_tok": 5, "q_lora_rank": 11,
}  # fmt: skip

CASES: dict[str, dict[str, Any]] = {
    "axk1-groups": {},
    "axk1-no-groups": {"n_group": 1, "topk_group": 1},
    "axk1-all-groups-kept": {"topk_group": 4},
    "axk1-yarn-as-released": {"rope_parameters": K1_YARN},
    "axk1-yarn-unequal": {"rope_parameters": UNEQUAL_YARN},
    "axk1-tied-all-sparse": {"tie_word_embeddings": True, "first_k_dense_replace": 0},
    "axk1-two-dense": {"first_k_dense_replace": 2, "rms_norm_eps": 1e-2},
    "axk1-odd-sizes": ODD_SIZES,
    "axk1-every-other-layer-sparse": {"moe_layer_freq": 2, "num_hidden_layers": 4},
    "axk1-gates-not-normalised": {"norm_topk_prob": False, "routed_scaling_factor": 1.7},
    "deepseek-full-rank-query": {"model_type": "deepseek_v3", "q_lora_rank": None},
    "deepseek-yarn-equal": {"model_type": "deepseek_v3", "rope_parameters": EQUAL_YARN},
    "deepseek-tied-no-groups": {
        "model_type": "deepseek_v3", "tie_word_embeddings": True, "n_group": 1, "topk_group": 1, "q_lora_rank": None,
    },
    "deepseek-two-shared-odd-sizes": {**ODD_SIZES, "model_type": "deepseek_v3", "n_shared_experts": 2},
    "deepseek-all-dense": {"model_type": "deepseek_v3", "first_k_dense_replace": 3},
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_logits_loss_and_gradients_equal_transformers(model: Any, case: str, operators: Operators) -> None:
    ours: Transformer = model(operators, **CASES[case])
    theirs = transformers_twin(ours)
    tokens_BT = torch.randint(ours.config.vocab_size, (2, 40), generator=torch.Generator().manual_seed(1))
    targets_BT = torch.cat((tokens_BT[:, 1:], torch.full((2, 1), -100)), dim=1)

    assert (ours(tokens_BT) - theirs(tokens_BT).logits).abs().max() < LOGITS_ABSOLUTE
    losses = ours.loss(tokens_BT, targets_BT)
    their_loss = theirs(tokens_BT, labels=tokens_BT).loss
    torch.testing.assert_close(losses.total, their_loss, rtol=1e-5, atol=0)
    losses.total.backward()
    their_loss.backward()
    their_gradients = {our_name(name): parameter.grad for name, parameter in theirs.named_parameters()}
    errors = {name: relative(parameter.grad, their_gradients[name]) for name, parameter in ours.named_parameters()}
    assert max(errors.values()) < GRADIENT_RELATIVE, max(errors, key=errors.__getitem__)


@pytest.mark.parametrize("case", ["axk1-groups", "deepseek-yarn-equal"])
def test_a_changed_weight_is_noticed(model: Any, case: str) -> None:
    """The comparison above can fail: any one parameter of the twin, moved a little, shows in the logits."""
    ours: Transformer = model(**CASES[case])
    theirs = transformers_twin(ours)
    tokens_BT = torch.randint(ours.config.vocab_size, (2, 40), generator=torch.Generator().manual_seed(1))
    expected_BTC = ours(tokens_BT).detach()
    for name, parameter in theirs.named_parameters():
        kept = parameter.detach().clone()
        with torch.no_grad():
            parameter.add_(0.05 * torch.randn(parameter.shape))
        assert (theirs(tokens_BT).logits - expected_BTC).abs().max() > 10 * LOGITS_ABSOLUTE, name
        parameter.data = kept


def transformers_twin(ours: Transformer) -> PreTrainedModel:
    """The transformers model of the same configuration with our weights: each of its tensors is set exactly once."""
    theirs = build(ours.config).eval()
    wanted = dict(ours.named_parameters()) | dict(ours.named_buffers())
    targets = {our_name(name): tensor for name, tensor in theirs.named_parameters()}
    targets |= {our_name(name): buffer for name, buffer in theirs.named_buffers() if "inv_freq" not in name}
    assert targets.keys() == wanted.keys()
    with torch.no_grad():
        for name, tensor in targets.items():
            assert tensor.shape == wanted[name].shape, name
            tensor.copy_(wanted[name])
    return theirs


def build(config: ModelConfig) -> PreTrainedModel:
    values = {key: value for key, value in config.to_huggingface().items() if key != "architectures"}
    values["experts_implementation"] = "eager"  # the grouped one refuses sizes that are no multiple of 16 bytes
    if config.model_type == "axk1":
        return AXK1ForCausalLM(AXK1Config(**values))
    return DeepseekV3ForCausalLM(DeepseekV3Config(**values))


def our_name(theirs: str) -> str:
    return theirs.replace("mlp.post_mlp_layernorm", "post_mlp_layernorm")


def relative(ours: Tensor | None, theirs: Tensor | None) -> float:
    assert ours is not None
    assert theirs is not None
    assert theirs.norm() > 0, "a gradient that is zero proves nothing"
    return float((ours - theirs).norm() / theirs.norm())


def test_mtp_equals_transformers_mtp_layer(model: Any, tokens: Tensor) -> None:
    """The extra layer and its loss against transformers' own MtpLayer, weights copied, and a plain cross-entropy."""
    from transformers.modeling_layers import MtpLayer
    from transformers.models.deepseek_v3.modeling_deepseek_v3 import DeepseekV3DecoderLayer, DeepseekV3RMSNorm

    ours: Transformer = model(model_type="deepseek_v3", num_nextn_predict_layers=1)
    main = build(ours.config)
    layer: nn.Module = MtpLayer(main.config, DeepseekV3DecoderLayer, DeepseekV3RMSNorm, ours.config.num_hidden_layers)
    weights = {mtp_name(name): tensor for name, tensor in ours.mtp_layers[0].state_dict().items()}
    layer.load_state_dict(weights)
    main.config._attn_implementation = "eager"

    hidden_BTD, _ = ours.hidden(tokens)
    embedded_BTD = ours.model.embed_tokens(tokens[:, 1:])
    positions_1T = torch.arange(tokens.shape[1] - 1).unsqueeze(0)
    tables = main.model.rotary_emb(embedded_BTD, positions_1T)
    causal_TT = torch.full((positions_1T.shape[1],) * 2, float("-inf")).triu(1)
    predicted_BTD = layer(embedded_BTD, hidden_BTD[:, :-1], tables, causal_TT[None, None], positions_1T, None)
    logits_BTC = predicted_BTD[:, :-1] @ ours.head.T
    expected = nn.functional.cross_entropy(logits_BTC.flatten(0, 1), tokens[:, 2:].flatten())

    targets_BT = torch.cat((tokens[:, 1:], torch.full((3, 1), -100)), dim=1)
    torch.testing.assert_close(ours.loss(tokens, targets_BT, mtp_weight=0.3).mtp, expected.detach())


def mtp_name(ours: str) -> str:
    if ours.startswith(("enorm", "hnorm", "eh_proj")):
        return ours
    return "post_norm.weight" if ours.startswith("shared_head") else f"mtp_block.{ours}"
