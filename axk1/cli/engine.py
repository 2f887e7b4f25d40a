"""The engine as the verbs open it: its options, and windows of text read through it."""

import argparse
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import get_args

from axk1.cli.words import Words
from axk1.engine.backend import CacheChoice
from axk1.engine.engine import Engine
from axk1.engine.speculation import Speculation
from axk1.evals.windows import Floats, Logits

__all__ = ["EngineOptions", "add_engine_options", "engine_options", "open_engine", "reading", "start_of"]

_READERS = 16  # windows under way at once: short ones fill a step of the engine together


@dataclass(frozen=True)
class EngineOptions:
    """What `Engine.open` takes beside the folder."""

    memory: str | None = None
    threads: int | None = None
    backend: str = "auto"
    speculation: Speculation = "auto"
    cache: CacheChoice = "auto"


def add_engine_options(parser: argparse.ArgumentParser, say: Words) -> None:
    """--memory, --cache, --threads, --backend and --speculation, which `engine_options` reads."""
    add = parser.add_argument
    add("--memory", metavar="SIZE", help=say("가중치와 캐시에 쓸 메모리 (예: 6G)", "for weights and cache, such as 6G"))
    add(
        "--cache",
        choices=get_args(CacheChoice),
        default="auto",
        help=say("int8이면 같은 메모리에 토큰 1.7배", "int8 holds 1.7 times the tokens in the same memory"),
    )
    add("--threads", type=int, metavar="N", help=say("스레드 개수", "threads"))
    add("--backend", default="auto", help=say("계산 방식: auto, reference, …", "auto, reference, ..."))
    add(
        "--speculation",
        choices=get_args(Speculation),
        default="auto",
        help=say("토큰을 미리 짐작해 빠르게 (답은 같음)", "draft tokens ahead for speed; the answer is the same"),
    )


def engine_options(options: argparse.Namespace) -> EngineOptions:
    """What the user said."""
    return EngineOptions(**{one.name: getattr(options, one.name) for one in fields(EngineOptions)})


def open_engine(folder: Path, options: EngineOptions | None = None) -> Engine:
    """The engine on a model folder. CheckpointError, TokenizerError, OSError, ValueError."""
    options = options or EngineOptions()
    return Engine.open(folder, **vars(options))


@contextmanager
def reading(engine: Engine) -> Iterator[Logits]:
    """The engine as a reader of windows."""
    with ThreadPoolExecutor(_READERS, "axk1-reader") as pool:

        def logits(windows: Sequence[Sequence[int]]) -> list[Floats]:
            return list(pool.map(engine.logits, windows))

        yield logits


def start_of(engine: Engine) -> int:
    """The id that a document stands behind. ValueError when the model names none."""
    if engine.config.bos_token_id is None:
        raise ValueError("config.json names no bos_token_id: it is what a text stands behind")
    return engine.config.bos_token_id
