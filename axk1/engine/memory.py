"""How much latent cache there is: bytes as people write them, blocks as the pool counts them."""

from __future__ import annotations

import re

from axk1.arch import ModelConfig, kv_cache_bytes
from axk1.engine.backend import CacheFormat

__all__ = ["blocks", "bytes_of"]

DEFAULT_BYTES = 2 << 30
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*", re.IGNORECASE)


def bytes_of(size: str | int) -> int:
    """6G, 512M, 1.5GiB or plain bytes; units are powers of 1024. ValueError for anything else."""
    match = _SIZE.fullmatch(str(size))
    if match is None or isinstance(size, bool):
        raise ValueError(f"memory must be a size such as 6G or 512M, not {size!r}")
    return int(float(match[1]) * _UNITS[match[2].upper()])


def blocks(
    config: ModelConfig, memory: str | int | None, block_size: int, max_sequences: int, cache_format: CacheFormat
) -> int:
    """Blocks of a cache of `memory` bytes.

    None: as many whole contexts as sequences may run, but no more than 2 GiB, and one whole context in any case (memory
    that is not used is not taken from the system). ValueError when not one block fits.
    """
    block_bytes = block_size * kv_cache_bytes(config, cache_format)
    context = -(-config.max_position_embeddings // block_size)
    if memory is None:
        return max(context, min(max_sequences * context, DEFAULT_BYTES // block_bytes))
    count = bytes_of(memory) // block_bytes
    if count < 1:
        raise ValueError(f"memory of {bytes_of(memory)} bytes holds no block of {block_bytes}: give more")
    return min(count, max_sequences * context)
