"""Answers on disk under torn lines, and what asks for them: never twice, never beyond the budget."""

import threading
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axk1.corpus.endpoint import EndpointError
from axk1.corpus.streams import CorpusError
from axk1.corpus.synthesis.answers import Answers
from axk1.corpus.synthesis.asking import Asker
from axk1.corpus.synthesis.budget import Amount, Budget, BudgetError, Price, Purse
from axk1.corpus.synthesis.completion import Answer, Request
from axk1.corpus.synthesis.order import in_order

ANSWER = Answer('한 줄\u2028그리고 "따옴표"\n또 한 줄', "stop", "m-1", 10, 20, "2026-01-01T00:00:00+00:00")
PRICE = Price(1.0, 2.0)


def request(number):
    return Request("m", f"{number}번째 글을 써 주세요.", max_tokens=50)


def test_what_was_added_is_found_again_by_its_key(tmp_path):
    with Answers(tmp_path / "a.jsonl") as answers:
        answers.add(request(1).key, ANSWER, 0.5)
        assert answers.get(request(1).key) == ANSWER
        assert answers.get(request(2).key) is None
    with Answers(tmp_path / "a.jsonl") as answers:
        assert answers.get(request(1).key) == ANSWER
        assert (answers.spent, len(answers)) == (Amount(1, 30, 0.5), 1)


def test_a_torn_last_line_is_cut_off_wherever_it_was_torn(tmp_path):
    path = tmp_path / "a.jsonl"
    with Answers(path) as answers:
        answers.add(request(1).key, ANSWER, 0.5)
        whole = path.stat().st_size
        answers.add(request(2).key, replace(ANSWER, text="둘"), 0.5)
    data = path.read_bytes()
    for end in range(whole, len(data)):
        path.write_bytes(data[:end])
        with Answers(path) as answers:
            assert len(answers) == 1
            answers.add(request(3).key, replace(ANSWER, text="셋"), 0.0)
        with Answers(path) as answers:
            assert answers.get(request(1).key) == ANSWER
            assert answers.get(request(3).key).text == "셋"


def test_another_file_is_no_file_of_answers(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "글"}\n', encoding="utf-8")
    with pytest.raises(CorpusError, match="byte 0: this line is no answer"):
        Answers(tmp_path / "a.jsonl")


def test_the_key_is_of_all_that_is_asked_and_of_nothing_else():
    first = request(1)
    assert first.key == replace(first).key
    for other in ({"prompt": "x"}, {"seed": 1}, {"temperature": 0.1}, {"system": "s"}, {"extra": {"top_k": 3}}):
        assert replace(first, **other).key != first.key


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), max_size=30),
    st.builds(Budget, st.none() | st.integers(0, 9), st.none() | st.integers(0, 200), st.none() | st.floats(0, 0.01)),
)
def test_a_purse_is_never_overdrawn(wishes, budget):
    purse = Purse(budget, Amount())
    for most, paid in wishes:
        wish = PRICE.of(most, most)
        if purse.lacking(wish):
            continue
        purse.set_aside(wish)
        purse.settle(wish, PRICE.of(min(paid, most), min(paid, most)))
        for name in ("requests", "tokens", "money"):
            assert getattr(budget, name) is None or getattr(purse.spent, name) <= getattr(budget, name)
    assert (purse.aside.requests, purse.aside.tokens) == (0, 0)


class _Model:
    def __init__(self, seconds=0.01, fails=0):
        self.asked, self.fails, self.seconds = [], fails, seconds
        self._lock = threading.Lock()

    def __call__(self, asked):
        with self._lock:
            self.asked.append(asked.key)
            fails = len(self.asked) <= self.fails
        time.sleep(self.seconds)
        if fails:
            raise EndpointError("no answer", 500)
        return replace(ANSWER, text=asked.prompt, prompt_tokens=10, completion_tokens=20)


def _all(asker, model, requests, threads):
    """The answers, and the limits of those that were not paid."""

    def one(asked):
        try:
            return asker.ask(asked, model, PRICE)
        except BudgetError as error:
            return error.limit

    return list(in_order(iter(requests), one, threads, 4 * threads, threading.Event()))


@pytest.mark.parametrize("threads", [1, 3, 16])
@pytest.mark.parametrize(
    ("budget", "limit"),
    [(Budget(requests=7), "requests"), (Budget(tokens=1000), "tokens"), (Budget(money=0.001), "money")],
)
def test_the_budget_holds_however_many_ask(tmp_path, threads, budget, limit):
    model = _Model()
    with Answers(tmp_path / "a.jsonl") as answers:
        asker = Asker(answers, budget, threading.Event())
        said = _all(asker, model, [request(n) for n in range(60)], threads)
    paid = [one for one in said if isinstance(one, Answer)]
    most = PRICE.most(request(59))
    assert {one for one in said if isinstance(one, str)} == {limit}
    assert asker.spent == Amount(len(model.asked), 30 * len(model.asked), pytest.approx(5e-5 * len(model.asked)))
    assert len(paid) == len(model.asked)
    spent, allowed = getattr(asker.spent, limit), getattr(budget, limit)
    assert allowed - getattr(most, limit) < spent <= allowed, "as much as is sure to fit, and no more"


def test_the_budget_is_of_the_folder_not_of_the_run(tmp_path):
    model = _Model()
    for _ in range(3):
        with Answers(tmp_path / "a.jsonl") as answers:
            said = _all(Asker(answers, Budget(requests=5), threading.Event()), model, [request(n) for n in range(9)], 4)
    assert len(model.asked) == 5
    assert sum(isinstance(one, Answer) for one in said) == 5


def test_the_same_request_at_the_same_time_is_paid_once(tmp_path):
    model = _Model(0.05)
    with Answers(tmp_path / "a.jsonl") as answers:
        asker = Asker(answers, Budget(), threading.Event())
        said = _all(asker, model, [request(0)] * 20, 10)
    assert len(model.asked) == 1
    assert len(set(said)) == 1


def test_what_failed_costs_nothing_and_may_be_asked_again(tmp_path):
    model = _Model(fails=1)
    with Answers(tmp_path / "a.jsonl") as answers:
        asker = Asker(answers, Budget(requests=1), threading.Event())
        with pytest.raises(EndpointError):
            asker.ask(request(0), model, PRICE)
        assert asker.spent == Amount()
        assert asker.ask(request(0), model, PRICE).text == request(0).prompt


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), max_size=40), st.integers(1, 8), st.integers(0, 20))
def test_results_come_in_the_items_order(items, threads, ahead):
    def work(item):
        time.sleep(0.0003 * item)
        return -item

    assert list(in_order(iter(items), work, threads, ahead, threading.Event())) == [-item for item in items]


def test_an_error_ends_it_and_nothing_more_is_begun():
    begun, stop = [], threading.Event()

    def work(item):
        begun.append(item)
        if item == 5:
            raise CorpusError("the fifth")
        return item

    with pytest.raises(CorpusError, match="the fifth"):
        list(in_order(iter(range(1000)), work, 2, 8, stop))
    assert stop.is_set()
    assert len(begun) < 30
