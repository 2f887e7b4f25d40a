"""Tasks and a completer become results: every question in one batch per mode, parsed and graded."""

from collections.abc import Callable, Mapping, Sequence

from axk1.chat.completer import TokenCompleter
from axk1.chat.parser import parse
from axk1.chat.template import render
from axk1.evals.interval import Share
from axk1.evals.result import MODES, Answer, Flaw, Mode, TaskResult
from axk1.evals.task import Question, Task
from axk1.tokenizer.special import END_OF_TEXT_ID, IM_END_ID
from axk1.tokenizer.tokenizer import Tokenizer

__all__ = ["evaluate"]

Progress = Callable[[Mode, int], None]
"""Called before the completions of a mode begin, with the number of prompts."""

_ENDS = (END_OF_TEXT_ID, IM_END_ID)
_UNKNOWN = "\ufffd".encode()


def evaluate(
    tasks: Sequence[Task],
    tokenizer: Tokenizer,
    completer: TokenCompleter,
    *,
    exercises: int,
    max_new_tokens: int,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[TaskResult, ...]:
    """Ask `exercises` questions of each task with and without thinking, the likeliest token at each step.

    The prompts of all tasks go to the completer in one call per mode. A reply that breaks the format is wrong: nobody
    could use it. ValueError for counts below 1, and what the completer raises.
    """
    if exercises < 1 or max_new_tokens < 1:
        raise ValueError(f"exercises {exercises} and max_new_tokens {max_new_tokens} must be at least 1")
    asked = [task.questions(exercises, seed) for task in tasks]
    everything = [question for questions in asked for question in questions]
    answers = dict[Mode, list[Answer]]()
    for mode in MODES:
        if progress:
            progress(mode, len(everything))
        answers[mode] = _answers(everything, mode, tokenizer, completer, max_new_tokens)
    results, start = list[TaskResult](), 0
    for task, questions in zip(tasks, asked, strict=True):
        own = {mode: tuple(answers[mode][start : start + len(questions)]) for mode in MODES}
        results.append(_result(task, questions, own))
        start += len(questions)
    return tuple(results)


def _answers(
    questions: Sequence[Question], mode: Mode, tokenizer: Tokenizer, completer: TokenCompleter, max_new_tokens: int
) -> list[Answer]:
    thinking = mode == "thinking"
    texts = [render(question.messages, question.tools, thinking, add_generation_prompt=True) for question in questions]
    completions = completer.complete(tokenizer.encode_batch(texts), max_new_tokens)
    return [
        _answer(question, completion, _text(tokenizer, completion), thinking, max_new_tokens)
        for question, completion in zip(questions, completions, strict=True)
    ]


def _text(tokenizer: Tokenizer, ids: Sequence[int]) -> str:
    """The text of the ids but for the one that ends it; an id beyond the vocabulary shows as U+FFFD: a model with a
    padded head may say it."""
    ids = ids[:-1] if ids and ids[-1] in _ENDS else ids
    known = (tokenizer.bytes_of(id_) if id_ < tokenizer.vocab_size else _UNKNOWN for id_ in ids)
    return b"".join(known).decode("utf-8", "replace")


def _answer(question: Question, completion: list[int], got: str, thinking: bool, max_new_tokens: int) -> Answer:
    reply = parse(got, thinking)
    too_long = len(completion) >= max_new_tokens and completion[-1] not in _ENDS
    found: dict[Flaw, bool] = {
        "malformed": bool(reply.malformed),
        "empty_thinking": thinking and not reply.reasoning.strip(),
        "too_long": too_long,
    }
    right = not reply.malformed and not too_long and question.grade(reply)
    flaws = tuple(flaw for flaw, there in found.items() if there)
    return Answer(question.text, question.wanted, got, right, flaws, len(completion))


def _result(task: Task, questions: Sequence[Question], answers: Mapping[Mode, tuple[Answer, ...]]) -> TaskResult:
    assert questions, f"{task.name} has no questions"
    assert questions[0].guesses, f"{task.name} has no baseline"
    baselines = {name: _share_of(name, questions) for name in questions[0].guesses}
    return TaskResult(task.name, task.title_ko, task.title_en, answers, baselines)


def _share_of(baseline: str, questions: Sequence[Question]) -> Share:
    return Share(sum(question.grade(question.guesses[baseline]) for question in questions), len(questions))
