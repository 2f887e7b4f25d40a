import copy
import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, pre_tokenizers, trainers

from axk1.tokenizer.foreign import AnyTokenizer
from axk1.tokenizer.graft import Graft, graft
from axk1.tokenizer.tokenizer import TokenizerError
from axk1.tokenizer.train import train

KOREAN = ["거실 불을 켜 줘. 거실 온도를 알려 줘. 사람이 거실에서 책을 읽었습니다."] * 9
ENGLISH = ["the light in the living room is on, and the kitchen is not. the end of the text."] * 9


def english_tokenizer() -> AnyTokenizer:
    """A base with English merges alone and an added token behind its vocabulary."""
    backend = Backend(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    backend.train_from_iterator(ENGLISH, trainer)
    backend.add_special_tokens(["<|end|>"])
    return AnyTokenizer("base", json.loads(backend.to_str()))


def korean_tokenizer() -> AnyTokenizer:
    return AnyTokenizer("ours", json.loads(train(KOREAN, 420).files()["tokenizer.json"]))


@pytest.fixture(scope="module")
def base() -> AnyTokenizer:
    return english_tokenizer()


@pytest.fixture(scope="module")
def grafted(base: AnyTokenizer) -> Graft:
    return graft(base, korean_tokenizer(), 60)


@pytest.fixture(scope="module")
def after(grafted: Graft) -> AnyTokenizer:
    return AnyTokenizer("after", grafted.described)


def test_korean_gets_shorter_and_comes_back(base: AnyTokenizer, after: AnyTokenizer) -> None:
    old, new = base.encode(KOREAN[:1])[0].ids, after.encode(KOREAN[:1])[0].ids
    assert len(new) < 0.5 * len(old)
    assert after.backend.decode(new) == KOREAN[0]


@given(text=st.text(st.sampled_from("the living rom kiچçé123.,\n漢か<|end|>")))
def test_text_without_hangul_keeps_its_ids(base: AnyTokenizer, after: AnyTokenizer, text: str) -> None:
    assert after.encode([text])[0].ids == base.encode([text])[0].ids


@given(text=st.text(st.sampled_from("거실불을켜줘온도 사람이 the.가힣")).map(lambda t: unicodedata.normalize("NFC", t)))
def test_new_tokens_only_join_old_neighbours(
    base: AnyTokenizer, after: AnyTokenizer, grafted: Graft, text: str
) -> None:
    spelt = [
        old
        for id_ in after.encode([text])[0].ids
        for old in (grafted.parts[id_ - grafted.first] if id_ >= grafted.first else (id_,))
    ]
    assert spelt == base.encode([text])[0].ids


def test_ids_of_old_tokens_stay(base: AnyTokenizer, after: AnyTokenizer, grafted: Graft) -> None:
    old, new = base.backend.get_vocab(), after.backend.get_vocab()
    assert {token: new[token] for token in old} == old
    assert grafted.first == len(old)
    assert sorted(set(new.values()) - set(old.values())) == list(
        range(grafted.first, grafted.first + len(grafted.parts))
    )
    assert len(grafted.parts) <= 60
    assert after.encode(["<|end|>"])[0].ids == base.encode(["<|end|>"])[0].ids


def test_every_new_token_of_whole_characters_is_reached(after: AnyTokenizer, grafted: Graft) -> None:
    for id_ in range(grafted.first, grafted.first + len(grafted.parts)):
        text = after.texts[id_]
        assert text is None or after.encode([text])[0].ids == [id_]


def test_merges_written_as_text_are_understood(base: AnyTokenizer, grafted: Graft) -> None:
    described: dict[str, Any] = copy.deepcopy(base.described)
    described["model"]["merges"] = [" ".join(merge) for merge in described["model"]["merges"]]
    again = graft(AnyTokenizer("base", described), korean_tokenizer(), 60)
    assert again.parts == grafted.parts
    assert isinstance(again.described["model"]["merges"][-1], str)


def test_what_cannot_be_grafted_is_refused(base: AnyTokenizer) -> None:
    pieces = AnyTokenizer("pieces", json.loads(Backend(models.BPE({"▁a": 0, "b": 1}, [])).to_str()))
    with pytest.raises(TokenizerError, match="pieces: only byte-level BPE can be grafted"):
        graft(pieces, korean_tokenizer(), 5)
    with pytest.raises(ValueError, match="size must be 1 or more, found 0"):
        graft(base, korean_tokenizer(), 0)
    with pytest.raises(ValueError, match="has all the Korean tokens of ours already"):
        graft(korean_tokenizer(), korean_tokenizer(), 5)
