"""Documents a few at a time, for whatever costs by the call."""

from collections.abc import Iterable, Iterator

from axk1.corpus.documents import Document

__all__ = ["in_batches"]


def in_batches(documents: Iterable[Document], characters: int = 1 << 14, most: int = 128) -> Iterator[list[Document]]:
    """The documents in their order. A batch ends with the one that makes it `characters` long, or after `most`.

    The defaults are for counting in NumPy: a call costs as much as a hundred characters, and a batch fits the cache.
    """
    batch, held = list[Document](), 0
    for document in documents:
        batch.append(document)
        held += len(document.text)
        if held >= characters or len(batch) == most:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch
