"""Every rule with texts that it drops and texts that it lets pass."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axk1.corpus.synthesis.candidate import Candidate, Origin
from axk1.corpus.synthesis.judging import agreement, score_of
from axk1.corpus.synthesis.prompts import read_template
from axk1.corpus.synthesis.rules import RULES, Checks, reason_not_to_keep, shared
from axk1.corpus.synthesis.topics import Topic

SEED = (
    "한강 공원에는 봄마다 많은 시민이 찾아온다. "
    "서울시는 지난해 나무 320그루를 새로 심고 자전거 길 12km를 고쳤다. "
    "공원 관리소의 박지훈 씨는 쓰레기통을 늘린 뒤로 버려지는 쓰레기가 크게 줄었다고 말했다. "
    "올해는 강가의 낡은 의자를 바꾸고, 밤에도 안전하게 걸을 수 있도록 등불을 더 밝게 한다."
)
GOOD = (
    "봄이 되면 한강 공원을 찾는 사람이 많아진다. "
    "서울시는 작년에 나무를 320그루 심었고, 12km에 이르는 자전거 길도 손보았다. "
    "쓰레기통의 수를 늘리자 함부로 버리는 쓰레기가 줄어들었다. "
    "올해 할 일은 오래된 의자를 새것으로 바꾸는 것과 밤길의 등불을 밝히는 것이다."
)
INSTRUCTIONS = (
    "아래 글의 내용을 고등학생이 배우는 교과서처럼 다시 써 주세요.\n"
    "- 글에 나온 사실, 수, 이름만 쓰고 새로 지어내지 마세요."
)
ORIGIN = Origin(SEED, INSTRUCTIONS)
TOPIC = Topic("과학 > 물리", "관성", "중학생이", "백과사전 항목", "haeyo")
ON_TOPIC = (
    "버스가 갑자기 멈추면 몸이 앞으로 쏠려요. 움직이던 몸이 계속 움직이려고 하기 때문이에요. "
    "이런 성질을 관성이라고 불러요. "
    "무거운 물체일수록 관성이 커서 멈추기가 더 어려워요. 안전띠는 그 힘을 버텨 주는 장치예요."
)


def why(text, origin=ORIGIN, question="", answer="", **checks):
    return reason_not_to_keep(Candidate(text, question, answer), origin, replace(Checks(), **checks))


def pair(question, answer, origin=ORIGIN, **checks):
    return why(f"질문: {question}\n답: {answer}", origin, question, answer, **checks)


def test_good_ones_pass():
    assert why(GOOD) == ""
    assert why(ON_TOPIC, Origin(instructions=INSTRUCTIONS, topic=TOPIC)) == ""
    assert pair("한강 공원에는 지난해 나무를 몇 그루 심었나요?", "320그루를 심었습니다.") == ""
    assert pair("쓰레기가 줄었다고 말한 사람은 누구인가요?", "공원 관리소의 박지훈 씨입니다.") == ""
    assert pair("한강 공원이 올해 할 일을 알려 주세요.", "낡은 의자를 바꾸고 등불을 더 밝게 합니다.") == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("봄이다.", "too short"),
        (GOOD * 60, "too long"),
        ("죄송하지만 저는 AI 언어 모델로서 이 글을 다시 쓸 수 없습니다. 다른 글을 주세요.", "refuses"),
        ("요청하신 내용은 제가 제공할 수 없습니다. 한강 공원에 대해서는 서울시에 물어보세요.", "refuses"),
        (f"네, 알겠습니다. {GOOD}", "speaks to the asker"),
        (f"다음은 교과서처럼 다시 쓴 글입니다:\n\n{GOOD}", "speaks to the asker"),
        (f"{GOOD}\n\n더 궁금한 점이 있으시면 언제든지 물어봐 주세요.", "speaks to the asker"),
        (f"{GOOD} 자세한 것은 [이름]에게 물으면 된다.", "left a blank"),
        (f"{GOOD}\n\n글에 나온 사실, 수, 이름만 쓰고 새로 지어내지 마세요.", "repeats the instructions"),
        ("Every spring many citizens visit the park by the river, and the city planted trees.", "not Korean"),
        ("每年春天有很多市民来到汉江公园。去年种了很多树，还修好了自行车道。今年要换旧椅子。", "not Korean"),
        (GOOD.replace("사람이", "游客이").replace("의자를", "椅子를"), "mixed with another script"),
        ("봄이 되면 공원을 찾는 사람이 많아진다. " * 4, "repeats itself"),
        (SEED, "copies the seed"),
        (f"{SEED[:-10]} 밝혀 준다.", "copies the seed"),
        ("제주도는 화산이 만든 섬으로, 귤 농사와 관광이 중요하며 겨울에도 따뜻하다.", "of something else"),
        (GOOD.replace("320그루", "450그루"), "numbers that the seed has not"),
        (GOOD.replace("서울시는", "서울시의 김민수 씨는"), "names that the seed has not"),
        (GOOD.replace("자전거 길도", "Han River Trail도"), "names that the seed has not"),
    ],
)  # fmt: skip
def test_a_bad_text_is_dropped_with_its_reason(text, reason):
    assert why(text) == reason


@pytest.mark.parametrize(
    ("question", "answer", "reason"),
    [
        ("한강 공원에 지난해 새로 심은 나무", "320그루를 심었습니다.", "asks nothing"),
        ("이 글에서 서울시가 심은 나무는 몇 그루인가요?", "320그루입니다.", "leans on a text that is not there"),
        ("본문에 따르면 한강 공원은 언제 붐비나요?", "봄마다 붐빕니다.", "leans on a text that is not there"),
        ("한강 공원에 새로 심은 나무는 몇 그루인가요?", "480그루를 심었습니다.", "numbers that the seed has not"),
        ("한강 공원의 쓰레기가 줄었다고 말한 사람은 누구인가요?", "이서준 씨입니다.", "names that the seed has not"),
        ("쓰레기가 줄었다고 말한 사람은 누구인가요?", "관리소의 이서준 씨가 말했다.", "names that the seed has not"),
        ("한강 공원은 무엇을 고쳤나요?", "수영장과 매점 건물을 헐고 다시 지었습니다.", "answer is not in the seed"),
    ],
)  # fmt: skip
def test_a_bad_answer_is_dropped_with_its_reason(question, answer, reason):
    assert pair(question, answer) == reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (ON_TOPIC.replace("관성", "무게"), "off the topic"),
        (ON_TOPIC.replace("요.", "다."), "another register"),
    ],
)
def test_a_text_of_another_topic_or_register_is_dropped(text, reason):
    assert why(text, Origin(instructions=INSTRUCTIONS, topic=TOPIC)) == reason


def test_what_the_seed_itself_says_is_no_fault():
    origin = replace(ORIGIN, seed=f"{SEED} [이름]을 적는 칸도 있다.")
    assert why(f"{GOOD} [이름]을 적는 칸이 있다.", origin) == ""
    hanja = replace(ORIGIN, seed=f"{SEED} 옛 이름은 漢江이다.")
    assert why(f"{GOOD} 漢江이라 적었다.", hanja) == ""


@pytest.mark.parametrize(
    "text",
    [
        "물론 그때는 아무도 그 일을 알지 못했고, 사람들은 저마다 하던 일을 계속했다.",
        "네 가지 방법이 있다. 첫째는 물을 끓이는 것이고 둘째는 불을 줄이는 것이다.",
        "예 하나를 들면, 소금을 넣은 물은 더 높은 온도에서 끓고 더 낮은 온도에서 언다.",
        "이 서버는 로그인하지 않은 사용자에게 파일을 제공할 수 없습니다. 먼저 계정을 만드세요.",
        "손님은 늦어서 죄송합니다 하고 자리에 앉았다. 주인은 괜찮다고 말하며 차를 내왔다.",
        "GPT는 많은 글로 학습한 AI 언어 모델입니다. 다음에 올 낱말을 확률로 고릅니다.",
        "국가는 땅을 기부채납(寄附採納)으로 받을 수 있다. 말날(牛日)에 장을 담그면 맛이 좋다고 했다.",
    ],
)
def test_what_people_write_passes(text):
    assert why(text, Origin(instructions=INSTRUCTIONS)) == ""


def test_code_in_a_text_is_no_other_language():
    code = "```python\nfor number in range(10):\n    print(number, number ** 2)\n```"
    text = f"반복문은 같은 일을 여러 번 하게 한다.\n\n{code}\n\n위의 반복문은 열 번 돈다."
    assert why(text, Origin(instructions=INSTRUCTIONS)) == ""
    assert why(code, Origin(instructions=INSTRUCTIONS)) == "not Korean"


def test_a_number_may_stand_in_the_seed_as_a_word():
    seed = replace(ORIGIN, seed=f"{SEED} 새 의자는 스물네 개이고 여섯 번째 다리 밑에 있다.")
    assert why(f"{GOOD} 의자 24개는 6번째 다리 밑에 놓였다.", seed) == ""
    assert why(f"{GOOD} 의자 25개는 6번째 다리 밑에 놓였다.", seed) == "numbers that the seed has not"


def test_numbers_of_a_list_are_none():
    assert why(f"1. {GOOD}\n2. 등불을 밝힌다.") == ""


def test_a_question_may_lean_on_a_passage_that_is_shown():
    assert pair("이 글에서 서울시가 심은 나무는 몇 그루인가요?", "320그루입니다.", replace(ORIGIN, shown=True)) == ""


@pytest.mark.parametrize(
    ("text", "checks"),
    [
        (SEED, {"most_copied": 1.0}),
        (GOOD.replace("320그루", "450그루"), {"numbers": False}),
        (GOOD.replace("자전거 길도", "Han River Trail도"), {"names": False}),
        (f"{GOOD}\n\n글에 나온 사실, 수, 이름만 쓰고 새로 지어내지 마세요.", {"leak_letters": 0}),
        ("봄이다.", {"min_characters": 1, "least_shared": 0.0}),
    ],
)
def test_a_rule_can_be_turned_off(text, checks):
    assert why(text) != ""
    assert why(text, **checks) == ""


@pytest.mark.parametrize("name", ["topic", "textbook", "summary", "dialogue", "questions", "instructions"])
def test_our_own_prompts_are_seen_when_they_leak(name):
    """What a model may echo of them is an item of the list, a line of its own."""
    prompt = read_template(name, Path()).render(
        dict.fromkeys(("text", "topic", "field", "audience", "form", "style"), "")
    )
    for line in prompt.split("\n"):
        if len(line) > 30:
            assert why(f"{GOOD}\n{line}", Origin(SEED, prompt)) == "repeats the instructions"


@settings(deadline=None)
@given(st.text(alphabet="가나다라마 .\n1a", max_size=60), st.text(alphabet="가나다라마 .\n1a", max_size=60))
def test_no_rule_fails_on_any_text(text, seed):
    for rule in RULES:
        assert isinstance(rule(Candidate(text, text[:5], text[5:]), Origin(seed, text, TOPIC), Checks()), str)


@settings(deadline=None)
@given(st.text(alphabet="가나다라 ", max_size=40), st.text(alphabet="가나다라 ", max_size=40))
def test_shares_are_shares_and_a_text_shares_all_with_itself(one, other):
    assert 0 <= shared(one, other, 3) <= 1
    assert shared(one, one, 3) == (1 if one.strip() else 0)
    assert 0 <= agreement(one, other) <= 1


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ("문장이 자연스럽다.\n점수: 4", 4),
        ("점수: 2라고 볼 수도 있으나\n**점수: 3**", 3),
        ("점수는 5점입니다.", 5),
        ("점수: 1점에서 5점으로 매긴다", None),
        ("점수: 4.5", None),
        ("점수: 45", None),
        ("좋은 글입니다.", None),
    ],
)
def test_a_score_is_read_or_is_none(reply, score):
    assert score_of(reply) == score


@pytest.mark.parametrize(
    ("one", "second", "agrees"),
    [
        ("320그루를 심었습니다.", "320그루", True),
        ("320그루를 심었습니다.", "310그루를 심었습니다.", False),
        ("공원 관리소의 박지훈 씨입니다.", "박지훈 씨", True),
        ("공원 관리소의 박지훈 씨입니다.", "알 수 없음", False),
    ],
)
def test_two_answers_agree_or_do_not(one, second, agrees):
    assert (agreement(one, second) >= 0.5) is agrees
