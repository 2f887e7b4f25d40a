"""Documents a few at a time, for steps that count in NumPy: a call costs as much as a hundred characters."""

from collections.abc import Iterator

from axk1.corpus.documents import Document

__all__ = ["in_batches"]

_DOCUMENTS = 128
_CHARACTERS = 1 << 14  # a longer document is a batch of its own, or ends one


def in_batches(documents: Iterator[Document]) -> Iterator[list[Document]]:
    """The documents in their order, in lists that fit the processor's cache."""
    batch, held = list[Document](), 0
    for document in documents:
        batch.append(document)
        held += len(document.text)
        if held >= _CHARACTERS or len(batch) == _DOCUMENTS:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch
