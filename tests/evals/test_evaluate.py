from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pytest

from axk1.chat.messages import Message, Reply
from axk1.chat.template import render
from axk1.corpus.curriculum import FAMILIES, exercises
from axk1.evals.evaluate import evaluate
from axk1.evals.interval import Share
from axk1.evals.result import MODES, TaskResult
from axk1.evals.task import Question, load_tasks
from axk1.tokenizer.special import IM_END
from axk1.tokenizer.tokenizer import Tokenizer
from tests.evals.conftest import Fake, Say

COUNT = 8
LONG = 2000


def run(fake: Fake, *names: str, tokens: int = LONG) -> tuple[TaskResult, ...]:
    tasks = load_tasks("curriculum", names)
    return evaluate(tasks, fake.tokenizer, fake, exercises=COUNT, max_new_tokens=tokens)


def test_a_perfect_model_is_right_in_every_family_and_mode(fake: Callable[[Say], Fake]) -> None:
    results = run(fake(lambda i, answer: answer))
    assert [result.name for result in results] == list(FAMILIES)
    for result in results:
        for mode in MODES:
            wrong = [answer for answer in result.answers[mode] if not answer.right]
            assert not wrong
            assert not any(result.flaws(mode).values())


def test_nonsense_is_wrong_in_every_family_and_mode(fake: Callable[[Say], Fake]) -> None:
    for result in run(
        fake(lambda i, answer: f"음…</think>ㅋㅋㅋ{IM_END}" if "</think>" in answer else f"ㅋㅋㅋ{IM_END}")
    ):
        for mode in MODES:
            assert result.share(mode).right == 0
            assert not any(result.flaws(mode).values())


def test_each_answer_meets_its_own_question(fake: Callable[[Say], Fake]) -> None:
    """Right at every third place only: shares and places must say so, in whatever task the question is."""
    results = run(fake(lambda i, answer: answer if i % 3 == 0 else IM_END), "sum2", "word2", "dates")
    place = 0
    for result in results:
        for mode in MODES:
            assert [answer.right for answer in result.answers[mode]] == [
                (place + i) % 3 == 0 for i in range(len(result.answers[mode]))
            ]
        place += len(result.answers["direct"])


def test_thinking_and_direct_are_kept_apart(fake: Callable[[Say], Fake]) -> None:
    (result,) = run(fake(lambda i, answer: answer if "</think>" in answer else IM_END), "word2")
    assert result.share("thinking").value == 1
    assert result.share("direct").value == 0
    assert all("</think>" in answer.got for answer in result.answers["thinking"])


def test_all_tasks_go_to_the_completer_in_one_call_per_mode(fake: Callable[[Say], Fake]) -> None:
    completer = fake(lambda i, answer: answer)
    told: list[tuple[str, int]] = []
    tasks = load_tasks("curriculum", ("sum2", "chain"))
    evaluate(
        tasks, completer.tokenizer, completer, exercises=COUNT, max_new_tokens=LONG, progress=lambda *x: told.append(x)
    )
    assert completer.calls == [2 * COUNT, 2 * COUNT]
    assert told == [("thinking", 2 * COUNT), ("direct", 2 * COUNT)]


def test_the_same_seed_gives_the_same_results_and_another_seed_other_questions(fake: Callable[[Say], Fake]) -> None:
    say: Say = lambda i, answer: answer if i % 3 else IM_END  # noqa: E731
    first, second = run(fake(say), "money"), run(fake(say), "money")
    assert first == second
    (task,) = load_tasks("curriculum", ("money",))
    assert [one.text for one in task.questions(COUNT, 0)] != [one.text for one in task.questions(COUNT, 1)]


@pytest.mark.parametrize(
    ("say", "mode", "flaw"),
    [
        (lambda i, answer: f"{answer[:1]}<think>{answer[1:]}", "direct", "malformed"),
        (lambda i, answer: answer.replace("</think>", "") if "</think>" in answer else answer, "thinking", "malformed"),
        (lambda i, answer: answer.replace(IM_END, f"<tool_call>{{</tool_call>{IM_END}"), "direct", "malformed"),
        (lambda i, answer: " \n</think>" + answer.rpartition("</think>")[2] if "</think>" in answer else answer,
         "thinking", "empty_thinking"),
        (lambda i, answer: answer.replace(IM_END, "0" * LONG * 2), "direct", "too_long"),
        (lambda i, answer: answer.replace("</think>", "아" * LONG * 2), "thinking", "too_long"),
    ],
)  # fmt: skip
def test_what_breaks_the_format_is_counted(fake: Callable[[Say], Fake], say: Say, mode: str, flaw: str) -> None:
    (result,) = run(fake(say), "sum2")
    assert result.flaws(mode)[flaw] == COUNT
    if flaw != "empty_thinking":  # that one can still be used
        assert result.share(mode).right == 0
    else:
        assert result.share(mode).right == COUNT


def test_a_broken_call_beside_the_right_answer_is_no_right_reply(fake: Callable[[Say], Fake]) -> None:
    (result,) = run(fake(lambda i, answer: answer.replace(IM_END, "<tool_call>{" + IM_END)), "sum2")
    assert result.share("direct").right == result.share("thinking").right == 0


def test_a_reply_that_ends_on_its_last_token_is_not_too_long(fake: Callable[[Say], Fake]) -> None:
    """With the end-of-turn token, which a completer may leave on, as the last that was allowed."""
    (result,) = run(fake(lambda i, answer: answer), "sum2")
    longest = max(answer.tokens for answer in result.answers["direct"])
    (again,) = run(fake(lambda i, answer: answer), "sum2", tokens=longest)
    assert again.answers["direct"] == result.answers["direct"]
    assert again.flaws("thinking")["too_long"] == COUNT
    (cut,) = run(fake(lambda i, answer: answer), "sum2", tokens=longest - 1)
    assert cut.flaws("direct")["too_long"] > 0


def test_an_id_beyond_the_vocabulary_is_a_wrong_answer_and_no_error(fake: Callable[[Say], Fake]) -> None:
    class Padded(Fake):
        def complete(self, *arguments: Any) -> list[list[int]]:
            return [[self.tokenizer.vocab_size, *ids] for ids in super().complete(*arguments)]

    right = fake(lambda i, answer: answer)
    (result,) = run(Padded(right.tokenizer, right.answers, right.say), "particles")
    assert result.share("direct").right == 0
    assert all(answer.got.startswith("\ufffd") for answer in result.answers["direct"])


def test_the_baseline_beside_the_share_is_graded_on_the_same_questions(fake: Callable[[Say], Fake]) -> None:
    """Recounted here from the curriculum alone."""
    for result in run(fake(lambda i, answer: answer)):
        family = FAMILIES[result.name]
        asked = list(islice(exercises(0, "held_out", {result.name: 1.0}), COUNT))
        if len({one.question for one in asked}) == COUNT:
            right = sum(family.grade(one, family.guess(one)) for one in asked)
            assert (result.baselines["guess"].right, result.baselines["guess"].total) == (right, COUNT)
        assert result.baseline[1].value == max(share.value for share in result.baselines.values())


@dataclass(frozen=True)
class Letters:
    """Asks for 가 three times and for 나 once; of its baselines one always says the one, one the other."""

    name: str = "letters"
    title_ko: str = "글자"
    title_en: str = "letters"

    def questions(self, count: int, seed: int) -> list[Question]:
        guesses = {"worse": Reply(content="나"), "better": Reply(content="가"), "silent": Reply()}
        return [
            Question((Message("user", str(i)),), wanted, lambda reply, wanted=wanted: reply.content == wanted, guesses)
            for i, wanted in enumerate("가가나가")
        ]


def test_every_baseline_is_graded_by_itself(tokenizer: Tokenizer) -> None:
    answers = {
        render(
            (Message("user", str(i)),), (), thinking, add_generation_prompt=True
        ): f"{'음</think>' * thinking}가{IM_END}"
        for i in range(4)
        for thinking in (False, True)
    }
    completer = Fake(tokenizer, answers, lambda i, answer: answer)
    (result,) = evaluate([Letters()], tokenizer, completer, exercises=4, max_new_tokens=50)
    assert result.baselines == {"worse": Share(1, 4), "better": Share(3, 4), "silent": Share(0, 4)}
    assert result.baseline == ("better", Share(3, 4))
    assert result.share("thinking") == result.share("direct") == Share(3, 4)
    assert [answer.right for answer in result.answers["direct"]] == [True, True, False, True]


@pytest.mark.parametrize(("exercises", "tokens"), [(0, 10), (10, 0)])
def test_counts_below_one_are_refused(fake: Callable[[Say], Fake], exercises: int, tokens: int) -> None:
    completer = fake(lambda i, answer: answer)
    with pytest.raises(ValueError, match="at least 1"):
        evaluate([], completer.tokenizer, completer, exercises=exercises, max_new_tokens=tokens)


def test_an_unknown_task_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no task 'sums' \(known: .*sum2"):
        load_tasks("curriculum", ("sums",))
