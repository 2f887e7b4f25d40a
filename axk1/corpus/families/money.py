"""Money: prices, totals, change, and amounts in words.

Prices are multiples of 100 won, and the reasoning counts in hundreds: 1,200원 × 3 is 12×3=30+6=36, that is 3,600원.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import lru_cache

from axk1.corpus.exercise import Exercise, Family, Side, number, owns
from axk1.corpus.families.numbers import pieces
from axk1.corpus.families.operands import choose, draw, keys
from axk1.corpus.families.results import last_number, same_answer
from axk1.corpus.families.steps import add, multiply, subtract
from axk1.corpus.families.things import thing
from axk1.corpus.korean import Noun, count, won, won_mixed, won_reading

_TOTAL = (
    "{t:은} {one}에 {p:이에요}. {n}{c:은} 얼마예요?",
    "{one}에 {p}인 {t} {n}{c:을} 사면 모두 얼마인가요?",
    "{p}짜리 {t:을} {n}{c} 샀어요. 얼마를 내야 하나요?",
)
_CHANGE = (
    "{p}짜리 {t:을} 사고 {paid:을} 냈어요. 거스름돈은 얼마예요?",
    "{t} 값이 {p:이에요}. {paid:을} 내면 얼마를 거슬러 받나요?",
)
_BOTH = (
    "{t:은} {p}, {u:은} {q:이에요}. 둘을 사면 얼마예요?",
    "{p}짜리 {t:과} {q}짜리 {u:을} 샀어요. 모두 얼마인가요?",
)
_TOTAL_CHANGE = (
    "{one}에 {p}인 {t} {n}{c:을} 사고 {paid:을} 냈어요. 거스름돈은 얼마예요?",
    "{p}짜리 {t:을} {n}{c} 사고 {paid:을} 내면 얼마를 거슬러 받나요?",
)
_WORDS = ("{p:을} 한글로 써 줘.", "{p:을} 읽어 보세요.")
_DIGITS = ("{p:을} 숫자로 써 줘.", "{p:은} 숫자로 얼마예요?")
_CHEAPEST = 500
_NOTES = (5000, 10000)  # what people pay with: a closed set, as counters are


@lru_cache(maxsize=64)
def _prices(low: int, high: int, step: int, side: Side) -> tuple[int, ...]:
    return tuple(price for price in range(low, high + 1, step) if owns(side, price))


def _price(rng: random.Random, side: Side, high: int) -> int:
    prices = _prices(_CHEAPEST, high, 100, side)
    return prices[int(rng.random() * len(prices))]


def _exercise(question: str, steps: str, amount: int, all_keys: tuple[str, ...]) -> Exercise:
    amount_written = Noun(won(amount))
    return Exercise("money", "ko", question, f"{steps} → {won(amount)}", f"{amount_written:이에요}.", keys=all_keys)


def _total(rng: random.Random, side: Side) -> Exercise:
    price, n = draw(rng, side, "won×n", lambda rng, side: (_price(rng, side, 9900), number(rng, 2, 9, side)))
    t, c = thing(rng, side, "goods")
    question = choose(rng, _TOTAL).format(t=t, c=c, one=count(1, c), n=n, p=Noun(won(price)))
    return _exercise(question, multiply(price // 100, n), price * n, (*keys("won×n", (price, n)), t))


def _change(rng: random.Random, side: Side) -> Exercise:
    paid = rng.choice(_NOTES)
    (price,) = draw(rng, side, f"{paid}-won", lambda rng, side: (_price(rng, side, paid - 100),))
    t, _ = thing(rng, side, "goods")
    question = choose(rng, _CHANGE).format(t=t, p=Noun(won(price)), paid=Noun(won(paid)))
    steps = subtract(paid // 100, price // 100)
    return _exercise(question, steps, paid - price, (*keys(f"{paid}-won", (price,)), t))


def _both(rng: random.Random, side: Side) -> Exercise:
    p, q = draw(rng, side, "won+won", lambda rng, side: (_price(rng, side, 9900), _price(rng, side, 9900)))
    t, _ = thing(rng, side, "goods")
    u, _ = thing(rng, side, "goods")
    question = choose(rng, _BOTH).format(t=t, u=u, p=Noun(won(p)), q=Noun(won(q)))
    return _exercise(question, add(p // 100, q // 100), p + q, (*keys("won+won", (p, q)), t, u))


def _total_change(rng: random.Random, side: Side) -> Exercise:
    paid = rng.choice(_NOTES)
    label = f"{paid}-won×n"
    price, n = draw(rng, side, label, lambda rng, side: _affordable(rng, side, paid))
    t, c = thing(rng, side, "goods")
    parts = {"t": t, "c": c, "one": count(1, c), "p": Noun(won(price)), "paid": Noun(won(paid))}
    question = choose(rng, _TOTAL_CHANGE).format(n=n, **parts)
    steps = f"{multiply(price // 100, n)}, {subtract(paid // 100, price * n // 100)}"
    return _exercise(question, steps, paid - price * n, (*keys(label, (price, n)), t))


def _affordable(rng: random.Random, side: Side, paid: int) -> tuple[int, ...]:
    price, n = _price(rng, side, paid // 2), number(rng, 2, 9, side)
    return (price, n) if price * n < paid else ()


def _amount(rng: random.Random, side: Side) -> int:
    amounts = _prices(1100, 99900, 100, side)
    return amounts[int(rng.random() * len(amounts))]


def _to_words(rng: random.Random, side: Side) -> Exercise:
    amount = _amount(rng, side)
    question = choose(rng, _WORDS).format(p=Noun(won(amount)))
    reasoning = ", ".join(f"{place} {reading}" for place, reading in pieces(amount))
    return Exercise("money", "ko", question, reasoning, f"{won_reading(amount)}이에요.", keys=keys("won", (amount,)))


def _to_digits(rng: random.Random, side: Side) -> Exercise:
    amount = _amount(rng, side)
    ten_thousands, thousands = amount // 10000, amount % 10000 // 1000
    if ten_thousands and thousands and amount % 1000 == 0 and rng.random() < 0.5:
        heard, parts = (
            won_mixed(amount),
            [(ten_thousands * 10000, f"{ten_thousands}만"), (thousands * 1000, f"{thousands}천")],
        )
    else:
        heard, parts = won_reading(amount), pieces(amount)
    question = choose(rng, _DIGITS).format(p=Noun(heard))
    steps = ", ".join(f"{reading} {place}" for place, reading in parts)
    return _exercise(question, steps, amount, keys("won", (amount,)))


_MAKERS: tuple[Callable[[random.Random, Side], Exercise], ...] = (
    _total,
    _change,
    _both,
    _total_change,
    _to_words,
    _to_digits,
)


def make(rng: random.Random, side: Side) -> Exercise:
    """A purchase, or an amount to be written another way."""
    return rng.choice(_MAKERS)(rng, side)


FAMILY = Family("money", "돈 계산", "money", make, same_answer, last_number)
