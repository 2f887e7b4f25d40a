"""A recipe: a folder with one short TOML file per stage, read into the settings of that stage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from axk1.cli.texts import placed, placed_steps
from axk1.config import ConfigError, from_mapping, load, read
from axk1.corpus.build import CorpusConfig
from axk1.corpus.source import Source
from axk1.export.quantize_formats import PARTS, Formats, named_formats
from axk1.posttrain.sft import SftConfig
from axk1.tokenizer.pieces import Digits, Hangul, Indentation, Newlines, Opener, Pieces
from axk1.train.architecture import require_fit
from axk1.train.pretrain import PretrainConfig

__all__ = ["DataConfig", "EvalsConfig", "HeldOut", "QuantizeConfig", "Recipe", "TokenizerConfig", "load_recipe"]


@dataclass(frozen=True)
class TokenizerConfig:
    """Trained on about `sample_bytes` of the training documents and as many of the conversations.

    hangul, digits, newlines, indentation, opener: what a token may span, as `axk1/tokenizer/pieces.py` explains.
    superwords_from: entries from this one on may span several words; 0 = none.
    folder: take the tokenizer that lies there instead of training one; runs are then comparable by token too.
    """

    vocab_size: int
    sample_bytes: int = 64_000_000
    hangul: Hangul = "words"
    digits: Digits = "single"
    newlines: Newlines = "apart"
    indentation: Indentation = "shared"
    opener: Opener = "space"
    superwords_from: int = 0
    folder: Path | None = None

    def __post_init__(self) -> None:
        _ = self.pieces  # a wrong name is found before anything runs

    @property
    def pieces(self) -> Pieces:
        """How text is cut before merges. ValueError for a choice that is not known."""
        return Pieces(self.hangul, self.digits, self.newlines, self.indentation, self.opener)


@dataclass(frozen=True)
class HeldOut:
    """A file of held-out documents, measured under its name; several fields of a record are joined by line ends."""

    path: str
    name: str
    fields: tuple[str, ...] = ("text",)

    @property
    def source(self) -> Source:
        """How it is read."""
        return Source(self.path, self.name, self.fields)


@dataclass(frozen=True)
class DataConfig:
    """What becomes tokens. thinking_share: of the exercises that show their reasoning as conversations.

    validation: held-out files of one's own, each a measure `<name>_bits_per_byte` of the training.
    """

    thinking_share: float = 0.5
    validation: tuple[HeldOut, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.thinking_share <= 1:
            raise ValueError(f"thinking_share must lie between 0 and 1, found {self.thinking_share}")
        names = [one.name for one in self.validation]
        if taken := [name for name in names if names.count(name) > 1 or name in ("", "real", "curriculum")]:
            raise ValueError(f"validation: the name {taken[0]!r} is taken: give each file a name of its own")


@dataclass(frozen=True)
class EvalsConfig:
    """Up to so many held-out exercises of every family, with and without thinking."""

    exercises: int = 100
    max_new_tokens: int = 256
    seed: int = 0


@dataclass(frozen=True)
class QuantizeConfig:
    """The format of each part: its own, else `format`, which head and embedding never take, else its default.

    Scales are chosen by activations on `calibration_tokens` tokens of the training conversations; 0: by the weights
    alone. The result is measured on `conversations` held-out ones.
    """

    format: str = ""
    experts: str = ""
    shared: str = ""
    dense: str = ""
    attention: str = ""
    head: str = ""
    embedding: str = ""
    calibration_tokens: int = 0
    conversations: int = 400

    def __post_init__(self) -> None:
        _ = self.formats  # a wrong name is found before anything runs
        if self.calibration_tokens < 0 or self.conversations < 1:
            raise ValueError("calibration_tokens must be 0 or more, conversations 1 or more")

    @property
    def formats(self) -> Formats:
        """The schemes. ValueError for an unknown name, or when nothing is quantised."""
        return named_formats({part: getattr(self, part) for part in PARTS}, self.format)

    @property
    def folder(self) -> str:
        """Where the model goes: named after its fewest bits."""
        return f"model-int{min(scheme.bits for part in PARTS if (scheme := self.formats.of(part)))}"


@dataclass(frozen=True)
class Recipe:
    """The settings of every stage, from the file `<stage>.toml`; without an `sft.toml` the model learns no chat,
    without a `quantize.toml` no smaller copy of it is made."""

    name: str
    corpus: CorpusConfig
    tokenizer: TokenizerConfig
    pretrain: PretrainConfig
    data: DataConfig = field(default_factory=DataConfig)
    sft: SftConfig | None = None
    evals: EvalsConfig = field(default_factory=EvalsConfig)
    quantize: QuantizeConfig | None = None


_STAGES: Mapping[str, type] = MappingProxyType(
    {
        "corpus": CorpusConfig,
        "tokenizer": TokenizerConfig,
        "data": DataConfig,
        "pretrain": PretrainConfig,
        "sft": SftConfig,
        "evals": EvalsConfig,
        "quantize": QuantizeConfig,
    }
)
_NO_STAGES = ("serve",)  # of the same folder, for `axk1 serve`
_REQUIRED = ("corpus", "tokenizer", "pretrain")


def load_recipe(folder: Path, overrides: Sequence[str] = (), text: Path = Path()) -> Recipe:
    """The recipe in `folder` under overrides `stage.key=value`; relative paths of sources lie in the folder `text`.

    Raises ConfigError for anything that no stage knows, OSError.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such recipe folder{_neighbours(folder.parent)}")
    files = {path.stem: path for path in sorted(folder.glob("*.toml")) if path.stem not in _NO_STAGES}
    for stage, path in files.items():
        if stage not in _STAGES:
            raise ConfigError(f"{path}: no stage is called {stage!r} (known: {', '.join(_STAGES)})")
    changes = _by_stage(overrides)
    settings: dict[str, Any] = {}
    for stage, cls in _STAGES.items():
        if stage in files or stage in _REQUIRED:
            settings[stage] = load(folder / f"{stage}.toml", cls, changes[stage])
        elif changes[stage]:
            settings[stage] = from_mapping(read(None, changes[stage]), cls, stage)
    recipe = Recipe(folder.resolve().name, **settings)
    _require_fit(recipe)
    return replace(
        recipe,
        corpus=replace(
            recipe.corpus,
            sources=placed(recipe.corpus.sources, text),
            steps=placed_steps(recipe.corpus.steps, text),
        ),
        data=replace(recipe.data, validation=_held_out(recipe.data.validation, text)),
    )


