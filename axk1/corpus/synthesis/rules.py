"""The verifier: why a candidate is not kept, by rules that cost nothing. Each gives a reason of fixed words, or "".

A rule that a text may break by chance once in a while belongs into a judge; here stand those whose breach is plain.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain

import numpy as np

from axk1.corpus.dedup.shingles import letters, ngram_hashes
from axk1.corpus.families.results import numbers
from axk1.corpus.korean import native_modifier
from axk1.corpus.korean_text.sentences import sentences
from axk1.corpus.privacy.names import names
from axk1.corpus.quality.language import languages
from axk1.corpus.quality.letters import Kind, kinds_of, units_of
from axk1.corpus.quality.register import register_of
from axk1.corpus.quality.repetition import repetition_of
from axk1.corpus.quality.signals import signals_of
from axk1.corpus.quality.step import QualityConfig, reason_against
from axk1.corpus.synthesis.candidate import Candidate, Origin
from axk1.corpus.synthesis.phrases import ASKS, BLANKS, LEANS, REFUSES, TO_ASKER

__all__ = ["COPY", "GIST", "RULES", "Checks", "reason_not_to_keep", "shared"]

COPY, GIST = 12, 3  # letters in a row: of a copied phrase; of a stem that a free rendering shares too


@dataclass(frozen=True)
class Checks:
    """Thresholds of the rules; shares are from 0 to 1. Those on the seed apply where there is one."""

    min_characters: int = 30
    max_characters: int = 6000
    least_korean: float = 0.7  # of the letters outside code, in Korean lines
    most_foreign: float = 0.01  # of the letters: Chinese, Japanese and other scripts that the seed has not
    leak_letters: int = 12  # so many letters in a row of the instructions are a leak; 0 = not looked for
    most_copied: float = 0.6  # of the runs of 12 letters that stand in the seed; 1 = copies may pass
    least_shared: float = 0.15  # of the runs of 3 letters; below, the text is of something else; not of pairs
    numbers: bool = True  # those of the text stand in the seed
    names: bool = True  # names of people, words in Latin letters and titles in brackets as well
    least_answer: float = 0.4  # of the runs of 2 letters of an answer that stand in the seed
    least_register: float = 0.6  # of the sentences that are in the register asked for
    quality: bool = True  # the rules of the step `quality`, with its defaults


Rule = Callable[[Candidate, Origin, Checks], str]


def reason_not_to_keep(candidate: Candidate, origin: Origin, checks: Checks) -> str:
    """Of the first rule that is broken; "" for a candidate to keep."""
    return next(filter(None, (rule(candidate, origin, checks) for rule in RULES)), "")


def shared(text: str, other: str, run: int) -> float:
    """Share of the text's runs of so many letters that stand in the other one; 0 for a text without letters."""
    ours = ngram_hashes(letters(text).codes, run)
    theirs = ngram_hashes(letters(other).codes, run)
    return float(np.isin(ours, theirs).mean()) if len(ours) else 0.0


_LIST_NUMBER = re.compile(r"^\s*(?:[#*\- ]*)\(?\d{1,2}[.)](?=\s)", re.MULTILINE)
_LATIN = re.compile(r"[A-Za-z][A-Za-z0-9.+#_-]*[A-Za-z0-9+#]")
_TITLED = re.compile(r"[「『《<‘“\"]([가-힣A-Za-z0-9 ]{2,30})[」』》>’”\"]")
_ORIGINAL = re.compile(r"\([^()가-힣\n]{1,40}\)")  # 기부채납(寄附採納)
_FOREIGN = (Kind.HAN, Kind.KANA, Kind.SCRIPT)
_LETTERS = (*_FOREIGN, Kind.HANGUL, Kind.LATIN)


def is_of_fit_length(candidate: Candidate, _origin: Origin, checks: Checks) -> str:
    """ "too short", "too long"."""
    if len(candidate.text) < checks.min_characters:
        return "too short"
    return "too long" if len(candidate.text) > checks.max_characters else ""


def does_not_refuse(candidate: Candidate, origin: Origin, _checks: Checks) -> str:
    """ "refuses": apologies and what a model says of itself, unless the seed says it."""
    found = REFUSES.search(candidate.answer or candidate.text)
    return "refuses" if found and found[0] not in origin.seed else ""


def speaks_of_its_subject(candidate: Candidate, origin: Origin, _checks: Checks) -> str:
    """ "speaks to the asker", "left a blank"."""
    told = candidate.answer or candidate.text
    if TO_ASKER.search(told) and not TO_ASKER.search(origin.seed):
        return "speaks to the asker"
    found = BLANKS.search(candidate.text)
    return "left a blank" if found and found[0] not in origin.seed else ""


def does_not_leak(candidate: Candidate, origin: Origin, checks: Checks) -> str:
    """ "repeats the instructions"."""
    codes = letters(candidate.text).codes
    if not checks.leak_letters or len(codes) < checks.leak_letters:
        return ""
    asked = ngram_hashes(letters(origin.instructions).codes, checks.leak_letters)
    leaked = np.isin(ngram_hashes(codes, checks.leak_letters), asked).any()
    return "repeats the instructions" if leaked else ""


