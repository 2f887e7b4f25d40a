"""Bits per byte with scorers whose answer is known: what is scored is exactly the cleaned text of each file."""

import json
import math
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import zstandard

from axk1.corpus.source import Source
from axk1.corpus.streams import CorpusError
from axk1.data.shards import TokenShards
from axk1.evals.bits import TextScore, score, scorer_of
from axk1.tokenizer.tokenizer import Tokenizer

KOREAN = "나랏말싸미 중국과 달라 서로 통하지 아니한다."


def even(shards: TokenShards) -> float:
    """A model to which all tokens are equally likely."""
    text_bytes = sum(shards.text_bytes(index) for index in range(len(shards)))
    return shards.summary.tokens * math.log2(shards.vocab_size) / text_bytes


def texts_of(shards: TokenShards, tokenizer: Tokenizer) -> list[str]:
    return [tokenizer.decode(shards.document(index).tolist()) for index in range(len(shards))]


def test_a_model_that_reads_windows_scores_every_token_once(tmp_path: Path, tokenizer: Tokenizer) -> None:
    size = tokenizer.vocab_size
    path = written(tmp_path / "a.jsonl", KOREAN, KOREAN * 40)
    flat = scorer_of(lambda inputs: [np.zeros((len(ids), size), np.float32) for ids in inputs], 0)
    (found,) = score(Source(str(path)), tokenizer, flat)
    (expected,) = score(Source(str(path)), tokenizer, even)
    assert found.bits_per_byte == pytest.approx(expected.bits_per_byte)
    sure = scorer_of(lambda inputs: [np.eye(size, dtype=np.float32)[ids] * 50 for ids in inputs], 0)
    (found,) = score(Source(str(path)), tokenizer, sure)  # certain that a token repeats, which none does here
    assert found.bits_per_byte == pytest.approx(found.tokens * 50 / math.log(2) / found.bytes, rel=0.05)


def written(path: Path, *texts: str) -> Path:
    data = "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()
    path.write_bytes(zstandard.compress(data) if path.suffix == ".zst" else data)
    return path


def test_an_even_model_on_each_file(tmp_path: Path, tokenizer: Tokenizer) -> None:
    (tmp_path / "a.txt").write_text(KOREAN, encoding="utf-8")
    written(tmp_path / "b.jsonl.zst", KOREAN, "두 번째 글")
    first, second = score(Source(str(tmp_path)), tokenizer, even)
    tokens = len(tokenizer.encode(KOREAN))
    size = len(KOREAN.encode())
    assert first == TextScore(str(tmp_path / "a.txt"), 1, size, tokens, tokens * math.log2(tokenizer.vocab_size) / size)
    assert first.bytes_per_token == size / tokens
    assert (second.documents, second.bytes) == (2, size + len("두 번째 글".encode()))


def test_the_text_that_is_scored_is_cleaned_and_nothing_is_lost(tmp_path: Path, tokenizer: Tokenizer) -> None:
    path = written(tmp_path / "a.jsonl", unicodedata.normalize("NFD", KOREAN), "윗줄\r\n아랫줄", " \n", KOREAN)
    seen: list[str] = []

    def look(shards: TokenShards) -> float:
        seen.extend(texts_of(shards, tokenizer))
        return 1.0

    (found,) = score(Source(str(path)), tokenizer, look)
    assert seen == [KOREAN, "윗줄\n아랫줄", KOREAN]  # the same text twice counts twice
    assert found.bytes == sum(len(text.encode()) for text in seen)


def test_a_special_tokens_name_in_a_text_is_text(tmp_path: Path, tokenizer: Tokenizer) -> None:
    path = written(tmp_path / "a.jsonl", "a<|endoftext|>b")
    (found,) = score(Source(str(path)), tokenizer, even)
    assert found.tokens == len(tokenizer.encode("a<|endoftext|>b", special_tokens=False)) > 3


def test_of_a_long_file_a_fixed_sample_of_documents(tmp_path: Path, tokenizer: Tokenizer) -> None:
    path = written(tmp_path / "a.jsonl", *(f"{number}번째 글입니다." for number in range(200)))
    found = [next(score(Source(str(path), max_bytes=1000), tokenizer, even)) for _ in range(2)]
    assert found[0] == found[1]
    assert 500 < found[0].bytes <= 1000


def test_other_fields(tmp_path: Path, tokenizer: Tokenizer) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"q": "안녕?", "a": "네"}\n', encoding="utf-8")
    (found,) = score(Source(str(path), fields=("q", "a")), tokenizer, even)
    assert found.bytes == len("안녕?\n네".encode())


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.txt", b"", "no text to score"),
        ("a.txt", b" \n\n ", "no text to score"),
        ("a.jsonl", b"", "no text to score"),
        ("a.txt", "한글".encode("cp949"), "not UTF-8 text"),
        ("a.jsonl", b'{"body": "x"}\n', "no field 'text'"),
        ("a.jsonl.zst", zstandard.compress(b'{"text": "x"}\n' * 99)[:-6], "truncated"),
        ("a.rtf", b"{rtf}", "no file of a known type"),
    ],
)
def test_what_cannot_be_scored_is_named(
    tmp_path: Path, tokenizer: Tokenizer, name: str, data: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=message) as error:
        list(score(Source(str(tmp_path / name)), tokenizer, even))
    assert name in str(error.value)


def test_a_file_that_is_not_there(tmp_path: Path, tokenizer: Tokenizer) -> None:
    with pytest.raises(CorpusError, match="no such file"):
        list(score(Source(str(tmp_path / "none.txt")), tokenizer, even))
