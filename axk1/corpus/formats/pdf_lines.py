"""Lines of a page → paragraphs, for Korean: lines break between eojeols, where a space is due, or inside one."""

import itertools
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from axk1.corpus.formats.pdf_layout import Piece
from axk1.corpus.formats.spacing import SpacingHabits

__all__ = ["paragraphs"]

_SENTENCE_END = re.compile(r"[.!?…。][\"'”’)\]」』]*$")
_ENDING = re.compile(
    r"^(은|는|이|가|을|를|에|의|도|만|와|과|로|으로|에서|에게|까지|부터|처럼|보다|다|요|니다|습니다|했다|한다|었다|았다|였다|하고|했고"
    r"|었고|았고|지만|는데|은데|면서|므로|어요|아요|네요|세요)[.,!?…”\"']*$"
)
_OPENS, _CLOSES = re.compile(r"[(\[“‘「『〈《]$"), re.compile(r"[)\]”’」』〉》.,!?…]")
_LETTERS = re.compile(r"[가-힣A-Za-z0-9]+")
_HANGUL = re.compile("[가-힣]")
_INSIDE_SHARE = 0.08  # line breaks that are surely inside an eojeol, for the document to be one that breaks there


@dataclass(frozen=True)
class _Break:
    """The end of a line and the start of the next, both as whole words, and the room left over on the line in ems."""

    before: str
    after: str
    slack: float
    has_space: bool


def paragraphs(regions: Sequence[Sequence[Piece]]) -> list[str]:
    """The text of all regions of a document, in order; tables are paragraphs of their own."""
    groups = _grouped(regions)
    rights = dict[int, float]()
    for region in regions:
        rights.update(dict.fromkeys(map(id, region), _edges(region)[1] if region else 0.0))
    breaks = [_break(a, b, rights[id(a)]) for group in groups for a, b in itertools.pairwise(group) if not a.is_table]
    words = _inner_words(groups)
    keeps_spaces = _keeps_spaces(breaks)
    lines = (line.text for line in itertools.chain.from_iterable(groups))
    habits = SpacingHabits(lines) if _breaks_inside(breaks, words) else None
    texts = list[str]()
    for group in groups:
        text = group[0].text.rstrip() if not group[0].is_table else group[0].text
        for a, b in itertools.pairwise(group):
            place = _break(a, b, rights[id(a)])
            text = _joined(text, b.text.strip(), _wants_space(place, words, habits, keeps_spaces=keeps_spaces))
        texts.append(text.strip())
    return [text for text in texts if text]


def _grouped(regions: Sequence[Sequence[Piece]]) -> list[list[Piece]]:
    """Lines that make a paragraph; one may go on in the next column or on the next page."""
    groups = list[list[Piece]]()
    last: tuple[Piece, float, float] | None = None
    for region in regions:
        leading = _leading(region)
        left, right = _edges(region)
        for number, line in enumerate(region):
            if last is None or line.is_table or last[0].is_table:
                is_new = True
            elif number == 0:
                is_new = _ends_before_region(last[0], last[1], line)
            else:
                is_new = _starts_paragraph(region[number - 1], line, left, right, leading)
            if is_new:
                groups.append([line])
            else:
                groups[-1].append(line)
            last = line, right, leading
    return groups


def _edges(region: Sequence[Piece]) -> tuple[float, float]:
    """Left and right of the column; a table may be wider than its text."""
    lines = [line for line in region if not line.is_table] or region
    return min(line.left for line in lines), max(line.right for line in lines)


def _leading(region: Sequence[Piece]) -> float:
    """The usual distance from line to line."""
    steps = [a.middle - b.middle for a, b in itertools.pairwise(region) if not a.is_table and not b.is_table]
    return statistics.median_low(steps) if steps else float("inf")


