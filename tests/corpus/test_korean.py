"""korean.py against a table written by hand."""

from __future__ import annotations

import pytest

from axk1.corpus import korean
from axk1.corpus.korean import Noun, count, josa, native, native_modifier, sino

# word | pair | as it must read
JOSA = """
책 | 을/를 | 책을
사과 | 을/를 | 사과를
물 | 이/가 | 물이
값 | 은/는 | 값은
닭 | 과/와 | 닭과
토끼 | 과/와 | 토끼와
집 | 으로/로 | 집으로
학교 | 으로/로 | 학교로
서울 | 으로/로 | 서울로
길 | 으로/로 | 길로
연필 | 으로써/로써 | 연필로써
선생님 | 으로서/로서 | 선생님으로서
회장 | 이에요/예요 | 회장이에요
의사 | 이에요/예요 | 의사예요
칼 | 이에요/예요 | 칼이에요
민준 | 이라고/라고 | 민준이라고
지우 | 이라고/라고 | 지우라고
돌 | 이나/나 | 돌이나
0 | 을/를 | 0을
1 | 은/는 | 1은
2 | 은/는 | 2는
3 | 을/를 | 3을
4 | 이/가 | 4가
5 | 을/를 | 5를
6 | 이/가 | 6이
7 | 으로/로 | 7로
8 | 으로/로 | 8로
9 | 과/와 | 9와
1 | 으로/로 | 1로
3 | 으로/로 | 3으로
6 | 으로/로 | 6으로
10 | 으로/로 | 10으로
10 | 이에요/예요 | 10이에요
16 | 을/를 | 16을
20 | 은/는 | 20은
47 | 으로/로 | 47로
100 | 을/를 | 100을
1,000 | 을/를 | 1,000을
1,000 | 으로/로 | 1,000으로
10000 | 이/가 | 10000이
10,000 | 으로/로 | 10,000으로
100000000 | 이/가 | 100000000이
1000000000000 | 이/가 | 1000000000000가
12,305 | 을/를 | 12,305를
3.14 | 은/는 | 3.14는
0.5 | 을/를 | 0.5를
3.50 | 이/가 | 3.50이
-7 | 을/를 | -7을
1,000원 | 을/를 | 1,000원을
3개 | 을/를 | 3개를
20명 | 이/가 | 20명이
100% | 을/를 | 100%를
30℃ | 이/가 | 30℃가
5km | 을/를 | 5km를
3 km | 은/는 | 3 km는
70kg | 을/를 | 70kg을
250g | 이/가 | 250g이
2L | 을/를 | 2L를
500mL | 이에요/예요 | 500mL예요
3t | 을/를 | 3t을
10m | 으로/로 | 10m로
15cm | 과/와 | 15cm와
33㎡ | 을/를 | 33㎡를
8GB | 이/가 | 8GB가
220V | 은/는 | 220V는
40dB | 이에요/예요 | 40dB이에요
60Hz | 으로/로 | 60Hz로
km | 은/는 | km는
kg | 은/는 | kg은
A | 이/가 | A가
B | 과/와 | B와
L | 을/를 | L을
L | 으로/로 | L로
M | 은/는 | M은
N | 이/가 | N이
R | 으로/로 | R로
m | 을/를 | m을
X | 을/를 | X를
SKT | 이/가 | SKT가
AI | 은/는 | AI는
URL | 을/를 | URL을
URL | 으로/로 | URL로
PDF | 으로/로 | PDF로
RAM | 이/가 | RAM이
MP3 | 을/를 | MP3를
A.X K1 | 은/는 | A.X K1은
A.X K1 | 으로/로 | A.X K1으로
OpenAI | 이/가 | OpenAI가
Google | 으로/로 | Google로
email | 을/를 | email을
Chrome | 은/는 | Chrome은
Python | 으로/로 | Python으로
Facebook | 을/를 | Facebook을
app | 이/가 | app이
Linux | 을/를 | Linux를
Java | 은/는 | Java는
‘사과’ | 을/를 | ‘사과’를
"책" | 이/가 | "책"이
「별」 | 으로/로 | 「별」로
『꿈』 | 을/를 | 『꿈』을
'3' | 이/가 | '3'이
**중요** | 은/는 | **중요**는
(나) | 을/를 | (나)를
[별] | 을/를 | [별]을
ㄱ | 이/가 | ㄱ이
ㄹ | 으로/로 | ㄹ로
ㅏ | 은/는 | ㅏ는
23+48-17 | 은/는 | 23+48-17은
6×7 | 을/를 | 6×7을
"""


def _josa_cases() -> list[tuple[str, str, str]]:
    return [tuple(row.split(" | ")) for row in JOSA.strip().split("\n")]  # type: ignore[misc]


@pytest.mark.parametrize(("word", "pair", "right"), _josa_cases())
def test_particle_follows_the_sound(word, pair, right):
    assert josa(word, pair) == right


def test_bracketed_remark_is_passed_over():
    assert josa("사과(apple)", "은/는") == "사과(apple)는"
    assert josa("닭 (chicken)", "은/는") == "닭 (chicken)은"


@pytest.mark.parametrize(("word", "pair"), [("책", "를/을"), ("책", "를"), ("책", "")])
def test_unknown_pair_is_named(word, pair):
    with pytest.raises(ValueError, match="unknown particle pair"):
        josa(word, pair)