def _require_fit(recipe: Recipe) -> None:
    """What would only be found out when the training begins."""
    config = recipe.pretrain.model.config()
    _require_sources(recipe)
    for stage in (recipe.pretrain, recipe.sft or recipe.pretrain):
        require_fit(config, recipe.tokenizer.vocab_size, stage.training.seq_len)


def _held_out(files: Sequence[HeldOut], text: Path) -> tuple[HeldOut, ...]:
    there = placed([one.source for one in files], text)
    return tuple(replace(one, path=source.path) for one, source in zip(files, there, strict=True))


def _require_sources(recipe: Recipe) -> None:
    """Stages draw from the sources of the corpus, and say themselves how often each is read."""
    known = [one.label for one in recipe.corpus.sources] + ["curriculum"] * (recipe.corpus.curriculum.texts > 0)
    for name in (name for stage in recipe.pretrain.stages for name in stage.shares):
        if name not in known:
            raise ConfigError(f"pretrain.stages: the corpus has no source {name!r} (known: {', '.join(known)})")
    for source in recipe.corpus.sources:
        if recipe.pretrain.stages and source.repeat > 1:
            raise ConfigError(f"source {source.label}: repeat and pretrain.stages exclude each other; raise its weight")


def _neighbours(folder: Path) -> str:
    names = sorted(path.parent.name for path in folder.glob("*/pretrain.toml"))
    return f" (there: {', '.join(names)})" if names else ""


def _by_stage(overrides: Sequence[str]) -> dict[str, list[str]]:
    parts: dict[str, list[str]] = {stage: [] for stage in _STAGES}
    for override in overrides:
        stage, dot, rest = override.partition(".")
        if stage not in parts or not dot:
            raise ConfigError(f"{override!r}: write stage.key=value with a stage of {', '.join(_STAGES)}")
        parts[stage].append(rest)
    return parts
