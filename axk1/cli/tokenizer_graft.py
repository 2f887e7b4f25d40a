"""`axk1 tokenizer graft`: Korean tokens for a model that has few."""

import argparse
import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import get_args

from axk1.cli.words import Words
from axk1.corpus.narrative import narratives
from axk1.corpus.readers import read
from axk1.corpus.source import Source
from axk1.export.graft import Weighting, graft_folder
from axk1.runs import whole_folder, write_whole
from axk1.tokenizer.foreign import AnyTokenizer
from axk1.tokenizer.graft import Graft, graft

__all__ = ["tokenizer_graft"]

_NARRATIVES = 200
_MEASURED = 1_000_000  # bytes of each text
_PROSE = """The committee met on Tuesday to discuss the new library. Most of its members agreed that the old building,
which had served the town for more than eighty years, should be repaired rather than replaced."""
_CODE = "def total(values):\n    return sum(value for value in values if value is not None)\n"


def tokenizer_graft(argv: list[str], say: Words) -> int:
    """Add tokens to a tokenizer, and rows to its model if there is one."""
    options = _parser(say).parse_args(argv)
    base, ours = AnyTokenizer.load(options.base), AnyTokenizer.load(options.ours)
    grafted = graft(base, ours, options.size)
    if (options.base / "config.json").exists():
        rows = graft_folder(options.base, grafted, options.out, _lengths(base), options.weighting)
        print(say(f"임베딩 {rows:,}행", f"{rows:,} rows in the embedding"))
    else:
        with whole_folder(options.out) as folder:
            described = json.dumps(grafted.described, ensure_ascii=False, indent=2) + "\n"
            write_whole(folder / "tokenizer.json", described)
    _report(base, grafted, options.text, say)
    return 0


def _parser(say: Words) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="axk1 tokenizer graft", description=say("다른 모델에 한국어 토큰 보태기", "add Korean tokens to a model")
    )
    add = parser.add_argument
    add("base", type=Path, metavar="BASE", help=say("모델이나 토크나이저 폴더", "a model's or a tokenizer's folder"))
    add("ours", type=Path, metavar="OURS", help=say("한국어 토크나이저", "the Korean tokenizer"))
    add("out", type=Path, metavar="OUT", help=say("새로 쓸 폴더", "the folder to write"))
    add("--size", type=int, required=True, help=say("보탤 토큰 수", "how many tokens to add"))
    add(
        "--weighting",
        choices=get_args(Weighting),
        default="mean",
        help=say("새 행을 옛 조각에서 만드는 법", "how the old pieces count in a new row"),
    )
    add("--text", nargs="+", type=Path, default=[], help=say("앞뒤를 잴 글", "texts to measure before and after"))
    return parser


def _lengths(base: AnyTokenizer) -> list[int]:
    lengths = [0] * (1 + max(base.backend.get_vocab().values()))
    for token, id_ in base.backend.get_vocab(with_added_tokens=False).items():
        lengths[id_] = len(token)
    return lengths


def _report(base: AnyTokenizer, grafted: Graft, files: Sequence[Path], say: Words) -> None:
    after = AnyTokenizer(base.name, grafted.described)
    added = len(grafted.parts)
    print(
        say(
            f"토큰 {added:,}개를 보탰습니다(id {grafted.first:,}부터).",
            f"{added:,} tokens added, from id {grafted.first:,}.",
        )
    )
    named = {str(file): _read(file) for file in files} or {
        say("한국어(내장)", "Korean (built in)"): list(islice(narratives(0, "held_out"), _NARRATIVES)),
        say("영어와 코드(내장)", "English and code (built in)"): [_PROSE, _CODE],
    }
    for name, texts in named.items():
        old, new = ([one.ids for one in tokenizer.encode(texts)] for tokenizer in (base, after))
        before, now = sum(map(len, old)), sum(map(len, new))
        same, count = sum(a == b for a, b in zip(old, new, strict=True)), len(texts)
        change = f"{before:,} → {now:,}"
        print(
            say(
                f"{name}: {change}토큰({now / before - 1:+.1%}), 글 {count:,}개 가운데 {same:,}개는 그대로",
                f"{name}: {change} tokens ({now / before - 1:+.1%}), {same:,} of {count:,} texts unchanged",
            )
        )


def _read(file: Path) -> list[str]:
    texts, size = [], 0
    for document in read(Source(str(file), take="first"), lambda _document, _reason: None):
        texts.append(document.text)
        size += len(document.text.encode("utf-8"))
        if size >= _MEASURED:
            break
    if not texts:
        raise ValueError(f"{file} holds no text")
    return texts
