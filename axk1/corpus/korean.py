"""Korean that agrees with itself: particles after any ending, number reading, counters, money, dates, clock.

Sources: 한글 맞춤법 §43-44 (spacing of counters and numerals), 표준어 규정 §6, letter names of the 외래어 표기법.
Spoken forms decide everything: a particle follows the *sound* of what stands before it, so digits, units and Latin
letters are first read out. A numeral in Hangul stands apart from its counter (세 개), digits are attached (3개).
"""

from __future__ import annotations

import re
from functools import lru_cache

FINALS: tuple[str, ...] = ("", *"ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ")
_FIRST_SYLLABLE = 0xAC00
_DIGITS: tuple[str, ...] = tuple("영일이삼사오육칠팔구")
_SMALL_UNITS: tuple[str, ...] = ("", *"십백천")
_LARGE_UNITS: tuple[str, ...] = ("", *"만억조경")


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _readings(text: str) -> dict[str, str]:
    return {written: spoken for written, _, spoken in (entry.partition(":") for entry in text.split())}


_DIGITS_AFTER_LETTER = _words("제로 원 투 스리 포 파이브 식스 세븐 에이트 나인")  # MP3, K1
PARTICLES = frozenset(
    _words(
        """
        을/를 이/가 은/는 과/와 아/야 으로/로 으로서/로서 으로써/로써 으로부터/로부터 이나/나 이랑/랑 이든/든
        이든지/든지 이란/란 이에요/예요 이었어요/였어요 이었다/였다 이었고/였고 이었으면/였으면 이다/다 이고/고
        이며/며 이면/면 이라면/라면 이라서/라서 이라고/라고 이라는/라는 이라도/라도 이야/야 이죠/죠 이지만/지만
        이네요/네요 이여/여 이여서/여서 이니/니 이거나/거나
        """
    )
)
_PAIR_BY_FORM = {pair.split("/")[0]: pair for pair in PARTICLES}

UNIT_READINGS = _readings(
    """
    km:킬로미터 m:미터 cm:센티미터 mm:밀리미터 kg:킬로그램 g:그램 mg:밀리그램 t:톤 L:리터 l:리터 mL:밀리리터
    ml:밀리리터 kL:킬로리터 ㎞:킬로미터 ㎝:센티미터 ㎜:밀리미터 ㎏:킬로그램 ㎖:밀리리터 ㎡:제곱미터 m²:제곱미터
    m³:세제곱미터 km/h:킬로미터 m/s:미터 W:와트 kW:킬로와트 kWh:킬로와트시 V:볼트 A:암페어 mA:밀리암페어 Hz:헤르츠
    kHz:킬로헤르츠 MHz:메가헤르츠 GHz:기가헤르츠 B:바이트 KB:킬로바이트 MB:메가바이트 GB:기가바이트 TB:테라바이트
    dB:데시벨 cal:칼로리 kcal:킬로칼로리 px:픽셀 rpm:알피엠 N:뉴턴 J:줄 Pa:파스칼 hPa:헥토파스칼 ms:밀리초 s:초 h:시간
    mol:몰 bar:바 ppm:피피엠
    """
)
_SYMBOL_READINGS = _readings(
    """
    %:퍼센트 ％:퍼센트 ‰:퍼밀 ℃:도 °:도 ℉:도 $:달러 ₩:원 €:유로 ¥:엔 £:파운드 ²:제곱 ³:세제곱 +:더하기 -:빼기 ×:곱하기
    ÷:나누기 &:앤드 @:골뱅이 #:샵
    """
)
_LETTER_READINGS = _readings(
    """
    a:에이 b:비 c:시 d:디 e:이 f:에프 g:지 h:에이치 i:아이 j:제이 k:케이 l:엘 m:엠 n:엔 o:오 p:피 q:큐 r:알 s:에스
    t:티 u:유 v:브이 w:더블유 x:엑스 y:와이 z:제트
    """
)
# A lower-case ending is a loanword, whose Korean spelling is not quite regular; the first pattern that fits decides.
_WORD_ENDINGS = (
    (re.compile(r"ng$"), "ㅇ"),
    (re.compile(r"le?$"), "ㄹ"),
    (re.compile(r"me?$"), "ㅁ"),
    (re.compile(r"ne?$"), "ㄴ"),
    (re.compile(r"(ck|ook|[io]k|[aeiou]c)$"), "ㄱ"),
    (re.compile(r"[aeiou](pp?|b)$"), "ㅂ"),
    (re.compile(r"[aeo]t$"), "ㅅ"),
)

_CLOSERS = re.compile(r"[\s\"'”’」』》〉>\]}*_~`.,!?…:;]+$")
_REMARK = re.compile(r"(?<=\S)\s?\([^()]*\)$")
_NUMBER = re.compile(r"(?P<before>[A-Za-z]?)-?(?P<whole>\d[\d,]*)(?P<part>\.\d+)?$")
_LATIN = re.compile(r"[A-Za-z]+$")
_UNIT = re.compile(rf"(?:(?<=\d)|(?<=\d ))({'|'.join(sorted(map(re.escape, UNIT_READINGS), key=len, reverse=True))})$")


