"""Plain facts of everyday life: animals, jobs, things, food, opposites, seasons; each told in one of several ways."""

from __future__ import annotations

import random

from axk1.corpus.exercise import Side
from axk1.corpus.korean import Noun, count
from axk1.corpus.lexicon import words

# name | kind | where it lives | what it eats | what it does, in the written style, 해요체 and 합니다체
_ANIMALS = """
개|젖먹이동물|사람 곁|고기와 사료|냄새를 잘 맡는다/냄새를 잘 맡아요/냄새를 잘 맡습니다|4
고양이|젖먹이동물|사람 곁|생선과 고기|밤에도 잘 본다/밤에도 잘 봐요/밤에도 잘 봅니다|4
소|젖먹이동물|농장|풀|우유를 준다/우유를 줘요/우유를 줍니다|4
말|젖먹이동물|초원|풀|빨리 달린다/빨리 달려요/빨리 달립니다|4
토끼|젖먹이동물|들과 산|풀과 채소|멀리 뛴다/멀리 뛰어요/멀리 뜁니다|4
코끼리|젖먹이동물|초원|풀과 나뭇잎|긴 코로 물을 마신다/긴 코로 물을 마셔요/긴 코로 물을 마십니다|4
고래|젖먹이동물|바다|물고기와 새우|물 위로 올라와 숨을 쉰다/물 위로 올라와 숨을 쉬어요/물 위로 올라와 숨을 쉽니다|0
호랑이|젖먹이동물|숲|고기|혼자 사냥한다/혼자 사냥해요/혼자 사냥합니다|4
곰|젖먹이동물|숲|열매와 물고기|겨울잠을 잔다/겨울잠을 자요/겨울잠을 잡니다|4
참새|새|마을|씨앗과 벌레|무리를 지어 난다/무리를 지어 날아요/무리를 지어 납니다|2
독수리|새|높은 산|고기|하늘 높이 난다/하늘 높이 날아요/하늘 높이 납니다|2
닭|새|농장|곡식과 벌레|알을 낳는다/알을 낳아요/알을 낳습니다|2
펭귄|새|추운 바닷가|물고기|헤엄을 잘 친다/헤엄을 잘 쳐요/헤엄을 잘 칩니다|2
개미|곤충|땅속|여러 가지 먹이|함께 집을 짓는다/함께 집을 지어요/함께 집을 짓습니다|6
벌|곤충|벌집|꽃가루와 꿀|꿀을 모은다/꿀을 모아요/꿀을 모읍니다|6
나비|곤충|꽃밭|꿀|꽃에서 꽃으로 난다/꽃에서 꽃으로 날아요/꽃에서 꽃으로 납니다|6
개구리|양서류|물가|벌레|긴 혀로 벌레를 잡는다/긴 혀로 벌레를 잡아요/긴 혀로 벌레를 잡습니다|4
거북|파충류|바다와 물가|풀과 물고기|오래 산다/오래 살아요/오래 삽니다|4
"""
_EATS = ("{eats:을} 먹는다", "{eats:을} 먹어요", "{eats:을} 먹습니다")
_LIVES = ("{home}에 산다", "{home}에 살아요", "{home}에 삽니다")
_COUNTS = ("다리가 {legs}다", "다리가 {legs}예요", "다리가 {legs}입니다")
_BEING = (
    ("{name:은} {kind}이다", "{name:은} {kind:이에요}", "{name:은} {kind}입니다"),
    (
        "{name:은} {home}에 사는 {kind}이다",
        "{name:은} {home}에 사는 {kind:이에요}",
        "{name:은} {home}에 사는 {kind}입니다",
    ),
)


def animal(rng: random.Random, _side: Side) -> str:
    """What an animal is, where it lives, what it eats and what it does."""
    name, kind, home, eats, does, legs = rng.choice(_ANIMALS.strip().split("\n")).split("|")
    level = rng.randrange(3)
    facts = {"name": Noun(name), "kind": Noun(kind), "home": home, "eats": Noun(eats), "legs": _legs(int(legs))}
    housed = rng.randrange(2)
    others = [_EATS[level], does.split("/")[level]] if housed else [_LIVES[level], _EATS[level], does.split("/")[level]]
    if int(legs):
        others.append(_COUNTS[level])
    rng.shuffle(others)
    said = [_BEING[housed][level], *others[: rng.randint(2, len(others))]]
    return " ".join(f"{sentence.format(**facts)}." for sentence in said)


def _legs(legs: int) -> str:
    return count(legs, "개") if legs else ""


