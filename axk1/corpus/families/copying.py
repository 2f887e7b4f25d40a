"""Carrying over what was said: a phrase word for word, and the one value of a list that is asked for.

A small model that has met a few hundred names answers with a frequent one instead of the one it was given. Here the
words are drawn fresh from syllables and letters, so that nothing but looking back helps; tool calls, reading and
rewriting rest on the same skill.
"""

from __future__ import annotations

import random

from axk1.corpus.exercise import Attempt, Exercise, Family, Side, side_of
from axk1.corpus.families.grading import same_text
from axk1.corpus.korean import josa

_SYLLABLES = (
    "가각간감강개거건경계고공과관광교구국군권귀규그근금기길김나남내노농누늘다단달담당대덕도독돌동두등라란람래량레력로록론료루류리린림마만망매면명"
    "모목무문물미민바박반발방배백번범법벽변별병보복본봉부북분불비빈사산살상새색생서석선설성세소속손송수숙순술숲시식신실심아안앞야약양어언여역"
    "연열영예오온올옥와완외요용우운울원월위유육윤은음의이인일임자작잔장재저적전절점정제조종주중지직진집차창책처천철첫청초총추축춘출충치칠카코쿠크타"
    "탄탑태토통투트파판팔편평포표풍피하학한함합항해행향허현형호홍화환활황회효후훈휘흐희힘"
)
# Latin words of consonant and vowel, as names and brands are: of single letters a tokenizer would make a thousand pairs
# that mean nothing and come up seldom.
_CONSONANTS, _VOWELS = "bcdfghjklmnpqrstvwxyz", "aeiou"
_COPY = (
    "다음 말을 그대로 써 줘: {x}",
    "다음을 그대로 옮겨 쓰세요: {x}",
    "'{x}', 이 말을 그대로 적어 주세요.",
    "그대로 따라 써 줘: {x}",
    "{x}. 이대로 다시 써 줄래?",
)
_LOOK_UP = (
    "{list}. {key}의 값은 무엇인가요?",
    "{list}. 여기에서 {key}에 해당하는 값은?",
    "목록: {list}. {key_topic} 무엇이에요?",
)
_MOST_WORDS, _MOST_ENTRIES = 7, 5


def _word(rng: random.Random) -> str:
    """A word that means nothing: two or three syllables, now and then in Latin letters, or a number."""
    kind = rng.random()
    if kind < 0.1:
        return str(rng.randrange(10, 1000))
    if kind < 0.2:
        return "".join(rng.choice(_CONSONANTS) + rng.choice(_VOWELS) for _ in range(rng.randint(2, 3)))
    return "".join(rng.choices(_SYLLABLES, k=rng.choice((2, 2, 3))))


def _words(rng: random.Random, count: int, side: Side) -> list[str]:
    """Different words; the list as a whole lies on `side`."""
    while True:
        drawn = [_word(rng) for _ in range(count)]
        if len(set(drawn)) == count and side_of(f"words {' '.join(drawn)}") == side:
            return drawn


def _make_copy(rng: random.Random, side: Side) -> Exercise:
    phrase = " ".join(_words(rng, rng.randint(2, _MOST_WORDS), side))
    return Exercise(
        *("copy", "ko"),
        question=rng.choice(_COPY).format(x=phrase),
        reasoning=f"그대로: {phrase.split()[0]} …",
        answer=phrase,
        keys=(f"copy {phrase}",),
    )


def _make_lookup(rng: random.Random, side: Side) -> Exercise:
    count = rng.randint(2, _MOST_ENTRIES)
    drawn = _words(rng, 2 * count, side)
    entries = list(zip(drawn[::2], drawn[1::2], strict=True))
    key, value = rng.choice(entries)
    listed = ", ".join(f"{one}={other}" for one, other in entries)
    return Exercise(
        *("lookup", "ko"),
        question=rng.choice(_LOOK_UP).format(list=listed, key=key, key_topic=josa(key, "은/는")),
        reasoning=f"{key} → {value}",
        answer=value,
        keys=(f"lookup {listed}",),
    )


def _first_word(exercise: Exercise) -> Attempt:
    return Attempt(exercise.question.split()[0])


def _some_value(exercise: Exercise) -> Attempt:
    """The first value of the list, right by chance about one time in three."""
    return Attempt(exercise.question.partition("=")[2].split(",")[0].split(".")[0])


FAMILIES = (
    Family("copy", "그대로 옮기기", "copying word for word", _make_copy, same_text, _first_word),
    Family("lookup", "목록에서 찾기", "looking up in a list", _make_lookup, same_text, _some_value),
)
