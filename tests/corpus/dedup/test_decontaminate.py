import json
import random

import pytest

from axk1.config import ConfigError
from axk1.corpus.dedup.decontaminate import Decontaminate, DecontaminateSettings
from axk1.corpus.dedup.held_out import EvalFile, items_of_file
from axk1.corpus.documents import Document, JsonLines
from axk1.corpus.steps import make_step
from axk1.corpus.streams import CorpusError
from korean_copies import particles, spacing, story, word

QUESTION = "다음 글을 읽고 물음에 답하시오. 훈민정음을 반포한 해에 세종은 몇 살이었고 재위 몇 년째였는가?"
SHORT = "지금 몇 시예요?"


def _set(tmp_path, records: list[dict], name: str = "exam.jsonl.zst"):
    with JsonLines(tmp_path / name) as file:
        for record in records:
            file.write(record)
    return EvalFile(str(tmp_path / name), tuple(records[0]))


def through(step, texts: list[str]):
    rejected: list[tuple[Document, str]] = []
    documents = (Document(text, str(n), "s") for n, text in enumerate(texts))
    return list(step(documents, lambda document, reason: rejected.append((document, reason)))), rejected


@pytest.fixture
def step(tmp_path):
    records = [{"q": QUESTION, "a": SHORT}] + [{"q": story(random.Random(n), 3), "a": "예"} for n in range(1000, 1020)]
    return lambda **options: Decontaminate(DecontaminateSettings(files=(_set(tmp_path, records),), **options))


@pytest.mark.parametrize(
    "change",
    [
        lambda text, _rng: text,
        spacing,
        lambda text, _rng: text.replace(" ", "\n").replace(".", ""),
        lambda text, _rng: text.replace("세종은", "세종이").replace("였는가", "였을까"),
    ],
)
def test_a_question_is_found_in_a_long_document_whatever_its_spacing_and_particles(step, change):
    rng = random.Random(0)
    text = f"{story(rng, 200)}\n{change(QUESTION, rng)}\n{story(rng, 200)}"
    kept, rejected = through(step(), [story(rng, 300), text])
    assert [one.id for one in kept] == ["0"]
    assert rejected[0][1] == "holds an evaluation item"
    found = rejected[0][0].metadata
    assert (found["eval_set"], found["eval_item"], found["eval_text"]) == ("exam", "1:q", QUESTION)
    assert found["share"] >= 0.8


def test_the_words_of_a_question_far_apart_are_no_question(step):
    rng = random.Random(1)
    halves = [QUESTION[:25], QUESTION[25:40], QUESTION[40:]]
    assert not through(step(), [story(rng, 8).join(halves)])[1]


def test_short_items_are_not_looked_for_and_are_counted(step):
    decontaminate = step()
    assert not through(decontaminate, [f"문을 열며 물었다. {SHORT} 예."])[1]
    report = json.loads(decontaminate.report())["exam"]
    assert (report["items"], report["too_short"], report["found"]) == (23, 2, {})


def test_a_long_item_counts_by_the_share_of_it_that_is_there(tmp_path):
    rng = random.Random(2)
    item = story(rng, 40)
    files = (_set(tmp_path, [{"text": item}]),)
    step = Decontaminate(DecontaminateSettings(files=files))
    formula, half = item[100:180], item[: len(item) // 2]
    kept, rejected = through(step, [f"{story(rng)} {formula} {story(rng)}", f"{story(rng)}\n{half}\n{story(rng)}"])
    assert [one.id for one in kept] == ["0"]
    assert rejected[0][0].metadata["share"] == pytest.approx(0.5, abs=0.1)


def test_the_form_of_a_set_is_not_its_contents(tmp_path):
    form = "다음 대화를 읽고 마지막에 이어질 말로 가장 알맞은 것을 고르시오. 하나만 고르고 번호로 답하시오. "
    rng = random.Random(3)
    items = [{"q": form + " ".join(word(rng) for _ in range(12))} for _ in range(40)]
    step = Decontaminate(DecontaminateSettings(files=(_set(tmp_path, items),)))
    kept, rejected = through(step, [f"{story(rng, 4)} {form} {story(rng, 4)}", f"{story(rng, 4)} {items[7]['q']}"])
    assert [one.id for one in kept] == ["0"]
    assert rejected[0][0].metadata["eval_item"] == "8:q"


def test_the_passage_is_cut_out_when_asked(step):
    rng = random.Random(4)
    before, after = story(rng, 4), story(rng, 4)
    kept, rejected = through(step(action="cut"), [f"{before}\n\n“{QUESTION}”\n\n{after}", QUESTION])
    assert [one.text for one in kept] == [f"{before}\n\n{after}"]
    assert kept[0].metadata["cut_characters"] > len(QUESTION)
    reasons = [(document.id, reason) for document, reason in rejected]
    assert ("0", "passage of an evaluation item") in reasons
    assert ("1", "holds an evaluation item") in reasons
    assert all(document.metadata["eval_item"] == "1:q" for document, _ in rejected)


def test_one_item_does_not_hide_another_and_the_report_counts_documents(step, tmp_path):
    rng = random.Random(5)
    other = story(random.Random(1006), 3)
    decontaminate = step(report=str(tmp_path / "found.json"))
    through(decontaminate, [f"{QUESTION}\n{other}", spacing(QUESTION, rng), particles(story(rng), rng)])
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))["exam"]
    assert found["found"] == {"1:q": 2, "8:q": 1}
    assert found["share"] == pytest.approx(2 / 21, abs=1e-5)


def test_questions_of_an_eval_task_are_items():
    step = make_step({"name": "decontaminate", "tasks": ["curriculum"], "task_questions": 20})
    item = step._items[0]
    assert item.set.startswith("curriculum/")
    kept, rejected = through(step, [f"어제 들은 말이다. {item.text} 그렇게 물었다."])
    assert not kept
    assert rejected[0][0].metadata["eval_set"].startswith("curriculum/")


def test_fields_of_lists_and_records_without_a_field(tmp_path):
    records = [{"q": QUESTION, "turns": [{"role": "user", "content": "가"}, "나"]}, {"q": "둘"}, {"q": "둘"}]
    assert [item.text for item in items_of_file(_set(tmp_path, records))] == [QUESTION, "user\n가\n나", "둘"]


@pytest.mark.parametrize(
    ("line", "fields", "message"),
    [
        ('{"q": "가"}', ("question",), "no record has a field 'question'"),
        ('{"q": "가"', ("q",), ":1: broken JSON"),
        ("[1]", ("q",), ":1: wants a JSON object, found list"),
    ],
)
def test_a_wrong_set_is_named(tmp_path, line, fields, message):
    path = tmp_path / "set.jsonl"
    path.write_text(line + "\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=message):
        list(items_of_file(EvalFile(str(path), fields)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"files": [{"path": "a.jsonl", "fields": []}]}, "fields is empty"),
        ({"contained": 0.4}, "contained above 0.5"),
        ({"run": 0}, "must be at least 1"),
        ({"action": "keep"}, "wants one of 'drop', 'cut'"),
    ],
)
def test_a_wrong_setting_is_named(options, message):
    with pytest.raises(ConfigError, match=message):
        make_step({"name": "decontaminate", **options})
