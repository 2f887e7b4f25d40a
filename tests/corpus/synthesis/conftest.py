"""A recipe of every kind of task, and seeds for it."""

import json

import pytest

from axk1.corpus.narrative import narratives
from axk1.corpus.source import Source
from axk1.corpus.synthesis.budget import Price
from axk1.corpus.synthesis.settings import Model, Passages, SynthesisConfig, Task


@pytest.fixture
def seeds(tmp_path):
    """A file of passages of the curriculum, each with a licence."""
    path = tmp_path / "text" / "seeds.jsonl"
    path.parent.mkdir()
    stream = narratives(3, "train")
    lines = [{"text": f"{next(stream)}\n{next(stream)}", "spdx": f"CC-BY-{n % 2 + 3}.0"} for n in range(40)]
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture
def recipe(seeds):
    """Of every kind of task, at a server's address."""

    def made(url: str, **more: object) -> SynthesisConfig:
        settings = {
            "model": Model(
                "asked-for", "outputs are free", url, max_tokens=400, price=Price(1.0, 3.0), first_wait=0.01
            ),
            "tasks": (
                Task("retold", "textbook", "seed", count=20, attempts=2),
                Task("asked", "questions", "seed", "pairs", count=12, round_trip=0.5),
                Task("new", "topic", "topic", count=20),
                Task("solved", "solve", "exercise", "solution", count=15, attempts=3, families=("sum2",)),
            ),
            "sources": (Source(str(seeds), metadata={"license": "spdx"}),),
            "passages": Passages(20, 400),
            "license": "CC0-1.0",
            "concurrency": 4,
        }
        return SynthesisConfig(**{**settings, **more})

    return made
