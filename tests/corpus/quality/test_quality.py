import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axk1.corpus.curriculum import exercises
from axk1.corpus.documents import Document
from axk1.corpus.narrative import narratives
from axk1.corpus.quality.boilerplate import without_boilerplate
from axk1.corpus.quality.language import languages
from axk1.corpus.quality.order import order_of
from axk1.corpus.quality.repetition import repetition_of
from axk1.corpus.quality.signals import signals_of
from axk1.corpus.quality.step import Quality, QualityConfig

PLACES = ["강남", "서초", "분당", "일산", "부천", "인천", "수원", "대전", "대구", "부산"]
TRADES = ["포장이사", "성형외과", "임플란트", "청소업체", "누수탐지", "중고차", "렌트카", "꽃배달"]


def prose(count: int) -> list[str]:
    """Texts of some hundred eojeols, put together from generated passages."""
    passages = list(itertools.islice(narratives(0, "train"), 12 * count))
    return ["\n".join(passages[12 * n : 12 * n + 12]) for n in range(count)]


def reasons(texts: list[str], **options) -> list[str]:
    """The reason against each text; "" for those that are kept."""
    step, found = Quality(QualityConfig(**options)), []
    for text in texts:
        rejected: list[str] = []
        list(step(iter([Document(text, "1", "")]), lambda _document, reason, to=rejected: to.append(reason)))
        found.append(rejected[0] if rejected else "")
    return found


def test_prose_and_short_texts_are_kept():
    short = [exercise.question for exercise in itertools.islice(exercises(0, "train"), 200)]
    assert set(reasons(short)) == {""}
    assert set(reasons(["ㅋㅋㅋ 꿀잼", "최고!!!", "진짜 재밌어요 강추", "별로"])) == {""}
    assert reasons(prose(10)).count("") >= 9


def test_spoiled_texts_go_with_their_reason():
    rng = random.Random(0)
    texts = prose(3)
    keywords = ", ".join(
        f"{rng.choice(PLACES)}{rng.choice(TRADES)}{rng.choice(['추천', '가격', '비용'])}" for _ in range(80)
    )
    table = "\n".join("|".join(str(rng.randint(0, 99999)) for _ in range(6)) for _ in range(20))
    spam = "강남포장이사 추천업체 무료상담! 지금 010-1234-5678로 문의주세요. 최저가 보장, 30만원부터 가능합니다."
    assert reasons([keywords]) == ["words without particles or endings"]
    assert reasons([table]) == ["mostly digits"]
    assert reasons([spam]) == ["advertising"]
    assert reasons([texts[0].encode().decode("cp949", "replace")]) == ["characters lost in a wrong encoding"]
    assert reasons([texts[0].encode("cp949").decode("latin-1")]) == ["wrong encoding"]
    assert reasons([(texts[0][:150] + "\n") * 9])[0] in {"repeated passages", "one phrase again and again"}


THINGS = ["사탕", "공책", "수박", "연필", "우산", "화분", "양말", "책상", "빵", "물감"]
SUMS = "민수는 하나에 {b}원인 {name}을 {a}개 샀다. 낸 돈은 {a}*{b}=<<{a}*{b}={c}0>>{c}0원이다. "
ENGLISH = (
    "Then he bought {a} * 300 = <<{a}*300={a}00>>{a}00 {name} more, and {b} + {c} = {d} boxes of {name} for them. "
)
STEPS = "1. {name} 탭을 {verb}.\n1. {thing} 필드에 값을 {other}.\n"
LOTS = "가람시 {name}동 {a}의 {c}번지, {b}의 {d}번지부터 {e}번지까지와 산{f}의 {g}번지는 {name}구에 편입한다. "
COMMAND = "- {name} 환경 활성화:\n\n`tool activate {name} --stack {a}`\n\n- {name} 목록 표시:\n\n`tool list {name}`\n\n"
ROWS = "|{name} 저장소를 복제한다|예|아니요|예|\n|{name} 묶음을 암호화한다|예|예|예|\n"


def filled(form: str, count: int, **lists: list[str]) -> str:
    """The form again and again, with things and numbers that change."""
    rng, filled_in = random.Random(form), list[str]()
    for number in range(count):
        values = {
            letter: rng.randint(low, 10 * low) for letter, low in zip("abcdefgh", (11, 40, 100) * 3, strict=False)
        }
        chosen = {key: one[number] for key, one in {"name": THINGS, **lists}.items()}
        filled_in.append(form.format(n=number, **values, **chosen))
    return "".join(filled_in)


