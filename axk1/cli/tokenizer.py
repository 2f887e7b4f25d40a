"""`axk1 tokenizer`: what a tokenizer makes of a text."""

import argparse
import json
import sys
import unicodedata
from pathlib import Path

from axk1.cli.tokenizer_audit import tokenizer_audit
from axk1.cli.tokenizer_graft import tokenizer_graft
from axk1.cli.tokenizer_size import tokenizer_size
from axk1.cli.words import Words
from axk1.corpus.streams import decode
from axk1.tokenizer.special import SPECIAL_TOKENS
from axk1.tokenizer.tokenizer import Tokenizer

__all__ = ["tokenizer"]


def tokenizer(argv: list[str], say: Words) -> int:
    """Cut a text into tokens, or count the tokens of files; or what its first word asks for."""
    if argv[:1] == ["audit"]:
        return tokenizer_audit(argv[1:], say)
    if argv[:1] == ["graft"]:
        return tokenizer_graft(argv[1:], say)
    if argv[:1] == ["size"]:
        return tokenizer_size(argv[1:], say)
    options = _parser(say).parse_args(argv)
    loaded = Tokenizer.load(options.folder)
    if options.text is None:
        _inspect(loaded, options.files, options.json, say)
    else:
        _encode(loaded, options.text if options.text != "-" else sys.stdin.read(), options.json)
    return 0


def _parser(say: Words) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="axk1 tokenizer",
        description=say("토크나이저 살펴보기", "what a tokenizer makes of a text"),
        epilog=say(
            "axk1 tokenizer audit -h: 여러 토크나이저 비교, axk1 tokenizer graft -h: 한국어 토큰 보태기, "
            "axk1 tokenizer size -h: 알맞은 어휘 크기",
            "axk1 tokenizer audit -h: tokenizers side by side; axk1 tokenizer graft -h: add Korean tokens to a model; "
            "axk1 tokenizer size -h: how large a vocabulary",
        ),
    )
    add = parser.add_argument
    add("folder", type=Path, help=say("토크나이저나 모델의 폴더", "a tokenizer's or a model's folder"))
    add("files", nargs="*", type=Path, help=say("토큰을 셀 UTF-8 파일", "UTF-8 files to count the tokens of"))
    add("--text", help=say("이 글을 토큰으로 (-는 표준 입력)", "cut this text (- reads standard input)"))
    add("--json", action="store_true", help=say("기계가 읽을 JSON으로", "as JSON, for machines"))
    return parser


def _encode(loaded: Tokenizer, text: str, as_json: bool) -> None:
    ids = loaded.encode(unicodedata.normalize("NFC", text))
    pieces = [loaded.bytes_of(id_).decode("utf-8", "backslashreplace") for id_ in ids]
    if as_json:
        print(
            json.dumps(
                [{"id": id_, "token": piece} for id_, piece in zip(ids, pieces, strict=True)], ensure_ascii=False
            )
        )
    else:
        print("\n".join(f"{id_:>7}  {piece!r}" for id_, piece in zip(ids, pieces, strict=True)))


def _inspect(loaded: Tokenizer, files: list[Path], as_json: bool, say: Words) -> None:
    counted = {str(path): _count(loaded, path) for path in files}
    if as_json:
        print(
            json.dumps(
                {"vocab_size": loaded.vocab_size, "special": len(SPECIAL_TOKENS), "files": counted}, ensure_ascii=False
            )
        )
        return
    print(say(f"어휘 {loaded.vocab_size:,}개", f"{loaded.vocab_size:,} entries"))
    for name, count in counted.items():
        tokens, bytes_, words = count["tokens"], count["bytes_per_token"], count["tokens_per_word"]
        print(
            say(
                f"{name}: {tokens:,}토큰, 토큰마다 {bytes_:.2f}바이트, 어절마다 {words:.2f}토큰",
                f"{name}: {tokens:,} tokens, {bytes_:.2f} bytes a token, {words:.2f} tokens a word",
            )
        )


def _count(loaded: Tokenizer, path: Path) -> dict[str, float]:
    text = decode(path.read_bytes(), 0, path)
    if not text.strip():
        raise ValueError(f"{path} holds no text")
    tokens = len(loaded.encode(text))
    words = len(text.split())
    return {"tokens": tokens, "bytes_per_token": len(text.encode("utf-8")) / tokens, "tokens_per_word": tokens / words}
