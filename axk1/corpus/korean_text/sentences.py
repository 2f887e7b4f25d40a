"""Where Korean sentences end: a splitter by rules, without a model.

A sentence ends with its mark (. ! ? … 。) and the quotes and brackets that close after it, before white space; with a
line's end where the line is a heading or an item; and, where chat leaves the mark out, never inside a line. Numbers
(3.14), dates (2024. 5. 1.), list numbers (1. 가.), file names and abbreviations (Dr., e.g., Inc.) hold no end.
"""

import re

__all__ = ["sentences"]

_CLOSING = "\"'”’」』》〉)\\]*_"
_END = re.compile(
    rf"(?<=[가-힣A-Za-z0-9%\])'\"”’」』》〉…!?~ㅋㅎㅠㅜ^])[.!?…。]+[{_CLOSING}]*(?:\[\d+\])*(?=\s)|(?<=[가-힣])[!?]+(?=[가-힣])|(?<=[다요])\.(?=[가-힣])"
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|Jr|Sr|St|vs|No|Vol|pp|cf|al|Inc|Co|Corp|Ltd|Fig|Eq|e\.g|i\.e|etc|[A-Z])\.)$"
)
_NUMBER = re.compile(r"(?:^|[\s(\[「“\"'·,~】-])(?:\d{1,4}(?:의\d+)?|[가나다라마바사아자차카타파하]|[ivxIVX]{1,4})\.$")
_PAIRS = (("(", ")"), ("“", "”"), ("‘", "’"), ("「", "」"), ("[", "]"))


def sentences(text: str) -> list[str]:
    """The sentences of a text in their order, without the white space around them; lines are never joined."""
    return [sentence for line in text.split("\n") if not line.isspace() and line for sentence in _of_line(line)]


def _of_line(line: str) -> list[str]:
    found: list[str] = []
    start = 0
    for end in _END.finditer(line):
        if _ends(line, start, end):
            found.append(line[start : end.end()].strip())
            start = end.end()
    rest = line[start:].strip()
    return [*found, rest] if rest else found


def _ends(line: str, start: int, end: re.Match[str]) -> bool:
    """Whether the mark ends a sentence: not after a number or an abbreviation, not inside brackets or quotes."""
    mark = end[0]
    if mark[0] == "." and len(mark.rstrip("\"'”’」』》〉)]*_")) == 1:
        before = line[start : end.start() + 1]
        if _NUMBER.search(before) or _ABBREVIATION.search(before):
            return False
    return not _is_inside(line, start, end.end())


def _is_inside(line: str, start: int, end: int) -> bool:
    """Whether a bracket or a quotation that opened in this sentence closes only later: (이하 같다. 끝)."""
    for opening, closing in _PAIRS:
        opened = line.count(opening, start, end)
        if opened and opened > line.count(closing, start, end) and closing in line[end:]:
            return True
    return line.count('"', start, end) % 2 == 1 and '"' in line[end:]
