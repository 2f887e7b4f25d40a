import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, normalizers

from axk1.tokenizer.audit import audit, worst_lines
from axk1.tokenizer.foreign import AnyTokenizer
from axk1.tokenizer.measures import cost, cuts, entries, syllable_lengths, word_tokens
from axk1.tokenizer.pieces import Pieces
from axk1.tokenizer.tokenizer import TokenizerError
from axk1.tokenizer.train import train
from axk1.tokenizer.word_list import DIALECT, NAMES

TEXTS = ["거실 불을 켜 줘. 사람이 거실에서 책을 읽었습니다.", "the light in the living room"]


def made(*texts: str, size: int = 400, pieces: Pieces = Pieces("words")) -> AnyTokenizer:  # noqa: B008
    described = json.loads(train([*texts] * 9, size, pieces).files()["tokenizer.json"])
    return AnyTokenizer("made", described)


@pytest.fixture(scope="module")
def words() -> AnyTokenizer:
    return made(*TEXTS)


@pytest.fixture(scope="module")
def pieces() -> AnyTokenizer:
    """Not byte-level: spaces are "▁", bytes "<0x..>", what it does not know is lost."""
    names = ["<unk>", "<0x41>", "▁", "가", "나", "▁가"]
    backend = Backend(models.BPE({name: id_ for id_, name in enumerate(names)}, [("▁", "가")], unk_token="<unk>"))
    backend.normalizer = normalizers.Replace(" ", "▁")
    backend.decoder = decoders.Replace("▁", " ")
    return AnyTokenizer("pieces", json.loads(backend.to_str()))


def test_cost_by_hand(pieces: AnyTokenizer) -> None:
    found, used = cost(pieces, [" 가나", "가 가"])
    assert (found.texts, found.bytes, found.characters, found.eojeols, found.tokens) == (2, 14, 6, 3, 4)
    assert found.bytes_per_token == 3.5
    assert found.tokens_per_eojeol == pytest.approx(4 / 3)
    assert found.page_price(2.0) == pytest.approx(4 / 6 * 1500 * 2 / 1e6)
    assert dict(used) == {5: 2, 4: 1, 3: 1}


def test_what_does_not_come_back_is_counted(words: AnyTokenizer, pieces: AnyTokenizer) -> None:
    lost, _ = cost(pieces, ["가", "z"])
    assert (lost.changed, lost.changed_beyond_nfc) == (1, 1)
    nfd, _ = cost(words, [unicodedata.normalize("NFD", "각"), "가"])
    assert (nfd.changed, nfd.changed_beyond_nfc) == (1, 0)


def test_a_kind_without_text_is_refused(words: AnyTokenizer) -> None:
    with pytest.raises(ValueError, match="empty: there is no text to measure"):
        audit(words, {"empty": ["  "]})


def test_cuts_against_morphemes(words: AnyTokenizer) -> None:
    text = " 사람이 거실에서"
    syllables = made("사람이 거실에서", pieces=Pieces("syllables"))

    def starts(_: str) -> frozenset[int]:
        return frozenset({1, 3, 5, 7})  # 사람|이 거실|에서

    every = cuts(syllables, [text], starts)
    assert (every.both, every.ours, every.theirs) == (2, 5, 2)
    assert (every.precision, every.recall) == (0.4, 1.0)
    assert every.f1 == pytest.approx(4 / 7)
    whole = cuts(made(" 사람이 거실에서"), [text], starts)
    assert (whole.ours, whole.f1, whole.precision) == (0, 0.0, 0.0)


def test_syllables_by_length(words: AnyTokenizer) -> None:
    lengths = syllable_lengths(words)
    assert sum(lengths.values()) == pytest.approx(1)
    assert lengths[3] > 0.5
    assert 0 < lengths[1] < 0.01


def test_word_lists() -> None:
    assert len(DIALECT) + len(NAMES) >= 200
    assert len({*DIALECT, *NAMES}) == len(DIALECT) + len(NAMES)
    assert word_tokens(made(*NAMES, size=2000), NAMES) < word_tokens(made(*TEXTS), NAMES)


def test_entries_that_do_no_work(words: AnyTokenizer) -> None:
    _, used = cost(words, TEXTS)
    found = entries(words, used)
    assert found.fragments > 100  # single bytes of characters
    assert found.unreachable == 0
    assert found.scaffolding > 0
    assert found.scaffolding <= found.unseen
    described = json.loads(json.dumps(words.described))
    described["model"]["vocab"]["zqzq"] = len(described["model"]["vocab"])  # no merge leads there
    _, used = cost(words, TEXTS)
    broken = entries(AnyTokenizer("broken", described), used)
    assert (broken.unreachable, broken.unreachable_examples) == (1, ("zqzq",))


def test_the_dearest_lines_are_cut_by_all(words: AnyTokenizer) -> None:
    other = AnyTokenizer("other", made(*TEXTS, size=300).described)
    lines = ["거실 불을 켜 줘. 사람이 거실에서 책을 읽었습니다.", "쀍뷁 뷃쀩 꿻뛟 뿳쮊 뙗 뷁뷁 뾃 뚥 쒥뚁 쮃 뗡꿹 쀍뷁"]
    (example,) = worst_lines([words, other], {"mixed": ["\n".join(lines)]}, count=1)
    assert example.line == lines[1]
    assert {name: "".join(parts) for name, parts in example.pieces.items()} == {"made": lines[1], "other": lines[1]}
    assert example.tokens["made"] > len(lines[1])


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"model": {"type": "none"}}'])
def test_a_broken_file_is_a_clear_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokenizer.json").write_text(content, encoding="utf-8")
    with pytest.raises(TokenizerError, match="is not a tokenizer file"):
        AnyTokenizer.load(tmp_path)


def test_a_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(TokenizerError, match="is not there"):
        AnyTokenizer.load(tmp_path)


def test_texts_cut_off_by_their_owner_are_whole_here(words: AnyTokenizer) -> None:
    described: dict[str, Any] = json.loads(json.dumps(words.described))
    described["truncation"] = {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0}
    assert AnyTokenizer("short", described).encode(TEXTS)[0].ids == words.encode(TEXTS)[0].ids


def test_morphemes_by_kiwi() -> None:
    pytest.importorskip("kiwipiepy")
    from axk1.tokenizer.morphology import morpheme_starts

    starts = morpheme_starts()("사람이 집에서 잡니다")
    assert {0, 2, 4, 5} <= starts  # 사람|이 집|에서
    assert 9 not in starts  # 자+ㅂ니다 share a syllable


def test_an_entry_that_only_its_neighbours_lead_to_is_no_lost_one() -> None:
    """A stem that ends like a particle, or an ending that ends in another, is cut when it stands alone."""
    stems = made(" 문자열이라고", " 문자열이라는", size=420, pieces=Pieces("morphemes"))
    alone = entries(stems, cost(stems, [" 문자열"])[1])
    assert set(alone.unreachable_examples) == {" 문자열이", "라고", "라는"}
    assert entries(stems, cost(stems, [" 문자열이라고"])[1]).unreachable_examples == ("라는",)
