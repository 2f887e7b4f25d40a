"""Replies as models write them, taken apart."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axk1.corpus.synthesis.forms import candidates
from axk1.corpus.synthesis.judging import score_of


@pytest.mark.parametrize(
    "reply",
    [
        "질문: 물은 몇 도에서 끓나요?\n답: 100도에서 끓습니다.\n\n질문: 얼음은?\n답: 물이 언 것입니다.",
        "\n".join(
            (
                "**질문 1:** 물은 몇 도에서 끓나요?",
                "**답:** 100도에서 끓습니다.",
                "**질문 2:** 얼음은?",
                "**답:** 물이 언 것입니다.",
            )
        ),
        "1. 질문: 물은 몇 도에서 끓나요?\n   답변: 100도에서 끓습니다.\n2. 질문: 얼음은?\n   답변: 물이 언 것입니다.",
        "여기 있습니다.\nQ1: 물은 몇 도에서 끓나요?\nA1: 100도에서 끓습니다.\nQ2: 얼음은?\nA2: 물이 언 것입니다.",
        "요청: 물은 몇 도에서 끓나요?\n응답: 100도에서 끓습니다.\n요청: 얼음은?\n응답: 물이 언 것입니다.",
        "```\n질문: 물은 몇 도에서 끓나요?\n답: 100도에서 끓습니다.\n질문: 얼음은?\n답: 물이 언 것입니다.\n```",
    ],
)
def test_pairs_in_any_dress(reply):
    found = candidates(reply, "pairs")
    assert [(one.question, one.answer) for one in found] == [
        ("물은 몇 도에서 끓나요?", "100도에서 끓습니다."),
        ("얼음은?", "물이 언 것입니다."),
    ]
    assert found[0].text == "질문: 물은 몇 도에서 끓나요?\n답: 100도에서 끓습니다."


def test_an_answer_may_have_lines_and_half_a_pair_is_none():
    (only,) = candidates("질문: 순서는?\n답: 먼저 씻는다.\n그리고 말린다.\n질문: 그다음은?", "pairs")
    assert only.answer == "먼저 씻는다.\n그리고 말린다."
    assert candidates("답: 열 개", "pairs") == candidates("그냥 글이다.", "pairs") == []


def test_a_dialogue_has_speakers_on_every_line():
    lines = ["지은: 왜 그래요?", "**현우**: 물이 얼어서요.", "지은: 아, 네.", "현우: 그렇죠."]
    (only,) = candidates("\n\n".join(lines), "dialogue")
    assert only.text == "지은: 왜 그래요?\n현우: 물이 얼어서요.\n지은: 아, 네.\n현우: 그렇죠."
    assert candidates("\n".join([*lines, "그들은 웃었다."]), "dialogue") == []
    assert candidates("\n".join(lines[:3]), "dialogue") == []
    assert candidates("\n".join(["지은: 네."] * 5), "dialogue") == []


@pytest.mark.parametrize("last", ["답: 121개", "**답: 121개**", "정답은 121개", "최종 답: 121개."])
def test_a_solution_ends_with_its_answer(last):
    (only,) = candidates(f"54에 67을 더한다.\n54+67=121이다.\n{last}", "solution", "모두 몇 개인가요?")
    assert (only.answer, only.question) == ("121개", "모두 몇 개인가요?")
    assert only.reasoning == "54에 67을 더한다.\n54+67=121이다."
    assert only.text == "모두 몇 개인가요?\n54에 67을 더한다.\n54+67=121이다.\n답: 121개"


@pytest.mark.parametrize("reply", ["답: 121개", "더하면 121이다.", "더한다.\n답:", ""])
def test_no_steps_or_no_answer_is_no_solution(reply):
    assert candidates(reply, "solution", "?") == []


@settings(deadline=None)
@given(
    st.text(alphabet="질문답: \n*Q1.가나```", max_size=80), st.sampled_from(["text", "pairs", "dialogue", "solution"])
)
def test_no_reply_breaks_the_parser(reply, form):
    for candidate in candidates(reply, form, "물음"):
        assert candidate.text
        assert bool(candidate.answer) == (form in ("pairs", "solution"))
    score_of(reply)
