"""The tables of an audit, the same for a terminal and for a page."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from axk1.cli.words import Words
from axk1.tokenizer.audit import Audit
from axk1.tokenizer.measures import Cost
from axk1.tokenizer.speed import Speed

__all__ = ["AuditTable", "audit_tables"]


@dataclass(frozen=True)
class AuditTable:
    """A heading for each cell of a row; the first is a name, the others are figures."""

    title: str
    note: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def audit_tables(audits: Sequence[Audit], price: float, say: Words) -> list[AuditTable]:
    """All of them. Tokenizers are columns where kinds of text are rows."""
    return [
        *_costs(audits, price, say),
        *_cuts(audits, say),
        _words(audits, say),
        _entries(audits, say),
        _speeds(audits, say),
    ]


def _costs(audits: Sequence[Audit], price: float, say: Words) -> Iterator[AuditTable]:
    yield _by_kind(
        *(audits, say, say("토큰당 바이트", "Bytes per token"), say("높을수록 쌉니다", "higher is cheaper")),
        lambda cost: f"{cost.bytes_per_token:.2f}",
    )
    yield _by_kind(
        *(audits, say, say("어절당 토큰", "Tokens per eojeol"), say("낮을수록 쌉니다", "lower is cheaper")),
        lambda cost: f"{cost.tokens_per_eojeol:.2f}",
    )
    note = say(f"1,500자 기준, 백만 토큰에 {price:g}", f"1,500 characters, at {price:g} per million tokens")
    yield _by_kind(
        *(audits, say, say("A4 한 쪽의 값", "Price of an A4 page"), note), lambda cost: f"{cost.page_price(price):.6f}"
    )
    yield _by_kind(
        *(audits, say, say("되돌아오지 않는 글", "Texts that do not come back")),
        say("앞은 그대로, 뒤는 NFC로 견줄 때", "as they are / when both are in NFC"),
        lambda cost: f"{cost.changed} / {cost.changed_beyond_nfc}",
    )


def _by_kind(audits: Sequence[Audit], say: Words, title: str, note: str, cell: Callable[[Cost], str]) -> AuditTable:
    headings = (say("글", "text"), *(one.name for one in audits))
    rows = tuple((kind, *(cell(one.costs[kind]) for one in audits)) for kind in audits[0].costs)
    return AuditTable(title, note, headings, rows)


def _cuts(audits: Sequence[Audit], say: Words) -> Iterator[AuditTable]:
    kinds = [kind for kind, cut in audits[0].cuts.items() if cut.theirs]
    if not kinds:
        return
    headings = (say("글", "text"), *(one.name for one in audits))
    found = [[one.cuts[kind] for one in audits] for kind in kinds]
    rows = [
        (kind, *(f"{c.f1:.2f} ({c.precision:.2f} / {c.recall:.2f})" for c in row))
        for kind, row in zip(kinds, found, strict=True)
    ]
    note = say(
        "어절 안에서 자른 자리가 Kiwi의 형태소 경계와 맞는 정도: F1 (정밀도 / 재현율). 토큰이 길면 재현율이 낮아집니다",
        "cuts inside eojeols against Kiwi's morphemes: F1 (precision / recall); long tokens have a low recall",
    )
    yield AuditTable(say("형태소 경계", "Morpheme boundaries"), note, headings, tuple(rows))


def _words(audits: Sequence[Audit], say: Words) -> AuditTable:
    headings = (
        *(say("토크나이저", "tokenizer"), say("1토큰 음절", "1-token syllables"), say("2토큰", "2 tokens")),
        *(say("3토큰 이상", "3 or more"), say("사투리", "dialect"), say("고유명사", "names")),
    )
    rows = tuple(
        (
            one.name,
            *(f"{one.syllables[length]:.1%}" for length in (1, 2, 3)),
            *(f"{one.words[name]:.2f}" for name in ("dialect", "names")),
        )
        for one in audits
    )
    note = say("음절 11,172자 가운데 몫, 낱말 하나의 토큰 수", "shares of the 11,172 syllables; tokens of a word")
    return AuditTable(say("드문 음절과 낱말", "Rare syllables and words"), note, headings, rows)


def _entries(audits: Sequence[Audit], say: Words) -> AuditTable:
    headings = (
        *(say("토크나이저", "tokenizer"), say("어휘", "entries"), say("글자 조각", "parts of characters")),
        *(
            say("닿지 않음", "unreachable"),
            say("이 글에 없음", "not in these texts"),
            say("그중 중간 단계", "of them steps"),
        ),
        say("예", "examples"),
    )
    rows = tuple(
        (
            one.name,
            *(f"{n:,}" for n in (one.vocab_size, one.entries.fragments, one.entries.unreachable)),
            *(f"{n:,}" for n in (one.entries.unseen, one.entries.scaffolding)),
            " ".join(map(repr, (one.entries.unreachable_examples + one.entries.unseen_examples)[:3])),
        )
        for one in audits
    )
    note = say(
        "닿지 않음: 제 글만 넣어서는 나오지 않고 이 글에도 없는 토큰. 중간 단계: 더 긴 토큰을 만들 때만 거치는 토큰",
        "unreachable: their own text gives other tokens, these texts too. Steps: only on the way to longer ones",
    )
    return AuditTable(say("어휘", "Vocabulary"), note, headings, rows)


def _speeds(audits: Sequence[Audit], say: Words) -> AuditTable:
    headings = (say("토크나이저", "tokenizer"), *(speed.encoder for speed in audits[0].speeds))
    rows = tuple((one.name, *(_speed(speed, say) for speed in one.speeds)) for one in audits)
    note = say(
        "초당 MB, 세 번 중 가장 빠른 것. 모든 코어를 쓰지만 kitoken은 하나만 씁니다",
        "MB a second, best of three, on all cores; kitoken uses one",
    )
    return AuditTable(say("인코딩 속도", "Encoding speed"), note, headings, rows)


def _speed(speed: Speed, say: Words) -> str:
    if speed.refused:
        return say("열지 못함", "does not open it")
    figure = f"{speed.megabytes_per_second:.1f}"
    return figure if speed.same_ids else figure + say(" (다른 id)", " (other ids)")
