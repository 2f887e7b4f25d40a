import re
from collections.abc import Iterator

import pytest
from tokenizers import Regex, pre_tokenizers

from axk1.tokenizer.pieces import Pieces
from axk1.tokenizer.special import SPECIAL_TOKENS
from axk1.tokenizer.train import SMALLEST_VOCABULARY, train

WORDS = Pieces()


def pieces(text: str, how: Pieces = WORDS) -> list[str]:
    return [piece for piece, _ in pre_tokenizers.Split(Regex(how.pattern), "isolated").pre_tokenize_str(text)]


@pytest.mark.parametrize(
    "expected",
    [
        ["오늘", " 날씨", " 어때", "?"],
        ["LG", "전자와", " SK", "텔레콤"],
        ["API", "를", " ", "3", "번", " 호출"],
        ["大韓民國", "의", " 수도"],
        ["漢字", "かなカナー", " 中文"],
        ["ㅋㅋㅋ", " ㅠㅠ"],
        ["ᄒᆞᆫ글", " 나랏〮말"],
        ["1", "2", " +", " ", "3", "4", "=", "4", "6"],
        ["가", "1", "나", "2", "2", "다"],
        ["don", "'t", " say", " '", "test", "'"],
        ["set", "_light", "(", "room", ":", "string", ")"],
        ["    ", "5"],
        ["if", " x", ":", "\n", "   ", " return", " y"],
        ["if", " x", ":", "\n", "\t\t", "return"],
        ["끝", ".", "\n\n", "시작"],
        ["끝", " ", "\r\n", "  ", "\n", "시작"],
        ['{"', "name", '":', ' "', "불", '"}'],
        ["좋아요", " 👍🏽👨‍👩‍👧", " 네"],
        ["Ωμέγα", " привет", " नमस्ते"],
        ["é" + "\u0331", "1", "\ufe0f\u20e3"],
        ["가", "\u3000", "나"],
    ],
    ids=repr,
)
def test_pieces(expected: list[str]) -> None:
    assert pieces("".join(expected)) == expected


@pytest.mark.parametrize(
    "expected",
    [
        ["오", "늘", " 날", "씨", " 어", "때", "?"],
        ["API", "를", " ", "3", "번", " 호", "출"],
        ["ㅋ", "ㅋ", " ㅠ"],
        ["'", "거", "실", "'", " Seoul", "은"],
        ["글", "\n", "나"],
    ],
    ids=repr,
)
def test_pieces_by_syllable(expected: list[str]) -> None:
    assert pieces("".join(expected), Pieces("syllables")) == expected


def test_syllables_leave_no_token_of_two() -> None:
    """A new name is cut like every name: that is what the choice is for."""
    texts = ["민준이 거실에서 민준이를 불렀다. the kitchen 12"] * 20
    words, syllables = train(texts, 600), train(texts, 600, Pieces("syllables"))
    for tokenizer in (words, syllables):
        assert tokenizer.decode(tokenizer.encode("민서는 ᄒᆞᆫ글 English")) == "민서는 ᄒᆞᆫ글 English"
    assert all(len(re.findall("[가-힣]", data.decode("utf-8", "ignore"))) <= 1 for data in syllables.token_bytes)
    assert len(words.encode("민준이")) < len(syllables.encode("민준이")) == 3
    assert [syllables.decode([one]) for one in syllables.encode(" 거실")] == [" 거", "실"]


def test_an_unknown_unit_is_refused() -> None:
    with pytest.raises(ValueError, match="hangul 'jamo' is not known: use one of words, morphemes, syllables"):
        Pieces("jamo")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="digits 'twos' is not known: use one of single, threes"):
        Pieces(digits="twos")  # type: ignore[arg-type]


def test_special_ids_are_fixed() -> None:
    tokenizer = train(["<|im_end|> <think> 가나다"] * 9, 300)
    names = [
        *["<|endoftext|>", "<|im_end|>", "<|im_start|>", "<|pad|>", "<think>", "</think>"],
        *["<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"],
        *[f"<|reserved_{i}|>" for i in range(6)],
    ]
    assert list(SPECIAL_TOKENS) == names
    assert [tokenizer.encode(name) for name in names] == [[i] for i in range(16)]


def test_every_byte_has_an_id() -> None:
    tokenizer = train(["a"], SMALLEST_VOCABULARY)
    assert tokenizer.vocab_size == SMALLEST_VOCABULARY == 272
    assert sorted(tokenizer.token_bytes[16:]) == [bytes([byte]) for byte in range(256)]


def test_small_corpus_gives_a_smaller_vocabulary() -> None:
    assert 272 < train(["사과 사과 사과"], 5000).vocab_size < 300


def test_vocabulary_size_is_kept_when_the_corpus_is_large_enough() -> None:
    texts = [f"{chr(0xAC00 + i)}{chr(0xAC00 + j)}" for i in range(40) for j in range(40)]
    assert train(texts * 2, 320).vocab_size == 320


def test_frequent_words_become_one_token() -> None:
    tokenizer = train(["거실 불을 켜 줘"] * 5, 400)
    assert [tokenizer.decode([i]) for i in tokenizer.encode("거실 불을 켜 줘")] == ["거실", " 불을", " 켜", " 줘"]


def test_training_is_deterministic() -> None:
    texts = [f"문장 {i} 입니다 {chr(0xAC00 + i)}" for i in range(300)]
    assert train(texts, 400).files() == train(iter(texts), 400).files()


@pytest.mark.parametrize("texts", [[], ["", ""], iter(())])
def test_empty_corpus_is_a_clear_error(texts: list[str]) -> None:
    with pytest.raises(ValueError, match="empty"):
        train(texts, 400)


def test_vocabulary_without_room_for_bytes_is_a_clear_error() -> None:
    with pytest.raises(ValueError, match=r"271 is too small.*272"):
        train(["가"], 271)


def test_error_of_the_corpus_reaches_the_caller() -> None:
    def broken() -> Iterator[str]:
        yield "가나다"
        raise KeyError("second file")

    with pytest.raises(KeyError, match="second file"):
        train(broken(), 400)


def test_repeated_symbols_do_not_fill_the_vocabulary() -> None:
    tokenizer = train(["-" * 500] * 9, 5000)
    assert max(map(len, tokenizer.token_bytes)) <= 48
