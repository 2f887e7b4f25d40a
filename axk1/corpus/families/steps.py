"""The one notation of worked arithmetic: short equations that never ask for more than a look at the tables.

    47+38=70+15=85       tens and ones added apart, then put together
    71-17=60-6=54        tens and ones subtracted apart
    23×4=80+12=92        tens and ones multiplied apart
    247+385: 47+85=120+12=132, 500+132=632

Numbers are written as plain digits, results are written before they are used, equations are joined by ", ".
"""

from __future__ import annotations

import re

LARGEST = 199  # of the values that addition and subtraction here take apart into tens and ones
_TOKEN = re.compile(r"\d+|[-+×÷()]")


def add(a: int, b: int) -> str:
    """47, 38 → 47+38=70+15=85."""
    if a < 10 and b < 10:
        return f"{a}+{b}={a + b}"
    return f"{a}+{b}={a - a % 10 + b - b % 10}+{a % 10 + b % 10}={a + b}"


def subtract(a: int, b: int) -> str:
    """71, 17 → 71-17=60-6=54."""
    if a < 10:
        return f"{a}-{b}={a - b}"
    return f"{a}-{b}={a - a % 10 - (b - b % 10)}{a % 10 - b % 10:+d}={a - b}"


def multiply(a: int, b: int) -> str:
    """23, 4 → 23×4=80+12=92; the larger factor is taken apart."""
    large, small = max(a, b), min(a, b)
    if large < 10 or large % 10 == 0:
        return f"{a}×{b}={a * b}"
    return f"{a}×{b}={(large - large % 10) * small}+{large % 10 * small}={a * b}"


def divide(a: int, b: int) -> str:
    """42, 6 → 42÷6=7 (exact)."""
    return f"{a}÷{b}={a // b}"


def add_hundreds(a: int, b: int) -> str:
    """247, 385 → 47+85=120+12=132, 500+132=632."""
    low = a % 100 + b % 100
    return f"{add(a % 100, b % 100)}, {a - a % 100 + b - b % 100}+{low}={a + b}"


def work(expression: str) -> tuple[str, int] | None:
    """The equations that lead to the value of `expression` (+ - × ÷ and brackets), and the value.

    None where a step leaves 1..LARGEST or a division is not one of the multiplication table: that would not be fair.
    """
    working = _Working(_TOKEN.findall(expression))
    value = working.sum()
    return (", ".join(working.equations), value) if working.fair else None


class _Working:
    """A recursive-descent evaluation that notes each step as an equation."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = [*tokens, ""]
        self._at = 0
        self.equations: list[str] = []
        self.fair = True

    def sum(self) -> int:
        value = self._product()
        while (operator := self._tokens[self._at]) in ("+", "-"):
            self._at += 1
            value = self._step(operator, value, self._product())
        return value

    def _product(self) -> int:
        value = self._factor()
        while (operator := self._tokens[self._at]) in ("×", "÷"):
            self._at += 1
            value = self._step(operator, value, self._factor())
        return value

    def _factor(self) -> int:
        token = self._tokens[self._at]
        self._at += 1
        if token != "(":
            return int(token)
        value = self.sum()
        self._at += 1  # the closing bracket
        return value

    def _step(self, operator: str, a: int, b: int) -> int:
        written, value = _apply(operator, a, b)
        self.equations.append(written)
        if operator == "÷":
            self.fair &= a % b == 0 and value < 10
        self.fair &= 1 <= value <= LARGEST
        return value


def _apply(operator: str, a: int, b: int) -> tuple[str, int]:
    if operator == "+":
        return add(a, b), a + b
    if operator == "-":
        return subtract(a, b), a - b
    if operator == "×":
        return multiply(a, b), a * b
    return divide(a, b), a // b
