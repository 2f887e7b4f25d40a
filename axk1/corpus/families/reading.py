"""Reading: two to four sentences about people or places, and a question whose answer stands in them."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from axk1.corpus.conjugation import Predicate, predicate
from axk1.corpus.exercise import Attempt, Exercise, Family, Side, number, side_of
from axk1.corpus.families.grading import same_span
from axk1.corpus.korean import WEEKDAYS, Noun, clock, count, won
from axk1.corpus.lexicon import CITIES, choose, compose, full_name, given_name, integer_keys, spot, words


@dataclass(frozen=True)
class _Scene:
    verb: Predicate
    things: tuple[tuple[str, str], ...]  # an object and its counter
    places: tuple[str, ...]


_SCENES = """
사 사 | 장미:송이 튤립:송이 국화:송이 화분:개 | 꽃집
사 사 | 공책:권 연필:자루 지우개:개 색종이:장 | 문구점 가게
사 사 | 사과:개 수박:통 생선:마리 달걀:개 | 시장 가게
빌리 빌려 | 책:권 소설:권 잡지:권 동화책:권 | 도서관 책방
굽 구워 구우 | 쿠키:개 빵:개 고구마:개 | 빵집 공방 식당
그리 그려 | 그림:장 지도:장 엽서:장 | 미술관 공방 학교
찍 찍어 | 사진:장 | 미술관 카페 학교
마시 마셔 | 커피:잔 우유:잔 녹차:잔 주스:잔 | 카페 빵집
먹 먹어 | 김밥:줄 만두:개 국수:그릇 떡:개 | 식당 분식집
팔 팔아 | 모자:개 옷:벌 신발:켤레 가방:개 | 시장 가게
고치 고쳐 | 시계:개 의자:개 자전거:대 컴퓨터:대 | 공방 학교 병원
심 심어 | 나무:그루 꽃:송이 상추:포기 | 학교 병원 도서관
옮기 옮겨 | 상자:개 책상:개 화분:개 의자:개 | 학교 병원 도서관
보내 보내 | 편지:통 소포:개 엽서:장 | 우체국
"""


def _scene(line: str) -> _Scene:
    verb, things, places = line.split(" | ")
    pairs = tuple((thing.split(":")[0], thing.split(":")[1]) for thing in things.split(" "))
    return _Scene(predicate(verb), pairs, tuple(places.split(" ")))


_PARTICLE = re.compile("(은|는|이|가|에|에서)$")

_ALL_SCENES = tuple(_scene(line) for line in _SCENES.strip().split("\n"))
_WHEN_DAYS = (*WEEKDAYS, "어제", "그저께")
_WHEN_PARTS = ("아침", "오전", "오후", "저녁")
_ENDINGS = ("다", "어요", "습니다")  # after a past base
_WEATHER = ("날씨가 맑았", "바람이 불었", "비가 조금 내렸", "거리가 조용했", "사람이 많았")


@dataclass(frozen=True)
class _Event:
    """Who did what with how many things, where and when."""

    name: Noun
    when: Noun
    where: Noun
    thing: Noun
    counter: str
    amount: Noun
    verb: Predicate

    def words(self) -> dict[str, object]:
        mod, past = self.verb.attributive_past, self.verb.past
        return {**vars(self), "mod": mod, "past": past}


def _event(rng: random.Random, side: Side) -> _Event:
    while True:
        scene = rng.choice(_ALL_SCENES)
        if side_of(where := spot(rng, rng.choice(scene.places))) == side:
            break
    thing, counter = rng.choice(scene.things)
    when = compose(rng, side, _WHEN_DAYS, _WHEN_PARTS)
    amount = Noun(count(rng.randint(1, 12), counter))
    return _Event(given_name(rng, side), when, where, Noun(thing), counter, amount, scene.verb)


def _events(rng: random.Random, side: Side) -> list[_Event]:
    """One to three events that differ in who, when, where and what, so that any of these names one of them."""
    events: list[_Event] = []
    wanted = rng.choice((1, 2, 2, 2, 3))
    while len(events) < wanted:
        drawn = _event(rng, side)
        if all(
            drawn.name != e.name and drawn.when != e.when and drawn.where != e.where and drawn.thing != e.thing
            for e in events
        ):
            events.append(drawn)
    return events


_TELLINGS = (
    "{name:은} {when}에 {where}에서 {thing} {amount:을} {past}",
    "{when}에 {name:은} {where}에서 {thing:을} {amount} {past}",
    "{name:은} {where}에서 {when}에 {thing:을} {amount} {past}",
    "{where}에서 {name:이} {when}에 {thing} {amount:을} {past}",
)
_EVENT_QUESTIONS = {
    "name": (
        "누가 {where}에서 {thing:을} {past}나요?",
        "{thing:을} {mod} 사람은 누구인가요?",
        "{when}에 {thing:을} {mod} 사람은 누구예요?",
        "{where}에 있던 사람은 누구인가요?",
    ),
    "where": (
        "{name:은} 어디에서 {thing:을} {past}나요?",
        "{name:이} {thing:을} {mod} 곳은 어디인가요?",
        "{name:은} {when}에 어디에 있었나요?",
        "{thing:을} {mod} 곳은 어디예요?",
    ),
    "when": (
        "{name:은} 언제 {thing:을} {past}나요?",
        "{name:이} {where}에 있던 때는 언제인가요?",
        "{name:은} {where}에서 언제 {thing:을} {past}어요?",
        "{thing:을} {mod} 때는 언제인가요?",
    ),
    "amount": (
        "{name:은} {thing:을} 몇 {counter} {past}나요?",
        "{name:이} {mod} {thing:은} 몇 {counter}인가요?",
        "{where}에서 {mod} {thing:은} 몇 {counter}인가요?",
    ),
    "thing": (
        "{name:은} {where}에서 무엇을 {past}나요?",
        "{name:이} {mod} 것은 무엇인가요?",
        "{where}에서 {name:이} {mod} 것은 무엇인가요?",
        "{name:은} {when}에 무엇을 {past}어요?",
    ),
}
_EVENT_ASPECTS = tuple(_EVENT_QUESTIONS)


def _about_events(rng: random.Random, side: Side) -> Exercise:
    events, ending = _events(rng, side), rng.choice(_ENDINGS)
    said = [rng.choice(_TELLINGS).format(**event.words()) + ending for event in events]
    if len(events) < 3 and rng.random() < 0.4:
        weather = rng.choice(_WEATHER)
        said.insert(rng.choice((0, len(said))), weather + ending)
    asked, aspect = rng.choice(events), rng.choice(_EVENT_ASPECTS)
    question = rng.choice(_EVENT_QUESTIONS[aspect]).format(**asked.words())
    keys = tuple(str(part) for event in events for part in (event.name, event.when, event.where))
    thought = f"{asked.name}: {asked.when}, {asked.where}, {asked.thing} {asked.amount}"
    return _exercise(said, question, thought, str(vars(asked)[aspect]), keys)


def _exercise(said: list[str], question: str, thought: str, answer: str, keys: tuple[str, ...]) -> Exercise:
    passage = " ".join(f"{sentence}." for sentence in said)
    return Exercise("reading", "ko", f"{passage}\n{question}", thought, answer, keys=keys)


_JOBS = words("화가 의사 교사 요리사 기자 농부 가수 변호사 간호사 목수 배우 작가 사진사 소방관 약사")
_HOBBIES = words("등산 낚시 수영 독서 요리 바둑 달리기 캠핑 뜨개질 자전거 사진 춤 탁구 산책")
_PROFILES = (
    ("{name} 씨는 {city}에 사는 {job}이다", "나이는 {age}살이고 취미는 {hobby}이다"),
    ("{name} 씨는 {age}살이고 {city}에 산다", "직업은 {job}이며 취미는 {hobby}이다"),
    ("{city}에 사는 {name} 씨는 {job}이다", "{hobby:을} 좋아하며 올해 {age}살이다"),
)
_PROFILES_POLITE = (
    ("{name} 씨는 {city}에 사는 {job}입니다", "나이는 {age}살이고 취미는 {hobby}입니다"),
    ("{name} 씨는 {age}살이고 {city}에 삽니다", "직업은 {job}이며 취미는 {hobby}입니다"),
    ("{city}에 사는 {name} 씨는 {job}입니다", "{hobby:을} 좋아하며 올해 {age}살입니다"),
)
_PROFILE_QUESTIONS = {
    "job": (
        "{name} 씨의 직업은 무엇인가요?",
        "{name} 씨는 무슨 일을 하나요?",
        "{city}에 사는 사람의 직업은 무엇인가요?",
    ),
    "city": ("{name} 씨는 어디에 사나요?", "{name} 씨가 사는 곳은 어디인가요?", "{job:은} 어디에 사나요?"),
    "age": ("{name} 씨는 몇 살인가요?", "{name} 씨의 나이는 몇 살이에요?", "{job:은} 몇 살인가요?"),
    "hobby": (
        "{name} 씨의 취미는 무엇인가요?",
        "{name} 씨는 무엇을 좋아하나요?",
        "{city}에 사는 사람의 취미는 무엇인가요?",
    ),
    "name": ("{city}에 사는 사람은 누구인가요?", "{job:은} 누구인가요?", "취미가 {hobby}인 사람은 누구인가요?"),
}


def _profile(rng: random.Random, side: Side) -> dict[str, Noun]:
    values = {
        "name": full_name(rng, side),
        "city": choose(rng, CITIES),
        "job": choose(rng, _JOBS),
        "hobby": choose(rng, _HOBBIES),
    }
    return values | {"age": Noun(number(rng, 20, 69, side))}


def _people(rng: random.Random, side: Side) -> list[dict[str, Noun]]:
    """One or two people who differ in everything."""
    first = _profile(rng, side)
    if rng.random() < 0.4:
        return [first]
    while True:
        second = _profile(rng, side)
        if all(second[key] != first[key] for key in first):
            return [first, second]


def _about_people(rng: random.Random, side: Side) -> Exercise:
    people = _people(rng, side)
    patterns = rng.choice((_PROFILES, _PROFILES_POLITE))
    said = [sentence.format(**person) for person in people for sentence in rng.choice(patterns)]
    asked, aspect = rng.choice(people), rng.choice(tuple(_PROFILE_QUESTIONS))
    question = rng.choice(_PROFILE_QUESTIONS[aspect]).format(**asked)
    keys = tuple(str(person["name"]) for person in people) + integer_keys(*(int(person["age"]) for person in people))
    thought = f"{asked['name']}: {asked['city']}, {asked['job']}, {asked['age']}살, {asked['hobby']}"
    answer = f"{asked['age']}살" if aspect == "age" else str(asked[aspect])
    return _exercise(said, question, thought, answer, keys)


_HALLS = words("미술관 박물관 과학관 체육관 수영장 식물원 동물원 공연장 수족관 전시관")
_NOTICES = (
    ("{place:은} {day}마다 쉽니다", "문은 {opens}에 열고 {closes}에 닫습니다", "입장료는 {fee}입니다"),
    ("{place:은} {opens}에 문을 엽니다", "쉬는 날은 {day}입니다", "표는 {fee}이며 {closes}에 문을 닫습니다"),
    ("{place} 안내입니다", "표는 한 장에 {fee}이고 {day}에는 쉽니다", "{opens}부터 {closes}까지 문을 엽니다"),
    ("{place}에 오신 것을 환영합니다", "{opens}에 열고 {closes}에 닫습니다", "{day}에는 쉬며 입장료는 {fee}입니다"),
)
_NOTICE_QUESTIONS = {
    "day": ("{place:은} 언제 쉬나요?", "쉬는 날은 언제인가요?", "무슨 요일에 문을 열지 않나요?"),
    "opens": ("몇 시에 문을 여나요?", "{place:은} 몇 시에 여나요?", "문을 여는 시각은 언제인가요?"),
    "closes": ("몇 시에 문을 닫나요?", "{place:은} 몇 시에 닫나요?", "문을 닫는 시각은 언제인가요?"),
    "fee": ("입장료는 얼마인가요?", "표는 얼마예요?", "{place}에 들어가려면 얼마를 내나요?"),
    "place": ("어디에 대한 글인가요?", "이 글이 알리는 곳은 어디인가요?", "{day}에 쉬는 곳은 어디인가요?"),
}


def _about_a_place(rng: random.Random, side: Side) -> Exercise:
    hundreds = number(rng, 5, 99, side)
    facts = {
        "place": compose(rng, side, CITIES, _HALLS),
        "day": choose(rng, WEEKDAYS),
        "opens": Noun(f"오전 {clock(rng.randint(8, 11), rng.choice((0, 30)))}"),
        "closes": Noun(f"오후 {clock(rng.randint(4, 9), rng.choice((0, 30)))}"),
        "fee": Noun(won(hundreds * 100)),
    }
    said = [sentence.format(**facts) for sentence in rng.choice(_NOTICES)]
    aspect = rng.choice(tuple(_NOTICE_QUESTIONS))
    question = rng.choice(_NOTICE_QUESTIONS[aspect]).format(**facts)
    thought = f"{facts['place']}: {facts['day']} 쉼, {facts['opens']}~{facts['closes']}, {facts['fee']}"
    return _exercise(said, question, thought, str(facts[aspect]), (str(facts["place"]), *integer_keys(hundreds)))


def make(rng: random.Random, side: Side) -> Exercise:
    """A passage on what people did, who they are, or when a place is open."""
    draw = rng.random()
    if draw < 0.6:
        return _about_events(rng, side)
    return _about_people(rng, side) if draw < 0.8 else _about_a_place(rng, side)


def guess(exercise: Exercise) -> Attempt:
    """Baseline: the passage's first word, without its particle."""
    return Attempt(_PARTICLE.sub("", exercise.question.partition(" ")[0]))


FAMILY = Family("reading", "읽고 답하기", "reading", make, same_span, guess)
