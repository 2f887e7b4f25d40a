"""ReferenceBackend: the model in readable NumPy, float32 throughout, the oracle of the native kernels.

Shape letters: N tokens of a step, W wanted tokens, D hidden size, V vocabulary, Y layers, U latent size + rotary size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from axk1.arch import ModelConfig
from axk1.checkpoint import CheckpointError, CheckpointFolder
from axk1.engine.backend import Batch, CacheChoice, CacheFormat
from axk1.engine.reference import weights
from axk1.engine.reference.arithmetic import Floats, linear, rms_norm, swiglu
from axk1.engine.reference.attention import Attention, Pages
from axk1.engine.reference.experts import SparseMlp
from axk1.engine.rope import Rope

__all__ = ["ReferenceBackend"]

Weight = Callable[[str], Floats]


class ReferenceBackend:
    """Implements `Backend` and `Drafting`. The model lies in memory as float32; `threads` are the linear algebra's."""

    def __init__(
        self,
        folder: CheckpointFolder,
        blocks: int,
        block_size: int,
        threads: int | None = None,  # noqa: ARG002
        *,
        drafting: bool = False,
    ) -> None:
        self.config = weights.without_mtp(folder.config)
        self.blocks, self.block_size = blocks, block_size
        self._path = folder.path
        parameters = weights.read(folder, mtp=drafting)
        self._embedding_VD = parameters["model.embed_tokens.weight"]
        self._head_VD = self._embedding_VD if self.config.tie_word_embeddings else parameters["lm_head.weight"]
        self._norm_D = parameters["model.norm.weight"]
        self._layers = [_Layer(self.config, layer, parameters) for layer in range(self.config.num_hidden_layers)]
        self._rope = Rope(self.config)
        size = self.config.kv_lora_rank + self.config.qk_rope_head_dim
        self._mtp = _MtpLayer(self.config, parameters) if drafting else None
        self._cache_YSU = np.zeros((len(self._layers) + drafting, blocks * block_size, size), np.float32)
        self._states_ND = np.zeros((0, self.config.hidden_size), np.float32)  # of the last pass, normed

    @staticmethod
    def can_draft(folder: CheckpointFolder) -> bool:
        """Whether the folder has a multi-token-prediction layer."""
        return weights.has_mtp(folder)

    @staticmethod
    def cache_format(_folder: CheckpointFolder, choice: CacheChoice = "auto") -> CacheFormat:
        """Float32 whatever the file holds."""
        if choice != "auto":
            raise ValueError(f"the reference back end has no {choice} cache")
        return "fp32"

    @staticmethod
    def footprint(
        _folder: CheckpointFolder,
        _max_batch_tokens: int,
        _max_sequences: int,
        *,
        drafting: bool = False,
    ) -> None:
        """Not counted: it is there to be compared with."""

    @property
    def statistics(self) -> None:
        """All weights are in memory."""

    def logits(self, batch: Batch) -> Floats:
        """float32 [W, V]"""
        return self._finite(linear(self._states(batch), self._head_VD))

    def hidden(self, batch: Batch) -> Floats:
        """float32 [W, D]"""
        return self._finite(self._states(batch))

    def _states(self, batch: Batch) -> Floats:
        pages = Pages(batch, self.block_size)
        tables = self._rope.tables(pages.positions_N)
        x_ND = self._embedding_VD[batch.tokens_N]
        for layer, cache_SU in zip(self._layers, self._cache_YSU, strict=False):
            x_ND = layer(x_ND, tables, cache_SU, pages)
        if self._mtp is None:
            return rms_norm(x_ND[batch.wanted_W], self._norm_D, self.config.rms_norm_eps)
        self._states_ND = rms_norm(x_ND, self._norm_D, self.config.rms_norm_eps)
        return self._states_ND[batch.wanted_W]

    def draft(self, batch: Batch, rows_N: NDArray[np.int32]) -> NDArray[np.int32]:
        """int32 [W]"""
        tokens_W: NDArray[np.int32] = self.draft_logits(batch, rows_N).argmax(axis=-1).astype(np.int32)
        return tokens_W

    def draft_logits(self, batch: Batch, rows_N: NDArray[np.int32]) -> Floats:
        """The scores that `draft` chooses by: float32 [W, V]"""
        assert self._mtp is not None, "opened without drafting"
        pages = Pages(batch, self.block_size)
        tables = self._rope.tables(pages.positions_N)
        embedded_ND = self._embedding_VD[batch.tokens_N]
        self._states_ND = self._mtp(self._states_ND[rows_N], embedded_ND, tables, self._cache_YSU[-1], pages)
        return linear(self._states_ND[batch.wanted_W], self._head_VD)

    def _finite(self, rows_WX: Floats) -> Floats:
        if not np.isfinite(rows_WX).all():
            raise CheckpointError(f"{self._path}: the output is NaN or infinite: the weights lead to it")
        return rows_WX

    def close(self) -> None:
        """Nothing but memory is held."""


