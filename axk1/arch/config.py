"""ModelConfig: the shape of a model of the DeepSeek-V3 family, with the key names of a Hugging Face config.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from axk1.arch import huggingface

ModelType = Literal["axk1", "deepseek_v3"]

_COUNTS = (
    *("vocab_size", "hidden_size", "intermediate_size", "moe_intermediate_size", "num_hidden_layers"),
    *("num_attention_heads", "num_key_value_heads", "n_routed_experts", "n_shared_experts", "num_experts_per_tok"),
    *("n_group", "topk_group", "kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim"),
    *("max_position_embeddings", "moe_layer_freq"),
)
_FIXED: Mapping[str, tuple[object, str]] = {
    "scoring_func": ("sigmoid", "softmax routers are another architecture"),
    "topk_method": ("noaux_tc", "only grouped top-k with a selection bias is known"),
    "hidden_act": ("silu", "experts are SwiGLU"),
    "attention_bias": (False, "projections carry no bias"),
    "rope_interleave": (True, "rotary pairs lie side by side"),
}


_LARGEST_INT, _LARGEST_FLOAT = 2**31 - 1, 1e30  # beyond these no 32-bit number of a kernel holds what the config says

LATENT_NORM_EPS = 1e-6
"""Of the two latent norms, which do not follow rms_norm_eps: DeepSeek and transformers leave them at the default."""


@dataclass(frozen=True)
class RopeParameters:
    """Rotary positions: plain, or stretched by YaRN (arXiv 2309.00071) with DeepSeek's two `mscale` factors.

    YaRN multiplies cos and sin by m(mscale) / m(mscale_all_dim), m(s) = 0.1 s ln(factor) + 1, or by m(1) when either
    is 0 (= absent), and the softmax scale by m(mscale_all_dim)^2 unless that is 0.
    """

    rope_type: Literal["default", "yarn"] = "default"
    rope_theta: float = 10000.0
    factor: float = 1.0
    original_max_position_embeddings: int | None = None
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    mscale: float = 1.0
    mscale_all_dim: float = 0.0

    def __post_init__(self) -> None:
        if self.rope_type not in ("default", "yarn"):
            raise ValueError(f"rope_type {self.rope_type!r} is not known: use 'default' or 'yarn'")
        for name in ("rope_theta", "factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim"):
            _need_number(name, getattr(self, name), positive=name == "rope_theta")
        if self.rope_type == "yarn":
            self._check_yarn()

    def _check_yarn(self) -> None:
        _need_int("original_max_position_embeddings of yarn", self.original_max_position_embeddings, least=1)
        if not self.rope_theta > 1:
            raise ValueError(f"yarn needs rope_theta > 1, found {self.rope_theta!r}")
        if not self.factor >= 1:
            raise ValueError(f"yarn needs factor >= 1, found {self.factor!r}")
        if not self.beta_fast >= self.beta_slow > 0:
            raise ValueError(f"yarn needs beta_fast >= beta_slow > 0, found {self.beta_fast} and {self.beta_slow}")

    def to_huggingface(self) -> dict[str, Any]:
        """The `rope_parameters` object of config.json."""
        if self.rope_type == "default":
            return {"rope_type": "default", "rope_theta": self.rope_theta}
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        # 0 stands for "absent", which readers tell from 1.0
        return values if self.mscale else {key: value for key, value in values.items() if key != "mscale"}


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Shape and constants of one model. Field names are the keys of config.json.

    `model_type` "axk1" adds one RMSNorm on the output of every sparse MLP to the "deepseek_v3" design.
    Layer n is sparse when n >= first_k_dense_replace and n % moe_layer_freq == 0.
    Raises ValueError in one line for a shape no such model can have.
    """

    model_type: ModelType = "axk1"
    vocab_size: int
    hidden_size: int
    intermediate_size: int
    moe_intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    n_routed_experts: int
    n_shared_experts: int = 1
    num_experts_per_tok: int
    n_group: int = 1
    topk_group: int = 1
    q_lora_rank: int | None
    kv_lora_rank: int
    qk_nope_head_dim: int
    qk_rope_head_dim: int
    v_head_dim: int
    max_position_embeddings: int
    first_k_dense_replace: int = 1
    moe_layer_freq: int = 1
    norm_topk_prob: bool = True
    routed_scaling_factor: float = 2.5
    rms_norm_eps: float = 1e-6
    rope_parameters: RopeParameters = field(default_factory=RopeParameters)
    rope_interleave: bool = True
    tie_word_embeddings: bool = False
    attention_bias: bool = False
    hidden_act: str = "silu"
    initializer_range: float = 0.02
    bos_token_id: int | None = 0
    eos_token_id: int | tuple[int, ...] | None = 1
    pad_token_id: int | None = None
    scoring_func: str = "sigmoid"
    topk_method: str = "noaux_tc"
    num_nextn_predict_layers: int = 0
    aux_loss_alpha: float = 1e-4
    seq_aux: bool = True

    def __post_init__(self) -> None:
        if self.model_type not in huggingface.ARCHITECTURES:
            raise ValueError(f"model_type {self.model_type!r} is not known: {', '.join(huggingface.ARCHITECTURES)}")
        for name, (wanted, reason) in _FIXED.items():
            if getattr(self, name) != wanted:
                raise ValueError(f"{name} must be {wanted!r}, found {getattr(self, name)!r}: {reason}")
        for name in _COUNTS:
            _need_int(name, getattr(self, name), least=1)
        for name in ("first_k_dense_replace", "num_nextn_predict_layers"):
            _need_int(name, getattr(self, name), least=0)
        self._check_numbers()
        self._check_attention()
        self._check_experts()

    def _check_numbers(self) -> None:
        for name in ("routed_scaling_factor", "rms_norm_eps", "initializer_range"):
            _need_number(name, getattr(self, name), positive=True)
        for name in ("norm_topk_prob", "tie_word_embeddings"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name} must be true or false, found {getattr(self, name)!r}")
        if not isinstance(self.eos_token_id, int | tuple | None):
            raise ValueError(f"eos_token_id must be a token id or a list of them, found {self.eos_token_id!r}")
        for token in self.special_token_ids:
            _need_int("a bos, eos or pad token id", token, least=0)

    def _check_attention(self) -> None:
        if self.q_lora_rank is not None:
            _need_int("q_lora_rank", self.q_lora_rank, least=1)
        elif self.model_type == "axk1":
            raise ValueError("q_lora_rank must be set for axk1: only deepseek_v3 has a full-rank query")
        if self.num_key_value_heads != self.num_attention_heads:
            raise ValueError(
                f"num_key_value_heads {self.num_key_value_heads} must equal num_attention_heads "
                f"{self.num_attention_heads}: latent attention expands to full heads"
            )
        if self.qk_rope_head_dim % 2:
            raise ValueError(f"qk_rope_head_dim must be even, found {self.qk_rope_head_dim}")

    def _check_experts(self) -> None:
        if self.first_k_dense_replace > self.num_hidden_layers:
            raise ValueError(
                f"first_k_dense_replace {self.first_k_dense_replace} exceeds num_hidden_layers {self.num_hidden_layers}"
            )
        if self.n_routed_experts % self.n_group:
            raise ValueError(f"n_routed_experts {self.n_routed_experts} is not divisible by n_group {self.n_group}")
        if self.topk_group > self.n_group:
            raise ValueError(f"topk_group {self.topk_group} exceeds n_group {self.n_group}")
        group = self.n_routed_experts // self.n_group
        if group < 2:  # a group is scored by the sum of its two best experts
            raise ValueError(f"a group needs at least 2 experts: {self.n_routed_experts} over {self.n_group} groups")
        if self.num_experts_per_tok > self.topk_group * group:
            raise ValueError(
                f"num_experts_per_tok {self.num_experts_per_tok} exceeds the {self.topk_group * group} experts "
                f"of topk_group {self.topk_group}"
            )

    @property
    def qk_head_dim(self) -> int:
        """Size of one query or key head: the part without positions and the rotated part."""
        return self.qk_nope_head_dim + self.qk_rope_head_dim

    @property
    def post_mlp_norm(self) -> bool:
        """Whether sparse layers normalise the MLP's output before the residual sum (A.X K1)."""
        return self.model_type == "axk1"

    @property
    def eos_token_ids(self) -> tuple[int, ...]:
        """`eos_token_id` as a tuple, empty when there is none."""
        if isinstance(self.eos_token_id, int):
            return (self.eos_token_id,)
        return self.eos_token_id or ()

    @property
    def special_token_ids(self) -> tuple[int, ...]:
        """The bos, eos and pad ids that are set, in this order."""
        ids = (self.bos_token_id, *self.eos_token_ids, self.pad_token_id)
        return tuple(token for token in ids if token is not None)

    @property
    def sparse_layers(self) -> tuple[int, ...]:
        """Indices of the mixture-of-experts layers (without MTP layers)."""
        return tuple(layer for layer in range(self.num_hidden_layers) if self.is_sparse(layer))

    def is_sparse(self, layer: int) -> bool:
        """Whether the MLP of this layer is a mixture of experts. MTP layers follow the same rule."""
        return layer >= self.first_k_dense_replace and layer % self.moe_layer_freq == 0

    @classmethod
    def from_huggingface(cls, config: Mapping[str, Any]) -> ModelConfig:
        """Reads a parsed config.json of A.X K1 or of the DeepSeek-V3 family, old and new key styles.

        Missing keys take the defaults of the model's own configuration class; unrelated keys are ignored.
        Raises ValueError in one line for another architecture or a setting this design does not have.
        """
        values = huggingface.read(config)
        rope = RopeParameters(**values.pop("rope_parameters"))
        known = {one.name for one in fields(cls)}
        return cls(rope_parameters=rope, **{name: value for name, value in values.items() if name in known})

    def to_huggingface(self) -> dict[str, Any]:
        """The config.json object that transformers and vLLM both open, JSON-able."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        values["rope_parameters"] = self.rope_parameters.to_huggingface()
        if isinstance(self.eos_token_id, tuple):
            values["eos_token_id"] = list(self.eos_token_id)
        return huggingface.write(values)


def _need_int(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, found {value!r}")
    if value > _LARGEST_INT:
        raise ValueError(f"{name} must be at most {_LARGEST_INT}, found {value!r}")


def _need_number(name: str, value: object, *, positive: bool) -> None:
    fits = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _LARGEST_FLOAT
    if not fits or (positive and value == 0):
        raise ValueError(f"{name} must be a {'positive' if positive else 'non-negative'} number, found {value!r}")
