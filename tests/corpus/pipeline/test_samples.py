import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axk1.corpus.documents import Document
from axk1.corpus.pipeline.meter import Meter
from axk1.corpus.pipeline.samples import (
    Reservoir,
    Sample,
    first_difference,
    merged,
    priority,
    read_samples,
    sample_of,
    write_samples,
)  # fmt: skip
from axk1.corpus.steps import NamedStep
from axk1.corpus.streams import CorpusError


def _sample(number: int) -> Sample:
    document = Document(f"글 {number}", str(number), "s")
    return sample_of("step", "kept", "", document.text, document, priority(document, 0))


@given(st.integers(0, 60), st.integers(1, 20), st.integers(1, 5), st.randoms())
def test_the_samples_of_many_tasks_are_those_of_one(count, size, tasks, rng: random.Random):
    samples = [_sample(number) for number in range(count)]
    whole = sorted(samples, key=lambda one: one.priority)[:size]
    shares: list[list[Sample]] = [[] for _ in range(tasks)]
    for one in samples:
        shares[rng.randrange(tasks)].append(one)
    reservoirs = [Reservoir(size) for _ in shares]
    for share, reservoir in zip(shares, reservoirs, strict=True):
        for one in share:
            if one.priority < reservoir.highest:
                reservoir.add(one)
    assert merged((one for reservoir in reservoirs for one in reservoir), size) == whole


def test_every_document_is_as_likely_as_any_other():
    drawn = [0] * 20
    for seed in range(500):
        ranked = sorted(range(20), key=lambda number: priority(Document("", str(number), "s"), seed))
        for number in ranked[:5]:
            drawn[number] += 1
    assert sum(drawn) == 2500
    assert all(80 < one < 170 for one in drawn), "125 on average, five standard deviations of 9.7 each way"


@given(st.text("ab"), st.text("ab"), st.text("ab"))
def test_the_first_difference(start, one, other):
    expected = next((i for i, (a, b) in enumerate(zip(start + one, start + other, strict=False)) if a != b), None)
    assert first_difference(start + one, start + other) == (
        len(start) + min(len(one), len(other)) if expected is None else expected
    )


def test_a_change_late_in_a_long_text_is_in_the_excerpt():
    before = "가" * 10_000 + "나" + "다" * 10_000
    sample = sample_of("s", "changed", "", before, Document(before.replace("나", "너"), "1", "s"), 0)
    assert (sample.before[200], sample.after[200], sample.start) == ("나", "너", 9_800)
    assert len(sample.before) <= 1500


def test_samples_go_into_a_file_and_back(tmp_path):
    samples = [_sample(1), replace(_sample(2), metadata={"quality": 0.5, "mt": True, "n": 3, "license": "CC0"})]
    write_samples(samples, tmp_path / "a.jsonl.zst")
    assert list(read_samples(tmp_path / "a.jsonl.zst")) == samples
    (tmp_path / "b.jsonl").write_text('{"step": 1}\n', encoding="utf-8")
    with pytest.raises(CorpusError, match=r"b\.jsonl:1: no sample \("):
        list(read_samples(tmp_path / "b.jsonl"))


def _hold_back(documents: Iterator[Document], reject) -> Iterator[Document]:
    """Drops every third, changes every second, and gives the rest when it has seen all."""
    held = []
    for number, document in enumerate(documents):
        if number % 3 == 0:
            reject(document, "third")
        else:
            held.append(replace(document, text="X" + document.text) if number % 2 else document)
    yield from held


@pytest.mark.parametrize("count", [200, 1000])
def test_a_step_that_holds_documents_back_is_counted(count):
    meter = Meter(["hold", "same"], seed=0, samples=5)
    documents = (Document("글" * 5, str(number), "s") for number in range(count))
    dropped = []
    steps = [NamedStep("hold", _hold_back), NamedStep("same", lambda documents, _reject: documents)]
    kept = list(meter.through(steps, documents, lambda document, step, reason: dropped.append((step, reason))))
    _, hold, same, write = meter.counts()
    assert hold.taken.documents == count
    assert hold.kept.documents == same.taken.documents == write.kept.documents == len(kept)
    assert hold.kept.bytes == sum(len(one.text.encode()) for one in kept)
    assert hold.dropped == {"third": len(dropped)} == {"third": (count + 2) // 3}
    assert set(dropped) == {("hold", "third")}
    samples = [one for one in meter.samples() if one.outcome == "dropped"]
    assert len(samples) == 5
    assert {one.before for one in samples} == {"글" * 5}
    if count <= 200:
        assert hold.changed == sum(one.text.startswith("X") for one in kept)
        assert {(one.before, one.after) for one in meter.samples() if one.outcome == "changed"} == {
            ("글" * 5, "X" + "글" * 5)
        }
