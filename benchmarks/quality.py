"""What the step `quality` keeps of good text and drops of spoiled text.

    python benchmarks/quality.py FILE.jsonl.zst … [--documents 2000]

Good: the first documents of every file. Spoiled: the longer of them in five ways, and lists and advertising that are
made here. Every line says which share was kept (good) or dropped (spoiled), and why; the last one gives precision and
recall over all of them.
"""

import argparse
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from axk1.corpus.documents import Document
from axk1.corpus.quality.step import Quality
from axk1.corpus.readers import read
from axk1.corpus.source import Source

LONG = 800  # characters
FIELDS = {"en_gsm8k_train": ("question", "answer"), "ko_chat_qa": ("q", "a"), "ko_kobest_train": ("passage",)}

PLACES = ("강남", "서초", "분당", "일산", "부천", "인천", "수원", "대전", "대구", "부산", "광주", "천안")
TRADES = ("포장이사", "성형외과", "임플란트", "청소업체", "누수탐지", "중고차", "렌트카", "꽃배달", "인테리어")
HOOKS = ("추천업체", "무료상담", "최저가 보장", "당일배송", "견적문의", "할인쿠폰", "24시간 상담", "전국 어디든")
CLOSINGS = ("지금 {} 로 문의주세요.", "{} 전화 한 통이면 됩니다!", "상담은 {} 친절상담.", "예약문의 {} 바로가기 클릭!")
NOUNS = ("사과", "배", "귤", "감", "나무", "의자", "책상", "연필", "공책", "학교", "병원", "시장", "하늘", "바다", "산")


def shuffled(text: str, rng: random.Random) -> str:
    words = text.split()
    rng.shuffle(words)
    return " ".join(words)


def repeated(text: str, rng: random.Random) -> str:
    passage = text[: rng.randint(80, 200)]
    return "\n".join([passage] * rng.randint(6, 12))


def phrased(text: str, rng: random.Random) -> str:
    """A phrase after every three words of the text."""
    words, phrase = text.split()[:120], f"{rng.choice(PLACES)} {rng.choice(TRADES)}"
    return " ".join(f"{' '.join(words[at : at + 3])} {phrase}" for at in range(0, len(words), 3))


SPOILED: dict[str, Callable[[str, random.Random], str]] = {
    "eojeols shuffled": shuffled,
    "UTF-8 read as CP949": lambda text, _: text.encode().decode("cp949", "replace"),
    "CP949 read as Latin-1": lambda text, _: text.encode("cp949", "ignore").decode("latin-1"),
    "one passage repeated": repeated,
    "one phrase in everything": phrased,
}


def keywords(rng: random.Random) -> str:
    kinds = ("추천", "가격", "비용", "잘하는곳", "후기")
    words = (f"{rng.choice(PLACES)}{rng.choice(TRADES)}{rng.choice(kinds)}" for _ in range(rng.randint(40, 120)))
    return rng.choice((", ", " ", "\n")).join(words)


def nouns(rng: random.Random) -> str:
    return rng.choice((", ", " ", "\n")).join(rng.choices(NOUNS, k=rng.randint(40, 120)))


def advertising(rng: random.Random) -> str:
    phone = f"0{rng.choice((2, 31, 10))}-{rng.randint(200, 9999)}-{rng.randint(1000, 9999)}"
    hooks = " ".join(rng.sample(HOOKS, 3))
    name = f"{rng.choice(PLACES)} {rng.choice(TRADES)}"
    return f"{name} {hooks}! {rng.randint(3, 90)}만원부터. {rng.choice(CLOSINGS).format(phone)}"


def numbers(rng: random.Random) -> str:
    columns = rng.randint(3, 8)
    return "\n".join("|".join(str(rng.randint(0, 99999)) for _ in range(columns)) for _ in range(rng.randint(12, 30)))


MADE: dict[str, tuple[Callable[[random.Random], str], int]] = {
    "keyword lists": (keywords, 500),
    "lists of nouns": (nouns, 300),
    "advertising": (advertising, 500),
    "tables of numbers": (numbers, 300),
}


def reasons(texts: list[str]) -> Counter[str]:
    """How many texts each reason drops; "" are those that stay."""
    found = Counter[str]()
    documents = (Document(text, str(number), "") for number, text in enumerate(texts))
    kept = sum(1 for _ in Quality()(documents, lambda _document, reason: found.update([reason])))
    return found + Counter({"": kept})


def documents_of(path: Path, count: int) -> list[str]:
    name = path.name.partition(".")[0]
    only = {"task": "boolq"} if name == "ko_kobest_train" else {}
    source = Source(str(path), fields=FIELDS.get(name, ("text",)), only=only)
    return [document.text for document, _ in zip(read(source, lambda *_: None), range(count), strict=False)]


def rows(paths: list[Path], count: int) -> Iterator[tuple[str, str, list[str]]]:
    """(good or spoiled, its name, the texts)"""
    rng, long = random.Random(0), list[str]()
    for path in paths:
        texts = documents_of(path, count)
        yield "good", path.name.partition(".")[0], texts
        if path.name.startswith("ko_"):
            long += [text for text in texts if len(text) >= LONG][:300]
    for name, spoil in SPOILED.items():
        yield "spoiled", name, [spoil(text, rng) for text in long]
    for name, (make, number) in MADE.items():
        yield "spoiled", name, [make(rng) for _ in range(number)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--documents", type=int, default=2000, help="of each file")
    options = parser.parse_args()
    lost = right = missed = 0
    for side, name, texts in rows(options.files, options.documents):
        found = reasons(texts)
        dropped = len(texts) - found[""]
        share = (found[""] if side == "good" else dropped) / len(texts)
        why = {reason: number for reason, number in found.most_common() if reason}
        line = {side: name, "texts": len(texts), "right": round(share, 4), "dropped": why}
        print(json.dumps(line, ensure_ascii=False))
        if side == "good":
            lost += dropped
        else:
            right, missed = right + dropped, missed + found[""]
    print(json.dumps({"precision": round(right / (right + lost), 4), "recall": round(right / (right + missed), 4)}))


if __name__ == "__main__":
    main()
