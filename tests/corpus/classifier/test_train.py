import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axk1.config import ConfigError, load, to_mapping
from axk1.corpus.classifier.features import FeatureSettings
from axk1.corpus.classifier.fit import FitSettings, fit, tempered
from axk1.corpus.classifier.measure import measured
from axk1.corpus.classifier.model import read_classifier, write_classifier
from axk1.corpus.classifier.pieces import PieceSettings, Spread, drawn, spread
from axk1.corpus.classifier.seeds import Labelled, Seed, labelled
from axk1.corpus.classifier.train import ClassifierConfig, divided, evaluate, train
from axk1.corpus.documents import Document
from axk1.corpus.source import Source
from axk1.corpus.streams import CorpusError
from pipeline_folders import write_jsonl
from tiny_classifiers import classifier_file, passages, write_recipe


def quiet(_texts):
    return lambda _seen: None


@pytest.fixture
def config(tmp_path):
    return load(write_recipe(tmp_path), ClassifierConfig)


def test_it_learns_and_the_report_is_of_texts_it_did_not_see(config):
    seen = []
    trained = train(config, lambda texts: seen.append(texts) or (lambda count: seen.append(-count)))
    assert trained.report.macro_f1 > 0.95
    assert sum(seen) == 0, "the progress adds up to what was announced"
    _, parts = divided(config)
    told = {part: set(some.texts) for part, some in parts.items()}
    assert not told["train"] & told["held_out"]
    assert not told["tune"] & told["held_out"]
    assert trained.report.texts == len(parts["held_out"].texts)
    fresh = [Labelled(Document(text, "", ""), kind) for kind in ("diary", "news") for text in passages(kind, 50, 9)]
    report, mistakes = evaluate(trained.classifier, fresh)
    assert report.macro_f1 > 0.95
    assert len(mistakes) == 100 - sum(report.confusion[kind].get(kind, 0) for kind in ("diary", "news"))


def test_the_same_recipe_gives_the_same_bytes_and_another_seed_others(config, tmp_path):
    files = [tmp_path / name for name in ("a", "b", "c")]
    for file, one in zip(files, (config, config, replace(config, seed=1)), strict=True):
        write_classifier(train(one, quiet).classifier, file)
    first, second, other = (file.read_bytes() for file in files)
    assert first == second
    assert first != other


def test_pieces_of_one_document_share_a_part(tmp_path, config):
    long = [" ".join(passages("news", 40, seed)) for seed in range(60)]
    write_jsonl(tmp_path / "news.jsonl", long)
    _, parts = divided(replace(config, pieces=PieceSettings(most=5, longest=300)))
    ids = {part: set(some.ids) for part, some in parts.items()}
    assert not ids["train"] & ids["held_out"]
    assert max(parts["train"].ids.count(one) for one in ids["train"]) == 5


def test_per_label_takes_so_many_pieces(config):
    _, parts = divided(replace(config, pieces=PieceSettings(per_label=80)))
    assert sum(len(some.texts) for some in parts.values()) == 160


def test_a_rare_label_is_learnt_when_labels_are_balanced():
    texts = ["가나 다라"] * 200 + ["마바 사아 가나"] * 4 + ["가나 다라"] * 8
    labels = np.array([0] * 200 + [1] * 12)
    plainly = FitSettings(epochs=3)
    balanced, plain = (
        fit(texts, labels, 2, FeatureSettings(bits=10), one, 0, lambda _seen: None).probabilities(["가나 다라"])[0, 1]
        for one in (plainly, replace(plainly, balanced=False))
    )
    assert balanced > 2 * plain


def test_a_temperature_changes_no_choice_and_lowers_the_loss():
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(["가", "나", "다", "라"], 6)) for _ in range(400)]
    labels = rng.integers(0, 2, 400)  # nothing to be learnt, so a sure answer is wrong
    model = fit(texts[:200], labels[:200], 2, FeatureSettings(bits=10), FitSettings(epochs=20), 0, lambda _seen: None)
    cooled = tempered(model, texts[200:], labels[200:])
    before, after = (one.probabilities(texts[200:]) for one in (model, cooled))
    assert (before.argmax(1) == after.argmax(1)).all()
    assert (
        measured("ab", labels[200:], after).calibration_error < measured("ab", labels[200:], before).calibration_error
    )


def test_the_report_counts_right():
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.3, 0.7]], np.float32)
    report = measured(["a", "b"], np.array([0, 1, 1, 1]), scores)
    assert report.accuracy == 0.75
    assert (report.labels["a"].precision, report.labels["a"].recall) == (0.5, 1.0)
    assert (report.labels["b"].precision, report.labels["b"].recall) == (1.0, pytest.approx(2 / 3, abs=1e-4))
    assert report.macro_f1 == pytest.approx((2 / 3 + 0.8) / 2, abs=1e-4)
    assert report.labels["b"].at["0.7"] == (1.0, pytest.approx(1 / 3, abs=1e-4))
    assert report.confusion == {"a": {"a": 1}, "b": {"a": 1, "b": 2}}
    assert report.calibration_error == pytest.approx((0.1 + 0.8 + 0.4 + 0.3) / 4, abs=1e-4)


def test_a_label_that_does_not_occur_does_not_count():
    report = measured(["a", "b", "c"], np.array([0, 1]), np.eye(3, dtype=np.float32)[:2])
    assert report.macro_f1 == 1.0


