"""What a short message is about."""

from __future__ import annotations

import random

from axk1.corpus.conjugation import Predicate, predicate
from axk1.corpus.exercise import Side, side_of
from axk1.corpus.families.classify.label import Labelled

# topic | clauses: the words before the verb, and the verb
_CLAUSES = """
날씨 | 비가:오 와, 눈이:내리 내려, 바람이:불 불어, 하늘이:맑 맑아
날씨 | 구름이:끼 껴, 기온이:떨어지 떨어져, 안개가:끼 껴, 천둥이:치 쳐
음식 | 찌개를:끓이 끓여, 김치를:담그 담가, 밥을:볶 볶아, 국수를:삶 삶아
음식 | 반찬을:만들 만들어, 과자를:먹 먹어, 국물을:마시 마셔, 나물을:무치 무쳐
운동 | 공을:차 차, 운동장을:달리 달려, 수영을:하 해, 경기에서:이기 이겨
운동 | 줄넘기를:하 해, 체조를:하 해, 골을:넣 넣어, 아령을:들 들어
여행 | 여권을:챙기 챙겨, 숙소를:예약하 예약해, 비행기를:타 타, 유적을:구경하 구경해
여행 | 짐을:꾸리 꾸려, 관광지를:돌 돌아, 기념품을:사 사, 배낭을:메 메
건강 | 열이:나 나, 약을:먹 먹어, 병원에:가 가, 기침을:하 해
건강 | 주사를:맞 맞아, 혈압을:재 재, 상처를:치료하 치료해, 진료를:받 받아
공부 | 시험을:보 봐, 단어를:외우 외워, 문제를:풀 풀어, 숙제를:내 내
공부 | 수업을:듣 들어 들으, 교과서를:읽 읽어, 논문을:쓰 써, 강의를:신청하 신청해
쇼핑 | 옷을:고르 골라, 값을:깎 깎아, 물건을:주문하 주문해, 신발을:환불하 환불해
쇼핑 | 할인을:받 받아, 영수증을:받 받아, 택배를:기다리 기다려, 가방을:교환하 교환해
교통 | 길이:막히 막혀, 버스를:기다리 기다려, 지하철을:갈아타 갈아타, 신호를:지키 지켜
교통 | 차를:세우 세워, 표를:끊 끊어, 택시를:잡 잡아, 도로를:건너 건너
"""


def _by_topic(text: str) -> dict[str, tuple[tuple[str, Predicate], ...]]:
    found: dict[str, tuple[tuple[str, Predicate], ...]] = {}
    for line in text.strip().split("\n"):
        topic, clauses = line.split(" | ")
        pairs = (clause.split(":") for clause in clauses.split(", "))
        found[topic] = found.get(topic, ()) + tuple((said, predicate(verb)) for said, verb in pairs)
    return found


_BY_TOPIC = _by_topic(_CLAUSES)
LABELS = tuple(_BY_TOPIC)
_TIMES = ("어제", "오늘", "아침에", "저녁에", "주말에", "지난주에", "오후에", "조금 전에")
_ENDINGS = ("{v.past}어요", "{v.past}다", "{v.past}습니다", "{v.past}어", "{v.past}네요")


def message(rng: random.Random, side: Side) -> Labelled:
    """One or two clauses on one topic."""
    while True:
        label = rng.choice(LABELS)
        words, verb = rng.choice(_BY_TOPIC[label])
        said = f"{words} {rng.choice(_ENDINGS).format(v=verb)}"
        before, also = rng.choice(_BY_TOPIC[label])
        if before != words and rng.random() < 0.5:
            said = f"{before} {also.stem}고 {said}"
        text = f"{rng.choice(_TIMES)} {said}."
        if side_of(text) == side:
            return Labelled(text, label, f"{words} {verb.stem}다 → {label}", text)
