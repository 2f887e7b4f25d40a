"""Web dirt made by rule: amounts, kinds, the same for the same seed, and that the filters know most of it."""

import importlib.util
import itertools
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from axk1.corpus.documents import Document
from axk1.corpus.narrative import narratives
from axk1.corpus.steps import chained, make_steps


@pytest.fixture(scope="module")
def dirt() -> ModuleType:
    spec = importlib.util.spec_from_file_location("dirt", Path(__file__).parents[1] / "benchmarks" / "dirt.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["dirt"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def texts() -> list[str]:
    passages = list(itertools.islice(narratives(0, "train"), 480))
    return ["\n".join(passages[12 * n : 12 * n + 12]) for n in range(40)]


def test_every_kind_has_its_fifth(dirt, texts):
    sizes: Counter[str] = Counter()
    for kind, text in dirt.dirt(texts, 200_000):
        sizes[kind] += len(text.encode())
    assert sizes.keys() == dirt.KINDS.keys()
    assert all(40_000 <= size < 55_000 for size in sizes.values())


def test_a_seed_is_the_same_dirt(dirt, texts):
    assert list(dirt.dirt(texts, 50_000, 3)) == list(dirt.dirt(texts, 50_000, 3))
    assert list(dirt.dirt(texts, 50_000, 3)) != list(dirt.dirt(texts, 50_000, 4))


def test_the_filters_drop_most_of_it_and_little_of_the_good(dirt, texts):
    steps = make_steps(["korean_text", "quality", "drop_empty", "exact_dedup", "near_dedup"])
    spoiled = [Document(text, f"{kind}:{n}", kind) for n, (kind, text) in enumerate(dirt.dirt(texts, 300_000))]
    good = [Document(text, str(n), "good") for n, text in enumerate(texts)]
    kept: Counter[str] = Counter()
    for document in chained(steps, iter([*good, *spoiled]), lambda *_: None):
        kept[document.source] += len(document.text.encode())
    assert kept["good"] > 0.8 * sum(len(text.encode()) for text in texts)
    assert sum(size for kind, size in kept.items() if kind != "good") < 0.35 * 300_000
