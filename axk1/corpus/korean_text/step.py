"""The step `korean_text`: one spelling for what looks the same. Every part is an option.

steps = [{ name = "korean_text", hanja = "hangul_first", chat_jamo = "keep" }]
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from typing import ClassVar, Literal

from axk1.corpus.documents import Document, Reject, Scope
from axk1.corpus.korean_text.characters import narrow, plain_middle_dots, plain_spaces, without_trailing_spaces
from axk1.corpus.korean_text.chat_style import ChatPolicy, with_chat_jamo, with_short_repeats
from axk1.corpus.korean_text.entities import unescaped
from axk1.corpus.korean_text.hanja import HanjaPolicy, with_hanja
from axk1.corpus.korean_text.jamo import compose, count_private_use, nfc
from axk1.corpus.korean_text.mojibake import repaired
from axk1.corpus.korean_text.traits import Trait, traits_of

__all__ = ["KoreanText", "KoreanTextConfig"]

_Part = tuple[int, Callable[[str], str]]  # the function, and which of a text's traits it is for
_ALWAYS = 0  # functions that find out faster by themselves
_ROUNDS = 8  # one part's work may give another more (&amp;nbsp;); clean text needs one round


@dataclass(frozen=True)
class KoreanTextConfig:
    """What is changed, and how."""

    mojibake: bool = True  # lines in a wrong encoding are repaired where nothing was lost
    entities: bool = True  # HTML entities become characters
    spaces: bool = True  # odd spaces, invisible and control characters
    full_width: bool = True  # Ａ１ → A1
    middle_dot: bool = True  # ㆍ between syllables → ·
    jamo: bool = True  # NFC; ㅎㅏㄴㄱㅡㄹ → 한글
    hanja: HanjaPolicy = "keep"
    chat_jamo: ChatPolicy = "shorten"
    chat_jamo_length: int = 3
    longest_repeat: int = 4  # of one mark or syllable in a row; 0 = as written
    spacing: Literal["keep", "kiwi"] = "keep"  # kiwi: slow (about 0.1 MB/s), needs the extra `korean`

    def __post_init__(self) -> None:
        if self.chat_jamo_length < 2:
            raise ValueError(f"chat_jamo_length must be at least 2 (ㅋㅋ), found {self.chat_jamo_length}")
        if self.longest_repeat < 0 or self.longest_repeat in (1, 2):
            raise ValueError(f"longest_repeat must be 0 (off) or at least 3, found {self.longest_repeat}")


class KoreanText:
    """Makes the text uniform; drops nothing. Notes `private_use` where characters of the private use area are left."""

    scope: ClassVar[Scope] = "document"

    def __init__(self, config: KoreanTextConfig = KoreanTextConfig()) -> None:
        self._middle_dot = config.middle_dot
        self._parts = _parts(config)

    def __call__(self, documents: Iterator[Document], _reject: Reject) -> Iterator[Document]:
        """Yield every document, changed or not."""
        for document in documents:
            text = self.normalized(document.text)
            changed = document if text == document.text else replace(document, text=text)
            private = count_private_use(text)
            yield changed.noted(private_use=private) if private else changed

    def normalized(self, text: str) -> str:
        """The text as the step would write it; of that it changes nothing more."""
        for _ in range(_ROUNDS):
            if self._middle_dot:  # before the comparison: it gives the others no work, and statutes are full of it
                text = plain_middle_dots(text)
            before, traits = text, traits_of(text)
            for needs, part in self._parts:
                if not needs or needs & traits:
                    text = part(text)
            if text == before:
                break
        return text


def _parts(config: KoreanTextConfig) -> tuple[_Part, ...]:
    """The functions in their order: encodings before characters, characters before what they spell."""
    switched: list[tuple[bool, int, Callable[[str], str]]] = [
        (config.mojibake, Trait.WESTERN, repaired),
        (config.entities, _ALWAYS, unescaped),
        (config.spaces, Trait.ODD, plain_spaces),
        (config.spaces, _ALWAYS, without_trailing_spaces),
        (config.full_width, Trait.WIDE, narrow),
        (config.jamo, _ALWAYS, nfc),
        (config.jamo, Trait.JAMO, compose),
        (config.hanja != "keep", Trait.HAN, lambda text: with_hanja(text, config.hanja)),
        (
            config.chat_jamo != "keep",
            Trait.JAMO,
            lambda text: with_chat_jamo(text, config.chat_jamo, config.chat_jamo_length),
        ),
        (config.longest_repeat > 0, Trait.RUN, lambda text: with_short_repeats(text, config.longest_repeat)),
    ]
    if config.spacing == "kiwi":
        switched.append((True, _ALWAYS, import_module("axk1.corpus.korean_text.spacing").respaced))
    return tuple((int(needs), part) for wanted, needs, part in switched if wanted)