@pytest.mark.parametrize(
    "text",
    [
        filled(SUMS, 8),
        filled(ENGLISH, 8, name=["pens", "cups", "hats", "eggs", "keys", "maps", "pots", "bags"]),
        filled(STEPS, 8, verb=["선택합니다"] * 8, thing=THINGS[::-1], other=["입력합니다", "고릅니다"] * 4),
        filled(LOTS, 8),
        "# tool\n\n> 가상 환경 관리 도구.\n\n" + filled(COMMAND, 6),
        "# 두 판의 비교\n\n다음 표에서는 두 판이 각각 무엇을 할 수 있는지 비교합니다.\n\n" + filled(ROWS, 10),
    ],
    ids=["sums", "English sums", "steps", "lots", "commands", "table"],
)
def test_sums_steps_lots_commands_and_tables_are_no_spoiled_text(text):
    assert reasons([text]) == [""]


def test_what_only_looks_like_code_or_numbers_still_goes():
    rng = random.Random(0)
    words = [f"{rng.choice(PLACES)}{rng.choice(TRADES)}" for _ in range(80)]
    assert reasons([" ".join(words[:40]) + " `추천` " + " ".join(words[40:])]) == ["no sentences"]
    assert reasons([" ".join(f"임플란트 {word}" for word in words)]) == ["keyword stuffing"]
    assert reasons(["합계 " + " ".join(str(rng.randint(1000, 99999)) for _ in range(60))]) == ["mostly digits"]


def test_shuffled_words_score_below_ordered_ones():
    rng = random.Random(1)
    for text in prose(5):
        words = text.split()
        rng.shuffle(words)
        spoiled, whole = signals_of([" ".join(words), text])
        assert spoiled.order < whole.order


def test_thresholds_are_options():
    assert reasons(["좋은 글이다."], most_symbols=0.0) == [""]
    assert reasons(["나는 http://example.com/a/very/long/address 를 본다."], most_urls=0.2) == ["mostly links"]


def test_signals_of_nothing():
    (signals,) = signals_of([""])
    assert (signals.characters, signals.eojeols, signals.hangul, signals.order) == (0, 0, 0.0, 0.0)
    assert repetition_of("").fives == 0.0
    assert order_of(np.zeros(1, np.uint16), np.zeros(1, np.int64), 1).tolist() == [0.0]


ANY_TEXT = st.text(st.sampled_from("가나다는을고.!? \n\t漢かa1|`ㅋé🙂\ufffd\ud800") | st.characters(), max_size=60)


@settings(deadline=None)  # a slow machine is no failure
@given(st.lists(ANY_TEXT, min_size=1, max_size=8))
def test_a_text_is_judged_alike_alone_and_among_others(texts):
    assert signals_of(texts) == [signals_of([text])[0] for text in texts]
    assert languages(texts) == [languages([text])[0] for text in texts]


def test_signals_count_eojeols():
    (signals,) = signals_of(["나는 학교에 간다. API를 쓴다"])
    assert (signals.eojeols, signals.endings, signals.sentence_ends) == (5, 1.0, 1)
    assert signals.eojeol_length == pytest.approx(10 / 5)


def test_repetition_counts_runs_of_five():
    words = [str(n) for n in range(100)]
    assert repetition_of(" ".join(words)).fives == 0.0
    assert repetition_of(" ".join(words * 2)).fives == pytest.approx(96 / 196)


@pytest.mark.parametrize(
    "line",
    [
        "로그인 | 회원가입 | 고객센터",
        "댓글 12개",
        "저작권자 ⓒ 어느신문, 무단전재 및 재배포 금지",
        "Copyright © 2024 어느 회사. All rights reserved.",
        "입력 2024.05.01 12:00",
        "이전 글",
    ],
)
def test_lines_of_the_page_go(line):
    assert without_boilerplate(f"본문이다.\n{line}\n끝이다.") == "본문이다.\n끝이다."


@pytest.mark.parametrize(
    "line",
    [
        "# 로그인",
        "로그인 화면에서 암호를 바꾼다.",
        "저작권은 저작자에게 있다.",
        "댓글을 읽고 웃었다.",
        "이전 버전에서는 달랐다.",
        "- 다음",
    ],
)
def test_lines_of_the_text_stay(line):
    assert without_boilerplate(f"가\n{line}") == f"가\n{line}"


def test_what_came_out_comes_out_unchanged():
    document = Document("본문은 이렇게 이어진다.\n로그인 | 회원가입\n끝이다.", "1", "")
    step = Quality()
    once = list(step(iter([document]), lambda *_: None))
    assert once[0].text == "본문은 이렇게 이어진다.\n끝이다."
    assert list(step(iter(once), lambda *_: None)) == once
