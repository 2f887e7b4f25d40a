"""Endings against forms written out by hand."""

from __future__ import annotations

import pytest

from axk1.corpus.conjugation import predicate
from axk1.corpus.families.classify import sentiment, topic
from axk1.corpus.lexicon import ACTIONS

# bases: past, written, formal, prospective, honorific, joint, attributive, past attributive, because
VERBS = {
    "먹 먹어": "먹었 먹는다 먹습니다 먹을 먹으세요 먹읍시다 먹는 먹은 먹으니까",
    "가 가": "갔 간다 갑니다 갈 가세요 갑시다 가는 간 가니까",
    "하 해": "했 한다 합니다 할 하세요 합시다 하는 한 하니까",
    "만들 만들어": "만들었 만든다 만듭니다 만들 만드세요 만듭시다 만드는 만든 만드니까",
    "듣 들어 들으": "들었 듣는다 듣습니다 들을 들으세요 들읍시다 듣는 들은 들으니까",
    "굽 구워 구우": "구웠 굽는다 굽습니다 구울 구우세요 구웁시다 굽는 구운 구우니까",
    "돕 도와 도우": "도왔 돕는다 돕습니다 도울 도우세요 도웁시다 돕는 도운 도우니까",
    "붓 부어 부으": "부었 붓는다 붓습니다 부을 부으세요 부읍시다 붓는 부은 부으니까",
    "부르 불러": "불렀 부른다 부릅니다 부를 부르세요 부릅시다 부르는 부른 부르니까",
    "쓰 써": "썼 쓴다 씁니다 쓸 쓰세요 씁시다 쓰는 쓴 쓰니까",
    "마시 마셔": "마셨 마신다 마십니다 마실 마시세요 마십시다 마시는 마신 마시니까",
}
ADJECTIVES = {
    "좋 좋아": "좋았 좋다 좋습니다 좋은 좋으니까",
    "길 길어": "길었 길다 깁니다 긴 기니까",
    "춥 추워 추우": "추웠 춥다 춥습니다 추운 추우니까",
    "재미있 재미있어": "재미있었 재미있다 재미있습니다 재미있는 재미있으니까",
}


@pytest.mark.parametrize("bases", VERBS)
def test_verbs(bases):
    verb = predicate(bases)
    forms = (verb.past, verb.written, verb.formal, verb.prospective, verb.honorific, verb.joint, verb.attributive)
    assert " ".join((*forms, verb.attributive_past, verb.because)) == VERBS[bases]


@pytest.mark.parametrize("bases", ADJECTIVES)
def test_adjectives(bases):
    found = predicate(bases, descriptive=True)
    forms = (found.past, found.written, found.formal, found.attributive, found.because)
    assert " ".join(forms) == ADJECTIVES[bases]


IRREGULAR = {"듣", "굽", "돕", "줍", "춥", "덥", "짓", "붓"}


def test_every_listed_infinitive_fits_its_stem():
    """The 아/어 form keeps the first consonants of the stem: a slip of the pen in a table would show here."""
    verbs = [action.verb for action in ACTIONS]
    verbs += [verb for clauses in topic._BY_TOPIC.values() for _, verb in clauses]
    verbs += [word for aspect in sentiment._ASPECTS for words in aspect.judgements for word in words]
    for verb in verbs:
        assert verb.infinitive[:-2] == verb.stem[: len(verb.infinitive[:-2])], verb
        assert not (verb.stem[-1] in IRREGULAR and verb.open_stem == verb.stem + "으"), verb
        assert (ord(verb.infinitive[-1]) - 0xAC00) % 28 == 0, verb
