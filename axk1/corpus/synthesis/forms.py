"""A reply → candidates: what could become a document, as the form of the task has it."""

import re
from collections.abc import Callable, Mapping

from axk1.corpus.synthesis.candidate import Candidate
from axk1.corpus.synthesis.settings import Form

__all__ = ["candidates"]

_ITEM = r"^\s*(?:[-*•]\s*)?(?:\*\*)?(?:\(?\d{1,2}[.)]\s*)?(?:\*\*)?"
_AFTER = r"\s*\d{0,2}\s*(?:\*\*)?\s*[:：]\s*(?:\*\*)?\s*(?P<text>.*)$"
_ASKS = re.compile(rf"{_ITEM}(?:질문|문제|물음|요청|지시|Q){_AFTER}")
_ANSWERS = re.compile(rf"{_ITEM}(?:답|답변|정답|응답|대답|A){_AFTER}")
_RESULT = re.compile(r"^\W*(?:최종\s*)?(?:정답|답)(?:은|:|：)\s*(?P<text>.*?)\W*$")
_SPEAKS = re.compile(r"^\W{0,3}(?P<name>[가-힣A-Za-z][가-힣A-Za-z ]{0,11})\**\s*[:：]\**\s*(?P<text>\S.*)$")
_FENCE = re.compile(r"^```\w*\n(?P<text>.*?)\n?```\s*$", re.DOTALL)
_FEWEST_TURNS = 4


def candidates(reply: str, form: Form, question: str = "") -> list[Candidate]:
    """Those in the reply; none when it has not the form. question: which a solution is of."""
    fenced = _FENCE.match(reply.strip())
    text = fenced["text"].strip() if fenced else reply.strip()
    return _PARSERS[form](text, question) if text else []


def _text(text: str, _question: str) -> list[Candidate]:
    return [Candidate(text)]


def _pairs(text: str, _question: str) -> list[Candidate]:
    """Of a question without an answer, or an answer without a question, nothing is kept."""
    found: list[tuple[list[str], list[str]]] = []
    part: list[str] | None = None
    for line in text.split("\n"):
        if asks := _ASKS.match(line):
            found.append(([asks["text"]], []))
            part = found[-1][0]
        elif (answers := _ANSWERS.match(line)) and found and not found[-1][1]:
            found[-1][1].append(answers["text"])
            part = found[-1][1]
        elif part is not None:
            part.append(line)
    whole = [("\n".join(asked).strip(" *\n"), "\n".join(said).strip(" *\n")) for asked, said in found]
    return [Candidate(f"질문: {asked}\n답: {said}", asked, said) for asked, said in whole if asked and said]


def _dialogue(text: str, _question: str) -> list[Candidate]:
    """Every line is a speaker's, at least four of them, of at least two speakers."""
    lines = [line for line in text.split("\n") if line.strip()]
    turns = [_SPEAKS.match(line) for line in lines]
    spoken = [(turn["name"].strip(), turn["text"].strip()) for turn in turns if turn]
    if len(spoken) < max(_FEWEST_TURNS, len(lines)) or len({name for name, _ in spoken}) < 2:
        return []
    return [Candidate("\n".join(f"{name}: {said}" for name, said in spoken))]


def _solution(text: str, question: str) -> list[Candidate]:
    """Steps, and a last line that begins with 답."""
    steps, _, last = text.rpartition("\n")
    result = _RESULT.match(last)
    if result is None or not result["text"] or not steps.strip():
        return []
    steps, answer = steps.strip(), result["text"]
    return [Candidate(f"{question}\n{steps}\n답: {answer}", question, answer, steps)]


_PARSERS: Mapping[Form, Callable[[str, str], list[Candidate]]] = {
    "text": _text,
    "pairs": _pairs,
    "dialogue": _dialogue,
    "solution": _solution,
}
