"""What a synthesis recipe says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from axk1.corpus.curriculum import FAMILIES
from axk1.corpus.dedup.near import NearDedupSettings
from axk1.corpus.endpoint import Endpoint
from axk1.corpus.source import Source
from axk1.corpus.synthesis.budget import Budget, Price
from axk1.corpus.synthesis.rules import Checks

__all__ = ["Form", "Judge", "Model", "Passages", "SynthesisConfig", "Task"]

Form = Literal["text", "pairs", "dialogue", "solution"]
"""How a reply is read: as it stands, as questions with answers, as lines of speakers, as steps with a last line 답."""


@dataclass(frozen=True)
class Model:
    """A model behind an endpoint, or one that the caller hands in under this name.

    output_terms: what the licence of the model says of its outputs, in your words; it stands in every document.
    """

    name: str
    output_terms: str
    url: str = ""  # up to and with /v1
    key_variable: str = ""  # the environment variable that holds the endpoint's key; "" = no key
    system: str = ""
    temperature: float = 0.7
    top_p: float = 0.95
    max_tokens: int = 1024  # of a reply
    extra: Mapping[str, Any] = field(default_factory=dict)  # further keys of the request's body
    price: Price = field(default_factory=Price)
    tries: int = 5
    first_wait: float = 1.0  # seconds before the second try; doubles
    timeout: float = 300.0  # seconds

    def __post_init__(self) -> None:
        if not self.output_terms.strip():
            raise ValueError("output_terms must say what the model's licence says of its outputs")
        if self.max_tokens < 1 or self.temperature < 0 or not 0 < self.top_p <= 1:
            raise ValueError("max_tokens must be above 0, temperature not negative, top_p above 0 and at most 1")
        if self.url:
            _ = self.endpoint

    @property
    def endpoint(self) -> Endpoint:
        """ValueError for settings that cannot be meant."""
        return Endpoint(self.url, self.key_variable, self.tries, self.first_wait, timeout=self.timeout)


@dataclass(frozen=True)
class Judge:
    """A model that scores what passed the rules, from 1 to 5; model: None = the one that wrote."""

    least_score: int = 4
    template: str = "judge"
    model: Model | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.least_score <= 5:
            raise ValueError(f"least_score must be from 1 to 5, found {self.least_score}")


@dataclass(frozen=True)
class Passages:
    """How seeds are cut: paragraphs together up to `most` characters; what is below `least` is no seed."""

    least: int = 200
    most: int = 1200

    def __post_init__(self) -> None:
        if not 0 < self.least <= self.most:
            raise ValueError("passages: least must be above 0 and at most `most`")


@dataclass(frozen=True)
class Task:
    """One thing to have written. per: what a request is made from; count: of how many (None: of every seed).

    attempts: so many replies are asked for until one is kept. variables: further ones of the template.
    """

    name: str
    template: str
    per: Literal["seed", "topic", "exercise"]
    form: Form = "text"
    count: int | None = None
    attempts: int = 1
    variables: Mapping[str, str] = field(default_factory=dict)
    with_seed: bool = False  # the seed before the pairs, so that they may lean on it
    round_trip: float = 0.0  # of pairs: how much a second answer, from the seed, must agree (0 to 1; 0 = not asked)
    families: tuple[str, ...] = ()  # of the curriculum, of exercises
    reword: str = ""  # of exercises: the template by which the question is put in other words first
    checks: Checks = field(default_factory=Checks)

    def __post_init__(self) -> None:
        if self.attempts < 1 or (self.count is not None and self.count < 1) or not 0 <= self.round_trip <= 1:
            raise ValueError(f"task {self.name}: attempts and count must be above 0, round_trip from 0 to 1")
        if self.per != "seed" and self.count is None:
            raise ValueError(f"task {self.name}: say how many: count = 1000")
        if (self.per == "exercise") != (self.form == "solution"):
            raise ValueError(f'task {self.name}: per = "exercise" and form = "solution" go together')
        if (self.with_seed or self.round_trip) and (self.per, self.form) != ("seed", "pairs"):
            raise ValueError(f'task {self.name}: with_seed and round_trip are for per = "seed", form = "pairs"')
        if (self.per == "exercise") != bool(self.families):
            raise ValueError(f'task {self.name}: families and per = "exercise" go together')
        if unknown := sorted(set(self.families) - set(FAMILIES)):
            raise ValueError(f"task {self.name}: no family {unknown[0]!r} (known: {', '.join(FAMILIES)})")


@dataclass(frozen=True)
class SynthesisConfig:
    """The recipe. license: an SPDX expression for documents whose seed brings none, and for those without a seed."""

    model: Model
    tasks: tuple[Task, ...]
    sources: tuple[Source, ...] = ()
    passages: Passages = Passages()
    topics: str = ""  # a file of topics, relative to the recipe; "" = the built-in one
    license: str = ""
    seed: int = 0
    budget: Budget = field(default_factory=Budget)
    concurrency: int = 4  # requests at a time
    judge: Judge | None = None
    near_dedup: NearDedupSettings = field(default_factory=lambda: NearDedupSettings(threshold=0.7))
    samples: int = 50  # per task, and per reason
    most_failures: int = 10  # items in a row without an answer, after which to stop

    def __post_init__(self) -> None:
        names = [task.name for task in self.tasks]
        if not names or len(set(names)) < len(names):
            raise ValueError("a recipe needs tasks, each with a name of its own")
        if self.concurrency < 1 or self.samples < 0 or self.most_failures < 1:
            raise ValueError("concurrency and most_failures must be above 0, samples not negative")
        if any(task.per == "seed" for task in self.tasks) and not self.sources:
            raise ValueError('tasks with per = "seed" need sources')
        if any(task.per != "seed" for task in self.tasks) and not self.license:
            raise ValueError("documents without a seed need a license: an SPDX expression")
        if self.near_dedup.unit != "document":
            raise ValueError('near_dedup: only unit = "document" is meant here')
