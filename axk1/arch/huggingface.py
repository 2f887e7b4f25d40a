"""config.json of the DeepSeek-V3 family: which keys mean what, over the years and between the two model classes.

Plain mappings in and out; `ModelConfig` gives them types and checks them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ARCHITECTURES: Mapping[str, str] = {"axk1": "AXK1ForCausalLM", "deepseek_v3": "DeepseekV3ForCausalLM"}

# What a missing key means: the defaults of the configuration classes AXK1Config and DeepseekV3Config.
_SHARED_DEFAULTS: Mapping[str, Any] = {
    "hidden_size": 7168,
    "intermediate_size": 18432,
    "moe_intermediate_size": 2048,
    "num_hidden_layers": 61,
    "n_shared_experts": 1,
    "num_experts_per_tok": 8,
    "n_group": 8,
    "topk_group": 4,
    "q_lora_rank": 1536,
    "kv_lora_rank": 512,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "moe_layer_freq": 1,
}
_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "axk1": {
        **_SHARED_DEFAULTS,
        "vocab_size": 163840,
        "num_attention_heads": 64,
        "n_routed_experts": 192,
        "max_position_embeddings": 32768,
        "first_k_dense_replace": 1,
        "bos_token_id": 163691,
        "eos_token_id": 163691,
    },
    "deepseek_v3": {
        **_SHARED_DEFAULTS,
        "vocab_size": 129280,
        "num_attention_heads": 128,
        "n_routed_experts": 256,
        "max_position_embeddings": 4096,
        "first_k_dense_replace": 3,
        "bos_token_id": 0,
        "eos_token_id": 1,
    },
}
_RENAMED = {"num_local_experts": "n_routed_experts", "num_mtp_layers": "num_nextn_predict_layers"}
_ROPE_KEYS = ("rope_theta", "factor", "original_max_position_embeddings", "beta_fast", "beta_slow", "mscale_all_dim")
_ROPE_UNSUPPORTED = {"attention_factor": None, "truncate": True, "partial_rotary_factor": 1.0}


def read(config: Mapping[str, Any]) -> dict[str, Any]:
    """Keys of `ModelConfig` from a config.json object; `rope_parameters` as keys of `RopeParameters`.

    Raises ValueError for another architecture.
    """
    model_type = _model_type(config)
    values: dict[str, Any] = {**_DEFAULTS[model_type]}
    for key, value in config.items():
        # null means "the default", except where null is a value of its own
        if value is not None or key in ("q_lora_rank", "bos_token_id", "eos_token_id", "pad_token_id"):
            values[_RENAMED.get(key, key)] = value
    values["model_type"] = model_type
    values.setdefault("num_key_value_heads", values["num_attention_heads"])
    values["rope_parameters"] = _rope(config, values["max_position_embeddings"])
    if "mlp_layer_types" in values:
        values.update(_layer_rule(values["mlp_layer_types"]))
    if isinstance(values["eos_token_id"], list):
        values["eos_token_id"] = tuple(values["eos_token_id"])
    return values


def write(values: Mapping[str, Any]) -> dict[str, Any]:
    """The whole config.json object from the keys of `ModelConfig`."""
    return {"architectures": [ARCHITECTURES[values["model_type"]]], **values}


def _model_type(config: Mapping[str, Any]) -> str:
    """`axk1` or `deepseek_v3`; the first release of A.X K1 spelt its type `AXK1`."""
    model_type = str(config.get("model_type", ""))
    found = {name.lower(): name for name in ARCHITECTURES}.get(model_type.lower())
    named = config.get("architectures") or []
    if found is None or named not in ([], [ARCHITECTURES[found]]):
        known = " or ".join(f"{architecture} ({name})" for name, architecture in ARCHITECTURES.items())
        raise ValueError(f"architecture {named} with model_type {model_type!r} is not supported: only {known}")
    return found


def _rope(config: Mapping[str, Any], context: object) -> dict[str, Any]:
    """New style: one `rope_parameters`; old style: `rope_theta` beside `rope_scaling`, whose type is `type`."""
    given: dict[str, Any] = {}
    for name in ("rope_parameters", "rope_scaling"):
        if not isinstance(config.get(name) or {}, Mapping):
            raise ValueError(f"{name} must be an object, found {config[name]!r}")
        given |= config.get(name) or {}
    given.setdefault("rope_theta", config.get("rope_theta", 10000.0))
    rope_type = given.get("rope_type", given.get("type", "default"))
    for key, harmless in _ROPE_UNSUPPORTED.items():
        if given.get(key, harmless) not in (harmless, None):
            raise ValueError(f"rope_parameters key {key!r} = {given[key]!r} is not supported")
    if rope_type == "default":
        return {"rope_type": "default", "rope_theta": given["rope_theta"]}
    rope = {key: given[key] for key in _ROPE_KEYS if given.get(key) is not None}
    original = rope.setdefault("original_max_position_embeddings", context)
    if "factor" not in rope and isinstance(original, int) and isinstance(context, int) and original:
        rope["factor"] = context / original
    return {**rope, "rope_type": rope_type, "mscale": given.get("mscale") or 0.0}


def _layer_rule(types: object) -> dict[str, int]:
    """`first_k_dense_replace` and `moe_layer_freq` that give this list of "dense" and "sparse"."""
    if not isinstance(types, list):
        raise ValueError(f"mlp_layer_types must be a list, found {types!r}")
    first = types.index("sparse") if "sparse" in types else len(types)
    for frequency in range(1, len(types) + 1):
        if types == ["sparse" if n >= first and n % frequency == 0 else "dense" for n in range(len(types))]:
            return {"first_k_dense_replace": first, "moe_layer_freq": frequency}
    raise ValueError("mlp_layer_types follows no rule of first_k_dense_replace and moe_layer_freq")
