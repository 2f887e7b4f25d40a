"""Steps by name, with the options that a recipe gives them.

steps = ["newlines", "nfc", { name = "exact_dedup", memory_bytes = 4_000_000_000 }]
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from inspect import signature
from typing import Any, NamedTuple, cast, get_type_hints

from axk1.config import ConfigError, from_mapping
from axk1.corpus.documents import Document, Drop, Reject, Scope, Step
from axk1.registry import load

__all__ = ["NamedStep", "StepEntry", "chained", "make_step", "make_steps", "rejecter", "scope_of", "step_name"]

StepEntry = str | Mapping[str, Any]
"""The name of a plug-in of the kind "corpus_step", or a table with its `name` and options."""


def step_name(entry: StepEntry) -> str:
    """The name of the plug-in. ConfigError for a table without one."""
    name = entry if isinstance(entry, str) else entry.get("name")
    if not isinstance(name, str):
        raise ConfigError(
            f'steps: a table needs a name, as in {{ name = "exact_dedup" }}; found {dict(cast(Any, entry))}'
        )
    return name


def make_step(entry: StepEntry) -> Step:
    """The step, made with its options. ValueError for an unknown step, ConfigError for an unknown or wrong option."""
    name = step_name(entry)
    make = load("corpus_step", name)
    options = {} if isinstance(entry, str) else {key: value for key, value in entry.items() if key != "name"}
    if not options:
        return cast(Step, make())
    parameters = list(signature(make).parameters)
    if not parameters:
        raise ConfigError(f"step {name}: it has no options, found {', '.join(options)}")
    settings = get_type_hints(make.__init__)[parameters[0]]
    return cast(Step, make(from_mapping(options, settings, f"step {name}")))


class NamedStep(NamedTuple):
    """A step with the name that reports give it."""

    name: str
    step: Step


def make_steps(entries: Sequence[StepEntry]) -> list[NamedStep]:
    """The steps, made with their options; errors as of `make_step`."""
    return [NamedStep(step_name(entry), make_step(entry)) for entry in entries]


def scope_of(entry: StepEntry) -> Scope:
    """What decides a document's fate in this step; a step that does not say is given all documents in their order."""
    return cast(Scope, getattr(load("corpus_step", step_name(entry)), "scope", "corpus"))


def chained(steps: Sequence[NamedStep], documents: Iterator[Document], drop: Drop) -> Iterator[Document]:
    """The documents through one step after the other; `drop` is called for those that do not arrive."""
    for name, step in steps:
        documents = step(documents, rejecter(drop, name))
    return documents


def rejecter(drop: Drop, name: str) -> Reject:
    """What the step of this name calls for a document that it drops."""
    return partial(_drop, drop, name)


def _drop(drop: Drop, name: str, document: Document, reason: str) -> None:
    drop(document, name, reason)