def final_consonant(text: str) -> str:
    """The final consonant (받침) heard when the end of `text` is read aloud, "" after a vowel.

    Closing quotes and punctuation are silent; a bracketed remark is passed over: 사과(apple) is followed as 사과 is.
    ValueError where the reading is not known.
    """
    if "가" <= (last := text[-1:]) <= "힣":
        return FINALS[(ord(last) - _FIRST_SYLLABLE) % 28]
    return _final_when_read(text)


@lru_cache(maxsize=1 << 14)
def _final_when_read(text: str) -> str:
    text = _audible(text)
    last = text[-1:]
    if "가" <= last <= "힣":
        return final_consonant(last)
    if "ㄱ" <= last <= "ㅣ":  # a letter's name ends in the letter: 기역, 니은
        return last if last <= "ㅎ" else ""
    if last.isascii() and last.isdigit():
        return final_consonant(_spoken_end_of_number(text))
    if unit := _UNIT.search(text):
        return final_consonant(UNIT_READINGS[unit[1]])
    if latin := _LATIN.search(text):
        return _final_of_latin(latin[0])
    if reading := _SYMBOL_READINGS.get(last) or UNIT_READINGS.get(last):
        return final_consonant(reading)
    raise ValueError(f"cannot tell how {text[-8:]!r} is read, so no particle can follow it")


def _audible(text: str) -> str:
    """`text` without what is silent at its end."""
    previous = ""
    while previous != text:
        previous = text
        text = _REMARK.sub("", _CLOSERS.sub("", text))
        if text.startswith("(") and text.endswith(")"):
            text = text[1:-1]
    return text


