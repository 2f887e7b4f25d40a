"""How to do something, step by step, in one of four levels."""

from __future__ import annotations

import random

from axk1.corpus.conjugation import Predicate, predicate
from axk1.corpus.exercise import Side
from axk1.corpus.korean import Noun

# title | step | step …; a step is the words before the verb, a colon and the verb; a last | continues the line
_TEXT = """
라면 끓이는 법|냄비에 물을:붓 부어 부으|물이 끓으면 면과 수프를:넣 넣어|3분쯤 더:끓이 끓여|달걀을 하나:풀 풀어|
    불을:끄 꺼
밥 짓는 법|쌀을 깨끗이:씻 씻어|쌀을 30분 동안 물에:불리 불려|밥솥에 쌀과 물을:넣 넣어|뚜껑을 닫고 단추를:누르 눌러|
    다 되면 주걱으로:섞 섞어
달걀 삶는 법|냄비에 달걀을:넣 넣어|달걀이 잠길 만큼 물을:붓 부어 부으|소금을 조금:넣 넣어|10분 동안:삶 삶아|
    찬물에 담가:식히 식혀
차 끓이는 법|주전자에 물을:끓이 끓여|찻잔을 따뜻하게:데우 데워|찻잎을 한 숟가락:넣 넣어|
    뜨거운 물을 천천히:붓 부어 부으|2분쯤:기다리 기다려
샌드위치 만드는 법|빵을 살짝:굽 구워 구우|채소를:씻 씻어|빵에 소스를:바르 발라|채소와 햄을:올리 올려|
    빵을 덮고 반으로:자르 잘라
김밥 싸는 법|밥에 참기름과 소금을:섞 섞어|김 위에 밥을 얇게:펴 펴|그 위에 재료를:올리 올려|김을 돌돌:말 말아|
    한입 크기로:썰 썰어
꽃 심는 법|화분에 흙을 반쯤:담 담아|가운데에 꽃을:놓 놓아|빈 곳에 흙을:채우 채워|물을 넉넉히:주 줘|
    햇빛이 드는 곳에:두 둬
손 씻는 법|흐르는 물에 손을:적시 적셔|비누로 거품을:내 내|손가락 사이를:문지르 문질러|깨끗한 물로:헹구 헹궈|
    수건으로 물기를:닦 닦아
편지 부치는 법|편지를 봉투에:넣 넣어|봉투에 주소를:쓰 써|오른쪽 위에 우표를:붙이 붙여|봉투를 풀로:봉하 봉해|
    가까운 우체통에:넣 넣어
창문 닦는 법|마른걸레로 먼지를:털 털어|창문에 세제를:뿌리 뿌려|위에서 아래로:닦 닦아|신문지로 물기를:없애 없애
길 건너는 법|횡단보도 앞에:멈추 멈춰|초록불을:기다리 기다려|왼쪽과 오른쪽을:살피 살펴|손을 들고:건너 건너
책 빌리는 법|찾는 책의 제목을:검색하 검색해|책꽂이에서 책을:찾 찾아|대출 창구로 책을:가져가 가져가|
    회원증을 창구에:내밀 내밀어|돌려줄 날짜를:확인하 확인해
빨래하는 법|빨래를 색깔별로:나누 나눠|세탁기에 빨래를:넣 넣어|세제를 알맞게:붓 부어 부으|시작 단추를:누르 눌러|
    다 되면 바로:널 널어
사진 찍는 법|찍을 것을:정하 정해|카메라를 두 손으로:잡 잡아|화면 가운데에 초점을:맞추 맞춰|숨을 참고 단추를:누르 눌러
자전거 타는 법|안장 높이를:맞추 맞춰|안전모를:쓰 써|한 발을 발판에:올리 올려|앞을 보며 발판을:밟 밟아|
    멈출 때는 브레이크를 천천히:잡 잡아
"""
_TASKS = _TEXT.strip().replace("|\n    ", "|").split("\n")
_ORDERS = (
    ("먼저 ", "그다음 ", "그리고 ", "이어서 ", "마지막으로 "),
    ("1. ", "2. ", "3. ", "4. ", "5. "),
    ("첫째, ", "둘째, ", "셋째, ", "넷째, ", "다섯째, "),
)
_ENDINGS = ("{v.written}.", "{v.honorific}.", "{v.formal}.", "{v.infinitive}요.")
_CLOSINGS = {
    "{v.written}.": ("이렇게 하면 된다.", "어렵지 않다.", ""),
    "{v.honorific}.": ("이렇게 하면 돼요.", "참 쉽지요?", ""),
    "{v.formal}.": ("이렇게 하면 됩니다.", "이제 다 되었습니다.", ""),
    "{v.infinitive}요.": ("이렇게 하면 돼요.", "이제 다 됐어요.", ""),
}


def _step(text: str) -> tuple[str, Predicate]:
    said, verb = text.split(":")
    return said, predicate(verb)


def how_to(rng: random.Random, _side: Side) -> str:
    """A title and four or five steps."""
    title, *steps = rng.choice(_TASKS).split("|")
    order, ending = rng.choice(_ORDERS), rng.choice(_ENDINGS)
    marks = (*order[: len(steps) - 1], order[-1] if "마지막" in order[-1] else order[len(steps) - 1])
    said = []
    for mark, step in zip(marks, steps, strict=True):
        before, verb = _step(step)
        said.append(f"{mark}{before} {ending.format(v=verb)}")
    numbered = order[0].startswith("1")
    body = ("\n" if numbered else " ").join(said)
    closing = rng.choice(_CLOSINGS[ending])
    opening = rng.choice(
        (f"{title}\n", f"{Noun(title):을} 알아보자.\n", f"{title}: " if not numbered else f"{title}\n")
    )
    return f"{opening}{body}{'' if numbered or not closing else ' ' + closing}"
