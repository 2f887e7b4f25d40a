"""Dialogues of two people, in 반말 or in 해요체 throughout: what one did, what one plans, asking the way, shopping."""

from __future__ import annotations

import random

from axk1.corpus.exercise import Side, number
from axk1.corpus.korean import Noun, clock, count, won
from axk1.corpus.lexicon import CITIES, LANDMARKS, compose, given_name
from axk1.corpus.scenes import ANY_TIME, NOBODY, draw_scene

_PAST_QUESTIONS = {
    "casual": ("{time} 뭐 했어?", "{time} 어떻게 보냈어?"),
    "polite": ("{time} 뭐 했어요?", "{time} 어떻게 보냈어요?"),
}
_REACTIONS = {
    "casual": ("재미있었겠다.", "그랬구나. 나는 집에서 쉬었어.", "좋았겠다. 어땠어?", "나도 해 보고 싶다."),
    "polite": ("재미있었겠네요.", "그랬군요. 저는 집에서 쉬었어요.", "좋았겠어요. 어땠어요?", "저도 해 보고 싶어요."),
}
_VERDICTS = {
    "casual": ("생각보다 재미있었어.", "조금 힘들었지만 좋았어.", "시간이 금방 갔어."),
    "polite": ("생각보다 재미있었어요.", "조금 힘들었지만 좋았어요.", "시간이 금방 갔어요."),
}
_PROPOSALS = {
    "casual": ("{time} 같이 {did}까?", "그럼 {time} 나랑 {plain} 어때?"),
    "polite": ("{time} 같이 {did}까요?", "그럼 {time} 저랑 {plain} 어때요?"),
}
_AGREEMENTS = {
    "casual": ("좋아! {hour}에 만나자.", "그래, {hour}에 어디서 볼까?", "미안해, 그날은 바빠. 다음에 하자."),
    "polite": ("좋아요! {hour}에 만나요.", "네, {hour}에 어디서 볼까요?", "미안해요, 그날은 바빠요. 다음에 해요."),
}
_PLACES = {
    "casual": ("역 앞에서 보자.", "우리 집으로 와.", "학교 앞이 좋겠어."),
    "polite": ("역 앞에서 봬요.", "정류장에서 만나요.", "학교 앞이 좋겠어요."),
}
_DONE = {"casual": "{v.past}어.", "polite": "{v.past}어요."}


def chat(rng: random.Random, side: Side) -> str:
    """Two friends tell what they did and make a plan."""
    level = rng.choice(("casual", "polite"))
    one, other = given_name(rng, side), given_name(rng, side)
    did, plan = draw_scene(rng, side, ANY_TIME, NOBODY), draw_scene(rng, side, ANY_TIME, NOBODY)
    reaction = rng.choice(_REACTIONS[level])
    turns = [rng.choice(_PAST_QUESTIONS[level]).format(time=rng.choice(("어제", "주말에", "오늘 아침에")))]
    turns += [did.sentence("", _DONE[level]), reaction]
    if "어땠" in reaction:
        turns.append(rng.choice(_VERDICTS[level]))
    turns.append(_proposal(rng, level, plan.sentence("", "{v.prospective}"), plan.sentence("", "{v.stem}는 것")))
    agreement = rng.choice(_AGREEMENTS[level])
    turns.append(agreement.format(hour=f"오후 {clock(rng.randint(1, 8), rng.choice((0, 30)))}"))
    if "어디" in agreement:
        turns.append(rng.choice(_PLACES[level]))
    return _spoken((one, other), turns)


def _proposal(rng: random.Random, level: str, did: str, plain: str) -> str:
    time = rng.choice(("내일", "주말에", "이따가", "다음 주에"))
    return rng.choice(_PROPOSALS[level]).format(time=time, did=did, plain=plain)


def _spoken(names: tuple[str, str], turns: list[str]) -> str:
    return "\n".join(f"{names[at % 2]}: {turn}" for at, turn in enumerate(turns))


_GOODS = (
    ("사과", "개", 10),
    ("배", "개", 20),
    ("공책", "권", 15),
    ("연필", "자루", 5),
    ("장미", "송이", 20),
    ("빵", "개", 12),
)
_GOODS_MORE = (("우유", "병", 18), ("수건", "장", 30), ("양말", "켤레", 25), ("생선", "마리", 40), ("떡", "접시", 35))


def shop(rng: random.Random, side: Side) -> str:
    """A customer buys some of something; the sum is right."""
    thing, counter, hundreds = rng.choice(_GOODS + _GOODS_MORE)
    price, amount = hundreds * 100, rng.randint(2, 9)
    many = Noun(count(amount, counter))
    turns = [
        rng.choice(("어서 오세요. 무엇을 찾으세요?", "안녕하세요. 뭐 드릴까요?")),
        rng.choice((f"{Noun(thing):은} 한 {counter}에 얼마예요?", f"{Noun(thing):을} 사러 왔어요. 얼마예요?")),
        f"한 {counter}에 {won(price)}이에요.",
        rng.choice((f"그럼 {many} 주세요.", f"{many:을} 살게요.")),
        f"모두 {won(price * amount)}입니다.",
    ]
    if rng.random() < 0.5:
        turns.append(rng.choice(("여기 있어요. 고맙습니다.", "카드로 계산할게요.", "감사합니다. 안녕히 계세요.")))
    names = ("주인", "손님") if rng.random() < 0.5 else ("점원", str(given_name(rng, side)))
    return _spoken(names, turns)


_TURNS = (
    "이 길로 쭉 가세요.",
    "다음 사거리에서 왼쪽으로 도세요.",
    "큰길을 건너세요.",
    "우체국을 지나 오른쪽으로 가세요.",
)
_ARRIVALS = ("그러면 오른쪽에 보여요.", "다리를 건너면 바로예요.", "모퉁이를 돌면 있어요.", "그 앞에 안내판이 있어요.")
_DISTANCES = ("걸어서 {n}분쯤 걸려요.", "여기에서 {n}분이면 가요.", "버스로 {n}분 걸려요.")


def directions(rng: random.Random, side: Side) -> str:
    """Somebody asks the way."""
    place = compose(rng, side, CITIES, LANDMARKS)
    steps = f"{rng.choice(_TURNS)} {rng.choice(_ARRIVALS)}"
    turns = [
        rng.choice((f"실례합니다. {place}까지 어떻게 가나요?", f"저기요, {place:이} 어디에 있나요?")),
        steps,
        rng.choice(("여기에서 먼가요?", "얼마나 걸리나요?")),
        rng.choice(_DISTANCES).format(n=number(rng, 3, 30, side)),
        rng.choice(("고맙습니다.", "친절하게 알려 주셔서 감사합니다.", "네, 감사합니다.")),
    ]
    return _spoken(("여행자", "주민"), turns)
