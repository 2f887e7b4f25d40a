import json
import unicodedata
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from hypothesis import assume, given
from hypothesis import strategies as st
from tokenizers import decoders, models, pre_tokenizers, trainers
from tokenizers.normalizers import NFC
from transformers import AutoTokenizer

from axk1.tokenizer.special import SPECIAL_TOKENS
from axk1.tokenizer.tokenizer import StreamDecoder, Tokenizer, TokenizerError

OLD_HANGUL = "나랏〮말〯ᄊᆞ미〮 中듀ᇰ國귁〮에〮 달아〮 ᅙᅵᇙ 훈민져ᇰᅙᅳᆷ"
# Characters that this Python's Unicode composes and the older tables of `tokenizers` do not; in Unicode 14, only one.
NEWER = [
    character
    for character in map(chr, range(0x11000, 0x20000))
    if unicodedata.decomposition(character)
    and NFC().normalize_str(unicodedata.normalize("NFD", character)) != unicodedata.normalize("NFC", character)
]

hangul = st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3))
jamo = st.text(
    st.sampled_from([chr(c) for c in (*range(0x1100, 0x1200), *range(0xA960, 0xA97D), *range(0xD7B0, 0xD7FC))])
)
odd = st.text(st.sampled_from(" \t\n\r\u2028\u3000\u00a0\u200b\u0301\u0338\ufe0f👍🏽👨‍👩‍👧é한글A_1٣½'\"<|>{}"))
any_text = st.lists(st.one_of(hangul, jamo, odd, st.text(st.characters(codec="utf-8", exclude_characters=NEWER)))).map(
    "".join
)
nfc_text = any_text.map(lambda text: unicodedata.normalize("NFC", text))


