"""What a recogniser finds, the kinds there are, and how overlapping findings are settled."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

__all__ = ["FOUND", "LABELS", "SPANS", "Finding", "Recogniser", "settle"]

FOUND = "privacy."  # metadata of a document, + kind: how many were found, in the text and its metadata
SPANS = "privacy_spans"  # "kind:policy:start-end …" of the text as it leaves the step, without the values

LABELS: Mapping[str, str] = {  # what a mask says; where two findings overlap, the kind that stands first wins
    "secret": "비밀키",
    "credentials": "접속정보",
    "rrn": "주민등록번호",
    "frn": "외국인등록번호",
    "driver_licence": "운전면허번호",
    "email": "전자우편",
    "card": "카드번호",
    "phone": "전화번호",
    "account": "계좌번호",
    "corporate_number": "법인등록번호",
    "business_number": "사업자등록번호",
    "service_phone": "대표번호",
    "passport": "여권번호",
    "plate": "차량번호",
    "ip": "IP주소",
    "mac": "MAC주소",
    "coordinates": "좌표",
    "address": "주소",
    "name": "이름",
}
_RANK = {kind: rank for rank, kind in enumerate(LABELS)}


@dataclass(frozen=True, slots=True)
class Finding:
    """Characters `start` to `end` of a text are of this kind. It never holds the text itself, so it may be logged."""

    kind: str
    start: int
    end: int


class Recogniser(Protocol):
    """A plug-in of the kind "privacy_recogniser": a text in, findings out, in any order; overlaps are settled later.

    Its class takes no argument, or `spoken_digits` by keyword.
    """

    def __call__(self, text: str, /) -> Iterable[Finding]:
        """The findings; their kinds are keys of LABELS."""
        ...


def settle(findings: Iterable[Finding]) -> list[Finding]:
    """Findings without overlaps, by position: the kind that ranks first in LABELS wins, then the longer one."""
    kept: list[Finding] = []
    for one in sorted(set(findings), key=lambda one: (_RANK[one.kind], one.start - one.end, one.start)):
        if all(one.end <= other.start or other.end <= one.start for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda one: one.start)
