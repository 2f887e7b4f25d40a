"""Little stories: somebody wants something, something is in the way, somebody helps, and it ends well."""

from __future__ import annotations

import random

from axk1.corpus.exercise import Side
from axk1.corpus.korean import Noun, count
from axk1.corpus.lexicon import given_name, words

_HOMES = words("산골 마을|바닷가 마을|작은 섬|강가 마을|숲속 마을|큰 도시|언덕 마을|눈 덮인 마을", "|")
_NATURES = words("마음씨가 고운|호기심이 많은|부지런한|겁이 많은|노래를 좋아하는|씩씩한|조용한|꾀가 많은", "|")
_KINDS = words("아이 소년 소녀 농부 어부 목수 여우 토끼 다람쥐 곰 고양이")

# wish | what is in the way | what the helper does | what is done at last; a last | continues the line
_TEXT = """
높은 산에 올라가 보고 싶|눈이 많이 와서 길이 사라졌다|지팡이를 빌려주고 길을 알려 주었다|
    산꼭대기에 올라 넓은 세상을 내려다보았다
바다 건너 섬에 가 보고 싶|배에 구멍이 나서 물이 들어왔다|나무판으로 구멍을 막아 주었다|무사히 섬에 닿았다
잃어버린 모자를 찾고 싶|숲이 너무 어두워서 아무것도 보이지 않았다|등불을 들고 함께 걸어 주었다|
    나무 밑에서 모자를 찾았다
할머니께 맛있는 빵을 드리고 싶|밀가루가 다 떨어졌다|자기 밀가루를 나누어 주었다|따뜻한 빵을 구워 할머니께 드렸다
별을 가까이에서 보고 싶|구름이 하늘을 가렸다|구름 위로 솟은 탑을 가르쳐 주었다|탑 위에서 밤새 별을 보았다
노래 대회에 나가고 싶|감기에 걸려서 목소리가 나오지 않았다|꿀을 넣은 차를 끓여 주었다|대회에서 고운 목소리로 노래했다
마당에 꽃밭을 만들고 싶|비가 오지 않아서 땅이 말랐다|우물에서 물을 길어다 주었다|마당 가득 꽃을 피웠다
마을 사람들을 위해 다리를 놓고 싶|나무가 너무 무거워서 옮길 수 없었다|소를 끌고 와서 나무를 옮겨 주었다|
    튼튼한 다리를 완성했다
새끼 새를 둥지에 돌려보내고 싶|나무가 너무 높아서 손이 닿지 않았다|긴 사다리를 가져와 주었다|
    새끼 새를 둥지에 돌려보냈다
친구에게 편지를 전하고 싶|갑자기 강물이 불어났다|작은 배를 저어 강을 건너게 해 주었다|친구에게 편지를 전했다
"""
_PLOTS = _TEXT.strip().replace("|\n    ", "|").split("\n")
_OPENINGS = (
    "옛날 어느 {home}에 {nature} {kind} {name:이} 살았다.",
    "{home}에 {nature} {kind:이} 있었다. 이름은 {name:이었다}.",
    "{name:은} {home}에 사는 {nature} {kind:이었다}.",
    "어느 {home}에 {name:이라는} {nature} {kind:이} 살고 있었다.",
)
_WANTS = ("{name:은} {wish}었다.", "{name:은} 오래전부터 {wish}었다.", "어느 날 {name:은} {wish}어졌다.")
_TROUBLES = ("그런데 {trouble}.", "하지만 {trouble}.", "{name:이} 막 시작하려는데 {trouble}.")
_TRIES = (
    "{name:은} {days} 동안 애썼지만 소용이 없었다.",
    "{name:은} 그만 주저앉아 울었다.",
    "{name:은} 포기하지 않고 방법을 찾았다.",
    "",
)
_HELPS = (
    "그때 {friend:이} 다가와 {help}.",
    "그 모습을 본 {friend:이} {help}.",
    "마침 지나가던 {friend:이} {help}.",
    "며칠 뒤 {friend:이} 찾아와 {help}.",
)
_ENDS = ("마침내 {name:은} {end}.", "덕분에 {name:은} {end}.", "그리하여 {name:은} {end}.")
_MORALS = (
    "그 뒤로 둘은 좋은 친구가 되었다.",
    "{name:은} {friend}에게 고맙다고 말했다.",
    "{name:은} 그날을 오래도록 잊지 못했다.",
    "그때부터 {name:은} 어려운 이를 보면 먼저 도왔다.",
    "마을 사람들은 그 이야기를 두고두고 나누었다.",
)
_SCENES = (_OPENINGS, _WANTS, _TROUBLES, _TRIES, _HELPS, _ENDS, _MORALS)


def tale(rng: random.Random, side: Side) -> str:
    """A story of six or seven sentences in the written style."""
    wish, trouble, helped, end = rng.choice(_PLOTS).split("|")
    hero = given_name(rng, side)
    while (friend := given_name(rng, side)) == hero:
        pass
    facts = {
        "home": rng.choice(_HOMES),
        "nature": rng.choice(_NATURES),
        "kind": Noun(rng.choice(_KINDS)),
        "name": hero,
        "friend": friend,
        "wish": wish,
        "trouble": trouble,
        "help": helped,
        "end": end,
        "days": rng.choice(("하루", "이틀", "사흘", "나흘", count(rng.randint(2, 5), "시간"))),
    }
    return " ".join(sentence.format(**facts) for sentence in map(rng.choice, _SCENES) if sentence)