@given(text=nfc_text)
def test_nfc_text_survives(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.decode(tokenizer.encode(text, special_tokens=False)) == text
    assert tokenizer.encode_bytes(text.encode("utf-8")) == tokenizer.encode(text, special_tokens=False)


@given(text=any_text)
def test_nfd_has_the_ids_of_nfc(tokenizer: Tokenizer, text: str) -> None:
    nfd, nfc = unicodedata.normalize("NFD", text), unicodedata.normalize("NFC", text)
    assert tokenizer.encode(nfd, special_tokens=False) == tokenizer.encode(nfc, special_tokens=False)
    assume(not any(token in text for token in SPECIAL_TOKENS))  # they are found before anything is normalised
    assert tokenizer.encode(nfd) == tokenizer.encode(nfc) == tokenizer.encode(text)


@pytest.mark.parametrize("text", [OLD_HANGUL, unicodedata.normalize("NFD", OLD_HANGUL)])
def test_old_hangul(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == unicodedata.normalize("NFC", OLD_HANGUL)


@given(data=st.lists(st.one_of(st.binary(), any_text.map(str.encode))).map(b"".join), cut=st.integers(0, 9))
def test_any_bytes_survive(tokenizer: Tokenizer, data: bytes, cut: int) -> None:
    for part in (data, data[cut:], data[: len(data) - cut]):
        assert tokenizer.decode_bytes(tokenizer.encode_bytes(part)) == part


@pytest.mark.parametrize(
    "data", [b"\xed\xa0\x80", b"\xff\xfe", "각".encode() + b"\xea\xb0", "각".encode(), b"<|im_end|>"]
)
def test_named_bytes_survive(tokenizer: Tokenizer, data: bytes) -> None:
    ids = tokenizer.encode_bytes(data)
    assert tokenizer.decode_bytes(ids) == data
    assert min(ids) >= len(SPECIAL_TOKENS)


@given(text=st.text(st.sampled_from("0123456789٣½ 가a.,-+\n"), min_size=1))
def test_every_digit_is_alone(tokenizer: Tokenizer, text: str) -> None:
    tokens = [tokenizer.token_bytes[i] for i in tokenizer.encode(text)]
    assert all(len(token) == 1 for token in tokens if set(token) & set(b"0123456789"))


def test_lone_surrogate_is_a_clear_error(tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match="surrogate"):
        tokenizer.encode("가\ud800")


def test_batch_is_encode_of_each(tokenizer: Tokenizer) -> None:
    texts = [f"{i}번 문장 <think>입니다" * (i % 3) for i in range(700)]
    assert tokenizer.encode_batch(texts) == [tokenizer.encode(text) for text in texts]
    plain = tokenizer.encode_batch(texts, special_tokens=False)
    assert plain == [tokenizer.encode(text, special_tokens=False) for text in texts]
    assert tokenizer.encode_batch([]) == []


@pytest.mark.parametrize("newline", ["\n", " \r\n  ", "\n\n\u0301"])
def test_long_text_has_the_ids_of_the_whole(tokenizer: Tokenizer, oracle: Any, newline: str) -> None:
    text = newline.join(["거실 불을 켜 줘. it's 12 <think>"] * 10_000)
    assert tokenizer.encode(text) == oracle(text)["input_ids"]
    assert tokenizer.encode_bytes(text.encode("utf-8")) == tokenizer.encode(text, special_tokens=False)


def test_a_mark_does_not_swallow_a_special_token(tokenizer: Tokenizer) -> None:
    assert unicodedata.normalize("NFC", "</think>\u0338") == "</think\u226f"
    assert tokenizer.encode("</think>\u0338")[0] == 5


def test_special_tokens_in_text(tokenizer: Tokenizer) -> None:
    text = "가<|im_end|>\n</think>나"
    assert {1, 5} <= set(tokenizer.encode(text))
    plain = tokenizer.encode(text, special_tokens=False)
    assert min(plain) >= len(SPECIAL_TOKENS)
    assert tokenizer.decode(plain) == tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("id_", [-1, 600, 10**9])
def test_unknown_id_is_a_clear_error(tokenizer: Tokenizer, id_: int) -> None:
    with pytest.raises(ValueError, match=f"{id_} is not in the vocabulary"):
        tokenizer.decode([16, id_])
    with pytest.raises(ValueError, match="vocabulary"):
        StreamDecoder(tokenizer).push(id_)


def stream(tokenizer: Tokenizer, ids: list[int]) -> list[str]:
    decoder = StreamDecoder(tokenizer)
    return [*[decoder.push(i) for i in ids], decoder.flush()]


@given(ids=st.lists(st.integers(0, 271)))
def test_stream_joins_to_decode(tokenizer: Tokenizer, ids: list[int]) -> None:
    assert "".join(stream(tokenizer, ids)) == tokenizer.decode(ids)


@given(text=nfc_text)
def test_stream_never_shows_half_a_character(tokenizer: Tokenizer, text: str) -> None:
    for ids in (tokenizer.encode(text), tokenizer.encode_bytes(text.encode("utf-16-le"))):
        parts, whole = stream(tokenizer, ids), tokenizer.decode(ids)
        shown = ""
        for part in parts:
            shown += part
            assert whole.startswith(shown)
        assert shown == whole


@pytest.mark.parametrize("text", [OLD_HANGUL, unicodedata.normalize("NFD", "한글은 첫소리, 가운뎃소리"), "ᄒᆞᆫ"])
def test_stream_never_shows_half_a_syllable(tokenizer: Tokenizer, text: str) -> None:
    parts = [part for part in stream(tokenizer, tokenizer.encode_bytes(text.encode("utf-8"))) if part]
    assert "".join(parts) == text
    assert not any(is_jamo(before[-1]) and is_jamo(after[0]) for before, after in pairwise(parts))


def is_jamo(character: str) -> bool:
    return "HANGUL" in unicodedata.name(character, "") and len(unicodedata.normalize("NFD", character)) == 1


def test_stream_shows_a_broken_end(tokenizer: Tokenizer) -> None:
    decoder = StreamDecoder(tokenizer)
    shown = "".join(decoder.push(i) for i in tokenizer.encode_bytes("끝".encode()[:2]))
    assert (shown, decoder.flush(), decoder.flush()) == ("", "\ufffd", "")
    assert decoder.push(tokenizer.encode("a")[0]) == "a"


@given(text=any_text, names=st.lists(st.sampled_from(SPECIAL_TOKENS)))
def test_transformers_gives_the_same_ids(tokenizer: Tokenizer, oracle: Any, text: str, names: list[str]) -> None:
    whole = text.join(["", *names, ""])
    assert oracle(whole)["input_ids"] == tokenizer.encode(whole)


@given(ids=st.lists(st.integers(0, 299)))
def test_transformers_gives_the_same_text(tokenizer: Tokenizer, oracle: Any, ids: list[int]) -> None:
    assert oracle.decode(ids) == tokenizer.decode(ids)


@pytest.mark.parametrize("model_type", ["axk1", "deepseek_v3"])
def test_transformers_finds_the_tokenizer_beside_a_model(tokenizer: Tokenizer, tmp_path: Path, model_type: str) -> None:
    tokenizer.save(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}), encoding="utf-8")
    text = " 거실  불을\n\n  켜 줘 12 <think>"
    assert AutoTokenizer.from_pretrained(tmp_path)(text)["input_ids"] == tokenizer.encode(text)


