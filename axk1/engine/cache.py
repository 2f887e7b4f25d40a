"""The blocks of the latent cache: who holds which, and which full ones can be used again by a request with the same
beginning.

Contents are the back end's; here are ids and counts. A block that nobody holds keeps its contents until it is taken,
least recently released first.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Sequence

import numpy as np

__all__ = ["BlockPool", "block_keys"]


def block_keys(tokens: Sequence[int], block_size: int, known: Sequence[bytes] = ()) -> list[bytes]:
    """A key for every full block: a hash of the block's tokens and of all before it. `known` are the first keys."""
    keys = list(known)
    for number in range(len(keys), len(tokens) // block_size):
        block = np.asarray(tokens[number * block_size : (number + 1) * block_size], np.int32)
        keys.append(hashlib.sha256((keys[-1] if keys else b"") + block.tobytes()).digest())
    return keys


class BlockPool:
    """`blocks` ids with a reference count each, and an index from key to the block that holds those tokens' latents.

    Only published blocks, which are full and never written again, are ever held twice.
    """

    def __init__(self, blocks: int) -> None:
        self._references = [0] * blocks
        self._free: OrderedDict[int, None] = OrderedDict.fromkeys(range(blocks))  # the next to be taken first
        self._block_of: dict[bytes, int] = {}
        self._key_of: dict[int, bytes] = {}

    @property
    def free(self) -> int:
        """Blocks that nobody holds, published ones included."""
        return len(self._free)

    def references(self, block: int) -> int:
        """How many hold the block."""
        return self._references[block]

    def is_published(self, block: int) -> bool:
        """Whether the block can be found by its key."""
        return block in self._key_of

    def take(self, count: int) -> list[int]:
        """`count` blocks of one's own, contents undefined; the caller has seen that they are `free`."""
        taken = [self._free.popitem(last=False)[0] for _ in range(count)]
        for block in taken:
            self._references[block] = 1
            if block in self._key_of:
                del self._block_of[self._key_of.pop(block)]
        return taken

    def matching(self, keys: Iterable[bytes]) -> list[int]:
        """The blocks of the longest known beginning; nobody holds them by that."""
        found = []
        for key in keys:
            if key not in self._block_of:
                break
            found.append(self._block_of[key])
        return found

    def hold(self, blocks: Iterable[int]) -> None:
        """One more reference to each of these published blocks."""
        for block in blocks:
            assert block in self._key_of, block
            self._references[block] += 1
            self._free.pop(block, None)

    def publish(self, block: int, key: bytes) -> None:
        """The held block is full and computed. If another holds the same tokens, that one stays in the index."""
        if key not in self._block_of and block not in self._key_of:
            self._block_of[key] = block
            self._key_of[block] = key

    def release(self, blocks: Sequence[int]) -> None:
        """One reference less to each. The last blocks are given up first: a beginning is of more use than an end."""
        for block in reversed(blocks):
            assert self._references[block] > 0, block
            self._references[block] -= 1
            if not self._references[block]:
                self._free[block] = None
                if block not in self._key_of:  # nothing to remember: taken before any published one
                    self._free.move_to_end(block, last=False)
