"""What a rule looks at: a candidate, and where it came from."""

from dataclasses import dataclass

from axk1.corpus.synthesis.topics import Topic

__all__ = ["Candidate", "Origin"]


@dataclass(frozen=True)
class Candidate:
    """text: of the document. question, answer: of pairs and solutions; reasoning: the steps of a solution."""

    text: str
    question: str = ""
    answer: str = ""
    reasoning: str = ""


@dataclass(frozen=True)
class Origin:
    """seed: the passage, "" when there is none. instructions: the template with nothing filled in.

    shown: the reader of the document sees the seed too.
    """

    seed: str = ""
    instructions: str = ""
    topic: Topic | None = None
    shown: bool = False