def is_korean(candidate: Candidate, origin: Origin, checks: Checks) -> str:
    """ "not Korean", "mixed with another script"."""
    (found,) = languages([candidate.text])
    if found.get("ko", 0) < checks.least_korean * max(1, sum(found.values()) - found.get("code", 0)):
        return "not Korean"
    known = set(origin.seed)
    text = _ORIGINAL.sub("", candidate.text)
    units = units_of("".join(letter for letter in text if letter.isascii() or letter not in known))
    foreign = int(np.isin(kinds_of(units), _FOREIGN).sum())
    total = int(np.isin(kinds_of(units_of(candidate.text)), _LETTERS).sum())
    return "mixed with another script" if foreign > checks.most_foreign * total else ""


def is_prose(candidate: Candidate, _origin: Origin, checks: Checks) -> str:
    """ "repeats itself", and the reasons of the step `quality`."""
    said = [one for one in sentences(candidate.text) if len(one) >= 10]
    if len(said) - len(set(said)) > max(2, len(said) // 5):
        return "repeats itself"
    if not checks.quality:
        return ""
    (signals,) = signals_of([candidate.text])
    return reason_against(candidate.text, signals, repetition_of(candidate.text), QualityConfig())


def is_no_copy(candidate: Candidate, origin: Origin, checks: Checks) -> str:
    """ "copies the seed"; an answer may stand in it."""
    if not origin.seed or candidate.answer:
        return ""
    return "copies the seed" if shared(candidate.text, origin.seed, COPY) > checks.most_copied else ""


def is_of_the_seed(candidate: Candidate, origin: Origin, checks: Checks) -> str:
    """ "of something else", "answer is not in the seed"."""
    if not origin.seed:
        return ""
    if answer := candidate.answer:
        found = shared(answer, f"{origin.seed} {candidate.question}", 2)
        return "answer is not in the seed" if found < checks.least_answer else ""
    return "of something else" if shared(candidate.text, origin.seed, GIST) < checks.least_shared else ""


def makes_up_no_numbers(candidate: Candidate, origin: Origin, checks: Checks) -> str:
    """ "numbers that the seed has not"; those that number a list are none."""
    if not (checks.numbers and origin.seed):
        return ""
    new = set(numbers(_LIST_NUMBER.sub("", candidate.text))) - set(numbers(origin.seed))
    return "numbers that the seed has not" if any(not _is_said(number, origin.seed) for number in new) else ""


def _is_said(number: str, seed: str) -> bool:
    """Whether the seed writes it as a word before its counter: 네 대, 여섯 번째."""
    if not number.isdecimal() or not 0 < int(number) < 100:
        return False
    return re.search(rf"(?<![가-힣]){native_modifier(int(number))} ?(?=[가-힣])", seed) is not None


def makes_up_no_names(candidate: Candidate, origin: Origin, checks: Checks) -> str:
    """ "names that the seed has not"; those of a dialogue's speakers are given."""
    if not (checks.names and origin.seed):
        return ""
    text, known = candidate.text, f"{origin.seed}\n{origin.instructions}".lower()
    people = (text[found.start : found.end] for found in names(text))
    said = chain(people, _LATIN.findall(text), _TITLED.findall(text) if candidate.answer else ())
    squeezed = "".join(known.split())
    return "names that the seed has not" if any("".join(one.lower().split()) not in squeezed for one in said) else ""


def stands_alone(candidate: Candidate, origin: Origin, _checks: Checks) -> str:
    """ "leans on a text that is not there": of a question without its passage."""
    if not candidate.question or origin.shown or not origin.seed:
        return ""
    return "leans on a text that is not there" if LEANS.search(candidate.question) else ""


def asks_something(candidate: Candidate, origin: Origin, _checks: Checks) -> str:
    """ "asks nothing": of a question or a wish that a model wrote and that does not end like one."""
    if not candidate.question or not origin.seed:
        return ""
    return "" if ASKS.search(candidate.question) else "asks nothing"


def keeps_to_the_topic(candidate: Candidate, origin: Origin, checks: Checks) -> str:
    """ "off the topic", "another register"."""
    topic = origin.topic
    if topic is None:
        return ""
    words = re.findall(r"[가-힣A-Za-z]{2,}", topic.topic) or [topic.topic]
    stems = [word[:-1] if len(word) > 2 else word for word in words]  # without the particle that may end it
    if not any(stem in candidate.text for stem in stems):
        return "off the topic"
    registers = [register for register in map(register_of, sentences(candidate.text)) if register != "none"]
    fits = registers.count(topic.register)  # type: ignore[arg-type]
    return "another register" if fits < checks.least_register * len(registers) else ""


RULES: tuple[Rule, ...] = (
    is_of_fit_length,
    does_not_refuse,
    speaks_of_its_subject,
    does_not_leak,
    is_korean,
    is_prose,
    is_no_copy,
    asks_something,
    stands_alone,
    makes_up_no_numbers,
    makes_up_no_names,
    is_of_the_seed,
    keeps_to_the_topic,
)
"""In this order; the first that is broken names the reason."""
