"""Which model is trained, and whether data and checkpoints fit it; every mismatch is one clear line."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from axk1.arch import ModelConfig, preset
from axk1.config import from_mapping, to_mapping

__all__ = ["ModelChoice", "require_fit", "require_same"]

# These neither shape a tensor nor change what the model computes.
_HARMLESS = frozenset(
    {
        *("initializer_range", "aux_loss_alpha", "seq_aux", "max_position_embeddings"),
        *("bos_token_id", "eos_token_id", "pad_token_id"),
    }
)


@dataclass(frozen=True)
class ModelChoice:
    """A preset by name, with `overrides` by the keys of ModelConfig, for example {"vocab_size": 4096}.

    embedding_std: the spread of the embedding's first values, where the architecture's initializer_range serves the
    matrices. A.X K1's normed MoE output enters the residual stream at size 1; an embedding of size 0.02 drowns in it.
    post_mlp_norm: the first weight of that norm, so how loud untrained experts are beside the embedding; None = 1.
    """

    preset: str = "nano"
    overrides: Mapping[str, Any] = field(default_factory=dict)
    embedding_std: float | None = None
    post_mlp_norm: float | None = None

    def config(self) -> ModelConfig:
        """The shape asked for. ValueError for an unknown preset or key, or a shape that cannot be."""
        values = {**to_mapping(preset(self.preset)), **self.overrides}
        return from_mapping(values, ModelConfig, "model.overrides")


def require_fit(config: ModelConfig, vocab_size: int, seq_len: int) -> None:
    """ValueError if the shards' vocabulary or the rows are larger than the model."""
    if vocab_size > config.vocab_size:
        raise ValueError(
            f"the token shards use a vocabulary of {vocab_size}, the model has {config.vocab_size}: "
            f"raise the model's vocab_size or train a smaller tokenizer"
        )
    if seq_len > config.max_position_embeddings:
        raise ValueError(
            f"seq_len {seq_len} is longer than the model's context of {config.max_position_embeddings} "
            f"(max_position_embeddings)"
        )


def require_same(config: ModelConfig, saved: Mapping[str, Any], where: str) -> None:
    """ValueError naming what differs between the model `config` and the one saved at `where` (as a mapping)."""
    wanted = to_mapping(config)
    differing = [key for key in wanted if key not in _HARMLESS and wanted[key] != saved.get(key)]
    if differing:
        listed = ", ".join(f"{key} {saved.get(key)} (wanted {wanted[key]})" for key in differing)
        raise ValueError(f"{where} holds a model of another architecture: {listed}")
