import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axk1.config import ConfigError
from axk1.corpus.documents import Document
from axk1.corpus.korean_text.hanja import reads_as
from axk1.corpus.korean_text.hanja_readings import readings
from axk1.corpus.korean_text.mojibake import repaired
from axk1.corpus.korean_text.step import KoreanText, KoreanTextConfig
from axk1.corpus.steps import make_step

ALPHABET = (
    "가나한글하ㅎㅏㄴㅋㅠㅜㆍᄒᆞᆫ칵ﾡￂＡ１（）漢字(한자)"
    " \u00a0\u3000\u200b\u200d\u00ad\ufeff\x07\r\n\t&amp;nbsp#39!?~.…`|¾È³ìë\u2028👍"
)
TEXTS = st.text(st.sampled_from(ALPHABET), max_size=40)
CONFIGS = st.builds(
    KoreanTextConfig,
    hanja=st.sampled_from(["keep", "hangul_first", "drop"]),
    chat_jamo=st.sampled_from(["keep", "shorten", "drop"]),
    longest_repeat=st.sampled_from([0, 3, 4]),
    middle_dot=st.booleans(),
    entities=st.booleans(),
    mojibake=st.booleans(),
)
SENTENCE = "우리는 이 문서를 다시 읽고 고쳐야 합니다"


def normalized(text: str, **options) -> str:
    return KoreanText(KoreanTextConfig(**options)).normalized(text)


@given(TEXTS, CONFIGS)
def test_what_came_out_comes_out_unchanged(text, config):
    step = KoreanText(config)
    once = step.normalized(text)
    assert step.normalized(once) == once
    assert unicodedata.is_normalized("NFC", once)


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ("한\u200b국\ufeff어", "한국어"),
        ("가\u00a0나\u3000다\u2003라", "가 나 다 라"),
        ("줄\u2028둘\x0b셋\r\n넷  \n", "줄\n둘\n셋\n넷\n"),
        ("소개\u00ad소개비 soft\u00adware", "소개-소개비 software"),
        ("👨\u200d👩\u200d👧 가\u200d족", "👨\u200d👩\u200d👧 가족"),
        ("ＫＢＳ１　뉴스（속보）！", "KBS1 뉴스(속보)!"),
        ("日本語、１２！カナ", "日本語、12！カナ".replace("12", "12")),
        ("ㅎㅏㄴㄱㅡㄹ ㅇㅏㄴㄴㅕㅇ", "한글 안녕"),
        ("ㄱㅏ", "ㄱㅏ"),
        ("ﾡￂﾤ", "ㄱㅏㄴ"),
        ("ᄏᄏ 웃겨", "ㅋㅋ 웃겨"),
        (unicodedata.normalize("NFD", "각하 값"), "각하 값"),
        ("시ㆍ도와 10ㆍ29", "시·도와 10·29"),
        ("Tom &amp;amp; Jerry&nbsp;&#8217;s", "Tom & Jerry ’s"),
        ("`&lt;` 와 &lt;", "`&lt;` 와 <"),
        ("| a &#124; b |", "| a &#124; b |"),
        ("&unknown; &#;", "&unknown; &#;"),
        ("ㅋㅋㅋㅋㅋㅋ ㅠㅜㅠㅜㅠ ㅋㅋ", "ㅋㅋㅋ ㅠㅜㅠ ㅋㅋ"),
        ("와!!!!!!!! 대애애애애애애박", "와!!!! 대애애애애박"),
        ("제목\n~~~~~~~~\n0xffffffff,,,,,,", "제목\n~~~~~~~~\n0xffffffff,,,,,,"),
        ("annyeonghaseyo, jal jinaesseoyo?", "annyeonghaseyo, jal jinaesseoyo?"),
    ],
)
def test_defaults(raw, wanted):
    assert normalized(raw) == wanted


def test_old_hangul_stays():
    old = "나랏〮말〯ᄊᆞ미〮 ᄒᆞᆫ"
    assert normalized(old) == unicodedata.normalize("NFC", old)


@pytest.mark.parametrize(("source", "wrong"), [("cp949", "latin-1"), ("utf-8", "latin-1"), ("cp949", "cp1252")])
def test_wrong_encodings_are_undone_line_by_line(source, wrong):
    raw = SENTENCE.encode(source)
    broken = raw.decode(wrong, "strict" if wrong == "latin-1" else "ignore")
    assert repaired(f"{SENTENCE}\n{broken}") == f"{SENTENCE}\n{SENTENCE}"


@pytest.mark.parametrize(
    "text", ["Müller fährt über Zürich, çà et là", "²³¹°±", "漢字와 한글", "ÀÈÌÒÙ", "가격은 £30–£40"]
)
def test_what_is_not_mojibake_stays(text):
    assert repaired(text) == text


@given(st.text(st.characters(min_codepoint=0x80, max_codepoint=0xFF), min_size=4, max_size=30))
def test_random_western_characters_do_not_become_korean_prose(text):
    assert repaired(text) == text or sum("가" <= one <= "힣" for one in repaired(text)) >= 1


def test_readings_come_from_the_order_of_the_standard():
    table = readings()
    assert {one: table[one] for one in "漢字國民"} == {"漢": "한", "字": "자", "國": "국", "民": "민"}
    assert set(table["樂"]) == set("낙락악요")
    assert sum(map(len, table.values())) == 4888


@pytest.mark.parametrize(
    ("policy", "raw", "wanted"),
    [
        ("keep", "漢字(한자)와 국가(國家)", "漢字(한자)와 국가(國家)"),
        ("hangul_first", "漢字(한자)와 국가(國家)", "한자(漢字)와 국가(國家)"),
        ("drop", "漢字(한자)와 대한민국헌법(憲法)", "한자와 대한민국헌법"),
        ("drop", "李光洙(시인) 시민(國民)", "李光洙(시인) 시민(國民)"),
    ],
)
def test_hanja_beside_its_reading(policy, raw, wanted):
    assert normalized(raw, hanja=policy) == wanted


def test_a_reading_has_a_syllable_for_each_hanja():
    assert reads_as("憲法", "헌법")
    assert not reads_as("憲法", "헌")
    assert not reads_as("憲法", "나무")


def test_chat_jamo_can_go_and_lessons_on_letters_stay():
    assert normalized("좋아요 ㅋㅋㅋ 정말ㅎ", chat_jamo="drop") == "좋아요 정말"
    assert normalized("자음 ㅋ, ㅎ", chat_jamo="drop") == "자음 ㅋ, ㅎ"


def test_private_use_characters_are_counted_and_left():
    document = Document("옛 \ue0a1\ue0a2", "1", "")
    (out,) = KoreanText()(iter([document]), lambda *_: None)
    assert (out.text, dict(out.metadata)) == (document.text, {"private_use": 2})


@pytest.mark.parametrize(
    ("options", "message"),
    [({"hanja": "convert"}, "hanja"), ({"chat_jamo_length": 1}, "at least 2"), ({"longest_repeat": 1}, "at least 3")],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises((ConfigError, ValueError), match=message):
        make_step({"name": "korean_text", **options})


def test_spacing_is_repaired_where_the_recipe_asks():
    pytest.importorskip("kiwipiepy")
    assert normalized("나는학교에간다.\n\n너도", spacing="kiwi") == "나는 학교에 간다.\n\n너도"
