"""What every corpus_step plug-in, ours or another package's, must keep."""

import unicodedata
from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from axk1 import registry
from axk1.corpus.documents import Document
from axk1.corpus.steps import StepEntry, make_step, scope_of
from tiny_classifiers import classifier_file

TEXTS = ["한 줄.", "", "두 줄\r\n둘째 줄", "  ", unicodedata.normalize("NFD", "풀어 쓴 글"), "한 줄.", "plain text"]
DOCUMENTS = [Document(text, f"{number}", "source") for number, text in enumerate(TEXTS)]
BLOCK = {"block": "datatrove.pipeline.formatters:SymbolLinesFormatter", "options": {"symbols_to_remove": ["|"]}}
OPTIONS = {"datatrove": {"name": "datatrove", **BLOCK}}  # of steps that do nothing without
NEEDS = {"datatrove": "datatrove"}  # packages that not everyone has
NAMES = [name for name in registry.names("corpus_step") if find_spec(NEEDS.get(name, "axk1"))]


def entry(name: str) -> StepEntry:
    if name == "classify":
        return {"name": name, "models": [str(classifier_file())], "drop": {"kind.diary": 0.6}}
    return OPTIONS.get(name, name)


def passed(name: str, documents: Iterator[Document]) -> tuple[list[Document], list[tuple[Document, str]]]:
    rejected: list[tuple[Document, str]] = []
    step = make_step(entry(name))
    kept = list(step(documents, lambda document, reason: rejected.append((document, reason))))
    return kept, rejected


def test_there_are_steps() -> None:
    assert NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_document_is_kept_or_rejected_with_a_reason(name: str) -> None:
    kept, rejected = passed(name, iter(DOCUMENTS))
    assert sorted([one.id for one in kept] + [one.id for one, _ in rejected]) == [one.id for one in DOCUMENTS]
    assert [int(one.id) for one in kept] == sorted(int(one.id) for one in kept), "documents keep their order"
    assert all(reason for _, reason in rejected)
    assert {one.source for one in kept} <= {"source"}


@pytest.mark.parametrize("name", NAMES)
def test_what_came_out_comes_out_again_unchanged(name: str) -> None:
    kept, _ = passed(name, iter(DOCUMENTS))
    assert passed(name, iter(kept)) == (kept, [])


@pytest.mark.parametrize("name", NAMES)
def test_documents_stream(name: str) -> None:
    """Memory must not grow with the input: a step hands documents on before it has read them all."""
    read = 0

    def endless() -> Iterator[Document]:
        nonlocal read
        while True:
            read += 1
            yield Document(f"글 {read}", str(read), "source")

    step = make_step(entry(name))
    first = next(iter(step(endless(), lambda _document, _reason: None)))
    assert first.text == "글 1"
    assert read < 500  # some look at a hundred at a time


@pytest.mark.parametrize("name", NAMES)
def test_a_step_says_what_decides_a_documents_fate(name: str) -> None:
    """Without it a pipeline gives the step all documents in one order, which is right for every step, and slow."""
    scope = getattr(registry.load("corpus_step", name), "scope", None)
    assert scope in ("document", "corpus"), 'add `scope: ClassVar[Scope] = "document"`, or "corpus"'
    assert scope_of(entry(name)) == scope


@pytest.mark.parametrize("name", [name for name in NAMES if scope_of(entry(name)) == "document"])
def test_a_step_that_looks_at_one_document_gives_the_same_in_parts(name: str) -> None:
    kept, rejected = passed(name, iter(DOCUMENTS))
    parts = [passed(name, iter([document])) for document in DOCUMENTS]
    assert [one for part, _ in parts for one in part] == kept
    assert [one for _, part in parts for one in part] == rejected