def _spoken_end_of_number(text: str) -> str:
    """The last spoken syllable or word of a number in digits: 1,000 → 천, 3.50 → 영, MP3 → 스리."""
    found = _NUMBER.search(text)
    assert found is not None
    digits = (found["part"] or found["whole"]).replace(",", "").lstrip(".")
    if found["before"] and len(digits) == 1:
        return _DIGITS_AFTER_LETTER[int(digits)]
    zeros = len(digits) - len(digits.rstrip("0"))
    if found["part"] or zeros == 0 or zeros == len(digits):
        return _DIGITS[int(digits[-1])]
    return _LARGE_UNITS[zeros // 4] if zeros >= 4 else _SMALL_UNITS[zeros]


def _final_of_latin(word: str) -> str:
    if len(word) > 1 and word in UNIT_READINGS:
        return final_consonant(UNIT_READINGS[word])
    if len(word) == 1 or word[-1].isupper():
        return final_consonant(_LETTER_READINGS[word[-1].lower()])
    return next((final for pattern, final in _WORD_ENDINGS if pattern.search(word.lower())), "")


def particle(word: str, pair: str) -> str:
    """The member of `pair` ("을/를": after a consonant / a vowel) that follows `word`; 으로/로 takes ㄹ as a vowel."""
    if pair not in PARTICLES:
        raise ValueError(f"unknown particle pair {pair!r}; known: {', '.join(sorted(PARTICLES))}")
    closed, opened = pair.split("/")
    final = final_consonant(word)
    return closed if final and not (final == "ㄹ" and closed.startswith("으로")) else opened


def josa(word: str, pair: str) -> str:
    """`word` with the right member of `pair` attached: josa("책", "을/를") → 책을."""
    return word + particle(word, pair)


class Noun(str):
    """A word that takes its particle in a format string: f"{Noun('사과'):을}" → 사과를.

    The particle is named by its form after a consonant; an unknown one is a ValueError.
    """

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        if not spec:
            return str(self)
        pair = _PAIR_BY_FORM.get(spec)
        if pair is None:
            raise ValueError(f"unknown particle {spec!r}; known: {' '.join(sorted(_PAIR_BY_FORM))}")
        return josa(self, pair)


def friend(name: str) -> str:
    """A given name as used among friends: 민준 → 민준이, 지우 → 지우."""
    return name + "이" if final_consonant(name) else name


# Numbers.

_NATIVE_TENS = ("", *_words("열 스물 서른 마흔 쉰 예순 일흔 여든 아흔"))
_NATIVE_UNITS = ("", *_words("하나 둘 셋 넷 다섯 여섯 일곱 여덟 아홉"))
_MODIFIER_UNITS = ("", "한", "두", "세", "네", *_NATIVE_UNITS[5:])


def sino(number: int) -> str:
    """Sino-Korean reading, spaced by 만 (§44): 35000 → 삼만 오천; 10000 → 만; -3 → 마이너스 삼."""
    if number < 0:
        return f"마이너스 {sino(-number)}"
    if number == 0:
        return _DIGITS[0]
    if number >= 10 ** (4 * len(_LARGE_UNITS)):
        raise ValueError(f"{number} is too large to be read")
    groups = []
    for power, unit in enumerate(_LARGE_UNITS):
        if group := number // 10 ** (4 * power) % 10000:
            groups.append(_group_reading(group) + unit)
    if groups[-1] == "일만":
        groups[-1] = "만"
    return " ".join(reversed(groups))


def _group_reading(group: int) -> str:
    parts = []
    for power in (3, 2, 1, 0):
        digit = group // 10**power % 10
        if digit:
            parts.append(("" if digit == 1 and power else _DIGITS[digit]) + _SMALL_UNITS[power])
    return "".join(parts)


def native(number: int) -> str:
    """Native reading of 1..99 standing alone: 21 → 스물하나."""
    return _native(number, _NATIVE_UNITS)


def native_modifier(number: int) -> str:
    """Native reading of 1..99 before a counter: 3 → 세, 20 → 스무, 21 → 스물한."""
    return "스무" if number == 20 else _native(number, _MODIFIER_UNITS)


def _native(number: int, units: tuple[str, ...]) -> str:
    if not 1 <= number <= 99:
        raise ValueError(f"native numerals run from 1 to 99, not {number}")
    return _NATIVE_TENS[number // 10] + units[number % 10]


NATIVE_COUNTERS = frozenset(
    _words(
        """
        개 명 사람 마리 권 잔 대 장 송이 켤레 자루 병 그루 살 시 시간 번 벌 채 척 통 봉지 상자 접시 그릇 조각 다발
        가지 곡 편 줄 달 자리 팀 모둠 묶음 바구니 캔 컵 판 포기 쌍 방울 꾸러미 알 모금 숟가락 걸음 바퀴 군데 건 갑 단
        칸 돌 해 끼 입 박스 세트 학급 모
        """
    )
)
SINO_COUNTERS = frozenset(
    _words(
        """
        원 년 월 일 분 초 층 호 쪽 페이지 세 주 개월 학년 반 번지 호선 점 도 퍼센트 인분 킬로미터 미터 센티미터
        밀리미터 킬로그램 그램 리터 밀리리터 톤 평 박 교시 회 등 달러 제곱미터
        """
    )
)


def count(number: int, counter: str) -> str:
    """Number and counter in Hangul, spaced (§43): 세 개, 스무 명, 삼 층; from 100 on always Sino-Korean: 백이십 개."""
    if counter in SINO_COUNTERS:
        return f"{sino(number)} {counter}"
    if counter not in NATIVE_COUNTERS:
        raise ValueError(f"unknown counter {counter!r}; known: {' '.join(sorted(NATIVE_COUNTERS | SINO_COUNTERS))}")
    return f"{native_modifier(number) if 0 < number < 100 else sino(number)} {counter}"


# Money.


def won(amount: int) -> str:
    """4500 → 4,500원."""
    return f"{amount:,}원"


def won_reading(amount: int) -> str:
    """35000 → 삼만 오천 원."""
    return f"{sino(amount)} 원"


def won_mixed(amount: int) -> str:
    """Digits with 만 and 천 as people write them: 35000 → 3만 5천 원, 12500 → 1만 2,500원, 20000 → 2만 원."""
    ten_thousands, rest = divmod(amount, 10000)
    head = f"{ten_thousands:,}만" if ten_thousands else ""
    if rest == 0:
        return f"{head} 원" if head else "0원"
    tail = f"{rest // 1000}천 원" if rest % 1000 == 0 else won(rest)
    return f"{head} {tail}".lstrip()


# Dates and clock.

WEEKDAYS = tuple(day + "요일" for day in "월화수목금토일")
MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def month_reading(month: int) -> str:
    """6 → 유월, 10 → 시월 (표준어 names), otherwise Sino-Korean."""
    if not 1 <= month <= 12:
        raise ValueError(f"there is no month {month}")
    return {6: "유월", 10: "시월"}.get(month, sino(month) + "월")


def date(month: int, day: int) -> str:
    """3, 5 → 3월 5일."""
    return f"{month}월 {day}일"


def date_reading(month: int, day: int) -> str:
    """6, 15 → 유월 십오일 (a date is an ordinal: the counter is attached)."""
    return f"{month_reading(month)} {sino(day)}일"


def clock(hour: int, minute: int = 0) -> str:
    """3, 20 → 3시 20분; full hours without minutes."""
    return f"{hour}시 {minute}분" if minute else f"{hour}시"


def clock_reading(hour: int, minute: int = 0) -> str:
    """3, 20 → 세 시 이십 분 (hours 1..12 native, minutes Sino-Korean)."""
    if not 1 <= hour <= 12 or not 0 <= minute < 60:
        raise ValueError(f"the clock shows no {hour}:{minute:02}")
    return f"{count(hour, '시')} {count(minute, '분')}" if minute else count(hour, "시")
