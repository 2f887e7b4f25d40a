"""Documents → token shards."""

from collections.abc import Callable, Iterable
from pathlib import Path

from axk1.corpus.batches import in_batches
from axk1.corpus.documents import Document
from axk1.data.shards import ShardWriter, Summary
from axk1.tokenizer.bulk import BulkEncoder
from axk1.tokenizer.tokenizer import Tokenizer

__all__ = ["tokenize"]

Progress = Callable[[int, int], None]
"""Called after every batch with the documents and tokens so far."""

_BATCH_CHARACTERS = 1 << 22
_BATCH_DOCUMENTS = 4096


def tokenize(
    documents: Iterable[Document], tokenizer: Tokenizer, folder: Path, progress: Progress | None = None
) -> Summary:
    """Write the documents' ids as shards, in their order, streaming; returns what was written.

    A batch is encoded on all cores in threads, outside Python's lock, and that is most of the work: processes of our
    own would only add copies. A special token's name inside a document is plain text. Raises
    OSError, and what reading the documents raises; the folder appears only when it is whole.
    """
    encode = BulkEncoder(tokenizer)
    with ShardWriter(folder, tokenizer.vocab_size) as writer:
        for batch in in_batches(documents, _BATCH_CHARACTERS, _BATCH_DOCUMENTS):
            for document, ids in zip(batch, encode([document.text for document in batch]), strict=True):
                writer.add(ids, text_bytes=len(document.text.encode("utf-8")), source=document.source)
            if progress:
                progress(writer.summary.documents, writer.summary.tokens)
    return writer.summary
