import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from axk1.config import ConfigError
from axk1.corpus.classifier.model import read_classifier, write_classifier
from axk1.corpus.classifier.step import Classify, ClassifySettings
from axk1.corpus.documents import Document
from axk1.corpus.steps import make_step
from axk1.corpus.streams import CorpusError
from tiny_classifiers import classifier_file, passages


def classified(texts, **options):
    """What is kept, and the reason against what is not."""
    step, rejected = Classify(ClassifySettings(models=(str(classifier_file()),), **options)), []
    documents = (Document(text, str(number), "s", {"old": 1}) for number, text in enumerate(texts))
    return list(step(documents, lambda document, reason: rejected.append((document, reason)))), rejected


def test_labels_and_scores_are_noted_beside_what_was_known():
    kept, rejected = classified([*passages("diary", 40, 5), *passages("news", 40, 5)])
    assert not rejected
    labels = [one.metadata["kind"] for one in kept]
    assert labels[:40].count("diary") >= 38
    assert labels[40:].count("news") >= 38
    assert all(0.5 <= float(one.metadata["kind_score"]) <= 1 and one.metadata["old"] == 1 for one in kept)


def test_drop_and_keep_name_the_rule():
    texts = [passages("diary", 1, 5)[0], passages("news", 1, 5)[0]]
    kept, rejected = classified(texts, drop={"kind.news": 0.5})
    assert [one.text for one in kept] == texts[:1]
    assert [(one.text, reason, one.metadata["kind"]) for one, reason in rejected] == [(texts[1], "kind.news", "news")]
    kept, rejected = classified(texts, keep={"kind.news": 0.5})
    assert [one.text for one in kept] == texts[1:]
    assert [reason for _, reason in rejected] == ["none of kind.news"]


def test_nothing_to_see_passes_without_a_label():
    kept, rejected = classified([" \n", "\u200b", ""], drop={"kind.news": 0.01, "kind.diary": 0.01})
    assert not rejected
    assert [dict(one.metadata) for one in kept] == [{"old": 1}] * 3


def test_a_long_text_is_judged_by_pieces_from_beginning_to_end():
    diary, news = " ".join(passages("diary", 200, 5)), " ".join(passages("news", 200, 5))
    mixed, beginning = classified([diary + news])[0][0], classified([diary + news], pieces=1)[0][0]
    assert float(mixed.metadata["kind_score"]) < 0.7 < 0.9 < float(beginning.metadata["kind_score"])
    assert beginning.metadata["kind"] == "diary"


def test_the_score_does_not_depend_on_the_documents_around():
    texts = [*passages("diary", 70, 6), *passages("news", 70, 6)]
    assert [classified([text])[0][0].metadata for text in texts] == [one.metadata for one in classified(texts)[0]]


def test_two_classifiers_note_side_by_side(tmp_path):
    other = replace(read_classifier(classifier_file()), name="other")
    write_classifier(other, tmp_path / "other")
    models = (str(classifier_file()), str(tmp_path / "other"))
    step = Classify(ClassifySettings(models=models, drop={"other.news": 0.5}))
    (kept,) = step(iter([Document(passages("diary", 1, 5)[0], "1", "s")]), lambda _document, _reason: None)
    assert kept.metadata["kind"] == kept.metadata["other"] == "diary"
    with pytest.raises(ValueError, match="two of the models are called 'kind'"):
        Classify(ClassifySettings(models=(models[0], models[0])))


def test_a_step_of_a_recipe():
    step = make_step({"name": "classify", "models": [str(classifier_file())], "drop": {"kind.news": 0.9}})
    assert isinstance(step, Classify)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"drop": {"kind.poem": 0.5}}, r"no label 'kind.poem' \(known: kind.diary, kind.news\)"),
        ({"keep": {"news": 0.5}}, "no label 'news'"),
        ({"drop": {"kind.news": 0}}, "kind.news: a probability is above 0 and at most 1"),
        ({"pieces": 0}, "pieces and characters must be at least 1"),
    ],
)
def test_a_rule_that_cannot_be_is_an_error(options, message):
    with pytest.raises((ValueError, ConfigError), match=message):
        classified(["글"], **options)


def test_rules_without_models_say_so():
    with pytest.raises(ValueError, match=r"no label 'kind.news' \(known: none: give it models\)"):
        Classify(ClassifySettings(drop={"kind.news": 0.5}))


def rewritten(path, key="axk1.classifier", weights=None, **changes):
    """The tiny classifier with another header; None takes a key out."""
    with safe_open(classifier_file(), framework="numpy") as file:
        header = json.loads(file.metadata()["axk1.classifier"])
        tensors = {name: file.get_tensor(name) for name in ("weights", "bias")}
    if weights is not None:
        tensors["weights"] = weights
    header = {name: value for name, value in {**header, **changes}.items() if value is not None}
    save_file(tensors, path, {key: json.dumps(header)})


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"version": 2}, "a classifier of version 2, wants 1: train it again"),
        ({"key": "other"}, "no classifier of axk1"),
        ({"labels": None}, "no whole classifier file"),
        ({"version": None}, "no whole classifier file"),
        ({"labels": 1}, "no whole classifier file"),
        ({"labels": ["diary"]}, "no whole classifier file"),
        ({"features": {"byte": 1}}, "unknown key 'byte'"),
        ({"weights": np.full((1 << 12, 2), np.nan, np.float16)}, "weights that are no numbers"),
    ],
)
def test_a_file_that_is_no_classifier_is_one_line(tmp_path, header, message):
    path = tmp_path / "model.safetensors"
    rewritten(path, **header)
    with pytest.raises(CorpusError, match=message) as caught:
        read_classifier(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_damaged_missing_or_foreign_file(tmp_path):
    path = tmp_path / "model.safetensors"
    with pytest.raises(FileNotFoundError):
        read_classifier(path)
    whole = classifier_file().read_bytes()
    for content in (whole[: len(whole) // 2], b"", b'{"text": "no"}\n'):
        path.write_bytes(content)
        with pytest.raises(CorpusError, match="no whole classifier file"):
            read_classifier(path)
