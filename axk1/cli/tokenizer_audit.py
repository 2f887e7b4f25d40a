"""`axk1 tokenizer audit`: tokenizers side by side, as tables, JSON or a page."""

import argparse
import importlib.util
import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from rich.table import Table
from rich.text import Text

from axk1.cli.screen import console
from axk1.cli.tokenizer_page import page
from axk1.cli.tokenizer_tables import AuditTable, audit_tables
from axk1.cli.words import Words
from axk1.config import to_mapping
from axk1.corpus.documents import Document
from axk1.corpus.narrative import narratives
from axk1.corpus.readers import read
from axk1.corpus.source import Source
from axk1.runs import write_whole
from axk1.tokenizer.audit import Audit, audit, worst_lines
from axk1.tokenizer.foreign import AnyTokenizer
from axk1.tokenizer.morphology import morpheme_starts

__all__ = ["tokenizer_audit"]

_NARRATIVES = 300  # passages of the built-in curriculum, where no texts are named
_KIND_BYTES = 1_000_000  # of each kind are measured


def tokenizer_audit(argv: list[str], say: Words) -> int:
    """Measure tokenizers on the same texts."""
    options = _parser(say).parse_args(argv)
    tokenizers = [AnyTokenizer.load(path) for path in options.tokenizers]
    _require_names(tokenizers)
    texts = {path.name.partition(".")[0]: _read(path) for path in options.text} or _built_in()
    analyse = morpheme_starts() if importlib.util.find_spec("kiwipiepy") else None
    audits = [audit(tokenizer, texts, analyse) for tokenizer in tokenizers]
    if options.html:
        examples = worst_lines(tokenizers, texts)
        write_whole(options.html, page(audit_tables(audits, options.price, say), examples, say))
    if options.json:
        print(json.dumps([_as_json(one, options.price) for one in audits], ensure_ascii=False))
    else:
        _print(audit_tables(audits, options.price, say))
        if analyse is None:
            print(say("형태소 경계는 kiwipiepy가 있어야 잽니다.", "Morpheme boundaries are measured with kiwipiepy."))
    return 0


def _parser(say: Words) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="axk1 tokenizer audit", description=say("여러 토크나이저를 나란히 재기", "tokenizers side by side")
    )
    add = parser.add_argument
    add("tokenizers", nargs="+", type=Path, metavar="A", help=say("폴더나 tokenizer.json", "folder or tokenizer.json"))
    add("--text", nargs="+", type=Path, default=[], help=say("잴 글, 파일마다 한 종류", "texts, a kind in each file"))
    add("--price", type=float, default=1.0, help=say("백만 토큰의 값", "of a million tokens, in any currency"))
    add("--html", type=Path, help=say("보고서를 쓸 파일", "write a page to this file"))
    add("--json", action="store_true", help=say("기계가 읽을 JSON으로", "as JSON, for machines"))
    return parser


def _require_names(tokenizers: Sequence[AnyTokenizer]) -> None:
    names = [tokenizer.name for tokenizer in tokenizers]
    for tokenizer in tokenizers:
        if names.count(tokenizer.name) > 1:
            raise ValueError(f"two tokenizers are named {tokenizer.name}: put them in folders of different names")


def _read(path: Path) -> list[str]:
    """The first megabyte of a file's documents."""
    texts, size = [], 0
    for document in read(Source(str(path), take="first"), _refuse):
        texts.append(document.text)
        size += len(document.text.encode("utf-8"))
        if size >= _KIND_BYTES:
            break
    return texts


def _refuse(document: Document, reason: str) -> None:
    raise AssertionError(f"{reason}: {document.id}")  # bad_records = "stop" raises before


def _built_in() -> dict[str, list[str]]:
    return {"curriculum": list(islice(narratives(0, "held_out"), _NARRATIVES))}


def _print(tables: Sequence[AuditTable]) -> None:
    screen = console()
    for one in tables:
        table = Table(title=one.title, title_justify="left", caption=one.note, caption_justify="left")
        for number, heading in enumerate(one.headings):
            table.add_column(heading, justify="left" if number == 0 else "right", overflow="fold")
        for row in one.rows:
            table.add_row(*map(Text, row))
        screen.print(table)


def _as_json(one: Audit, price: float) -> dict[str, object]:
    texts = {
        kind: {
            "bytes_per_token": found.bytes_per_token,
            "tokens_per_eojeol": found.tokens_per_eojeol,
            "page_price": found.page_price(price),
            "changed": found.changed,
            "changed_beyond_nfc": found.changed_beyond_nfc,
            **({"boundary_f1": one.cuts[kind].f1} if kind in one.cuts else {}),
        }
        for kind, found in one.costs.items()
    }
    return {
        "name": one.name,
        "vocab_size": one.vocab_size,
        "texts": texts,
        "syllables": {str(length): share for length, share in one.syllables.items()},
        "words": dict(one.words),
        "entries": to_mapping(one.entries),
        "speeds": [to_mapping(speed) for speed in one.speeds],
    }