class _Layer:
    """Attention, then a dense or sparse feed-forward, each on a normed copy of the residual stream."""

    def __init__(self, config: ModelConfig, layer: int, parameters: Mapping[str, Floats]) -> None:
        prefix = f"model.layers.{layer}."
        self._eps = config.rms_norm_eps
        self._norm_before = parameters[f"{prefix}input_layernorm.weight"]
        self._norm_between = parameters[f"{prefix}post_attention_layernorm.weight"]
        self._norm_after = parameters.get(f"{prefix}post_mlp_layernorm.weight")  # sparse layers of A.X K1 alone
        self._attention = Attention(config, lambda name: parameters[f"{prefix}self_attn.{name}.weight"])
        mlp = SparseMlp if config.is_sparse(layer) else _DenseMlp
        self._mlp = mlp(config, lambda name: parameters[f"{prefix}mlp.{name}"])

    def __call__(self, x_ND: Floats, tables: tuple[Floats, Floats], cache_SU: Floats, pages: Pages) -> Floats:
        x_ND = x_ND + self._attention(rms_norm(x_ND, self._norm_before, self._eps), tables, cache_SU, pages)
        out_ND = self._mlp(rms_norm(x_ND, self._norm_between, self._eps))
        return x_ND + (out_ND if self._norm_after is None else rms_norm(out_ND, self._norm_after, self._eps))


class _MtpLayer:
    """The state of a position and the token that follows it, each normed, go through one layer of their own, to the
    state that foretells the token after that (DeepSeek-V3, arXiv 2412.19437, section 2.2)."""

    def __init__(self, config: ModelConfig, parameters: Mapping[str, Floats]) -> None:
        prefix = f"model.layers.{config.num_hidden_layers}."
        self._eps = config.rms_norm_eps
        self._norm_embedded = parameters[f"{prefix}enorm.weight"]
        self._norm_state = parameters[f"{prefix}hnorm.weight"]
        self._join = parameters[f"{prefix}eh_proj.weight"]
        self._layer = _Layer(config, config.num_hidden_layers, parameters)
        self._norm_after = parameters[f"{prefix}shared_head.norm.weight"]

    def __call__(
        self, state_ND: Floats, embedded_ND: Floats, tables: tuple[Floats, Floats], cache_SU: Floats, pages: Pages
    ) -> Floats:
        embedded_ND = rms_norm(embedded_ND, self._norm_embedded, self._eps)
        state_ND = rms_norm(state_ND, self._norm_state, self._eps)
        x_ND = linear(np.concatenate((embedded_ND, state_ND), axis=-1), self._join)
        return rms_norm(self._layer(x_ND, tables, cache_SU, pages), self._norm_after, self._eps)


class _DenseMlp:
    def __init__(self, _config: ModelConfig, weight: Weight) -> None:
        self._gate_up = np.concatenate([weight("gate_proj.weight"), weight("up_proj.weight")])
        self._down = weight("down_proj.weight")

    def __call__(self, x_ND: Floats) -> Floats:
        return swiglu(x_ND, self._gate_up, self._down)
