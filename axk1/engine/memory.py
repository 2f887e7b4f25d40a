"""Where the memory goes that the user gives: weights, cache and scratch. Bytes as people write them, blocks as the
pool counts them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from axk1.arch import ModelConfig, kv_cache_bytes
from axk1.engine.backend import CacheFormat
from axk1.engine.streaming import Footprint

__all__ = ["Cache", "Plan", "blocks", "bytes_of", "cache_of", "planned", "token_bytes"]

DEFAULT_BYTES = 2 << 30
MODEST_TOKENS = 4096  # of a cache beside weights in memory, at least
MOST_TOKENS = 8192  # of a cache beside experts on disk, at most
LATENT_GROUP = 64  # values that share a scale in a cache of int8
CACHE_SHARE = 4  # a cache takes at most one part in so many of what it shares with experts
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Plan:
    """Blocks of the cache, and bytes for experts; None: all weights are in memory."""

    blocks: int
    expert_bytes: int | None = None


def token_bytes(config: ModelConfig, cache_format: CacheFormat) -> int:
    """Bytes of latent cache per token, scales included."""
    if cache_format != "int8":
        return kv_cache_bytes(config, cache_format)
    codes, scales = _whole_words(config.kv_lora_rank), 4 * -(-config.kv_lora_rank // LATENT_GROUP)
    return config.num_hidden_layers * (codes + scales + _whole_words(2 * config.qk_rope_head_dim))


def _whole_words(size: int) -> int:
    return -(-size // 4) * 4


def cache_of(config: ModelConfig, block_size: int, tokens: int, cache_format: CacheFormat, scratch: int) -> Cache:
    """The cache of a model, of at most so many tokens; `scratch` bytes grow with each position of a text."""
    context = -(-config.max_position_embeddings // block_size) * block_size
    cell = token_bytes(config, cache_format)
    return Cache(cell, scratch, block_size, context, tokens)


def bytes_of(size: str | int) -> int:
    """6G, 512M, 1.5GiB or plain bytes; units are powers of 1024. ValueError for anything else."""
    match = _SIZE.fullmatch(str(size))
    if match is None or isinstance(size, bool):
        raise ValueError(f"memory must be a size such as 6G or 512M, not {size!r}")
    return int(float(match[1]) * _UNITS[match[2].upper()])


def blocks(
    config: ModelConfig, memory: str | int | None, block_size: int, tokens: int, cache_format: CacheFormat
) -> int:
    """Blocks of a cache of `memory` bytes, of at most so many tokens.

    None: no more than 2 GiB, but one whole context in any case (memory that is not used is not taken from the system).
    ValueError when not one block fits.
    """
    block_bytes = block_size * token_bytes(config, cache_format)
    context = -(-config.max_position_embeddings // block_size)
    if memory is None:
        return min(max(context, DEFAULT_BYTES // block_bytes), tokens // block_size)
    count = bytes_of(memory) // block_bytes
    if count < 1:
        raise ValueError(f"memory of {bytes_of(memory)} bytes holds no block of {block_bytes}: give more")
    return min(count, tokens // block_size)


@dataclass(frozen=True)
class Cache:
    """What a cache is made of: bytes of a position, positions of a block, of a text, and of all texts together.

    Scratch grows with the longest text, so the positions of one text cost more than those of the next ones.
    """

    cell: int
    scratch: int
    block_size: int
    context: int
    most: int

    def bytes(self, count: int) -> int:
        """Of so many blocks and of the scratch of a text that fills them."""
        positions = count * self.block_size
        return positions * self.cell + min(positions, self.context) * self.scratch

    def blocks(self, room: int) -> int:
        """How many fit."""
        short = min(room // (self.cell + self.scratch), self.context)
        long = (room - self.context * self.scratch) // self.cell
        return max(min(max(short, long), self.most), 0) // self.block_size


def planned(memory: int, footprint: Footprint, cache: Cache) -> Plan:
    """How `memory` bytes are divided between weights, scratch and cache.

    All weights in memory if they fit beside a cache of a modest length, else experts on disk if they can be. ValueError
    that says how much is needed when even that does not fit.
    """
    count = cache.blocks(memory - footprint.weights - footprint.scratch)
    if count >= (
        1 if footprint.obstacle else max(min(cache.context, MODEST_TOKENS, cache.most) // cache.block_size, 1)
    ):
        return Plan(count)
    if footprint.obstacle:
        raise _too_little(memory, footprint.weights + footprint.scratch + cache.bytes(1), footprint.obstacle)
    room, least = memory - footprint.always - footprint.scratch, footprint.least_slots * footprint.slot
    most = max(MOST_TOKENS // cache.block_size, 1)
    count = min(cache.blocks(room // CACHE_SHARE), cache.blocks(room - least), most)
    if count < 1:
        smallest = max(least + cache.bytes(1), CACHE_SHARE * cache.bytes(1))
        raise _too_little(memory, footprint.always + footprint.scratch + smallest, "")
    left = room - cache.bytes(count)
    return Plan(count, min(left, footprint.most_slots * footprint.slot))


def _too_little(memory: int, needed: int, obstacle: str) -> ValueError:
    reason = f" (all of it has to be in memory: {obstacle})" if obstacle else ""
    return ValueError(f"memory of {_mebibytes(memory)}M is too little: this model needs {_mebibytes(needed)}M{reason}")


def _mebibytes(size: int) -> int:
    return -(-size >> 20)
