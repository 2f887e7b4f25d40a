import errno
import itertools
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from axk1.config import ConfigError, from_mapping
from axk1.corpus.documents import JsonLines
from axk1.corpus.pipeline.phases import Phase, phases_of
from axk1.corpus.pipeline.pipeline import run_pipeline
from axk1.corpus.pipeline.plan import Input, _shared_out, make_plan
from axk1.corpus.pipeline.settings import PipelineConfig
from axk1.corpus.source import Source
from axk1.corpus.streams import CorpusError
from pipeline_folders import contents, lines, write_jsonl

STEPS = ("newlines", "drop_empty", "exact_dedup", "nfc")


def _config(texts: Path, **changes) -> PipelineConfig:
    return replace(PipelineConfig(sources=(Source(str(texts), name="s"),), steps=STEPS), **changes)


@pytest.mark.parametrize("tasks", [1, 3, 7, 20])
def test_what_is_kept_and_dropped_does_not_depend_on_the_number_of_tasks(texts, tmp_path, tasks):
    report = run_pipeline(_config(texts, tasks=tasks), tmp_path / "out")
    kept = list(lines(tmp_path / "out/parts"))
    first = [f"첫째 글 {number}. " * (number % 7 + 1) for number in range(300)]
    expected = first + [f"둘째\n글 {number}" for number in range(30)] + [f"셋째 글 {number}" for number in range(100)]
    assert [one["text"] for one in kept] == expected
    assert kept[300]["id"] == "b.jsonl:1"
    assert len(list((tmp_path / "out/parts").iterdir())) == tasks
    why = Counter(one["why"] for one in lines(tmp_path / "out/rejects"))
    assert why == {"drop_empty: no text": 10, "exact_dedup: seen before": 100}
    dropped = [one["id"] for one in lines(tmp_path / "out/rejects") if one["why"] == "exact_dedup: seen before"]
    assert dropped == [f"c.jsonl.gz:{number}" for number in range(101, 201)]
    assert (report.read.documents, report.kept.documents) == (540, 430)
    assert not (tmp_path / "out/work").exists()


def test_the_report_counts_every_step(texts, tmp_path):
    report = run_pipeline(_config(texts, tasks=3), tmp_path / "out")
    counts = {one.count.step: one.count for one in report.steps}
    assert list(counts) == ["read", *STEPS, "between", "write"]
    assert [one.scope for one in report.steps][1:5] == ["document", "document", "corpus", "document"]
    assert counts["newlines"].changed == 30
    assert dict(counts["drop_empty"].dropped) == {"no text": 10}
    assert dict(counts["exact_dedup"].dropped) == {"seen before": 100}
    for before, after in itertools.pairwise(STEPS):
        assert counts[before].kept == counts[after].taken
    kept = [str(one["text"]) for one in lines(tmp_path / "out/parts")]
    assert report.kept.characters == sum(map(len, kept))
    assert report.kept.bytes == sum(len(text.encode()) for text in kept)
    assert json.loads((tmp_path / "out/report.json").read_text("utf-8"))["kept"]["documents"] == len(kept)


