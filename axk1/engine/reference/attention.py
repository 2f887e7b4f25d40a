"""Multi-head latent attention over a paged cache, in its absorbed form (DeepSeek-V2, arXiv 2405.04434, section 2.1).

The cache holds norm(c) and rot(r) of every token, side by side; `kv_b_proj` is applied to the query and to the result,
so the latents are never expanded to heads.

Shape letters: N tokens of the step, S sequences, T tokens of one sequence, K keys that they see, D hidden size,
H heads, O and R parts of a query head without and with position, V value head size, L latent size, U = L + R,
P = R / 2 pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from axk1.arch import LATENT_NORM_EPS, ModelConfig, softmax_scale
from axk1.engine.backend import Batch
from axk1.engine.reference.arithmetic import Floats, linear, rms_norm, softmax
from axk1.engine.rope import Rope

__all__ = ["Attention", "Pages"]

Tables = tuple[Floats, Floats]


class Pages:
    """Where the step's tokens and those before them lie in the cache: slot = block * block_size + offset."""

    def __init__(self, batch: Batch, block_size: int) -> None:
        self.spans = [slice(int(a), int(b)) for a, b in zip(batch.starts_S1, batch.starts_S1[1:], strict=False)]
        self.cached = [int(count) for count in batch.cached_S]
        positions = [np.arange(c, c + s.stop - s.start) for c, s in zip(self.cached, self.spans, strict=True)]
        self.positions_N = np.concatenate(positions).astype(np.int32)
        self.seen: list[NDArray[np.int64]] = []  # for each sequence the slots of positions 0, 1, 2 ... to its last
        for table_M, cached, span in zip(batch.blocks_SM, self.cached, self.spans, strict=True):
            position_K = np.arange(cached + span.stop - span.start)
            self.seen.append(table_M[position_K // block_size].astype(np.int64) * block_size + position_K % block_size)
        self.written_N = np.concatenate([seen[cached:] for seen, cached in zip(self.seen, self.cached, strict=True)])


class Attention:
    """One layer's attention; `weight` gives its parameters by their name without the prefix."""

    def __init__(self, config: ModelConfig, weight: Callable[[str], Floats]) -> None:
        self._config = config
        self._scale = np.float32(softmax_scale(config))
        up_HCL = weight("kv_b_proj").reshape(config.num_attention_heads, -1, config.kv_lora_rank)
        self._up_key_HOL, self._up_value_HVL = np.split(up_HCL, [config.qk_nope_head_dim], axis=1)
        names: tuple[str, ...] = (
            ("q_proj",) if config.q_lora_rank is None else ("q_a_proj", "q_a_layernorm", "q_b_proj")
        )
        names += ("kv_a_proj_with_mqa", "kv_a_layernorm", "o_proj")
        self._weights: Mapping[str, Floats] = {name: weight(name) for name in names}

    def __call__(self, x_ND: Floats, tables: Tables, cache_U: Floats, pages: Pages) -> Floats:
        """Writes the tokens' latents to the layer's cache [slots, U], then attends to all that each may see."""
        q_NHU = self._queries(x_ND, tables)
        cache_U[pages.written_N] = self._latents(x_ND, tables)
        mixed_NHL = np.concatenate(
            [
                self._mix(q_NHU[span], cache_U[seen], cached)
                for span, seen, cached in zip(pages.spans, pages.seen, pages.cached, strict=True)
            ]
        )
        out_NHV = np.einsum("nhl,hvl->nhv", mixed_NHL, self._up_value_HVL, optimize=True)
        return linear(out_NHV.reshape(len(x_ND), -1), self._weights["o_proj"])

    def _queries(self, x_ND: Floats, tables: Tables) -> Floats:
        """Queries against the cache: the part without position through the keys' up-projection, the other rotated."""
        weights, config = self._weights, self._config
        if config.q_lora_rank is None:
            joint = linear(x_ND, weights["q_proj"])
        else:
            low = rms_norm(linear(x_ND, weights["q_a_proj"]), weights["q_a_layernorm"], LATENT_NORM_EPS)
            joint = linear(low, weights["q_b_proj"])
        q_NHQ = joint.reshape(len(x_ND), config.num_attention_heads, -1)
        nope_NHO, rope_NHR = np.split(q_NHQ, [config.qk_nope_head_dim], axis=-1)
        latent_NHL = np.einsum("nho,hol->nhl", nope_NHO, self._up_key_HOL, optimize=True)
        cos_NP, sin_NP = tables
        return np.concatenate((latent_NHL, Rope.rotate(rope_NHR, cos_NP[:, None], sin_NP[:, None])), axis=-1)

    def _latents(self, x_ND: Floats, tables: Tables) -> Floats:
        """What the cache keeps of each token: [N, U]."""
        joint_NU = linear(x_ND, self._weights["kv_a_proj_with_mqa"])
        latent_NL, rope_NR = np.split(joint_NU, [self._config.kv_lora_rank], axis=-1)
        normed_NL = rms_norm(latent_NL, self._weights["kv_a_layernorm"], LATENT_NORM_EPS)
        return np.concatenate((normed_NL, Rope.rotate(rope_NR, *tables)), axis=-1)

    def _mix(self, q_THU: Floats, seen_KU: Floats, cached: int) -> Floats:
        """Each token's mean of the latents up to its own, weighted by softmax(scale q · k): [T, H, L]."""
        scores_THK = q_THU @ seen_KU.T * self._scale
        later_TK = np.arange(len(seen_KU)) > cached + np.arange(len(q_THU))[:, None]
        scores_THK = np.where(later_TK[:, None], np.float32(-np.inf), scores_THK)
        return softmax(scores_THK) @ seen_KU[:, : self._config.kv_lora_rank]
