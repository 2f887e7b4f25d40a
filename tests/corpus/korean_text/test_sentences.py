import pytest
from hypothesis import given
from hypothesis import strategies as st

from axk1.corpus.korean_text.sentences import sentences


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("비가 온다. 우산을 챙겼나요? 네!", ["비가 온다.", "우산을 챙겼나요?", "네!"]),
        ("원주율은 3.14이다. 끝.", ["원주율은 3.14이다.", "끝."]),
        ("1. 목적은 이렇다. 가. 첫째다.", ["1. 목적은 이렇다.", "가. 첫째다."]),
        ("2024. 5. 1. 선고한 판결이다. 끝났다.", ["2024. 5. 1. 선고한 판결이다.", "끝났다."]),
        ("Dr. Kim came. He left.", ["Dr. Kim came.", "He left."]),
        ('그는 "간다. 또 보자."라고 말했다. 그리고 갔다.', ['그는 "간다. 또 보자."라고 말했다.', "그리고 갔다."]),
        (
            "공무원(별정직은 제외한다. 이하 같다)이 된다. 끝이다.",
            ["공무원(별정직은 제외한다. 이하 같다)이 된다.", "끝이다."],
        ),
        ("제목\n- 항목 하나\n- 항목 둘", ["제목", "- 항목 하나", "- 항목 둘"]),
        ("간다.온다", ["간다.", "온다"]),
        ("파일은 main.py 입니다.[3] 다음은", ["파일은 main.py 입니다.[3]", "다음은"]),
        ("", []),
        (" \n\n", []),
    ],
)
def test_where_sentences_end(text, wanted):
    assert sentences(text) == wanted


@given(st.text(st.sampled_from("가다요.!? \n\"'()1a“”…"), max_size=60))
def test_nothing_is_lost_but_white_space(text):
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())