def _ends_before_region(line: Piece, right: float, after: Piece) -> bool:
    is_short = right - line.right > _first_word_width(after) + 3 * line.height
    return bool(_SENTENCE_END.search(line.text.strip())) or is_short or _other_size(line, after)


def _first_word_width(line: Piece) -> float:
    words = line.text.split(maxsplit=1)
    return (line.right - line.left) * len(words[0]) / len(line.text.strip()) if words else 0.0


def _starts_paragraph(line: Piece, after: Piece, left: float, right: float, leading: float) -> bool:
    room = right - line.right - _first_word_width(after)  # what would be left, had the next word come on this line
    if _other_size(line, after) or line.middle - after.middle > 1.3 * leading:
        return True
    if after.left - left > 0.7 * line.height and line.left - left < 0.4 * line.height:
        return True  # the first line is set in
    is_end = _SENTENCE_END.search(line.text.strip()) is not None
    return room > (0.5 * line.height if is_end else max(4 * line.height, 0.2 * (right - left)))


def _other_size(a: Piece, b: Piece) -> bool:
    return abs(a.height - b.height) > 0.18 * max(a.height, b.height)


def _break(a: Piece, b: Piece, right: float) -> _Break:
    before, after = a.text.split(), b.text.split()
    slack = (right - a.right) / a.height
    return _Break(before[-1] if before else "", after[0] if after else "", slack, a.text != a.text.rstrip())


def _inner_words(groups: Sequence[Sequence[Piece]]) -> frozenset[str]:
    """Words that stand inside lines, so that no line break has cut them."""
    found = set[str]()
    for line in itertools.chain.from_iterable(groups):
        found.update(match for word in line.text.split()[1:-1] for match in _LETTERS.findall(word))
    return frozenset(found)


def _keeps_spaces(breaks: Sequence[_Break]) -> bool:
    """Whether the program that wrote the file left the space before a line break in it: then its absence speaks.

    Between Korean words, for the lines of formulas and of tables of contents end in spaces anyway.
    """
    korean = [place for place in breaks if _HANGUL.match(place.before[-1:]) and _HANGUL.match(place.after)]
    return bool(korean) and sum(place.has_space for place in korean) >= 0.1 * len(korean)


def _breaks_inside(breaks: Sequence[_Break], words: frozenset[str]) -> bool:
    """Whether lines break inside eojeols: they are all full, and some break is seen to be inside one."""
    full = sum(place.slack < 1.1 for place in breaks)
    sure = sum(_is_inside(place, words) for place in breaks)
    return full > 0.6 * len(breaks) and sure > _INSIDE_SHARE * len(breaks)


def _is_inside(place: _Break, words: frozenset[str]) -> bool:
    before, after = _bare(place.before, -1), _bare(place.after, 0)
    if not before or not after:
        return False
    is_known = before in words and after in words
    return not is_known and (before + after in words or _ENDING.match(place.after) is not None)


def _bare(word: str, which: int) -> str:
    found = _LETTERS.findall(word)
    return found[which] if found else ""


def _wants_space(place: _Break, words: frozenset[str], habits: SpacingHabits | None, *, keeps_spaces: bool) -> bool:
    """habits: of a document whose lines break inside eojeols, else None."""
    if place.has_space or keeps_spaces:
        return place.has_space
    if _OPENS.search(place.before) or _CLOSES.match(place.after):
        return False
    if habits is None or _SENTENCE_END.search(place.before):
        return True
    before, after = _bare(place.before, -1), _bare(place.after, 0)
    score = habits.odds(place.before, place.after)
    score -= 3 * (before + after in words) + 2 * (_ENDING.match(place.after) is not None)
    score += 2 * (before in words and after in words) + (before in words and len(before) > 1)
    return score > 0


def _joined(text: str, after: str, wants_space: bool) -> str:
    if re.search(r"[A-Za-z]-$", text) and re.match(r"[a-z]", after):
        return text[:-1] + after
    return f"{text} {after}" if wants_space else text + after