@pytest.mark.parametrize("word", ["", "…", "漢", "😀"])
def test_word_without_known_sound(word):
    with pytest.raises(ValueError, match="cannot tell how"):
        josa(word, "을/를")


def test_noun_takes_its_particle_in_a_format():
    assert f"{Noun('사과'):을} {Noun('길'):으로} {Noun('3'):이에요} {Noun('책')}" == "사과를 길로 3이에요 책"
    with pytest.raises(ValueError, match="unknown particle '의'"):
        f"{Noun('책'):의}"


SINO = {
    0: "영",
    1: "일",
    6: "육",
    10: "십",
    11: "십일",
    16: "십육",
    20: "이십",
    26: "이십육",
    66: "육십육",
    99: "구십구",
    100: "백",
    101: "백일",
    106: "백육",
    110: "백십",
    111: "백십일",
    329: "삼백이십구",
    600: "육백",
    1000: "천",
    1001: "천일",
    1100: "천백",
    1111: "천백십일",
    3405: "삼천사백오",
    6666: "육천육백육십육",
    10000: "만",
    10001: "만 일",
    11000: "만 천",
    16000: "만 육천",
    20000: "이만",
    35000: "삼만 오천",
    100000: "십만",
    110000: "십일만",
    123456: "십이만 삼천사백오십육",
    1000000: "백만",
    10000000: "천만",
    10010000: "천일만",
    100000000: "일억",
    100010000: "일억 일만",
    123456789: "일억 이천삼백사십오만 육천칠백팔십구",
    10**12: "일조",
    -3: "마이너스 삼",
}
NATIVE = {
    1: ("하나", "한"),
    2: ("둘", "두"),
    3: ("셋", "세"),
    4: ("넷", "네"),
    5: ("다섯", "다섯"),
    6: ("여섯", "여섯"),
    8: ("여덟", "여덟"),
    10: ("열", "열"),
    11: ("열하나", "열한"),
    12: ("열둘", "열두"),
    19: ("열아홉", "열아홉"),
    20: ("스물", "스무"),
    21: ("스물하나", "스물한"),
    23: ("스물셋", "스물세"),
    30: ("서른", "서른"),
    34: ("서른넷", "서른네"),
    40: ("마흔", "마흔"),
    50: ("쉰", "쉰"),
    60: ("예순", "예순"),
    70: ("일흔", "일흔"),
    80: ("여든", "여든"),
    92: ("아흔둘", "아흔두"),
    99: ("아흔아홉", "아흔아홉"),
}
COUNTS = {
    (1, "개"): "한 개",
    (2, "마리"): "두 마리",
    (3, "시"): "세 시",
    (4, "권"): "네 권",
    (12, "살"): "열두 살",
    (12, "세"): "십이 세",
    (20, "명"): "스무 명",
    (20, "살"): "스무 살",
    (20, "세"): "이십 세",
    (21, "살"): "스물한 살",
    (3, "층"): "삼 층",
    (20, "분"): "이십 분",
    (6, "개월"): "육 개월",
    (16, "일"): "십육 일",
    (2, "시간"): "두 시간",
    (5, "켤레"): "다섯 켤레",
    (100, "개"): "백 개",
    (120, "명"): "백이십 명",
    (2, "인분"): "이 인분",
    (0, "개"): "영 개",
    (3, "학년"): "삼 학년",
    (1, "송이"): "한 송이",
}


@pytest.mark.parametrize(("value", "right"), SINO.items())
def test_sino(value, right):
    assert sino(value) == right


@pytest.mark.parametrize(("value", "right"), NATIVE.items())
def test_native(value, right):
    assert (native(value), native_modifier(value)) == right


@pytest.mark.parametrize(("given", "right"), COUNTS.items())
def test_count(given, right):
    assert count(*given) == right


def test_out_of_range():
    for wrong in (lambda: native(0), lambda: native(100), lambda: count(3, "꼬집"), lambda: sino(10**20)):
        with pytest.raises(ValueError, match=r"native numerals|unknown counter|too large"):
            wrong()


def test_counters_have_one_reading_each():
    assert not korean.NATIVE_COUNTERS & korean.SINO_COUNTERS


def test_money():
    assert [korean.won(amount) for amount in (300, 1000, 35000)] == ["300원", "1,000원", "35,000원"]
    assert korean.won_reading(35000) == "삼만 오천 원"
    assert korean.won_reading(10600) == "만 육백 원"
    mixed = [korean.won_mixed(amount) for amount in (35000, 12500, 20000, 3000, 800, 0)]
    assert mixed == ["3만 5천 원", "1만 2,500원", "2만 원", "3천 원", "800원", "0원"]


def test_dates_and_clock():
    assert [korean.month_reading(month) for month in (1, 6, 10, 11, 12)] == ["일월", "유월", "시월", "십일월", "십이월"]
    assert korean.date(3, 5) == "3월 5일"
    assert korean.date_reading(6, 16) == "유월 십육일"
    assert korean.clock(3) == "3시"
    assert korean.clock(3, 20) == "3시 20분"
    assert korean.clock_reading(3, 20) == "세 시 이십 분"
    assert korean.clock_reading(12) == "열두 시"
    for wrong in (lambda: korean.clock_reading(13), lambda: korean.month_reading(0)):
        with pytest.raises(ValueError, match=r"there is no|shows no"):
            wrong()


def test_names_among_friends():
    assert [korean.friend(name) for name in ("민준", "지우", "서연", "하루")] == ["민준이", "지우", "서연이", "하루"]