def test_transformers_knows_the_special_tokens(tokenizer: Tokenizer, oracle: Any) -> None:
    assert (oracle.bos_token_id, oracle.eos_token_id, oracle.pad_token_id) == (0, 1, 3)
    assert len(oracle) == oracle.vocab_size == tokenizer.vocab_size
    ids = tokenizer.encode("<|im_start|>가<think>나</think>다<tool_call>{}</tool_call><|im_end|>")
    assert oracle.decode(ids, skip_special_tokens=True) == "가<think>나</think>다<tool_call>{}</tool_call>"


def test_saved_and_loaded(tokenizer: Tokenizer, exported: Path) -> None:
    loaded = Tokenizer.load(exported)
    assert loaded.files() == tokenizer.files()
    assert loaded.encode("거실 불을 켜 줘 <think>") == tokenizer.encode("거실 불을 켜 줘 <think>")


def test_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(TokenizerError, match=r"holds no tokenizer\.json"):
        Tokenizer.load(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"model": {"type": "BPE"}}', "\x00"])
def test_broken_file_is_a_clear_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokenizer.json").write_text(content, encoding="utf-8")
    with pytest.raises(TokenizerError, match="is not a tokenizer file"):
        Tokenizer.load(tmp_path)


def test_file_that_is_not_utf8_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TokenizerError, match="is not a tokenizer file"):
        Tokenizer.load(tmp_path)


def test_tokenizer_of_another_project_is_a_clear_error(tmp_path: Path, exported: Path) -> None:
    description = json.loads((exported / "tokenizer.json").read_text(encoding="utf-8"))
    vocabulary = description["model"]["vocab"]
    vocabulary["<|im_end|>"], vocabulary["<|im_start|>"] = 2, 1
    description["added_tokens"] = []
    (tmp_path / "tokenizer.json").write_text(json.dumps(description), encoding="utf-8")
    with pytest.raises(TokenizerError, match=r"not of this project: <\|im_end\|> should have id 1"):
        Tokenizer.load(tmp_path)


BEGIN = "<｜begin▁of▁text｜>"  # in letters by which byte-level BPE writes no byte


def foreign(folder: Path) -> tokenizers.Tokenizer:
    """Another project's byte-level BPE."""
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=alphabet, show_progress=False, special_tokens=["<pad>", BEGIN]
    )
    backend.train_from_iterator(["거실 불을 켜 줘. hello"] * 4, trainer)
    backend.add_tokens(["<tool>"])
    (folder / "tokenizer.json").write_text(backend.to_str(), encoding="utf-8")
    return backend


def test_tokenizer_of_another_project_on_demand(tmp_path: Path) -> None:
    theirs = foreign(tmp_path)
    ours = Tokenizer.load(tmp_path, foreign=True)
    text = f"{BEGIN}거실 <tool>hello 😀"
    assert ours.encode(text) == theirs.encode(text).ids
    assert ours.decode(ours.encode(text)) == text
    assert ours.control_ids == {0, 1}
    assert ours.vocab_size == theirs.get_vocab_size()


def test_what_is_not_byte_level_is_refused(tmp_path: Path) -> None:
    pieces = tokenizers.Tokenizer(models.BPE({"▁a": 0, "b": 1}, []))
    (tmp_path / "tokenizer.json").write_text(pieces.to_str(), encoding="utf-8")
    with pytest.raises(TokenizerError, match="is not byte-level BPE"):
        Tokenizer.load(tmp_path, foreign=True)
