"""Text classifiers: ours beside fastText and scikit-learn, on one split in one run, then on texts of other sources.

    python benchmarks/classifiers.py TEXT_FOLDER [--outside FOLDER] [--per-label N] [--only NAME] [--record]

Trains every recipe of recipes/classifiers with the files of TEXT_FOLDER. All contenders learn from the same pieces and
are asked the same held-out pieces; then, where --outside names a folder with them, the sets of `OUTSIDE`, and passages
that axk1 writes itself. Scores are macro F1 over the labels that occur, or the share right where one label does.
Seconds and MB/s are process time of one thread; speed is of a list of texts in memory, pieces as long as the step's.
Peers are left out where they are missing: pip install scikit-learn fasttext-numpy2-wheel
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from axk1.config import load
from axk1.corpus.classifier.features import FeatureSettings
from axk1.corpus.classifier.fit import fit, tempered
from axk1.corpus.classifier.linear import Floats
from axk1.corpus.classifier.measure import measured
from axk1.corpus.classifier.model import Classifier, stored, write_classifier
from axk1.corpus.classifier.pieces import Spread, spread
from axk1.corpus.classifier.seeds import Seed, labelled
from axk1.corpus.classifier.train import ClassifierConfig, Pieces, divided
from axk1.corpus.mix import utf8_length
from axk1.corpus.passages import daily, dialogue, instructions, knowledge, public, tale
from axk1.corpus.source import Source

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "classifiers.jsonl"
Q, QA, ALL = ("question",), ("question", "answer"), ("text",)
LM = [("law", "lm_law"), ("decision", "lm_precedent_supreme"), ("technical", "lm_msdocs"), ("technical", "lm_docs"),
      ("review", "lm_reviews"), ("prose", "lm_prose")]  # fmt: skip
TOXIC = {"hate": "toxic", "offensive": "toxic", "none": "clean", "Spoiled": "toxic", "Default": "clean",
         "unsafe": "toxic", "safe": "clean"}  # fmt: skip


def fixed(label: str, name: str, fields: tuple[str, ...] = ALL, **only: str) -> Seed:
    return Seed(Source(name, name=f"{label} {name} {only}", fields=fields, only=only), label=label)


def field(name: str, field: str, fields: tuple[str, ...], values: dict[str, str]) -> Seed:
    return Seed(Source(name, fields=fields, joined_by=" "), label_field=field, labels=values)


OUTSIDE: dict[str, dict[str, list[Seed]]] = {
    "domain": {
        "held-back documents": [fixed(label, f"{name}.jsonl.zst") for label, name in LM],
        "KoBEST dev passages": [fixed("encyclopedia", "kobest_dev.jsonl.zst", ("passage",), task="boolq")],
        "commands (sae4k)": [fixed("conversation", "sae4k.jsonl.zst")],
        "GSM8K test": [fixed("mathematics", "gsm8k.jsonl.zst", QA)],
        "exercises: money, units, dates": [fixed("mathematics", f"{name}.jsonl", QA)
                                           for name in ("money", "units", "dates")],
    },
    "educational": {
        "held-back documents": [fixed("explains" if label == "technical" else "other", f"{name}.jsonl.zst")
                                for label, name in LM if label != "prose"],
        "KoBEST dev": [fixed("explains", "kobest_dev.jsonl.zst", ("passage",), task="boolq"),
                       fixed("other", "kobest_dev.jsonl.zst", ("context",), task="hellaswag")],
        "questions and opinions (SQuARe)": [fixed("other", "square_q.jsonl.zst", Q)],
    },
    "translation": {
        "held-back documents": [fixed("human", "lm_msdocs.jsonl.zst", mt="HT"),
                                fixed("machine", "lm_msdocs.jsonl.zst", mt="MT")],
        "other human translators": [fixed("human", "lm_docs.jsonl.zst")],
        "another machine (d2l)": [fixed("machine", "ko_docs_bysa.jsonl.zst")],
    },
    "toxicity": {
        "BEEP! dev": [field("beep_dev.jsonl", "hate", ("comments",), TOXIC)],
        "APEACH": [field("apeach_full.jsonl", "class", ALL, TOXIC)],
        "APEACH (part)": [field("apeach.jsonl.zst", "class", ALL, TOXIC)],
        "KoSBi": [field("kosbi.jsonl.zst", "sentence_label", ("context", "sentence"), TOXIC)],
    },
}  # fmt: skip
WRITTEN = {  # who wrote these passages of ours, and what each classifier should say of them
    "domain": {"prose": (tale.tale, daily.diary, daily.letter), "conversation": (dialogue.chat, dialogue.shop),
               "encyclopedia": (knowledge.animal, knowledge.job_or_thing)},
    "educational": {"explains": (knowledge.animal, knowledge.job_or_thing, knowledge.word_lore, instructions.how_to),
                    "other": (tale.tale, daily.diary, daily.letter, dialogue.chat, dialogue.shop, public.weather)},
}  # fmt: skip

Predict = Callable[[Sequence[str]], Floats]


class Contender(NamedTuple):
    """A trained classifier: texts → probabilities; `size` of its file in bytes."""

    predict: Predict
    seconds: float
    size: int


class Asked(NamedTuple):
    """A set of texts with their labels."""

    texts: list[str]
    labels: list[str]


def ours(config: ClassifierConfig, labels: tuple[str, ...], parts: dict[Any, Pieces], folder: Path) -> Contender:
    began, teaching, tuning = time.process_time(), parts["train"], parts["tune"]
    features: FeatureSettings = config.features
    linear = fit(teaching.texts, teaching.labels, len(labels), features, config.fit, config.seed, lambda _seen: None)
    classifier = Classifier(config.name, labels, stored(tempered(linear, tuning.texts, tuning.labels)), {})
    seconds = time.process_time() - began
    write_classifier(classifier, folder / "ours")
    return Contender(classifier.judged, seconds, (folder / "ours").stat().st_size)


def spaced(texts: Sequence[str]) -> list[str]:
    """White space as one space, as for the others: else line ends tell the sources of one sentence a line apart."""
    return [" ".join(text.split()) for text in texts]


def scikit(_config: ClassifierConfig, _labels: tuple[str, ...], parts: dict[Any, Pieces], folder: Path) -> Contender:
    """Tf-idf of the 2^18 most frequent runs of 1 to 4 characters, and its logistic regression."""
    text = importlib.import_module("sklearn.feature_extraction.text")
    regression = importlib.import_module("sklearn.linear_model").LogisticRegression(
        C=3.0, class_weight="balanced", max_iter=100
    )
    began = time.process_time()
    vectors = text.TfidfVectorizer(analyzer="char", ngram_range=(1, 4), sublinear_tf=True, min_df=2,
                                   max_features=1 << 18, dtype=np.float32)  # fmt: skip
    regression.fit(vectors.fit_transform(spaced(parts["train"].texts)), parts["train"].labels)
    seconds = time.process_time() - began
    importlib.import_module("joblib").dump((vectors, regression), folder / "scikit")
    size = (folder / "scikit").stat().st_size
    return Contender(lambda texts: regression.predict_proba(vectors.transform(spaced(texts))), seconds, size)


def fasttext(_config: ClassifierConfig, labels: tuple[str, ...], parts: dict[Any, Pieces], folder: Path) -> Contender:
    """Words, pairs of words and runs of 1 to 4 characters inside words, in 2^18 places of 16 dimensions."""
    module = importlib.import_module("fasttext")
    teaching, file = parts["train"], folder / "lines.txt"
    lines = [
        f"__label__{label} {' '.join(text.split())}\n"
        for label, text in zip(teaching.labels, teaching.texts, strict=True)
    ]
    random.Random(0).shuffle(lines)  # it does not shuffle by itself
    file.write_text("".join(lines), encoding="utf-8")
    began = time.process_time()
    model = module.train_supervised(str(file), lr=0.1, epoch=20, wordNgrams=2, minn=1, maxn=4, bucket=1 << 18, dim=16,
                                    thread=1, seed=1, verbose=0)  # fmt: skip
    seconds = time.process_time() - began
    model.save_model(str(folder / "fasttext"))

    def predict(texts: Sequence[str]) -> Floats:
        rows = np.zeros((len(texts), len(labels)), np.float32)
        for row, one in zip(rows, texts, strict=True):
            for probability, name in model.f.predict(" ".join(one.split()), len(labels), 0.0, "strict"):
                row[int(name.removeprefix("__label__"))] = probability
        return rows

    return Contender(predict, seconds, (folder / "fasttext").stat().st_size)


CONTENDERS = {"axk1": ours, "scikit-learn": scikit, "fastText": fasttext}


def outside(name: str, folder: Path) -> Iterator[tuple[str, Asked]]:
    """The sets whose files are there; of the documents also pieces of 200 characters; then our own passages."""
    for title, seeds in OUTSIDE.get(name, {}).items():
        there = [replace(one, source=replace(one.source, path=str(folder / one.source.path))) for one in seeds]
        if not all(Path(one.source.path).exists() for one in there):
            print(f"{name}: {title}: not there", file=sys.stderr)
            continue
        found = list(labelled(there, None, 0))
        yield title, Asked([one.document.text for one in found], [one.label for one in found])
        if title == "held-back documents":
            short = [(piece, one.label) for one in found for piece in spread(one.document.text, Spread(5, 200))]
            yield f"{title}, 200 characters", Asked([text for text, _ in short], [label for _, label in short])
    if name in WRITTEN:
        rng = random.Random(0)
        own = [
            (make(rng, "train"), label)
            for label, makers in WRITTEN[name].items()
            for make in makers
            for _ in range(100)
        ]
        yield "passages of axk1", Asked([text for text, _ in own], [label for _, label in own])


def score(contender: Contender, labels: tuple[str, ...], asked: Asked) -> dict[str, Any]:
    report = measured(labels, np.array([labels.index(one) for one in asked.labels]), contender.predict(asked.texts))
    there = {name: one for name, one in report.labels.items() if one.texts}
    single = len(there) == 1
    per_label = {name: one.recall if single else one.f1 for name, one in there.items()}
    return {"texts": report.texts, "score": report.accuracy if single else report.macro_f1,
            "of": "right" if single else "macro F1", "labels": per_label, "ece": report.calibration_error}  # fmt: skip


def speed(contender: Contender, texts: Sequence[str]) -> float:
    """MB of text a second of process time, best of three."""
    size, best = sum(map(utf8_length, texts)) / 1e6, float("inf")
    for _ in range(3):
        began = time.process_time()
        contender.predict(texts)
        best = min(best, time.process_time() - began)
    return round(size / best, 2)


def compared(config: ClassifierConfig, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A line for every contender and set."""
    labels, parts = divided(config)
    asked = Asked(parts["held_out"].texts, [labels[number] for number in parts["held_out"].labels])
    sets = [("held out", asked), *(outside(config.name, options.outside) if options.outside else ())]
    long = [text for text in asked.texts if len(text) > 500][:1000]
    for name, make in CONTENDERS.items():
        with tempfile.TemporaryDirectory() as folder:
            try:
                contender = make(config, labels, dict(parts), Path(folder))
            except (ModuleNotFoundError, RuntimeError) as error:  # fastText diverges with long texts and steps
                print(f"{name}: {error}", file=sys.stderr)
                continue
        made = {"classifier": config.name, "contender": name, "trained_on": len(parts["train"].texts),
                "seconds": round(contender.seconds, 1), "megabytes": round(contender.size / 1e6, 1),
                "mb_s": speed(contender, long or asked.texts),
                "mb_s_short": speed(contender, short_of(asked))}  # fmt: skip
        for title, one in sets:
            yield {**made, "set": title, **score(contender, labels, one)}


