"""The benchmark of tokenizers: what is held out is not trained on, and a shortened vocabulary is a smaller training."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard

from axk1.tokenizer.pieces import Pieces
from axk1.tokenizer.train import train

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def texts_module(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import tokenizer_texts

    yield tokenizer_texts
    sys.modules.pop("tokenizer_texts")


def write(path: Path, texts: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts)
    path.write_bytes(zstandard.compress(lines.encode("utf-8")))


def test_what_measures_is_not_trained_on(texts_module: Any, tmp_path: Path) -> None:
    english = [f"document {number}" for number in range(400)]
    write(tmp_path / "train/en_docs.jsonl.zst", english)
    write(tmp_path / "train/ko_law.jsonl.zst", ["법률 제1호"])
    write(tmp_path / "eval/lm_law.jsonl.zst", ["법률 제2호"])
    measured = texts_module.measured_texts([tmp_path])
    trained = list(texts_module.training_texts([tmp_path], "", 1.0))
    assert measured["statutes"] == ["법률 제2호"]
    assert 0 < len(measured["english"]) < 40
    assert sorted([*measured["english"], *trained]) == sorted([*english, "법률 제1호"])


def test_a_kind_or_a_domain_is_left_out(texts_module: Any, tmp_path: Path) -> None:
    write(tmp_path / "train/ko_law.jsonl.zst", ["법률"])
    write(tmp_path / "train/ko_docs.jsonl.zst", ["문서"])
    write(tmp_path / "train/code_go.jsonl.zst", ["func main() {}"])
    assert list(texts_module.training_texts([tmp_path], "statutes", 1.0)) == ["문서", "func main() {}"]
    assert sorted(texts_module.training_texts([tmp_path], "code", 1.0)) == ["문서", "법률"]
    assert list(texts_module.training_texts([tmp_path], "", 1.0, "code")) == ["func main() {}"]


def test_a_shortened_tokenizer_is_a_smaller_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    pytest.importorskip("kiwipiepy")
    from tokenizer_trained import shortened

    texts = [f"거실 불을 켜 줘. {word} the light is on, {word}.append(self)" for word in ("가", "나다", "라마바")] * 5
    large, small = (train(texts, size, Pieces(opener="any")) for size in (400, 330))
    described = json.loads(large.files()["tokenizer.json"])
    assert shortened(described, 330)["model"] == json.loads(small.files()["tokenizer.json"])["model"]
