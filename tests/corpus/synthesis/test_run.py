"""A whole recipe against a model that is often wrong and an endpoint that often fails."""

import json
import shutil
from dataclasses import replace

import polars as pl
import pytest
import zstandard

from axk1.corpus.documents import read_documents
from axk1.corpus.endpoint import EndpointError
from axk1.corpus.exercise_file import read_exercises
from axk1.corpus.pipeline.pipeline import run_pipeline
from axk1.corpus.pipeline.samples import read_samples
from axk1.corpus.pipeline.settings import PipelineConfig
from axk1.corpus.release.check import check_release
from axk1.corpus.release.settings import ReleaseSettings
from axk1.corpus.release.write import write_release
from axk1.corpus.source import Source
from axk1.corpus.streams import CorpusError
from axk1.corpus.synthesis.budget import Amount, Budget
from axk1.corpus.synthesis.completion import Answer
from axk1.corpus.synthesis.report import read_report
from axk1.corpus.synthesis.run import synthesize
from axk1.corpus.synthesis.settings import Judge, Model, SynthesisConfig, Task
from model_server import ModelServer, drawn
from played_model import FAULTS, played


def kept(folder):
    return [document for path in sorted((folder / "parts").iterdir()) for document in read_documents(path)]


def result(folder):
    """Everything but the time at which an answer came."""
    documents = [one.to_json() for path in sorted((folder / "parts").iterdir()) for one in read_documents(path)]
    rejects = [json.loads(json.dumps(one)) for one in _rejects(folder)]
    for one in (*documents, *rejects):
        one["metadata"].pop("made", None)
    return documents, rejects, [one.question for one in read_exercises(folder / "exercises.jsonl.zst")]


def _rejects(folder):
    with zstandard.open(folder / "rejects.jsonl.zst", "rt", encoding="utf-8", newline="\n") as file:
        return [json.loads(line) for line in file]


def answered(folder):
    """How many answers lie in the folder."""
    return (folder / "answers.jsonl").read_bytes().count(b"\n")


@pytest.fixture(scope="module")
def server():
    with ModelServer(played, lambda body, number: FAULTS[drawn(body, len(FAULTS))] if number == 0 else "") as server:
        yield server


@pytest.fixture
def whole(recipe, server, tmp_path):
    """A run with nothing special."""
    return tmp_path / "out", synthesize(recipe(server.url), tmp_path / "out")


def test_what_is_kept_says_where_it_comes_from(whole, seeds):
    folder, report = whole
    documents = kept(folder)
    texts = {line["text"]: line["spdx"] for line in map(json.loads, seeds.read_text(encoding="utf-8").split("\n")[:-1])}
    assert {document.source for document in documents} == {"retold", "asked", "new", "solved"}
    assert len({document.id for document in documents}) == len(documents) == report.kept
    for document in documents:
        facts = document.metadata
        assert (facts["model"], facts["output_terms"]) == ("played-model-1", "outputs are free")
        assert len(facts["template_sha256"]) == 64
        assert facts["prompt_tokens"] > 0
        assert (facts["temperature"], facts["top_p"]) == (0.7, 0.95)
        assert facts["made"].startswith("20")
        if document.source in ("retold", "asked"):
            assert facts["seed_id"].startswith("seeds.jsonl:")
            assert facts["license"] in texts.values()
            assert facts["changes"] == f"rewritten by asked-for (template {facts['template']})"
            assert 0 <= facts["copied"] <= 0.6 or document.source == "asked"
        else:
            assert facts["license"] == "CC0-1.0"
    assert all(document.metadata["round_trip"] >= 0.5 for document in documents if document.source == "asked")


def test_every_candidate_is_kept_or_rejected_with_a_reason_and_counted(whole):
    folder, report = whole
    rejects = _rejects(folder)
    for task in report.sources:
        mine = [one["why"] for one in rejects if one["source"] == task.source]
        assert {why: mine.count(why) for why in mine} == task.dropped
        assert task.candidates == task.kept + len(mine)
        assert task.acceptance == pytest.approx(task.kept / task.candidates, abs=1e-4)
    reasons = {why.partition(": ")[2] for task in report.sources for why in task.dropped}
    assert reasons >= {"refuses", "not Korean", "not in the form asked for", "wrong answer", "cut off at max_tokens"}
    assert reasons >= {"nearly a copy", "another answer the second time"}
    assert report.spent == sum((task.used for task in report.sources), Amount())
    assert report.spent.requests == answered(folder)
    assert read_report(folder) == report
    assert {one.outcome for one in read_samples(folder / "samples/0-00000.jsonl.zst")} == {"kept", "dropped"}