_JOBS = """
의사|병원|아픈 사람을 치료하는
간호사|병원|환자를 돌보는
교사|학교|학생을 가르치는
요리사|식당|음식을 만드는
소방관|소방서|불을 끄고 사람을 구하는
경찰관|경찰서|나라의 질서를 지키는
농부|논밭|곡식과 채소를 기르는
어부|바다|물고기를 잡는
우체부|우체국|편지와 소포를 나르는
사서|도서관|책을 정리하고 빌려주는
약사|약국|약을 짓는
기관사|기차|기차를 운전하는
조종사|비행기|비행기를 조종하는
목수|공사장|나무로 집과 가구를 만드는
미용사|미용실|머리를 손질하는
화가|화실|그림을 그리는
기자|신문사|소식을 취재하고 알리는
수의사|동물 병원|아픈 동물을 치료하는
"""
_THINGS = """
가위|종이나 천을 자를
연필|글씨를 쓸
지우개|글씨를 지울
우산|비를 막을
냉장고|음식을 차게 보관할
세탁기|옷을 빨
시계|시각을 확인할
저울|무게를 잴
자|길이를 잴
온도계|온도를 잴
망치|못을 박을
빗자루|바닥을 쓸
국자|국을 뜰
돋보기|작은 것을 크게 볼
지도|길을 찾을
달력|날짜를 볼
거울|얼굴을 비춰 볼
열쇠|문을 열
안경|글씨를 또렷하게 볼
사다리|높은 곳에 올라갈
"""
_JOB_WAYS = (
    "{name:은} {place}에서 일하며, {does} 사람이다.",
    "{does} 사람을 {name:이라고} 한다. 주로 {place}에서 일한다.",
    "{place}에 가면 {name:을} 만날 수 있다. {name:은} {does} 일을 한다.",
    "{name:은} 무슨 일을 할까요? {does} 일을 해요. 일하는 곳은 주로 {place:이에요}.",
    "{does} 사람을 무엇이라고 부를까요? {name:이라고} 불러요.",
)
_THING_WAYS = (
    "{name:은} {use} 때 쓰는 물건이다.",
    "{use} 때에는 {name:을} 쓴다.",
    "{use} 때 무엇이 필요할까요? {name:이} 필요해요.",
    "{name:은} {use} 때 씁니다. 집마다 하나쯤 있습니다.",
)


def job_or_thing(rng: random.Random, _side: Side) -> str:
    """What two or three jobs or things are for."""
    said = []
    for _ in range(rng.randint(1, 3)):
        if rng.random() < 0.5:
            name, place, does = rng.choice(_JOBS.strip().split("\n")).split("|")
            said.append(rng.choice(_JOB_WAYS).format(name=Noun(name), place=Noun(place), does=does))
        else:
            name, use = rng.choice(_THINGS.strip().split("\n")).split("|")
            said.append(rng.choice(_THING_WAYS).format(name=Noun(name), use=use))
    return "\n".join(said)


_OPPOSITES = words(
    "크다/작다 길다/짧다 높다/낮다 넓다/좁다 무겁다/가볍다 밝다/어둡다 빠르다/느리다 많다/적다 덥다/춥다 깊다/얕다 "
    "비싸다/싸다 쉽다/어렵다 열다/닫다 켜다/끄다 앉다/서다 사다/팔다 웃다/울다 오르다/내리다 시작하다/끝나다"
)
_GROUPS = """
과일|사과,배,포도,딸기,수박,감,귤,복숭아
채소|배추,무,당근,오이,시금치,상추,양파
곡식|쌀,보리,밀,콩,수수,옥수수
악기|피아노,기타,장구,북,바이올린,피리
탈것|버스,기차,비행기,배,자전거,택시,지하철
계절|봄,여름,가을,겨울
색|빨강,노랑,파랑,초록,하양,검정
가족|어머니,아버지,할머니,할아버지,누나,동생
옷|바지,치마,셔츠,외투,조끼
운동|축구,야구,농구,수영,탁구,배구
"""


def word_lore(rng: random.Random, _side: Side) -> str:
    """Opposites, or what belongs to a group of words."""
    if rng.random() < 0.5:
        pairs = rng.sample(_OPPOSITES, rng.randint(2, 4))
        return " ".join(_opposite(rng, *pair.split("/")) for pair in pairs)
    group, members = rng.choice(_GROUPS.strip().split("\n")).split("|")
    chosen = rng.sample(members.split(","), 3)
    listed = f"{Noun(chosen[0]):과} {Noun(chosen[1]):과} {Noun(chosen[2]):은}"
    return rng.choice(
        (
            f"{listed} 모두 {Noun(group):이다}.",
            f"{', '.join(chosen)} 같은 것을 {Noun(group):이라고} 한다.",
            f"{group}에는 {', '.join(chosen)} 등이 있다.",
        )
    )


def _opposite(rng: random.Random, one: str, other: str) -> str:
    if rng.random() < 0.5:
        one, other = other, one
    return rng.choice((f"'{one}'의 반대말은 '{other}'이다.", f"'{one}'와 '{other}'는 서로 반대되는 말이다."))
