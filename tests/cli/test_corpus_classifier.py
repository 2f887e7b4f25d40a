import json
from pathlib import Path

import pytest

from axk1.cli import main
from axk1.config import load
from axk1.corpus.classifier.train import ClassifierConfig
from pipeline_folders import lines, write_jsonl
from tiny_classifiers import classifier_file, passages, write_recipe

ROOT = Path(__file__).parents[2]


def test_train_shows_the_report_in_both_languages_and_writes_the_file(tmp_path, capsys):
    recipe, out = write_recipe(tmp_path), tmp_path / "kind.safetensors"
    assert main(["--lang", "ko", "corpus", "classifier", "train", str(recipe), "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "macro F1" in shown
    assert "재현율" in shown
    assert f"{out}에 썼습니다" in shown.replace("\n", "")
    assert main(["--lang", "en", "corpus", "classifier", "show", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "kind: diary, news" in shown
    assert "diary or news" in shown
    assert "recall" in shown
    assert main(["corpus", "classifier", "show", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "kind"
    assert main(["corpus", "classifier", "train", str(recipe), "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["macro_f1"] > 0.9


def test_eval_on_other_texts_with_mistakes_and_changes(tmp_path, capsys):
    write_jsonl(tmp_path / "other.jsonl", [*passages("news", 20, 7), passages("diary", 1, 7)[0]])
    seeds = tmp_path / "seeds.toml"
    seeds.write_text('seeds = [{ label = "news", source = { path = "other.jsonl" } }]\n', encoding="utf-8")
    command = ["corpus", "classifier", "eval", str(classifier_file()), str(seeds), "--text", str(tmp_path)]
    assert main(["--lang", "en", *command, "--mistakes", "1"]) == 0
    shown = capsys.readouterr().out
    assert "news → diary" in shown
    assert main(["--lang", "en", *command, "--json", "seed=1"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["texts"] == 21
    assert report["confusion"]["news"]["diary"] >= 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "{}/none.toml", "--out", "{}/x"], "none.toml: No such file"),
        (["train", "{}/kind.toml", "--out", "{}/x", "fit.epoch=1"], "unknown key 'epoch'"),
        (["train", "{}/lost.toml", "--out", "{}/x"], "say where the texts of this recipe lie"),
        (["eval", "{}/diary.jsonl", "{}/kind.toml"], "no whole classifier file"),
        (["show", "{}/none"], "none: No such file"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, arguments, message, capsys):
    write_recipe(tmp_path, 3)
    lost = 'name = "a"\nmeaning = "b"\nseeds = [{ label = "c", source = { path = "lost.jsonl" } }]\n'
    (tmp_path / "lost.toml").write_text(lost, encoding="utf-8")
    assert main(["--lang", "en", "corpus", "classifier", *(one.format(tmp_path) for one in arguments)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "x").exists()


def test_without_a_verb_it_says_which_there_are(capsys):
    assert main(["--lang", "en", "corpus", "classifier"]) == 0
    assert "train | eval | show" in capsys.readouterr().out
    assert main(["--lang", "en", "corpus", "classifier", "teach"]) == 2
    assert "no verb 'teach'" in capsys.readouterr().err


def test_the_step_works_in_a_pipeline(tmp_path):
    write_jsonl(tmp_path / "a.jsonl", [*passages("news", 40, 8), *passages("diary", 40, 8)])
    rule = f'{{ name = "classify", models = ["{classifier_file()}"], drop = {{ "kind.news" = 0.5 }} }}'
    pipeline = f'steps = ["nfc", {rule}]\nsources = [{{ path = "a.jsonl" }}]\n'
    (tmp_path / "p.toml").write_text(pipeline, encoding="utf-8")
    where = ["--text", str(tmp_path), "--out", str(tmp_path / "out"), "--tasks", "3"]
    assert main(["corpus", "build", str(tmp_path / "p.toml"), *where]) == 0
    kept = [one["metadata"]["kind"] for one in lines(tmp_path / "out/parts")]
    assert set(kept) == {"diary"}
    assert len(kept) >= 38
    report = json.loads((tmp_path / "out/report.json").read_text(encoding="utf-8"))
    assert "kind.news" in json.dumps(report)


@pytest.mark.parametrize("path", sorted((ROOT / "recipes/classifiers").glob("*.toml")), ids=lambda path: path.name)
def test_a_shipped_recipe_can_be_read(path):
    config = load(path, ClassifierConfig)
    assert config.name == path.stem
    assert config.meaning