def test_a_right_answer_is_taken_and_a_wrong_one_asked_again(whole):
    folder, _report = whole
    solved = [one for one in kept(folder) if one.source == "solved"]
    assert {one.metadata["attempt"] for one in solved} > {0}
    exercises = list(read_exercises(folder / "exercises.jsonl.zst"))
    assert [one.question for one in exercises if one.family == "sum2"] == [one.text.split("\n")[0] for one in solved]
    for one in exercises:
        if one.family == "sum2":
            assert one.keys
            assert one.answer in one.reasoning
    assert len(exercises) == len(solved) + sum(one.source == "asked" for one in kept(folder))


@pytest.mark.parametrize("concurrency", [1, 9])
def test_the_result_does_not_depend_on_how_many_are_asked_at_a_time(recipe, server, whole, tmp_path, concurrency):
    folder, report = whole
    other = synthesize(recipe(server.url, concurrency=concurrency), tmp_path / "other")
    assert result(tmp_path / "other") == result(folder)
    assert other == report


def test_the_same_answers_give_the_same_bytes_and_cost_nothing(recipe, server, whole, tmp_path):
    folder, _report = whole
    (tmp_path / "copy").mkdir()
    shutil.copy(folder / "answers.jsonl", tmp_path / "copy")
    before = sum(server.asked.values())
    synthesize(recipe(server.url, concurrency=7), tmp_path / "copy")
    assert sum(server.asked.values()) == before
    for path in sorted(one for one in folder.rglob("*") if one.is_file() and one.name not in ("recipe.json", ".lock")):
        assert path.read_bytes() == (tmp_path / "copy" / path.relative_to(folder)).read_bytes(), path


def test_rules_may_be_changed_without_paying(recipe, server, whole):
    folder, report = whole
    before = sum(server.asked.values())
    lax = recipe(server.url)
    tasks = [replace(task, checks=replace(task.checks, quality=False, most_copied=1.0)) for task in lax.tasks[:1]]
    again = synthesize(replace(lax, tasks=(*tasks, *lax.tasks[1:])), folder)
    assert again.kept != report.kept or again.sources[0].dropped != report.sources[0].dropped
    new = sum(server.asked.values()) - before
    assert new <= sum(why.endswith("again") for why in report.sources[0].dropped), "only attempts that came later"


def test_a_budget_ends_it_and_more_of_it_goes_on(recipe, tmp_path):
    with ModelServer(played) as server:
        first = synthesize(recipe(server.url, budget=Budget(requests=30), concurrency=8), tmp_path / "out")
        assert sum(server.answered.values()) == first.spent.requests == 30
        assert first.limit == "requests"
        assert sum(task.unfinished for task in first.sources) > 0
        again = synthesize(recipe(server.url, budget=Budget(requests=30)), tmp_path / "out")
        assert sum(server.answered.values()) == 30
        assert (again.kept, again.limit) == (first.kept, "requests")
        last = synthesize(recipe(server.url), tmp_path / "out")
        assert last.limit == ""
        assert max(server.answered.values()) == 1, "nothing is paid twice"
        synthesize(recipe(server.url), tmp_path / "whole")
    assert result(tmp_path / "out") == result(tmp_path / "whole")


def test_no_money_no_request(recipe, server, tmp_path):
    before = sum(server.asked.values())
    report = synthesize(recipe(server.url, budget=Budget(money=0.0)), tmp_path / "out")
    assert (report.limit, report.kept, sum(server.asked.values())) == ("money", 0, before)


@pytest.mark.parametrize("concurrency", [1, 5])
def test_no_more_than_so_many_at_a_time(recipe, tmp_path, concurrency):
    with ModelServer(played, seconds=0.005) as server:
        synthesize(recipe(server.url, concurrency=concurrency), tmp_path / "out")
        assert server.most_at_once == concurrency


def test_an_endpoint_that_wants_another_key_ends_it(recipe, tmp_path):
    with ModelServer(played, lambda *_: "401") as server:
        with pytest.raises(EndpointError, match="401"):
            synthesize(recipe(server.url, concurrency=1), tmp_path / "out")
        assert sum(server.asked.values()) == 1
    assert not (tmp_path / "out/report.json").exists()


def test_a_dead_endpoint_ends_it_and_a_request_that_it_refuses_does_not(recipe, tmp_path):
    with ModelServer(played, lambda *_: "500") as server:
        config = recipe(server.url, most_failures=3, model=Model("m", "free", server.url, tries=1))
        with pytest.raises(CorpusError, match=r"3 items in a row had no answer; the last: .*500"):
            synthesize(config, tmp_path / "dead")
    with ModelServer(played, lambda body, _: "400" if drawn(body, 2) else "") as server:
        report = synthesize(recipe(server.url), tmp_path / "out")
        assert sum(task.dropped.get(f"{task.source}: the endpoint refuses the request", 0) for task in report.sources)
        assert report.kept


