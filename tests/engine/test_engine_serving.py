"""Callers of the engine that come and go: streams, cancellation, threads and event loops, errors, what is left."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from dataclasses import replace
from typing import Any

import pytest

from axk1 import Engine
from axk1.engine.engine import Limits
from axk1.engine.loop import QueueFullError
from axk1.engine.stream import Stream
from engine_requests import FREE, PROMPTS, SAMPLED, SMALL, idle, ids


def test_cancelled_neighbours_leave_no_trace(open_engine: Any) -> None:
    engine = open_engine(limits=SMALL)
    alone = engine.generate([PROMPTS[3]], FREE)
    slow(engine)
    neighbours = [engine.stream([token, 2, 3], replace(FREE, max_tokens=None)) for token in range(60, 64)]
    stream = engine.stream(PROMPTS[3], FREE)
    for number, neighbour in enumerate(neighbours):
        if number % 2:
            next(neighbour)
        neighbour.close()
    assert stream.output().token_ids == alone[0].token_ids
    assert [neighbour.output().finish_reason for neighbour in neighbours] == ["cancelled"] * 4
    assert idle(engine)


def slow(engine: Engine) -> None:
    """Every step takes at least some milliseconds, so that a request does not end before it is cancelled."""
    logits = engine._loop._backend.logits
    engine._loop._backend.logits = lambda batch: (time.sleep(0.005), logits(batch))[1]  # type: ignore[method-assign]


@pytest.mark.parametrize("how", ["close", "del", "break", "with"])
def test_who_stops_reading_cancels(open_engine: Any, how: str) -> None:
    engine = open_engine(limits=SMALL)
    slow(engine)
    stream = engine.stream([1, 2, 3], replace(FREE, max_tokens=None))
    job = stream.job
    next(stream)
    if how == "close":
        stream.close()
    elif how == "break":
        for _ in stream:
            break
        del stream
    elif how == "with":
        with stream:
            next(stream)
    else:
        del stream
    gc.collect()
    assert idle(engine)
    assert len(job.sequence.tokens) < engine.context, "it went on to its end"


def test_a_stream_gives_what_generate_gives(open_engine: Any) -> None:
    engine = open_engine()
    params = replace(SAMPLED, logprobs=2)
    whole = engine.generate([PROMPTS[1]], params)[0]
    deltas = list(engine.stream(PROMPTS[1], params))
    assert [delta.finish_reason for delta in deltas] == [None] * 11 + ["length"]
    assert [token for delta in deltas for token in delta.token_ids] == list(whole.token_ids)
    assert [set(one) for delta in deltas for one in delta.logprobs or ()] == [set(one) for one in whole.logprobs]


def test_many_threads_and_event_loops_at_once(open_engine: Any) -> None:
    engine = open_engine(limits=Limits(block_size=4, max_batch_tokens=24, max_sequences=5))
    expected = ids(engine.generate(PROMPTS, FREE))
    failures: list[object] = []

    def sync(number: int) -> None:
        with engine.stream([number, 1], replace(FREE, max_tokens=None)) as dropped:
            next(dropped)
        if ids(engine.generate(PROMPTS, FREE)) != expected:
            failures.append(number)

    async def streams() -> None:
        async def one(prompt: list[int], wanted: list[int]) -> None:
            found = [token async for delta in engine.astream(prompt, FREE) for token in delta.token_ids]
            if found != wanted:
                failures.append(prompt)

        batch = engine.agenerate(PROMPTS, FREE)
        *_, outputs = await asyncio.gather(*map(one, PROMPTS, expected), batch)
        if ids(outputs) != expected:
            failures.append(outputs)

    threads = [threading.Thread(target=sync, args=(number,)) for number in range(4)]
    threads += [threading.Thread(target=lambda: asyncio.run(streams())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a caller hangs"
    assert not failures
    assert idle(engine)


def test_a_cancelled_task_cancels_its_requests(open_engine: Any) -> None:
    engine = open_engine(limits=SMALL)
    slow(engine)
    jobs: list[Any] = []

    async def main() -> None:
        task = asyncio.create_task(engine.agenerate(PROMPTS, replace(FREE, max_tokens=None)))
        await asyncio.sleep(0.05)
        jobs.extend(engine._loop._jobs.values())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert idle(engine)
    assert jobs
    assert all(len(job.sequence.tokens) < engine.context for job in jobs)


def test_a_full_queue_refuses_streams_and_makes_generate_wait(open_engine: Any) -> None:
    engine = open_engine(limits=Limits(block_size=4, max_sequences=1, max_waiting=2))
    slow(engine)
    endless = replace(FREE, max_tokens=100)
    streams: list[Stream] = []
    with pytest.raises(QueueFullError, match="2 requests wait already"):
        streams.extend(engine.stream([3], endless) for _ in range(8))
    assert len(streams) >= 2
    expected = [engine.generate([[9, 9]], FREE)[0].token_ids] * 6
    assert [output.token_ids for output in engine.generate([[9, 9]] * 6, FREE)] == expected
    assert [output.token_ids for output in asyncio.run(engine.agenerate([[9, 9]] * 6, FREE))] == expected


def test_an_error_of_the_back_end_reaches_its_callers_and_no_one_else(open_engine: Any) -> None:
    engine = open_engine()
    backend = engine._loop._backend
    working = backend.logits
    backend.logits = lambda batch: 1 // 0
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            engine.generate([[1]], FREE)
    with pytest.raises(ZeroDivisionError):
        engine.logits([1])
    backend.logits = working
    assert len(engine.generate([[1]], FREE)[0].token_ids) == 12
    assert idle(engine)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_of_ours_is_seen_and_nobody_waits_for_ever(open_engine: Any) -> None:
    engine = open_engine()
    engine._loop._scheduler.schedule = lambda: 1 // 0
    with pytest.raises(ZeroDivisionError):
        engine.generate([[1]], FREE)
    with pytest.raises(ValueError, match="the engine is closed"):
        engine.generate([[1]], FREE)


def test_close_ends_what_runs(open_engine: Any) -> None:
    engine = open_engine(limits=SMALL)
    slow(engine)
    streams = [engine.stream([token], replace(FREE, max_tokens=None)) for token in range(5)]
    next(streams[0])
    engine.close()
    engine.close()
    assert [stream.output().finish_reason for stream in streams] == ["cancelled"] * 5
    with pytest.raises(ValueError, match="the engine is closed"):
        engine.generate([[1]], FREE)


def test_a_dropped_engine_ends_its_thread(tiny: Any) -> None:
    engine = Engine.open(tiny.path, backend="reference")
    engine.generate([[1]], FREE)
    thread = engine._loop._thread
    assert thread is not None
    del engine
    gc.collect()
    thread.join(10)
    assert not thread.is_alive()


def test_nothing_is_left_of_a_thousand_requests(open_engine: Any) -> None:
    engine = open_engine(limits=Limits(block_size=4, max_waiting=40), memory=60 * 4 * 4 * 3 * 24)
    left: list[weakref.ref[Any]] = []
    for number in range(20):
        streams = [engine.stream([number, one], replace(SAMPLED, max_tokens=1 + one % 5)) for one in range(40)]
        left += [weakref.ref(stream.job) for stream in streams]
        for one, stream in enumerate(streams):
            if one % 3:
                stream.output()
            else:
                stream.close()
        del stream
        streams.clear()
        engine.generate([[number]] * 8, replace(FREE, max_tokens=2))
        engine.embed([[number, 1]] * 2)
        assert idle(engine)
    engine.generate([[1]], FREE)  # what was cancelled last is looked through at the next step
    gc.collect()
    assert not [job for job in left if job() is not None]
    pool = engine._loop._scheduler.pool
    assert len(pool._block_of) == len(pool._key_of) <= 60
    assert [thread.name for thread in threading.enumerate()].count("axk1-engine") == 1
