"""Tools of daily life: weather, calendar, messages, shopping, directions."""

from __future__ import annotations

import random

from axk1.corpus.exercise import Side, number
from axk1.corpus.families.tools.skill import Skill, Verb, Wish, lines, spec
from axk1.corpus.families.tools.times import clock_time
from axk1.corpus.korean import native_modifier
from axk1.corpus.lexicon import CITIES, DAYS, LANDMARKS, choose, compose, full_name, given_name, integer_keys, words

_WEATHER = lines("""
    {day} {city} 날씨 {v}
    {city} {day} 날씨 {v}
    {day} {city} 날씨를 {v}
    {day} {city} 날씨 좀 {v}
    {city}의 {day} 날씨를 {v}
    {city} {day} 날씨가 궁금해{y}. {v}
    {day} {city}에 가{y}. 날씨 {v}
    {city} 날씨, {day} 것으로 {v}
""")


def _weather(rng: random.Random, _side: Side) -> Wish:
    city, day = choose(rng, CITIES), choose(rng, DAYS)
    verb = Verb("알려", "알려 주기") if rng.random() < 0.7 else Verb("확인해", "확인하기")
    return Wish("날씨", verb, _WEATHER, {"place": str(city), "day": str(day)}, {"city": city, "day": day})


_TITLE_HEADS = words(
    "영업팀 개발팀 홍보팀 연구팀 신입사원 신제품 월간 주간 고객 디자인 안전 품질 동창회 동아리 학부모 가족"
)
_TITLE_TAILS = words("회의 모임 행사 발표 교육 면담 평가 준비 설명회 간담회")
_EVENT = lines("""
    {day} {time}에 {title} 일정 {v}
    {day} {time} {title} 일정을 {v}
    {day} {time}에 {title:을} 일정에 {v}
    {title} 일정을 {day} {time}에 {v}
    {title}, {day} {time:으로} {v}
    {day} {time}에 {title:이} 있어{y}. 일정 {v}
    일정에 {day} {time} {title:을} {v}
    달력에 {day} {time} {title} {v}
""")


def _event(rng: random.Random, side: Side) -> Wish:
    title, day = compose(rng, side, _TITLE_HEADS, _TITLE_TAILS), choose(rng, DAYS)
    said, time = clock_time(rng, side)
    verb = rng.choice((Verb("추가해", "추가하기"), Verb("넣어", "넣기"), Verb("등록해", "등록하기")))
    arguments = {"title": str(title), "day": str(day), "time": time}
    return Wish("일정 추가", verb, _EVENT, arguments, {"title": title, "day": day, "time": said}, (title, time))


_TEXT_HEADS = words("지금|곧|회의가 끝나면|10분 뒤에|저녁에|내일|퇴근하고|점심 먹고|조금 있다가|주말에|집에서", "|")
_TEXT_TAILS = words(
    "출발할게요|전화할게요|만나요|다시 얘기해요|갈게요|보내 드릴게요|연락 주세요|확인할게요|같이 가요", "|"
)
_MESSAGE = lines("""
    {to}에게 '{text}'라고 문자 {v}
    {to}에게 '{text}'라고 메시지 {v}
    {to}한테 '{text}'라고 {v}
    {to}에게 '{text}' 하고 문자 좀 {v}
    '{text}'라고 {to}에게 문자 {v}
    '{text}'라고 {to}한테 메시지를 {v}
    {to:이} 기다려{y}. '{text}'라고 문자 {v}
    {to}에게 '{text}'라고만 {v}
""")


def _message(rng: random.Random, side: Side) -> Wish:
    text = compose(rng, side, _TEXT_HEADS, _TEXT_TAILS)
    to = full_name(rng, side) if rng.random() < 0.5 else given_name(rng, side)
    return Wish(
        "메시지",
        Verb("보내", "보내기"),
        _MESSAGE,
        {"to": str(to), "text": str(text)},
        {"to": to, "text": text},
        (to, text),
    )