def test_a_judge_has_the_last_word(recipe, server, tmp_path):
    tasks = (Task("new", "topic", "topic", count=20),)
    report = synthesize(recipe(server.url, tasks=tasks, judge=Judge(least_score=4)), tmp_path / "out")
    assert "judge" in report.steps
    assert {one.metadata["judge_score"] for one in kept(tmp_path / "out")} <= {4, 5}
    low = [one for one in _rejects(tmp_path / "out") if one["why"] == "new: judged too low"]
    assert {one["metadata"]["judge_score"] for one in low} == {3}


def test_questions_in_other_words_keep_their_numbers(tmp_path):
    def reply(request):
        question = request.prompt.rpartition("문제: ")[2]
        if "바꿔 써" in request.prompt:
            text = f"바꾸어 묻습니다. {question.replace('5', '6')}"
        else:
            text = f"센다.\n답: {question}"
        return Answer(text, "stop", "m", 1, 1, "2026-01-01T00:00:00+00:00")

    task = Task("t", "solve", "exercise", "solution", 10, families=("word1",), reword="reword")
    config = SynthesisConfig(Model("in process", "free"), (task,), license="Apache-2.0")
    report = synthesize(config, tmp_path / "out", complete=reply)
    assert set(report.sources[0].dropped) == {"t: the question has other numbers", "t: wrong answer"}
    wrong = [one for one in _rejects(tmp_path / "out") if one["why"] == "t: wrong answer"]
    assert all(one["metadata"]["original_question"] in one["text"] for one in wrong)


def test_the_seed_may_stand_before_its_questions(recipe, server, tmp_path):
    tasks = (Task("asked", "questions", "seed", "pairs", count=12, with_seed=True),)
    synthesize(recipe(server.url, tasks=tasks), tmp_path / "out")
    exercises = list(read_exercises(tmp_path / "out/exercises.jsonl.zst"))
    for document, exercise in zip(kept(tmp_path / "out"), exercises, strict=True):
        seed, _, pair = document.text.rpartition("\n\n")
        assert pair.startswith("질문: ")
        assert exercise.question.startswith(f"{seed}\n\n")
        assert len(seed) > 40


def test_it_is_a_source_for_a_pipeline(whole, tmp_path):
    folder, report = whole
    source = Source(str(folder / "parts"), "made", metadata={"kind": "source"})
    pipeline = run_pipeline(PipelineConfig((source,), ("newlines", "nfc", "drop_empty")), tmp_path / "built")
    assert pipeline.kept.documents == report.kept


def test_it_can_be_released_and_the_release_says_how_it_was_made(whole, tmp_path):
    folder, report = whole
    settings = ReleaseSettings(
        *("made", "1.0.0", "2026-01-31", "https://example.org/made", "out@example.org"),
        *(("Somebody",), "만든 글.", "Made text."),
    )
    write_release(folder, tmp_path / "release", settings, None, None, lambda *_: None)
    assert [one.problems for one in check_release(tmp_path / "release", None) if one.problems] == []
    rows = pl.read_parquet(tmp_path / "release/data/*.parquet").to_dicts()
    assert len(rows) == report.kept
    assert {row["license"] for row in rows} == {"CC-BY-3.0", "CC-BY-4.0", "CC0-1.0"}
    assert all(json.loads(row["metadata"])["model"] == "played-model-1" for row in rows)
    assert all("by asked-for (template" in row["changes"] for row in rows)
    provenance = json.loads((tmp_path / "release/provenance.json").read_text(encoding="utf-8"))
    assert provenance["steps"] == ["synthesis by asked-for", "rules", "round_trip", "near_dedup"]
    assert provenance["dropped"] == {why: number for task in report.sources for why, number in task.dropped.items()}


def test_the_key_is_written_nowhere(recipe, tmp_path, monkeypatch):
    monkeypatch.setenv("SYNTH_KEY", "sk-very-secret")
    with ModelServer(played, lambda body, number: "500" if drawn(body, 4) == 0 and number == 0 else "") as server:
        model = replace(recipe(server.url).model, key_variable="SYNTH_KEY")
        synthesize(recipe(server.url, model=model), tmp_path / "out")
        assert {one["Authorization"] for one in server.headers} == {"Bearer sk-very-secret"}
    for path in (tmp_path / "out").rglob("*"):
        assert path.is_dir() or b"very-secret" not in path.read_bytes()
