"""The step `labels`: notes what a text's style is; changes and drops nothing.

steps = ["labels"]
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from axk1.corpus.documents import Document, Fact, Reject, Scope
from axk1.corpus.korean_text.sentences import sentences
from axk1.corpus.quality.register import dialect_of, honorific_share, register_of

__all__ = ["Labels", "LabelsConfig", "labels_of"]

_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_HANGUL = re.compile("[가-힣]")
_CHAT = re.compile(r"[ㅋㅎㅠㅜ]{2,}|\^\^|ㅡㅡ|[!?~]{2,}|(?<=[가-힣])[ㅋㅎㅠㅜ]")


@dataclass(frozen=True)
class LabelsConfig:
    """How much of a text is looked at."""

    most_characters: int = 20_000  # from its beginning; 0 = all: a statute does not change its register

    def __post_init__(self) -> None:
        if self.most_characters < 0:
            raise ValueError(f"most_characters must not be negative, found {self.most_characters}")


class Labels:
    """Notes register, honorific_share, hanja_share and chat_share; dialect where there is a hint."""

    scope: ClassVar[Scope] = "document"

    def __init__(self, config: LabelsConfig = LabelsConfig()) -> None:
        self._most = config.most_characters or None

    def __call__(self, documents: Iterator[Document], _reject: Reject) -> Iterator[Document]:
        """Yield every document with its labels."""
        for document in documents:
            yield document.noted(**labels_of(document.text[: self._most]))


def labels_of(text: str) -> dict[str, Fact]:
    """The labels of a text; register is that of most sentences that have one, "none" where none has."""
    parts = sentences(text)
    hangul, han = len(_HANGUL.findall(text)), len(_HAN.findall(text))
    labels: dict[str, Fact] = {
        "register": _commonest([register_of(one) for one in parts]),
        "honorific_share": round(honorific_share(parts), 3),
        "hanja_share": round(han / (hangul + han), 4) if han else 0.0,
        "chat_share": round(sum(_CHAT.search(one) is not None for one in parts) / len(parts), 3) if parts else 0.0,
    }
    dialect = dialect_of(text)
    return {**labels, "dialect": dialect} if dialect else labels


def _commonest(registers: Sequence[str]) -> str:
    counted = Counter(one for one in registers if one != "none")
    return counted.most_common(1)[0][0] if counted else "none"
