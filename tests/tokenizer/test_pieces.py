import json
import unicodedata
from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, pre_tokenizers
from transformers import AutoTokenizer

from axk1.tokenizer.pieces import Digits, Hangul, Indentation, Newlines, Opener, Pieces
from axk1.tokenizer.tokenizer import Tokenizer
from axk1.tokenizer.train import train

EVERY = [
    Pieces(hangul, digits, newlines, indentation, opener)
    for hangul in get_args(Hangul)
    for digits in get_args(Digits)
    for newlines in get_args(Newlines)
    for indentation in get_args(Indentation)
    for opener in get_args(Opener)
]
TEXTS = [
    "사람은 집에서 밥을 먹었습니다. 할 수 있는 일은 할 수 있을 때 합니다.\n그래서 사람이 집으로 갔습니다.\n",
    "def add(first, second):\n    return first + second\n\n\tif x:\n        pass\n",
    "one of the two, one of the three, in the end of the day 1,234,567원 2026년",
]


def cut(text: str, pattern: str) -> list[str]:
    return [piece for piece, _ in pre_tokenizers.Split(Regex(pattern), "isolated").pre_tokenize_str(text)]


@pytest.mark.parametrize(
    "expected",
    [
        ["사람", "은", " 집", "에서", " 먹", "었습니다", "."],
        [" 은", " 는"],  # an ending alone is a word
        ["학교", "에서는"],  # the longest ending
        ["API", "를", " 우리", "가"],
        ["합니다", " 간다"],  # the ending is fused with its stem
        ["사람", "은", "\n", "나", "는"],
    ],
    ids=repr,
)
def test_endings_are_cut_off(expected: list[str]) -> None:
    assert cut("".join(expected), Pieces("morphemes").pattern) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("1", ["1"]),
        ("123", ["123"]),
        ("1234", ["1", "234"]),
        ("1234567", ["1", "234", "567"]),
        ("12.5", ["12", ".", "5"]),
    ],
)
def test_digits_in_threes_from_the_right(number: str, expected: list[str]) -> None:
    assert cut(number, Pieces(digits="threes").pattern) == expected


def test_a_very_long_number_is_cut_to_its_end() -> None:
    parts = cut("7" * 100_001, Pieces(digits="threes").pattern)
    assert "".join(parts) == "7" * 100_001
    assert parts[-20:] == ["777"] * 20


def test_one_character_of_any_kind_opens_a_latin_word() -> None:
    text = "x.append(self)\n\tif ((a)), 한글(API)은 '꼭'"
    expected = ["x", ".append", "(self", ")", "\n", "\tif", " ((", "a", ")),", " 한글", "(API", ")", "은", " '"]
    assert cut(text, Pieces(opener="any").pattern) == [*expected, "꼭", "'"]


def test_newlines_and_indentation() -> None:
    text = "if x:\n    return y\n\n  z"
    assert cut(text, Pieces(newlines="joined").pattern) == [
        "if",
        " x",
        ":\n",
        "   ",
        " return",
        " y",
        "\n\n",
        " ",
        " z",
    ]
    assert cut(text, Pieces(indentation="whole").pattern) == [
        "if",
        " x",
        ":",
        "\n",
        "    ",
        "return",
        " y",
        "\n\n",
        "  ",
        "z",
    ]


def test_words_in_a_row_are_one_loose_piece() -> None:
    pattern = Pieces().loose_pattern
    assert cut("할 수 있다. in the end 12 set_light\nAPI 를", pattern) == [
        *["할 수 있다", ".", " in the end", " ", "1", "2", " set_light", "\n", "API", " 를"],
    ]


@pytest.mark.parametrize("pieces", EVERY, ids=lambda pieces: "-".join(vars(pieces).values()))
def test_every_choice_gives_back_the_text_and_the_ids_of_transformers(pieces: Pieces, tmp_path: Path) -> None:
    tokenizer = train(TEXTS * 3, 420, pieces)
    tokenizer.save(tmp_path)
    oracle = AutoTokenizer.from_pretrained(tmp_path)
    for text in [*TEXTS, "1234567\n\n    들여 쓴 줄은\n\t\n ", ""]:
        assert tokenizer.decode(tokenizer.encode(text)) == text
        assert oracle(text)["input_ids"] == tokenizer.encode(text)


@given(text=st.text(st.sampled_from("가은는에서 \t\n\r1239a_.'é\u0301ㅋ大か"), max_size=40))
def test_no_piece_crosses_a_line_start_and_none_is_lost(text: str) -> None:
    for pieces in EVERY:
        for pattern in (pieces.pattern, pieces.loose_pattern):
            parts = cut(text, pattern)
            assert "".join(parts) == text
            assert not any(a in "\r\n" and b not in "\r\n" for part in parts for a, b in pairwise(part))


@pytest.fixture(scope="module")
def superwords() -> Tokenizer:
    return train(TEXTS * 20, 560, Pieces(), superwords_from=380)


def test_superwords_span_words(superwords: Tokenizer) -> None:
    assert superwords.vocab_size == len(set(superwords.token_bytes))
    texts = [data.decode("utf-8", "ignore") for data in superwords.token_bytes[380:]]
    assert any(" " in text.strip() for text in texts)
    assert not any(" " in data.decode("utf-8", "ignore").strip() for data in superwords.token_bytes[16:380])
    words = train(TEXTS * 20, superwords.vocab_size)
    text = "할 수 있는 일은 one of the two"
    assert len(superwords.encode(text)) < len(words.encode(text))


def test_superwords_cross_no_digit_newline_or_punctuation(superwords: Tokenizer) -> None:
    for data in superwords.token_bytes[16:]:
        text = data.decode("utf-8", "ignore")
        assert len(text) < 2 or not any(character.isdigit() for character in text)
        assert not (text.strip() and "\n" in text)
        assert not (any(c.isalpha() for c in text) and any(c in ".,:()" for c in text))


def test_superwords_begin_with_the_words_alone(superwords: Tokenizer) -> None:
    assert superwords.token_bytes[:380] == train(TEXTS * 20, 380).token_bytes


@given(text=st.text(st.sampled_from("할 수있는일은one f the\n12.,_가")))
def test_superwords_give_the_ids_of_transformers(superwords: Tokenizer, superwords_oracle: object, text: str) -> None:
    assert superwords_oracle(text)["input_ids"] == superwords.encode(text)  # type: ignore[operator]
    assert superwords.decode(superwords.encode(text)) == unicodedata.normalize("NFC", text)


@pytest.fixture(scope="module")
def superwords_oracle(superwords: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> object:
    folder = tmp_path_factory.mktemp("superwords")
    superwords.save(folder)
    assert len(json.loads((folder / "tokenizer.json").read_text("utf-8"))["pre_tokenizer"]["pretokenizers"]) == 2
    return AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("start", [5, 600, 900])
def test_superwords_that_leave_no_room_are_refused(start: int) -> None:
    with pytest.raises(ValueError, match="superwords_from must lie between 272 and vocab_size"):
        train(TEXTS, 600, superwords_from=start)


def test_superwords_need_words() -> None:
    with pytest.raises(ValueError, match="superwords are made of words"):
        train(TEXTS, 600, Pieces("syllables"), superwords_from=300)