def short_of(asked: Asked) -> list[str]:
    """Texts of 100 characters, where a price per text shows."""
    return [text[:100] for text in asked.texts[:2000]]


def main() -> None:
    options = parsed()
    about = {"command": f"benchmarks/classifiers.py --per-label {options.per_label}", "python": sys.version.split()[0],
             "numpy": np.__version__, "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}  # fmt: skip
    for recipe in sorted((ROOT / "recipes/classifiers").glob(f"{options.only or '*'}.toml")):
        changes = [f"pieces.per_label={options.per_label}"] if options.per_label else []
        config = load(recipe, ClassifierConfig, changes)
        seeds = [
            replace(one, source=replace(one.source, path=str(options.text / one.source.path))) for one in config.seeds
        ]
        lines = []
        for line in compared(replace(config, seeds=tuple(seeds)), options):
            lines.append(line)
            print(json.dumps(line, ensure_ascii=False), flush=True)
            if options.record:
                with open(RESULTS, "a", encoding="utf-8") as file:
                    file.write(json.dumps({**line, **about}, ensure_ascii=False) + "\n")
        table(lines)


def table(lines: Sequence[dict[str, Any]]) -> None:
    for (name, title), group in itertools.groupby(sorted(lines, key=lambda one: one["set"]),
                                                  key=lambda one: (one["classifier"], one["set"])):  # fmt: skip
        rows = list(group)
        scores = "  ".join(f"{one['contender']} {one['score']:.3f}" for one in rows)
        print(f"{name:12} {title:36} {rows[0]['texts']:6} {rows[0]['of']:9} {scores}")
    for one in {one["contender"]: one for one in lines}.values():
        print(f"{one['classifier']:12} {one['contender']:14} {one['seconds']:7.1f} s {one['megabytes']:7.1f} MB"
              f" {one['mb_s']:6.1f} MB/s, short {one['mb_s_short']:.1f}")  # fmt: skip


def parsed() -> argparse.Namespace:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(description="text classifiers beside fastText and scikit-learn")
    parser.add_argument("text", type=Path, help="the folder with the files of the recipes")
    parser.add_argument("--outside", type=Path, help="a folder with the sets of other sources")
    parser.add_argument("--per-label", type=int, default=0, help="instead of the recipe's; 0 = the recipe's")
    parser.add_argument("--only", help="the name of one recipe")
    parser.add_argument("--record", action="store_true", help="append to benchmarks/results/classifiers.jsonl")
    return parser.parse_args()


if __name__ == "__main__":
    main()
