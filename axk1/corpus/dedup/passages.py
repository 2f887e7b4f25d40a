"""Passages that are cut out of a text: at the boundaries of words."""

import re
from collections.abc import Iterable, Iterator

__all__ = ["Span", "grown", "merged", "shrunk", "shrunk_to_sentences", "without"]

_BOUNDARY = re.compile(r"[.!?。]['\")\]」』’”*_]*\s+|\n\s*")  # between two sentences or lines

Span = tuple[int, int]
"""Characters of a text, from the first up to but without the second."""


def grown(text: str, start: int, end: int) -> Span:
    """The span with the whole words that it touches: for what must go."""
    while start > 0 and not text[start - 1].isspace():
        start -= 1
    while end < len(text) and not text[end].isspace():
        end += 1
    return start, end


def shrunk(text: str, start: int, end: int) -> Span:
    """The whole words within the span, from the first one's beginning to the last one's end: for what may go."""
    while start < end and (text[start].isspace() or (start > 0 and not text[start - 1].isspace())):
        start += 1
    while end > start and (text[end - 1].isspace() or (end < len(text) and not text[end].isspace())):
        end -= 1
    return start, end


def shrunk_to_sentences(text: str, start: int, end: int) -> Span:
    """The whole sentences and lines within the span; an empty span when there is none.

    What follows the last letter, a full stop or a bracket, belongs to its sentence.
    """
    margin = 8
    before, after = max(0, start - margin), min(len(text), end + margin)
    places = [match.end() for match in _BOUNDARY.finditer(text, before, after)]
    if start == 0 or not text[:start].strip():
        places.append(start)
    if not any(map(str.isalnum, text[end:])):
        places.append(len(text))
    inside = [place for place in places if not any(map(str.isalnum, (text[place:start] + text[end:place])))]
    return (min(inside), max(inside)) if inside else (start, start)


def merged(spans: Iterable[Span]) -> Iterator[Span]:
    """The same characters as disjoint spans, in their order."""
    held: Span | None = None
    for start, end in sorted(spans):
        if held is not None and start <= held[1]:
            held = held[0], max(held[1], end)
        else:
            if held is not None:
                yield held
            held = start, end
    if held is not None:
        yield held


def without(text: str, spans: Iterable[Span]) -> str:
    """The text without the spans; where one stood, the wider of the two gaps of white space around it stays."""
    bounds = [0, *(place for span in merged(spans) for place in span), len(text)]
    pieces = [text[start:end] for start, end in zip(bounds[::2], bounds[1::2], strict=True)]
    return text if len(pieces) == 1 else _joined([piece for piece in pieces if piece.strip()])


def _joined(pieces: list[str]) -> str:
    parts, gap = list[str](), ""
    for piece in pieces:
        start = len(piece) - len(piece.lstrip())
        if parts:
            parts.append(max(gap, piece[:start], key=lambda one: (one.count("\n"), len(one))))
        parts.append(piece.strip())
        gap = piece[len(piece.rstrip()) :]
    return "".join(parts)
