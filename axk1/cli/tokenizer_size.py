"""`axk1 tokenizer size`: how many entries models of our shapes want, by a published law."""

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.table import Table

from axk1.arch import PRESETS, ModelConfig, preset
from axk1.arch.arithmetic import active_parameters, parameters
from axk1.arch.vocabulary import VocabularyRange, best_vocabulary
from axk1.cli.screen import console
from axk1.cli.words import Words

__all__ = ["tokenizer_size"]


@dataclass(frozen=True)
class Wanted:
    """Entries a model has, and those the law gives for what one token meets and for all that is stored."""

    name: str
    vocab_size: int
    active: VocabularyRange
    stored: VocabularyRange


def tokenizer_size(argv: list[str], say: Words) -> int:
    """Print the law's vocabulary beside each model's own."""
    options = _parser(say).parse_args(argv)
    rows = [_wanted(name, _config(name)) for name in options.models or PRESETS]
    if options.json:
        print(json.dumps([asdict(row) for row in rows]))
    else:
        _print(rows, say)
    return 0


def _parser(say: Words) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="axk1 tokenizer size",
        description=say("모델 크기에 알맞은 어휘 크기", "the vocabulary a model's size wants"),
    )
    add = parser.add_argument
    add("models", nargs="*", metavar="NAME|FOLDER", help=say("이름이나 모델 폴더", "presets or model folders"))
    add("--json", action="store_true", help=say("기계가 읽을 JSON으로", "as JSON, for machines"))
    return parser


def _config(name: str) -> ModelConfig:
    file = Path(name) / "config.json"
    if name in PRESETS or not file.exists():
        return preset(name)
    return ModelConfig.from_huggingface(json.loads(file.read_text(encoding="utf-8")))


def _wanted(name: str, config: ModelConfig) -> Wanted:
    matrices = 1 if config.tie_word_embeddings else 2
    vocabulary = matrices * config.vocab_size * config.hidden_size
    active, stored = (
        best_vocabulary(count(config) - vocabulary, config.hidden_size) for count in (active_parameters, parameters)
    )
    return Wanted(name, config.vocab_size, active, stored)


def _print(rows: list[Wanted], say: Words) -> None:
    table = Table(
        title=say("알맞은 어휘 크기", "Vocabulary by size"),
        caption=say(
            "Tao 등(2024)이 밀집 모델에서 얻은 두 식의 값입니다. 전문가 혼합 모델의 답은 두 열 사이에 있을 텐데, "
            "어디인지는 이 법칙이 말해 주지 않습니다.",
            "By the two fits of Tao et al. 2024, of dense models. Of models with experts the answer should lie between "
            "the columns; where, the law does not say.",
        ),
        title_justify="left",
        caption_justify="left",
    )
    table.add_column(say("모델", "model"))
    for heading in (
        say("어휘", "entries"),
        say("활성 파라미터 기준", "by active parameters"),
        say("전체 파라미터 기준", "by all parameters"),
    ):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(row.name, f"{row.vocab_size:,}", _range(row.active), _range(row.stored))
    console().print(table)


def _range(found: VocabularyRange) -> str:
    return f"{min(found):,} – {max(found):,}"
