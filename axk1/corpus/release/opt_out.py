"""Who asked to be left out: lines of a file, and the digests by which a stranger can check that they were."""

from hashlib import sha256
from pathlib import Path

from axk1.corpus.documents import Document
from axk1.corpus.streams import CorpusError

__all__ = ["OptOut", "text_digest"]

_KINDS = ("id", "url", "sha256")


class OptOut:
    """The requests of one file; `removed` collects the digests of what they kept out."""

    def __init__(self, ids: frozenset[str], urls: tuple[str, ...], digests: frozenset[str]) -> None:
        self._ids, self._urls, self._digests = ids, urls, digests
        self.removed: set[str] = set(digests)

    @classmethod
    def read(cls, path: Path | None) -> "OptOut":
        """The requests in a file (None: none). Empty lines and lines that begin with # are notes. CorpusError."""
        wanted: dict[str, set[str]] = {kind: set() for kind in _KINDS}
        lines = path.read_text(encoding="utf-8").split("\n") if path else []
        for number, line in enumerate(map(str.strip, lines), start=1):
            if not line or line.startswith("#"):
                continue
            kind, _, value = line.partition(" ")
            if kind not in wanted or not value.strip():
                raise CorpusError(f"{path}:{number}: write `id ID`, `url PREFIX` or `sha256 HEX`, found {line!r}")
            wanted[kind].add(value.strip())
        return cls(frozenset(wanted["id"]), tuple(sorted(wanted["url"])), frozenset(map(str.lower, wanted["sha256"])))

    def matches(self, document: Document, url: str) -> bool:
        """Whether the document must stay out; its digest is remembered if so."""
        digest = text_digest(document.text)
        asked = document.id in self._ids or digest in self._digests or (self._urls and url.startswith(self._urls))
        if asked:
            self.removed.add(digest)
        return bool(asked)


def text_digest(text: str) -> str:
    """SHA-256 of the text in UTF-8, in hexadecimal."""
    return sha256(text.encode("utf-8")).hexdigest()
