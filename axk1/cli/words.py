"""The user's language: every line a person reads is given in Korean and in English."""

import errno
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

__all__ = ["LANGUAGES", "Language", "Words", "describe", "language_of"]

Language = Literal["ko", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


@dataclass(frozen=True)
class Words:
    """`say("한국어", "English")` gives the text in the user's language."""

    language: Language

    def __call__(self, korean: str, english: str) -> str:
        return korean if self.language == "ko" else english


def language_of(environment: Mapping[str, str]) -> Language:
    """The language that LC_ALL, LC_MESSAGES or LANG ask for, in POSIX's order; English when it is neither of ours."""
    asked = next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), "")
    code = asked[:2].lower()
    return "ko" if code == "ko" else "en"


def describe(error: ValueError | OSError, say: Words) -> str:
    """One line about what went wrong, for the person who typed the command."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {_system_message(error, say)}"
    return " ".join(str(error).split("\n")) or type(error).__name__


def _system_message(error: OSError, say: Words) -> str:
    english = error.strerror or str(error)
    korean = {
        errno.ENOENT: "그런 파일이나 폴더가 없습니다",
        errno.EACCES: "권한이 없습니다",
        errno.EISDIR: "파일이 아니라 폴더입니다",
        errno.ENOTDIR: "폴더가 아닙니다",
        errno.ENOSPC: "디스크가 가득 찼습니다",
        errno.EROFS: "읽기 전용입니다",
    }
    return say(korean.get(error.errno or 0, english), english)
