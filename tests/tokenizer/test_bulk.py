import importlib.util
import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axk1.tokenizer import bulk
from axk1.tokenizer.bulk import BulkEncoder
from axk1.tokenizer.pieces import Pieces
from axk1.tokenizer.tokenizer import Tokenizer, TokenizerError
from axk1.tokenizer.train import train

TEXTS = [
    "거실 온도를 24도로 맞춰 줘.\n\n    return self.value  # 값을 돌려준다\n",
    "끝 <|endoftext|> 아님 <think> <|im_end|>",
    "def set_light(room, on=True):\n\tif (room):\n\t\treturn 'API를 1,234,567번'\n",
    "할 수 있는 일은 할 수 있을 때 합니다. of the one of the two",
    "",
    "\u1100\u1161 \u0344 각",
]
CHOICES = [
    (Pieces(), 0),
    (Pieces(newlines="joined", indentation="whole", opener="any"), 0),
    (Pieces(newlines="joined", indentation="whole", opener="any"), 330),
    (Pieces("morphemes", "threes"), 0),
    (Pieces("syllables"), 0),
]


@pytest.fixture(scope="module", params=CHOICES, ids=lambda choice: f"{choice[0].hangul}-{choice[0].opener}-{choice[1]}")
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    pieces, superwords_from = request.param
    return train(TEXTS * 4, 400, pieces, superwords_from)


def test_the_ids_are_those_of_tokenizers(tokenizer: Tokenizer) -> None:
    encode = BulkEncoder(tokenizer)
    assert encode.library == "kitoken"
    assert encode(TEXTS) == tokenizer.encode_batch(TEXTS, special_tokens=False)


@given(texts=st.lists(st.text() | st.sampled_from(TEXTS), max_size=4))
def test_the_ids_of_any_texts(texts: list[str]) -> None:
    tokenizer = _one()
    assert BulkEncoder(tokenizer)(texts) == tokenizer.encode_batch(texts, special_tokens=False)


def test_documents_stay_in_their_order_over_many_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "_AT_ONCE", 20)
    texts = [f"{n} 번째 글" * (n % 7) for n in range(300)]
    assert BulkEncoder(_one())(texts) == _one().encode_batch(texts, special_tokens=False)


def test_without_the_package_tokenizers_encodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    encode = BulkEncoder(_one())
    assert encode.library == "tokenizers"
    assert encode(TEXTS) == _one().encode_batch(TEXTS, special_tokens=False)


def test_other_normal_forms_are_left_to_tokenizers() -> None:
    described = json.loads(_one().files()["tokenizer.json"]) | {"normalizer": {"type": "NFKC"}}
    assert BulkEncoder(_from(described)).library == "tokenizers"


def test_different_ids_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong:
        @classmethod
        def from_tokenizers(cls, data: bytes) -> Any:
            return cls()

        def encode_all(self, texts: list[str]) -> list[list[int]]:
            return [[20] for _ in texts]

    monkeypatch.setitem(sys.modules, "kitoken", type("kitoken", (), {"Kitoken": Wrong, "__spec__": None}))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    with pytest.raises(TokenizerError, match="kitoken and tokenizers give different ids"):
        BulkEncoder(_one())(TEXTS)


def test_a_lone_surrogate_is_no_text() -> None:
    with pytest.raises(ValueError, match="surrogates not allowed"):
        BulkEncoder(_one())(["가 \ud800"])


_MADE: list[Tokenizer] = []


def _one() -> Tokenizer:
    if not _MADE:
        _MADE.append(train(TEXTS * 4, 400))
    return _MADE[0]


def _from(described: dict[str, Any]) -> Tokenizer:
    from tokenizers import Tokenizer as Backend

    return Tokenizer(Backend.from_str(json.dumps(described)))