def test_pieces():
    text = " ".join(f"낱말{n}" for n in range(2000))
    assert spread("짧은 글", Spread(4, 1000)) == ["짧은 글"]
    assert "".join(spread("가" * 1500, Spread(4, 1000))) == "가" * 1500
    pieces = spread(text, Spread(4, 1000))
    assert len(pieces) == 4
    assert text.startswith(pieces[0])
    assert text.endswith(pieces[-1])
    assert all(piece.startswith("낱말") and len(piece) <= 1000 for piece in pieces)
    cut = PieceSettings(shortest=50, longest=500, most=3)
    assert list(drawn(text, cut, 0)) == list(drawn(text, cut, 0)) != list(drawn(text, cut, 1))
    assert [len(piece) <= 500 and piece in text for piece in drawn(text, cut, 0)] == [True] * 3
    assert list(drawn("짧다", cut, 0)) == ["짧다"]


def test_labels_of_a_field(tmp_path):
    file = tmp_path / "a.jsonl"
    rows = [
        {"text": "하나", "say": True},
        {"text": "둘", "say": 2},
        {"text": "셋", "say": "no"},
        {"text": " ", "say": 2},
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    seed = Seed(Source(str(file)), label_field="say", labels={"True": "yes", "2": "", "no": "no"})
    assert [(one.document.text, one.label) for one in labelled([seed], None, 0)] == [("하나", "yes"), ("셋", "no")]
    assert [one.label for one in labelled([replace(seed, labels={})], None, 0)] == ["True", "2", "no"]
    with pytest.raises(CorpusError, match=r"a.jsonl:2: unknown label '2' \(labels has: True, no\)"):
        list(labelled([replace(seed, labels={"True": "yes", "no": "no"})], None, 0))
    with pytest.raises(CorpusError, match=r"a.jsonl:1: no label in the field 'tell'"):
        list(labelled([replace(seed, label_field="tell")], None, 0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('seeds=[{ source = { path = "a" } }]', "wants either a label or a label_field"),
        ('seeds=[{ source = { path = "a" }, label = "x", labels = { a = "b" } }]', "labels goes with label_field"),
        ("held_out=0.5", "held_out must be above 0 and below 0.5"),
        ("name=a.b", "name must be a word"),
        ("pieces.longest=5", "shortest <= longest"),
        ("pieces.most=0", "must be at least 1"),
        ("fit.epochs=0", "epochs and batch"),
        ("fit.learning_rate=0.0", "learning_rate must be above 0"),
        ("fit.epoch=1", "unknown key 'epoch'; did you mean 'epochs'"),
    ],
)
def test_a_wrong_recipe_says_what_is_wrong(tmp_path, change, message):
    with pytest.raises(ConfigError, match=message):
        load(write_recipe(tmp_path, 3), ClassifierConfig, [change])


def test_one_label_or_too_few_texts_are_an_error(tmp_path, config):
    with pytest.raises(CorpusError, match="wants texts of two labels at least, found diary"):
        train(replace(config, seeds=config.seeds[:1]), quiet)
    write_jsonl(tmp_path / "news.jsonl", passages("news", 12))
    with pytest.raises(CorpusError, match=r"kind: \d+ texts of 'news' to \w+, wants 10: add texts of it"):
        train(config, quiet)
    write_jsonl(tmp_path / "news.jsonl", [" ", "\n"])
    with pytest.raises(CorpusError, match="two labels at least, found diary"):
        train(config, quiet)


def test_text_that_is_not_utf8_is_named(tmp_path, config):
    (tmp_path / "news.jsonl").write_bytes('{"text": "소식"}\n'.encode("cp949"))
    with pytest.raises(CorpusError, match=r"news.jsonl: not UTF-8 text.*iconv -f cp949"):
        train(config, quiet)


def test_evaluating_needs_labels_that_it_knows(config):
    classifier = train(config, quiet).classifier
    with pytest.raises(CorpusError, match=r"kind: no label 'poem' \(known: diary, news\)"):
        evaluate(classifier, [Labelled(Document("글", "", ""), "poem")])
    with pytest.raises(CorpusError, match="no labelled text"):
        evaluate(classifier, [])


def test_the_file_says_what_it_is_made_of(config, tmp_path):
    trained = train(config, quiet)
    write_classifier(trained.classifier, tmp_path / "kind.safetensors")
    read = read_classifier(tmp_path / "kind.safetensors")
    assert (read.name, read.labels) == ("kind", ("diary", "news"))
    assert read.about["held_out"] == to_mapping(trained.report)
    assert read.about["recipe"]["seeds"][0]["source"]["path"].endswith("diary.jsonl")
    assert sum(read.about["pieces"]["news"].values()) == 150
    texts = passages("news", 5, 3)
    np.testing.assert_array_equal(read.judged(texts), trained.classifier.judged(texts))


@given(st.lists(st.text(alphabet="가나 ", max_size=30_000 // 8), max_size=30))
@settings(max_examples=10, deadline=None)
def test_how_many_texts_are_judged_together_makes_no_difference(texts):
    classifier = read_classifier(classifier_file())
    together = classifier.judged(texts)
    assert together.shape == (len(texts), 2)
    alone = [classifier.judged([text])[0] for text in texts]
    np.testing.assert_allclose(together, np.array(alone).reshape(-1, 2), rtol=1e-6)
