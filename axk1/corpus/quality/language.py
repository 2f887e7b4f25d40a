"""Which language a line is in, by its scripts, a few function words, and the marks of code.

No model: for the question "Korean or not" the script answers, and the rest needs to be told apart coarsely only.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from axk1.corpus.quality.letters import Kind, kinds_of, units_of

__all__ = ["Language", "languages", "line_languages"]

Language = Literal["ko", "en", "zh", "ja", "code", "other", "none"]
"""other: letters of another language; none: no letters to judge by (numbers, rules, empty lines)."""

_ENGLISH = frozenset(
    [
        "the",
        "of",
        "and",
        "to",
        "in",
        "is",
        "a",
        "for",
        "that",
        "with",
        "on",
        "as",
        "are",
        "be",
        "this",
        "by",
        "or",
        "it",
        "from",
        "not",
        "an",
        "can",
        "you",
        "if",
        "we",
        "at",
        "has",
        "have",
        "was",
        "will",
        "when",
        "which",
        "your",
        "use",
        "all",
        "how",
        "what",
        "i",
        "he",
        "she",
        "they",
        "his",
        "her",
        "my",
        "but",
        "do",
        "does",
        "did",
        "more",
        "than",
        "into",
        "only",
        "been",
        "were",
        "about",
        "between",
        "using",
        "should",
        "may",
        "see",
        "no",
        "one",
        "each",
        "other",
        "any",
        "their",
        "there",
        "these",
        "so",
        "out",
        "up",
        "must",
        "its",
        "where",
        "then",
        "them",
        "us",
    ]
)
_STATEMENTS = (
    *(
        "def ",
        "class ",
        "import ",
        "from ",
        "return",
        "elif ",
        "else",
        "try",
        "except",
        "finally",
        "raise ",
        "yield ",
        "assert ",
    ),
    *(
        "if ",
        "for ",
        "while ",
        "with ",
        "async ",
        "await ",
        "@",
        "#include",
        "#define",
        "public ",
        "private ",
        "static ",
    ),
    *("const ", "let ", "var ", "function", "using ", "namespace ", "$ ", ">>> ", "//", "/*", "<", "}", ")", "]", "{"),
    *("pass", "break", "continue", "del ", "global ", "print"),
)


def line_languages(text: str) -> list[Language]:
    """The language of each line (as `text.split("\\n")` gives them)."""
    lines = text.split("\n")
    counts_LK = _counts(text, len(lines))
    return [_language(line, counts) for line, counts in zip(lines, counts_LK.tolist(), strict=True)]


def languages(texts: Sequence[str]) -> list[dict[Language, int]]:
    """Of each text, its letters per language of the line that they stand in; "none" is left out."""
    lines_T = [text.split("\n") for text in texts]
    counts_LK = _counts("\n".join(texts), sum(map(len, lines_T))).tolist()
    counted = iter(counts_LK)
    return [_letters_by_language(lines, counted) for lines in lines_T]


def _letters_by_language(lines: Sequence[str], counted: Iterator[list[int]]) -> dict[Language, int]:
    found: dict[Language, int] = {}
    for line, counts in zip(lines, counted, strict=False):
        language = _language(line, counts)
        if language != "none":
            found[language] = found.get(language, 0) + _letters(counts)
    return found


def _counts(text: str, lines: int) -> NDArray[np.int64]:
    """Characters per line and kind; L = lines, K = kinds."""
    units_C = units_of(text)
    line_C = np.cumsum(units_C == ord("\n"))
    flat = np.bincount(line_C * len(Kind) + kinds_of(units_C), minlength=lines * len(Kind))
    return flat.reshape(lines, len(Kind))


def _letters(counts: Sequence[int]) -> int:
    return (
        counts[Kind.HANGUL]
        + counts[Kind.LATIN]
        + counts[Kind.HAN]
        + counts[Kind.KANA]
        + counts[Kind.SCRIPT]
        + counts[Kind.JAMO]
    )


def _language(line: str, counts: Sequence[int]) -> Language:
    """Hangul weighs three: a syllable is as much text as three Latin letters, and Korean is full of Latin names."""
    hangul, latin, han, kana = (
        counts[Kind.HANGUL] + counts[Kind.JAMO],
        counts[Kind.LATIN],
        counts[Kind.HAN],
        counts[Kind.KANA],
    )
    script = counts[Kind.SCRIPT]
    if not hangul + latin + han + kana + script:
        return "none"
    if hangul and 3 * hangul >= max(latin, 3 * (han + kana), 3 * script):
        return "ko"
    if 3 * (han + kana) > latin + script:
        if 6 * kana >= han + kana:
            return "ja"
        return "zh" if han > hangul else "ko"
    if 2 * script > latin:
        return "other"
    found = _latin(line, counts)
    return "ko" if found == "other" and 20 * hangul >= latin else found  # Korean around long identifiers


def _latin(line: str, counts: Sequence[int]) -> Language:
    """Prose has function words: one word in four of English text is one; code has symbols, and opens with its words."""
    words = line.lower().split()
    known = sum(map(_ENGLISH.__contains__, words))
    if _looks_like_code(line, counts[Kind.SYMBOL], counts[Kind.LATIN], 3 * known < len(words)):
        return "code"
    return "en" if 8 * known >= len(words) or len(words) < 8 else "other"


def _looks_like_code(line: str, symbols: int, letters: int, few_function_words: bool) -> bool:
    """Many symbols; or a statement's first word with its colon, call or operator; or an indented line with some."""
    if few_function_words and 8 * symbols >= letters:
        return True
    if few_function_words and (" = " in line or "self." in line):
        return True
    body = line.strip()
    marked = 25 * symbols >= letters or "()" in body or body.endswith((":", ")", ",", ";"))
    if body.startswith(_STATEMENTS):
        return marked and (few_function_words or ((symbols > 0 or "(" in body) and body.endswith((":", ")", ";"))))
    return marked and few_function_words and line[:4] == "    "
