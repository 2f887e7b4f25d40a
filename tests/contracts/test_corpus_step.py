"""What every corpus_step plug-in, ours or another package's, must keep."""

import unicodedata
from collections.abc import Iterator

import pytest

from axk1 import registry
from axk1.corpus.documents import Document

TEXTS = ["한 줄.", "", "두 줄\r\n둘째 줄", "  ", unicodedata.normalize("NFD", "풀어 쓴 글"), "한 줄.", "plain text"]
DOCUMENTS = [Document(text, f"{number}", "source") for number, text in enumerate(TEXTS)]
NAMES = registry.names("corpus_step")


def passed(name: str, documents: Iterator[Document]) -> tuple[list[Document], list[tuple[Document, str]]]:
    rejected: list[tuple[Document, str]] = []
    step = registry.load("corpus_step", name)()
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

    step = registry.load("corpus_step", name)()
    first = next(iter(step(endless(), lambda _document, _reason: None)))
    assert first.text == "글 1"
    assert read < 100
