"""Requests that the engine's tests make, and what they ask of their answers."""

from __future__ import annotations

import time
from dataclasses import replace

from axk1 import Engine, SamplingParams
from axk1.chat.sampling import GREEDY
from axk1.engine.engine import Limits
from axk1.engine.output import RequestOutput

PROMPTS = [[5], [7, 8, 9, 10, 11, 12, 13], [90, 3, 3], list(range(1, 15)), [42, 41], list(range(20, 60)), [7, 8, 9, 10]]
FREE = replace(GREEDY, max_tokens=12, ignore_eos=True)
SAMPLED = SamplingParams(temperature=1.0, top_p=0.9, seed=4, max_tokens=12, ignore_eos=True)
SMALL = Limits(block_size=4, max_batch_tokens=16, max_sequences=3)


def ids(outputs: list[RequestOutput]) -> list[list[int]]:
    return [list(output.token_ids) for output in outputs]


def idle(engine: Engine) -> bool:
    """Whether the engine comes to rest with all blocks free."""
    pool, end = engine._loop._scheduler.pool, time.monotonic() + 20
    while engine._loop._jobs or engine._loop.waiting:
        assert time.monotonic() < end, "still busy"
        time.sleep(0.01)
    return pool.free == len(pool._references)