@pytest.mark.parametrize("after", [0, 200, 539, 700, 1300])
def test_what_was_broken_off_goes_on_to_the_same_bytes(texts, tmp_path, after, monkeypatch):
    config = _config(texts, tasks=3)
    run_pipeline(config, tmp_path / "whole")
    write, left = JsonLines.write, iter(range(after))

    def until(self, values):
        if next(left, None) is None:
            raise KeyboardInterrupt
        write(self, values)

    monkeypatch.setattr(JsonLines, "write", until)
    with pytest.raises(KeyboardInterrupt):
        run_pipeline(config, tmp_path / "out")
    monkeypatch.undo()
    (tmp_path / "out/parts/.part-00000.jsonl.zst.1-x.partial").write_bytes(b"left by a killed task")
    run_pipeline(config, tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_processes_give_the_same_bytes_and_the_order_of_the_input(texts, tmp_path):
    config = _config(texts, tasks=3)
    run_pipeline(config, tmp_path / "one")
    seen = Counter[str]()

    def begins(steps, tasks):
        return lambda ended, documents, _characters: seen.update({f"{steps} tasks": ended, f"{steps}": documents})

    run_pipeline(config, tmp_path / "two", workers=2, begins=begins)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert seen["('newlines', 'drop_empty') tasks"] == 3
    assert seen["('newlines', 'drop_empty')"] == 540
    assert seen["('exact_dedup',)"] == 530


@pytest.mark.parametrize("workers", [1, 2])
def test_bad_input_is_one_error_with_its_place_and_can_be_mended(texts, tmp_path, workers):
    good = (texts / "b.jsonl").read_bytes()
    (texts / "b.jsonl").write_bytes(good[:100] + b"\xff" + good[101:])
    config = _config(texts, tasks=3)
    with pytest.raises(CorpusError, match=r"b\.jsonl: not UTF-8 text: byte 0xff at offset 100"):
        run_pipeline(config, tmp_path / "out", workers)
    assert not list((tmp_path / "out").rglob("*.partial"))
    (texts / "b.jsonl").write_bytes(good)
    assert run_pipeline(config, tmp_path / "out", workers).kept.documents == 430


def test_skipped_records_are_counted_as_dropped_by_the_reader(texts, tmp_path):
    (texts / "d.jsonl").write_text('{"text": "글"}\nbroken\n', encoding="utf-8")
    source = Source(str(texts), name="s", bad_records="skip")
    report = run_pipeline(_config(texts, sources=(source,), tasks=2), tmp_path / "out")
    assert dict(report.steps[0].count.dropped) == {"unreadable record": 1}
    assert "read: unreadable record" in {one["why"] for one in lines(tmp_path / "out/rejects")}


def test_a_full_disk_is_one_clear_error_and_leaves_nothing_half_written(texts, tmp_path, monkeypatch):
    def write(self, values):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(JsonLines, "write", write)
    with pytest.raises(OSError, match=r"the disk is full: .*part-00000\.jsonl\.zst was not written"):
        run_pipeline(_config(texts), tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.partial"))
    assert not list((tmp_path / "out/done").iterdir())


def test_other_settings_or_other_files_are_refused(texts, tmp_path):
    config = _config(texts, tasks=2)
    run_pipeline(config, tmp_path / "out")
    with pytest.raises(ValueError, match="was begun otherwise: tasks was 2, now 3"):
        run_pipeline(replace(config, tasks=3), tmp_path / "out")
    with pytest.raises(ValueError, match="was begun otherwise: steps was"):
        run_pipeline(replace(config, steps=("nfc",)), tmp_path / "out")
    write_jsonl(texts / "b.jsonl", ["다른 글"])
    with pytest.raises(CorpusError, match=r"b\.jsonl: is no longer as it was when this was begun"):
        run_pipeline(config, tmp_path / "out")


def test_a_finished_pipeline_is_not_run_again(texts, tmp_path):
    config = _config(texts, tasks=2)
    run_pipeline(config, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out/parts").iterdir()}
    report = run_pipeline(config, tmp_path / "out")
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert report.kept.documents == 430


def test_a_cap_keeps_the_same_sample_in_any_number_of_tasks(texts, tmp_path):
    kept = []
    for tasks in (1, 5):
        source = Source(str(texts), name="s", max_bytes=3000)
        run_pipeline(_config(texts, sources=(source,), tasks=tasks, steps=()), tmp_path / str(tasks))
        kept.append([one["id"] for one in lines(tmp_path / f"{tasks}/parts")])
    assert kept[0] == kept[1]
    assert 20 < len(kept[0]) < 540
    assert sum(len(str(one["text"]).encode()) for one in lines(tmp_path / "1/parts")) <= 3000


def test_nothing_left_is_an_error_that_says_why(tmp_path):
    write_jsonl(tmp_path / "a.jsonl", [" ", ""])
    config = _config(tmp_path / "a.jsonl")
    with pytest.raises(CorpusError, match=r"no document is left \(drop_empty: \{'no text': 2\}\)"):
        run_pipeline(config, tmp_path / "out")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sources": [], "steps": []}, "the pipeline has no source"),
        ({"sources": [{"path": "a"}], "steps": [], "tasks": 0}, "tasks must be at least 1, found 0"),
        ({"sources": [{"path": "a", "repeat": 2}], "steps": []}, "source a: repeat belongs into a recipe"),
        ({"sources": [{"path": "a", "max_bytes": 1, "take": "first"}], "steps": []}, "is a sample of files"),
        ({"sources": [{"path": "x/a"}, {"path": "y/a"}], "steps": []}, "two sources are called 'a'"),
        ({"sources": [{"path": "a"}], "step": []}, "unknown key 'step'; did you mean 'steps'"),
    ],
)
def test_impossible_settings_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        from_mapping(values, PipelineConfig)


def test_an_unknown_step_or_option_is_found_before_anything_is_read(texts, tmp_path):
    with pytest.raises(ValueError, match="unknown corpus_step 'nfd'"):
        run_pipeline(_config(texts, steps=("nfd",)), tmp_path / "out")
    with pytest.raises(ConfigError, match="unknown key 'memory'"):
        run_pipeline(_config(texts, steps=({"name": "exact_dedup", "memory": 1},)), tmp_path / "out")
    assert not (tmp_path / "out/pipeline.json").exists()


def test_steps_that_look_at_all_documents_are_phases_of_their_own():
    assert phases_of(["nfc", "exact_dedup", {"name": "exact_dedup"}, "newlines", "nfc"]) == [
        Phase("document", ("nfc",), ("nfc",)),
        Phase("corpus", ("exact_dedup", "exact_dedup#2"), ("exact_dedup", {"name": "exact_dedup"})),
        Phase("document", ("newlines", "nfc#2"), ("newlines", "nfc")),
    ]
    assert [phase.scope for phase in phases_of(["exact_dedup"])] == ["document", "corpus"]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # it writes files; how fast is no question here
@given(st.lists(st.integers(0, 30), min_size=1, max_size=8), st.integers(1, 12))
def test_the_tasks_cover_every_record_once_and_in_order(tmp_path_factory, sizes, tasks):
    folder = tmp_path_factory.mktemp("plan")
    inputs = []
    for number, size in enumerate(sizes):
        path = folder / f"{number}.jsonl"
        path.write_bytes(b'{"text": "x"}\n' * size)
        inputs.append(Input(0, str(path), str(folder), path.stat().st_size))
    config = PipelineConfig(sources=(Source(str(folder)),), steps=(), tasks=tasks)
    shares = _shared_out(inputs, config)
    assert len(shares) == tasks
    records = [
        (piece.input, record)
        for share in shares
        for piece in share
        for record in range(piece.first, sizes[piece.input] if piece.end is None else piece.end)
    ]
    assert records == [(number, record) for number, size in enumerate(sizes) for record in range(size)]


def test_a_large_file_is_shared_out_evenly(tmp_path):
    write_jsonl(tmp_path / "a.jsonl", [f"{number:05d}" for number in range(1000)])
    plan = make_plan(_config(tmp_path / "a.jsonl", tasks=4))
    assert [(piece.first, piece.end) for share in plan.tasks for piece in share] == [
        (0, 250),
        (250, 500),
        (500, 750),
        (750, 1000),
    ]
