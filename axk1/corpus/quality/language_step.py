"""The step `language`: notes the language of a document, drops documents or lines of languages that are not wanted.

steps = [{ name = "language", keep = ["ko"], lines = "drop" }]
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, get_args

from axk1.corpus.batches import in_batches
from axk1.corpus.documents import Document, Reject, Scope
from axk1.corpus.quality.language import Language, languages, line_languages

__all__ = ["LanguageConfig", "LanguageStep"]


_SYLLABLE = 3  # Latin letters; else of a pair of sentences the Korean one would be the lesser half


@dataclass(frozen=True)
class LanguageConfig:
    """Which languages stay."""

    keep: tuple[str, ...] = ("ko", "en", "code")
    lines: Literal["keep", "drop"] = "keep"  # drop: lines of other languages go, the rest of the document stays
    least_share: float = 0.5  # of the letters, in lines of languages that are kept; one of Korean counts as three

    def __post_init__(self) -> None:
        if unknown := set(self.keep) - set(get_args(Language)):
            raise ValueError(f"no language {min(unknown)!r}; known: {', '.join(get_args(Language))}")
        if not 0 <= self.least_share <= 1:
            raise ValueError(f"least_share is a share from 0 to 1, found {self.least_share}")


class LanguageStep:
    """Notes `language` (of most letters) and `korean_share` (letters in Korean lines)."""

    scope: ClassVar[Scope] = "document"

    def __init__(self, config: LanguageConfig = LanguageConfig()) -> None:
        self._config = config
        self._kept = [language for language in get_args(Language) if language in config.keep]

    def __call__(self, documents: Iterator[Document], reject: Reject) -> Iterator[Document]:
        """Drops with the reason "mostly in another language (zh)"."""
        for batch in in_batches(documents):
            judged = [self._without_lines(one) for one in batch] if self._config.lines == "drop" else batch
            counted = languages([document.text for document in judged])
            for original, document, letters in zip(batch, judged, counted, strict=True):
                main = max(letters, key=letters.__getitem__, default="none")
                total = sum(letters.values())
                weights = {one: count * (_SYLLABLE if one == "ko" else 1) for one, count in letters.items()}
                kept = sum(weights.get(one, 0) for one in self._kept)
                if total and kept < self._config.least_share * sum(weights.values()):
                    reject(original, f"mostly in another language ({main})")
                    continue
                korean = round(letters.get("ko", 0) / total, 3) if total else 0.0
                yield document.noted(language=main, korean_share=korean)

    def _without_lines(self, document: Document) -> Document:
        wanted = {*self._config.keep, "none"}
        lines = document.text.split("\n")
        found = line_languages(document.text)
        kept = [line for line, one in zip(lines, found, strict=True) if one in wanted]
        if len(kept) == len(lines) or not set(self._config.keep).intersection(found):
            return document  # nothing of worth is left: the whole document is judged, as it was
        return replace(document, text="\n".join(kept))
