import errno
import hashlib
import itertools
import json
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
import zstandard

from axk1.config import ConfigError, from_mapping
from axk1.corpus.build import CorpusConfig, Curriculum, build
from axk1.corpus.curriculum import as_text, exercises
from axk1.corpus.documents import JsonLines, read_documents
from axk1.corpus.exercise_file import read_exercises
from axk1.corpus.narrative import narratives
from axk1.corpus.source import Source
from axk1.corpus.streams import CorpusError


def _texts(path: Path) -> list[str]:
    return [document.text for document in read_documents(path)]


def _rejects(folder: Path) -> Counter[str]:
    with zstandard.open(folder / "rejects.jsonl.zst", "rt", encoding="utf-8", newline="\n") as file:
        return Counter(json.loads(line)["why"] for line in file)


@pytest.fixture
def texts(tmp_path):
    """200 different texts, one of them decomposed, then the first 50 again and ten without text."""
    lines = [f"글 {n}" for n in range(200)] + [f"글 {n}" for n in range(50)] + [" "] * 10
    lines[7] = unicodedata.normalize("NFD", lines[7])
    path = tmp_path / "in" / "texts.jsonl"
    path.parent.mkdir()
    path.write_text("".join(json.dumps({"text": line}, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    (path.parent / "README.md").write_text("x", encoding="utf-8")
    return path


def test_every_document_is_kept_once_or_rejected_with_a_reason(texts, tmp_path):
    config = CorpusConfig(validation_fraction=0.2, sources=(Source(str(texts.parent)),))
    report = build(config, tmp_path / "out")
    train, validation = _texts(tmp_path / "out/train.jsonl.zst"), _texts(tmp_path / "out/validation.jsonl.zst")
    assert sorted(train + validation) == sorted(f"글 {n}" for n in range(200))
    assert 20 <= len(validation) <= 60
    assert _rejects(tmp_path / "out") == {"exact_dedup: seen before": 50, "drop_empty: no text": 10}
    (source,) = report.sources
    assert source.dropped == {"exact_dedup: seen before": 50, "drop_empty: no text": 10}
    assert (source.taken, source.train.documents, source.validation.documents) == (260, len(train), len(validation))
    assert [Path(path).name for path in source.ignored_files] == ["README.md"]
    assert report.train.bytes == sum(len(text.encode()) for text in train)
    assert report.train.characters == sum(map(len, train))
    assert report.train.hangul_syllables == len(train)
    assert json.loads((tmp_path / "out/report.json").read_text("utf-8"))["train"]["documents"] == len(train)


def test_the_same_config_gives_the_same_bytes_and_the_split_ignores_the_order(texts, tmp_path):
    curriculum = Curriculum(documents=100, exercises=50)
    config = CorpusConfig(validation_fraction=0.2, sources=(Source(str(texts)),), curriculum=curriculum)
    for name in ("one", "two"):
        build(config, tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert len(files) == 6
    assert all((tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes() for name in files)
    lines = texts.read_text("utf-8").split("\n")
    texts.write_text("\n".join(reversed(lines)), encoding="utf-8")
    build(config, tmp_path / "three")
    for name in ("train", "validation"):
        assert set(_texts(tmp_path / f"one/{name}.jsonl.zst")) == set(_texts(tmp_path / f"three/{name}.jsonl.zst"))


def test_the_bytes_of_a_small_corpus_have_not_changed(tmp_path):
    """A recipe that was run last year gives the same corpus today. A change of this digest needs a decision."""
    lines = [f"글 {n} 하나\r\n둘" for n in range(200)] + [f"글 {n} 하나\n둘" for n in range(50)] + [" "] * 10
    lines[7] = unicodedata.normalize("NFD", lines[7])
    (tmp_path / "a.jsonl").write_text(
        "".join(json.dumps({"text": line}, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8"
    )
    more = "\n".join(f"글 {n} 하나" if n % 3 else f"다른 글 {n}" for n in range(500))
    (tmp_path / "b.txt").write_text(more, encoding="utf-8")
    first = Source(str(tmp_path / "a.jsonl"), repeat=2)
    second = Source(str(tmp_path / "b.txt"), max_bytes=4000, text_unit="line")
    build(CorpusConfig(seed=5, validation_fraction=0.1, sources=(first, second)), tmp_path / "out")
    digest = hashlib.sha256()
    for name in ("train", "validation", "rejects"):
        with zstandard.open(tmp_path / f"out/{name}.jsonl.zst", "rb") as file:
            digest.update(file.read())
    assert digest.hexdigest() == "1205e29568eba2b3157f8fc352b17ae1898011aff0aac589881ea0fc93ad6b5e"


def test_training_documents_repeat_as_asked_and_validation_does_not(texts, tmp_path):
    config = CorpusConfig(validation_fraction=0.2, sources=(Source(str(texts), repeat=3),))
    report = build(config, tmp_path / "out")
    assert set(Counter(_texts(tmp_path / "out/train.jsonl.zst")).values()) == {3}
    assert set(Counter(_texts(tmp_path / "out/validation.jsonl.zst")).values()) == {1}
    assert report.train.documents == 3 * report.sources[0].train.documents


def test_shares_are_of_the_total(texts, tmp_path):
    more = texts.with_name("more.txt")
    more.write_text("\n".join(f"다른 글 {n}" for n in range(1000)), encoding="utf-8")
    sources = (Source(str(texts), share=0.25), Source(str(more), share=0.75, text_unit="line"))
    config = CorpusConfig(validation_fraction=0.1, total_bytes=4000, sources=sources)
    report = build(config, tmp_path / "out")
    amounts = [source.train + source.validation for source in report.sources]
    assert 700 <= amounts[0].bytes <= 1000
    assert 2900 <= amounts[1].bytes <= 3000


def test_the_curriculum_gives_documents_and_exercises_of_both_sides(tmp_path):
    config = CorpusConfig(seed=3, validation_fraction=0.1, curriculum=Curriculum(200, 30, 100))
    report = build(config, tmp_path / "out")
    expected = [as_text(one) for one in itertools.islice(exercises(3, "train"), 200)]
    expected += itertools.islice(narratives(3, "train"), 30)
    assert _texts(tmp_path / "out/train.jsonl.zst") == expected
    held_out = [as_text(one) for one in itertools.islice(exercises(3, "held_out"), 20)]
    held_out += itertools.islice(narratives(3, "held_out"), 3)
    assert _texts(tmp_path / "out/validation.jsonl.zst") == held_out
    kept = list(read_exercises(tmp_path / "out/exercises_train.jsonl.zst"))
    assert kept == list(itertools.islice(exercises(4, "train"), 100))
    assert len(list(read_exercises(tmp_path / "out/exercises_validation.jsonl.zst"))) == 10
    assert (report.exercises_train, report.exercises_validation) == (100, 10)
    assert {document.source for document in read_documents(tmp_path / "out/train.jsonl.zst")} == {
        "curriculum/narrative",
        *(f"curriculum/{one.family}" for one in itertools.islice(exercises(3, "train"), 200)),
    }


def test_progress_ends_at_the_number_of_documents(texts, tmp_path):
    seen: dict[str, int] = {}
    config = CorpusConfig(validation_fraction=0.2, sources=(Source(str(texts)),), curriculum=Curriculum(10, 0, 5))
    build(config, tmp_path / "out", seen.__setitem__)
    assert seen == {"texts": 200, "curriculum": 12, "exercises_train": 5, "exercises_validation": 1}


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        ("", {}, r"source empty \(.*empty\.jsonl\) gave no document: none was read"),
        ('{"text": " "}\n', {}, r"gave no document: dropped: drop_empty: no text \(1\)"),
        ('{"text": "a"}\n', {"only": {"mt": "HT"}}, r"gave no document: none was read; look at .* only"),
        ('{"text": "long text"}\n', {"max_bytes": 3}, r"gave no document: none was read; look at max_bytes"),
        ('{"text": "a"}\n', {}, r"no validation document: 1 documents at validation_fraction 0\.01"),
    ],
)
def test_an_empty_corpus_is_one_clear_error_and_leaves_nothing(text, settings, message, tmp_path):
    path = tmp_path / "empty.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CorpusError, match=message):
        build(CorpusConfig(sources=(Source(str(path), **settings),)), tmp_path / "out")
    assert [entry.name for entry in tmp_path.iterdir()] == ["empty.jsonl"]


def test_an_error_in_a_reader_leaves_the_old_corpus(texts, tmp_path):
    config = CorpusConfig(validation_fraction=0.2, sources=(Source(str(texts)),))
    build(config, tmp_path / "out")
    before = (tmp_path / "out/train.jsonl.zst").read_bytes()
    with texts.open("a", encoding="utf-8") as file:
        file.write("broken\n")
    with pytest.raises(CorpusError, match=r"texts\.jsonl:261: broken JSON"):
        build(config, tmp_path / "out")
    assert (tmp_path / "out/train.jsonl.zst").read_bytes() == before
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["in", "out"]


def test_a_full_disk_is_one_clear_error_and_leaves_nothing(texts, tmp_path, monkeypatch):
    def write(self, values):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(JsonLines, "write", write)
    with pytest.raises(OSError, match=r"the disk is full: .*out was not written"):
        build(CorpusConfig(sources=(Source(str(texts)),)), tmp_path / "out")
    assert [entry.name for entry in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "the corpus is empty"),
        ({"validation_fraction": 1.0, "sources": [{"path": "a.txt"}]}, "validation_fraction must be"),
        ({"sources": [{"path": "a/x.txt"}, {"path": "b/x.txt"}]}, "two sources are called 'x'"),
        ({"sources": [{"path": "a.txt", "field": "text"}]}, "unknown key 'field'; did you mean 'fields'"),
        ({"curriculum": {"documents": -1}}, "must not be negative"),
    ],
)
def test_impossible_settings_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        from_mapping(values, CorpusConfig)


def test_an_unknown_step_names_the_known_ones(texts, tmp_path):
    config = CorpusConfig(steps=("nfd",), sources=(Source(str(texts)),))
    with pytest.raises(ValueError, match=r"unknown corpus_step 'nfd'; known: .*exact_dedup"):
        build(config, tmp_path / "out")
