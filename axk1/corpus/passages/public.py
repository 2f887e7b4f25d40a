"""Notices, short news, and weather reports."""

from __future__ import annotations

import random

from axk1.corpus.exercise import Side, number
from axk1.corpus.korean import MONTH_DAYS, WEEKDAYS, Noun, clock, date, won
from axk1.corpus.lexicon import CITIES, choose, compose, full_name, words

_EVENTS = words(
    "사진 전시회|봄꽃 축제|책 나눔 행사|요리 교실|벼룩시장|영화 상영회|어린이 연극|한글 교실|음악회|그림 대회",
    "|",
)
_HALLS = words("시립도서관 시민공원 미술관 박물관 체육관 과학관 문화회관")
_REASONS = ("시설 점검", "내부 공사", "소독 작업", "전기 공사", "대청소", "기계 교체")
_ASKS = (
    "많은 관심 부탁드립니다.",
    "궁금한 점은 안내 창구에 문의해 주시기 바랍니다.",
    "자세한 내용은 게시판에서 확인하실 수 있습니다.",
    "여러분의 협조에 감사드립니다.",
)


def _day(rng: random.Random) -> Noun:
    month = rng.randint(1, 12)
    return Noun(f"{date(month, rng.randint(1, MONTH_DAYS[month - 1]))} {rng.choice(WEEKDAYS)}")


def _hour(rng: random.Random) -> Noun:
    hour = rng.randint(8, 19)
    half = "오전" if hour < 12 else "오후"
    return Noun(f"{half} {clock((hour - 1) % 12 + 1, rng.choice((0, 0, 30)))}")


_EVENT_NOTICES = (
    "{day} {hour}에 {place}에서 {event:을} 엽니다. {fee}",
    "{place}에서 {event:이} 열립니다. 날짜는 {day}이고 시작 시각은 {hour}입니다. {fee}",
    "여러분을 {event}에 초대합니다. {day} {hour}까지 {place:으로} 오시면 됩니다. {fee}",
    "{event} 참가자를 모집합니다. {event:은} {day} {hour}에 {place}에서 시작합니다. {fee}",
)
_CLOSING_NOTICES = (
    "{place:은} {reason:으로} 인해 {day}에 문을 닫습니다. 다음 날부터 다시 이용하실 수 있습니다.",
    "{day}에 {place}에서 {reason:이} 있습니다. 그날은 {hour}까지만 문을 엽니다.",
    "{reason} 때문에 {day} {hour}부터 {place} 이용이 어렵습니다.",
)


def notice(rng: random.Random, side: Side) -> str:
    """A notice of an event or of a closing."""
    fee = f"참가비는 {won(number(rng, 10, 99, side) * 100)}입니다." if rng.random() < 0.6 else "참가비는 없습니다."
    facts = {
        "place": compose(rng, side, CITIES, _HALLS),
        "event": choose(rng, _EVENTS),
        "reason": choose(rng, _REASONS),
        "day": _day(rng),
        "hour": _hour(rng),
        "fee": fee,
    }
    patterns = _EVENT_NOTICES if rng.random() < 0.6 else _CLOSING_NOTICES
    asks = _ASKS if patterns is _EVENT_NOTICES else (*_ASKS[1:], "불편을 드려 죄송합니다.")
    return f"[알림] {rng.choice(patterns).format(**facts)} {rng.choice(asks)}"


_COMERS = ("시민", "학생", "주민", "관광객", "어린이", "직장인")
_OPINIONS = (
    "기대보다 훨씬 좋았다",
    "가족과 함께 와서 더 즐거웠다",
    "내년에도 꼭 오고 싶다",
    "새로운 것을 많이 배웠다",
    "준비한 분들께 고맙다",
    "사람이 많아 조금 복잡했지만 재미있었다",
)
_REPORTS = (
    "{day} {place}에서 {event:이} 열렸다. 이날 행사에는 {comer} {count}명이 참가했다.",
    "{city}에서 열린 {event:이} {day} 막을 내렸다. 모두 {count}명이 {place:을} 찾았다.",
    "{place}에 {day} {comer} {count}명이 모였다. {event:을} 보기 위해서였다.",
)
_NEXT = (
    "다음 행사는 내년 이맘때에 열린다.",
    "주최 측은 내년에 더 큰 행사를 준비하고 있다.",
    "행사에서 모은 돈은 이웃을 돕는 데 쓰인다.",
    "비가 왔지만 행사는 예정대로 진행되었다.",
)


def news(rng: random.Random, side: Side) -> str:
    """A short report on an event in the written style."""
    place = compose(rng, side, CITIES, _HALLS)
    facts = {
        "place": place,
        "city": place.partition(" ")[0],
        "event": choose(rng, _EVENTS),
        "day": _day(rng),
        "comer": rng.choice(_COMERS),
        "count": number(rng, 30, 900, side),
    }
    quote = f'{rng.choice(_COMERS[:4])} {full_name(rng, side)} 씨는 "{rng.choice(_OPINIONS)}"라고 말했다.'
    said = [rng.choice(_REPORTS).format(**facts), quote]
    if rng.random() < 0.5:
        said.append(rng.choice(_NEXT))
    return " ".join(said)


_WEATHER = (
    "{day} {city:은} {sky}. 아침 기온은 {low}도, 낮 기온은 {high}도로 {trend}.",
    "{city}의 {day} 날씨입니다. {sky}. 낮에는 {high}도까지 오르고 밤에는 {low}도까지 내려갑니다.",
    "{day} {city} 지역은 {sky}. 기온은 {low}도에서 {high}도 사이로 {trend}.",
)
_SKIES = (
    "맑겠습니다",
    "구름이 많겠습니다",
    "오후에 비가 내리겠습니다",
    "바람이 강하게 불겠습니다",
    "아침에 안개가 끼겠습니다",
)
_TRENDS = ("어제와 비슷하겠습니다", "어제보다 조금 높겠습니다", "어제보다 낮겠습니다", "평년보다 따뜻하겠습니다")
_ADVICE = (
    "외출할 때 우산을 챙기세요.",
    "건강 관리에 유의하세요.",
    "운전할 때 조심하세요.",
    "옷차림에 신경 쓰세요.",
    "",
)


def weather(rng: random.Random, _side: Side) -> str:
    """A weather report."""
    low = rng.randint(1, 20)
    facts = {
        "day": rng.choice(("오늘", "내일", "모레", *WEEKDAYS)),
        "city": choose(rng, CITIES),
        "sky": rng.choice(_SKIES),
        "low": low,
        "high": rng.randint(low + 3, low + 12),
        "trend": rng.choice(_TRENDS),
    }
    return f"{rng.choice(_WEATHER).format(**facts)} {rng.choice(_ADVICE)}".strip()
