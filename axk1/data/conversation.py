"""Exercises → chat conversations → ids with a loss mask on what the assistant says, thinking or not."""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tokenizers

from axk1.chat.messages import Message, Tool, ToolCall
from axk1.chat.template import render_for_training
from axk1.corpus.exercise import Exercise, ToolSpec
from axk1.corpus.split import position
from axk1.data.shards import ShardWriter
from axk1.tokenizer.tokenizer import Tokenizer

__all__ = ["ConversationReport", "Sample", "encode", "messages_of", "tools_of", "write_conversations"]

Progress = Callable[[int, int], None]
"""Called after every chunk with the conversations and tokens so far."""

_CHUNK = 1024  # conversations encoded in one call, and sent to a process at once
_AHEAD = 2  # chunks waiting per process: enough that none idles, few enough that exercises do not pile up


class Sample(NamedTuple):
    """A conversation as the model reads it; the mask is True on the tokens that the assistant says."""

    ids: npt.NDArray[np.int64]
    loss_mask: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ConversationReport:
    """What was written; trained tokens are those with loss."""

    conversations: int
    thinking: int
    tokens: int
    trained_tokens: int


def messages_of(exercise: Exercise) -> tuple[Message, ...]:
    """System (if any), user, assistant: the conversation that solves the exercise; all but the last are the prompt."""
    system = (Message("system", exercise.system),) if exercise.system else ()
    calls = (ToolCall(exercise.call.name, exercise.call.arguments),) if exercise.call else ()
    return (
        *system,
        Message("user", exercise.question),
        Message("assistant", exercise.answer, exercise.reasoning, calls),
    )


def tools_of(exercise: Exercise) -> tuple[Tool, ...]:
    """The exercise's tools in the form of the chat format; an argument without a default is required."""
    return tuple(_tool(spec) for spec in exercise.tools)


def encode(exercises: Sequence[Exercise], thinking: Sequence[bool], tokenizer: Tokenizer) -> list[Sample]:
    """Each exercise as ids and mask, `thinking[i]` saying whether its reasoning is written or left out.

    All segments of all conversations go through the tokenizer in one call. What follows the last trained token (the
    newline after the turn) is cut off: it would only be computed, never learnt.
    """
    rendered = [
        render_for_training(messages_of(exercise), tools_of(exercise), enable_thinking)
        for exercise, enable_thinking in zip(exercises, thinking, strict=True)
    ]
    ids = iter(tokenizer.encode_batch([text for segments in rendered for text, _ in segments]))
    return [_joined([(next(ids), trained) for _, trained in segments]) for segments in rendered]


def write_conversations(
    exercises: Iterable[Exercise],
    tokenizer: Tokenizer,
    folder: Path,
    thinking_share: float = 0.5,
    processes: int = 1,
    progress: Progress | None = None,
) -> ConversationReport:
    """Write the exercises as shards with loss masks, in their order, streaming.

    `thinking_share` of them, chosen by a hash of the question, are written with their reasoning, the others without:
    one model learns both. With `processes` above 1 other processes render and encode; the result is the same. Raises
    ValueError for a share outside 0 to 1, OSError, and what reading the exercises raises.
    """
    if not 0 <= thinking_share <= 1:
        raise ValueError(f"thinking_share must be from 0 to 1, found {thinking_share}")
    thinking = trained = 0
    chunks = _chunks(exercises, thinking_share)
    with ShardWriter(folder, tokenizer.vocab_size, with_loss_mask=True) as writer:
        for chunk, samples in _encoded(chunks, tokenizer, processes):
            for sample in samples:
                writer.add(sample.ids, sample.loss_mask)
                trained += int(np.count_nonzero(sample.loss_mask))
            thinking += sum(chunk.thinking)
            if progress:
                progress(writer.summary.documents, writer.summary.tokens)
    return ConversationReport(writer.summary.documents, thinking, writer.summary.tokens, trained)


class _Chunk(NamedTuple):
    exercises: list[Exercise]
    thinking: list[bool]


def _chunks(exercises: Iterable[Exercise], thinking_share: float) -> Iterator[_Chunk]:
    rest = iter(exercises)
    while chunk := list(islice(rest, _CHUNK)):
        yield _Chunk(chunk, [position(exercise.question, "thinking") < thinking_share for exercise in chunk])


def _encoded(chunks: Iterator[_Chunk], tokenizer: Tokenizer, processes: int) -> Iterator[tuple[_Chunk, list[Sample]]]:
    if processes <= 1:
        yield from ((chunk, encode(*chunk, tokenizer)) for chunk in chunks)
        return
    # Spawned, not forked: a fork of a process whose libraries run threads may hang.
    context = multiprocessing.get_context("spawn")
    description = tokenizer.files()["tokenizer.json"].decode("utf-8")
    with ProcessPoolExecutor(processes, context, _start_worker) as pool:
        waiting = deque[tuple[_Chunk, Future[list[Sample]]]]()
        for chunk in chunks:
            waiting.append((chunk, pool.submit(_encode_elsewhere, chunk, description)))
            if len(waiting) == _AHEAD * processes:
                first, future = waiting.popleft()
                yield first, future.result()
        yield from ((chunk, future.result()) for chunk, future in waiting)


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # a process per core is enough


def _encode_elsewhere(chunk: _Chunk, description: str) -> list[Sample]:
    return encode(*chunk, _tokenizer(description))


@lru_cache(maxsize=1)
def _tokenizer(description: str) -> Tokenizer:
    return Tokenizer(tokenizers.Tokenizer.from_str(description))


def _joined(segments: list[tuple[list[int], bool]]) -> Sample:
    while segments and not segments[-1][1]:
        segments.pop()
    ids = np.asarray([id_ for part, _ in segments for id_ in part], np.int64)
    mask = np.repeat([trained for _, trained in segments], [len(part) for part, _ in segments])
    return Sample(ids, mask)


def _tool(spec: ToolSpec) -> Tool:
    required = [name for name, schema in spec.parameters.items() if "default" not in schema]
    schema = {"type": "object", "properties": dict(spec.parameters), "required": required}
    return Tool(spec.name, spec.description, schema)