_ITEM_HEADS = words("국산 유기농 할인 특가 고급 소포장 대용량 수입 저렴한 알뜰")
_ITEMS = words("우유 두부 사과 감자 라면 만두 김치 식빵 쿠키 주스 버섯 당근 양파 치즈 딸기 포도")
_CART = lines("""
    {item} {n} 장바구니에 {v}
    장바구니에 {item} {n} {v}
    {item:을} {n} {v}
    {item:을} 장바구니에 {n} {v}
    {item:이} 떨어졌어{y}. {n} {v}
    {item} {n}만 {v}
    장바구니에 {item:을} {n} {v}
    이번에는 {item:을} {n} {v}
""")


def _cart(rng: random.Random, side: Side) -> Wish:
    item, quantity = compose(rng, side, _ITEM_HEADS, _ITEMS), number(rng, 1, 20, side)
    count = f"{native_modifier(quantity)} 개" if quantity <= 12 else f"{quantity}개"
    arguments = {"item": str(item), "quantity": quantity}
    return Wish(
        "장바구니", Verb("담아", "담기"), _CART, arguments, {"item": item, "n": count}, (item, *integer_keys(quantity))
    )


_ROUTE = lines("""
    {place}까지 {v}
    {place}까지 길 {v}
    {place:으로} {v}
    {place} 가는 길 {v}
    {place:으로} 가는 길을 {v}
    지금 {place}까지 {v}
    {place:으로} 가야 해{y}. 길 {v}
    {place}까지 빠른 길로 {v}
""")


def _route(rng: random.Random, side: Side) -> Wish:
    place = compose(rng, side, CITIES, LANDMARKS)
    return Wish("길 안내", Verb("안내해", "안내하기"), _ROUTE, {"place": str(place)}, {"place": place}, (place,))


LIFE = (
    Skill(
        spec("get_weather", "날씨", place="string", day="string"),
        _weather,
        "place",
        lines("""
            {day} 날씨 {v}
            {day} 날씨 좀 {v}
            {day} 날씨를 {v}
            {day} 날씨가 궁금해{y}. {v}
            {day} 어디 좀 가{y}. 날씨 {v}
        """),
        ("어느 지역의 날씨를 알려 드릴까요?", "어느 도시의 날씨가 궁금하세요?"),
    ),
    Skill(
        spec("add_event", "일정 추가", title="string", day="string", time="string"),
        _event,
        "time",
        lines("""
            {day} {title} 일정 {v}
            {day}에 {title} 일정을 {v}
            {title} 일정을 {day}에 {v}
            {day}에 {title:이} 있어{y}. 일정 {v}
            달력에 {day} {title} {v}
        """),
        ("일정을 몇 시로 넣을까요?", "그 일정은 몇 시인가요?"),
    ),
    Skill(
        spec("send_message", "메시지", to="string", text="string"),
        _message,
        "text",
        lines("""
            {to}에게 문자 {v}
            {to}한테 문자 좀 {v}
            {to}에게 메시지 {v}
            {to}한테 메시지를 {v}
            {to:이} 기다려{y}. 문자 {v}
        """),
        ("뭐라고 보낼까요?", "어떤 내용으로 보낼까요?"),
    ),
    Skill(
        spec("add_to_cart", "장바구니", item="string", quantity="integer"),
        _cart,
        "quantity",
        lines("""
            {item} 장바구니에 {v}
            {item:을} 장바구니에 {v}
            장바구니에 {item} {v}
            장바구니에 {item:을} 좀 {v}
            {item:이} 떨어졌어{y}. 장바구니에 {v}
        """),
        ("몇 개를 담을까요?", "수량은 몇 개로 할까요?"),
    ),
    Skill(
        spec("navigate", "길 안내", place="string"),
        _route,
        "place",
        lines("""
            길 {v}
            길 좀 {v}
            길을 {v}
            지금 길 {v}
            빠른 길로 {v}
            차가 막혀{y}. 빠른 길로 {v}
        """),
        ("어디로 안내할까요?", "목적지가 어디인가요?"),
    ),
)
