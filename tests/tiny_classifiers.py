"""Small text classifiers for the tests, trained on generated passages: diaries against news."""

import atexit
import random
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from axk1.config import load
from axk1.corpus.classifier.model import write_classifier
from axk1.corpus.classifier.train import ClassifierConfig, train
from axk1.corpus.passages import daily, public
from pipeline_folders import write_jsonl

RECIPE = """
name = "kind"
meaning = "diary or news"
held_out = 0.2
features = { bits = 12 }
fit = { epochs = 2 }
seeds = [
  { label = "diary", source = { path = "FOLDER/diary.jsonl" } },
  { label = "news", source = { path = "FOLDER/news.jsonl" } },
]
"""


def passages(kind: str, count: int, seed: int = 0) -> list[str]:
    rng = random.Random(f"{kind} {seed}")
    return [(daily.diary if kind == "diary" else public.news)(rng, "train") for _ in range(count)]


def write_recipe(folder: Path, count: int = 150) -> Path:
    """A recipe, and the texts of both labels beside it."""
    for kind in ("diary", "news"):
        write_jsonl(folder / f"{kind}.jsonl", passages(kind, count))
    recipe = folder / "kind.toml"
    recipe.write_text(RECIPE.replace("FOLDER", str(folder)), encoding="utf-8")
    return recipe


@cache
def classifier_file() -> Path:
    """A trained one, in a folder that goes when the tests end."""
    folder = TemporaryDirectory()
    atexit.register(folder.cleanup)
    config = load(write_recipe(Path(folder.name)), ClassifierConfig)
    path = Path(folder.name) / "kind.safetensors"
    write_classifier(train(config, lambda _texts: lambda _seen: None).classifier, path)
    return path
