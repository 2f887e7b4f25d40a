"""Web dirt by rule: what a crawl holds beside good text, made from good text, for trials of the filters.

    python benchmarks/dirt.py FILE.jsonl.zst OUT.jsonl.zst --of-bytes 10_000_000 --megabytes 4

From the sample of FILE that a recipe takes with max_bytes = --of-bytes, dirt of five kinds is made, in equal bytes:

    copies       documents again, three times each: exact, under another header, with errors of spacing
    shuffled     the words of a text in random order, as spinning and broken columns leave them
    mojibake     UTF-8 read as CP949 (lost) or CP949 read as Latin-1
    adverts      phrases of sellers, and lists of keywords
    pages        menus, notices and counters around a sentence or two

The filters' tests spoil text in the same ways, so what a trial gains by filtering is an upper bound.
"""

import argparse
import random
from collections.abc import Callable, Iterator, Mapping
from itertools import cycle
from pathlib import Path

from axk1.corpus.documents import Document, JsonLines
from axk1.corpus.mix import mixed, utf8_length
from axk1.corpus.source import Source

__all__ = ["KINDS", "dirt", "main"]

_PIECE = (400, 3000)  # characters of a spoiled text
_PLACES = [
    "강남",
    "서초",
    "분당",
    "일산",
    "부천",
    "인천",
    "수원",
    "대전",
    "대구",
    "부산",
    "울산",
    "광주",
    "전주",
    "청주",
    "제주",
]
_TRADES = [
    "포장이사",
    "성형외과",
    "임플란트",
    "청소업체",
    "누수탐지",
    "중고차",
    "렌트카",
    "꽃배달",
    "대출상담",
    "인테리어",
    "에어컨청소",
]
_CALLS = (
    "지금 바로 문의주세요", "최저가 보장", "무료상담 환영", "당일 예약 가능", "카톡 상담 24시간",
    "친절하게 안내해 드립니다", "이벤트 할인 중", "후기 확인하세요", "전국 어디든 출장",
)  # fmt: skip
_MENUS = (
    "홈 | 로그인 | 회원가입 | 고객센터", "이전 글 | 다음 글 | 목록", "댓글 {n}개 | 조회 {n}", "추천 {n} 비추천 {n}",
    "공유하기 | 인쇄하기 | 스크랩", "이용약관 | 개인정보처리방침 | 이메일무단수집거부",
    "실시간 인기 검색어", "이 글이 도움이 되었나요? 예 아니요", "무단전재 및 재배포 금지",
    "[더보기]", "광고 문의 바로가기", "Copyright © All rights reserved.",
)  # fmt: skip


def copies(piece: str, rng: random.Random) -> str:
    kind = rng.randrange(3)
    if kind == 1:
        return f"{rng.choice(_MENUS).format(n=rng.randrange(99))}\n\n{piece}\n\n{rng.choice(_MENUS).format(n=3)}"
    return "".join("" if one == " " and rng.random() < 0.2 else one for one in piece) if kind == 2 else piece


def shuffled(piece: str, rng: random.Random) -> str:
    words = piece.split()
    rng.shuffle(words)
    return " ".join(words)


def mojibake(piece: str, rng: random.Random) -> str:
    if rng.random() < 0.5:
        return piece.encode().decode("cp949", "replace")
    return piece.encode("cp949", "ignore").decode("latin-1")


def adverts(_piece: str, rng: random.Random) -> str:
    if rng.random() < 0.5:
        return ", ".join(f"{_trade(rng)}{rng.choice(['추천', '가격', '비용'])}" for _ in range(80))
    return "\n".join(
        f"{_trade(rng)} 추천업체 {rng.choice(_CALLS)}! {rng.choice(_CALLS)}. 010-{rng.randrange(9999):04}-0000"
        for _ in range(12)
    )


def _trade(rng: random.Random) -> str:
    return f"{rng.choice(_PLACES)}{rng.choice(_TRADES)}"


def pages(piece: str, rng: random.Random) -> str:
    start = rng.randrange(max(1, len(piece) - 120))
    lines = [rng.choice(_MENUS).format(n=rng.randrange(500)) for _ in range(14)]
    return "\n".join([*lines[:7], piece[start : start + 120].replace("\n", " "), *lines[7:]])


KINDS: Mapping[str, Callable[[str, random.Random], str]] = {
    "copies": copies, "shuffled": shuffled, "mojibake": mojibake, "adverts": adverts, "pages": pages,
}  # fmt: skip


def dirt(texts: list[str], wanted: int, seed: int = 0) -> Iterator[tuple[str, str]]:
    """(kind, text) until there are `wanted` bytes of each fifth; the kinds take turns."""
    rng, given, enough = random.Random(seed), dict.fromkeys(KINDS, 0), wanted / len(KINDS)
    for kind in cycle(KINDS):
        if min(given.values()) >= enough:
            return
        if given[kind] >= enough:
            continue
        piece = _piece(texts, rng, whole=kind == "copies")
        for _ in range(3 if kind == "copies" else 1):
            text = KINDS[kind](piece, rng)
            given[kind] += utf8_length(text)
            yield kind, text


def _piece(texts: list[str], rng: random.Random, whole: bool) -> str:
    at = rng.randrange(len(texts))
    if whole:
        return texts[at]
    least, most = _PIECE
    piece = texts[at]
    while len(piece) < least:
        at = (at + 1) % len(texts)
        piece += "\n" + texts[at]
    start = rng.randrange(len(piece) - most) if len(piece) > most else 0
    return piece[start : start + most]


def main() -> None:
    parser = argparse.ArgumentParser(description="web dirt by rule")
    parser.add_argument("file", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--of-bytes", type=int, required=True)
    parser.add_argument("--megabytes", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    source = Source(str(options.file), max_bytes=options.of_bytes)
    texts = [one.text for one in mixed(source, None, options.seed, lambda _document, _reason: None)]
    with JsonLines(options.out) as file:
        for number, (kind, text) in enumerate(dirt(texts, int(options.megabytes * 1e6), options.seed), start=1):
            file.write(Document(text, f"{kind}:{number}", "dirt").to_json())


if __name__ == "__main__":
    main()
