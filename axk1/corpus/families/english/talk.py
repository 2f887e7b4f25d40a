"""English conversation: sums, small talk, and who are you."""

from __future__ import annotations

import random

from axk1.corpus.exercise import Attempt, Exercise, Family, Side, number
from axk1.corpus.families.operands import draw, keys
from axk1.corpus.families.replies import conversation, theme
from axk1.corpus.families.results import same_result
from axk1.corpus.families.steps import add, multiply, subtract
from axk1.corpus.lexicon import english_name

_THEMES = (
    theme(
        "A greeting → greet back",
        """
        [|Oh, |Well, |Hey, ][hello|hi|hi there|hello there|good to see you|nice to meet you|good morning|
            good afternoon][|.|!]
        """,
        """
        Hello! How can I help you?
        Hi! What can I do for you?
        """,
    ),
    theme(
        "Thanks → you are welcome",
        """
        [|Oh, |Great, |Well, ][thank you|thanks|thanks a lot|thank you so much|many thanks][|.|
            !| for your help.| for everything.]
        """,
        """
        You're welcome!
        My pleasure!
        """,
    ),
    theme(
        "Leaving → say goodbye",
        """
        [|OK, |Well, |Sorry, ][I have to go|I am leaving|I must go now|I should go|I am done for today][|.|! Bye.|
            . See you.|. Goodbye.]
        """,
        """
        Goodbye! See you soon.
        Bye! Have a nice day.
        """,
    ),
    theme(
        "Asks how I am → I am fine",
        """
        [|Hi, |So, |Hello, ][how are you|how are you doing|how is it going|how have you been|
            are you well][?| today?| these days?]
        """,
        """
        I'm fine, thank you. How are you?
        I'm doing well. And you?
        """,
    ),
    theme(
        "Sad → comfort",
        """
        [|Oh, |Well, |Oh dear, ][I am sad|I feel sad|I feel lonely|I am upset|I feel down|I want to cry|
            I feel so blue][|.|!| today.]
        """,
        """
        I'm sorry to hear that. I'm here to listen.
        That sounds hard. Tell me about it.
        """,
    ),
    theme(
        "Tired → tell to rest",
        """
        [|Oh, |Well, |Oh dear, ][I am tired|I am so sleepy|I am exhausted|I feel worn out|I need some sleep|
            I can't keep my eyes open][|.|!| today.]
        """,
        """
        You should get some rest.
        Take a break and rest well.
        """,
    ),
    theme(
        "Hungry → suggest food",
        """
        [|Oh, |Hey, ][I am hungry|I am so hungry|I am starving|I want to eat something|I need some food|
            I could eat a horse][|.|!| now.]
        """,
        """
        How about a good meal?
        Go and eat something tasty!
        """,
    ),
    theme(
        "Rain → take an umbrella",
        """
        [|Oh, |Look, ][it is raining|it started to rain|it is pouring|the rain won't stop|it looks like rain][|.|
            !| today.| outside.]
        """,
        """
        Don't forget your umbrella!
        Take an umbrella with you.
        """,
    ),
    theme(
        "Good news → congratulate",
        """
        [|Guess what! |Hey, |Finally ][I passed the exam|I got a job|I won the prize|I won the game|I got promoted|
            I bought a house][|.|!| today.]
        """,
        """
        Congratulations! That's great.
        That's wonderful! Congratulations.
        """,
    ),
    theme(
        "{x} says the name → use the name",
        """
        [|Hi, |Hello, |Hey, ][I am|my name is|call me] {x}[|.|!]
        """,
        """
        Nice to meet you, {x}!
        Hello, {x}! Nice to meet you.
        """,
        english_name,
    ),
    theme(
        "Asks who I am → a small model made with axk1",
        """
        [|Hey, |So, |Well, |Excuse me, |By the way, |May I ask, ][who are you|what are you|what is your name|
            who am I talking to|what model are you|can you introduce yourself]?
        """,
        """
        I am a small Korean language model made with axk1.
        I'm a small model made with the open system axk1.
        """,
    ),
    theme(
        "Asks who made me → trained with axk1",
        """
        [|Hey, |So, |Well, |Excuse me, |By the way, |May I ask, ][who made you|who created you|who built you|
            who trained you|where do you come from|who developed you]?
        """,
        """
        I was trained from scratch with axk1, an open system.
        I come from axk1, an open system, and was trained from scratch.
        """,
    ),
    theme(
        "Asks if I am A.X K1 → no, independent",
        """
        [|Hey, |So, |Well, |Tell me, |Wait, |By the way, ][are you A.X K1|are you from SK Telecom|
            did SK Telecom make you|are you made by SKT|is this A.X K1|are you SK Telecom's model]?
        """,
        """
        No. I am an independent small model made with axk1, not related to SK Telecom.
        No, I'm made with axk1. I am not related to SK Telecom.
        """,
    ),
    theme(
        "Asks what I can do → sums, tools, reading, talk",
        """
        [|Hey, |So, |Well, |Tell me, |Wait, |By the way, ][what can you do|what are you good at|how can you help me|
            what are your skills|what do you do|can you help me]?
        """,
        """
        I can do simple sums, call tools, read short texts and chat.
        I do simple sums, call tools, read short Korean texts and chat.
        """,
    ),
    theme(
        "Asks if I am human → a language model",
        """
        [|Hey, |So, |Well, |Tell me, |Wait, |By the way, ][are you human|are you a person|are you a robot|
            are you real|are you alive|am I talking to a human]?
        """,
        """
        I am not a human. I'm a small language model.
        No, I'm a small language model, not a human.
        """,
    ),
)
_TALK = conversation("english", "영어", "English", "en", _THEMES)

_SUMS = (
    ("+", add, ("What is {a} plus {b}?", "{a} plus {b} is?", "Add {a} and {b}.", "How much is {a} + {b}?")),
    (
        "-",
        subtract,
        ("What is {a} minus {b}?", "{a} minus {b} is?", "Subtract {b} from {a}.", "How much is {a} - {b}?"),
    ),
    ("×", multiply, ("What is {a} times {b}?", "{a} times {b} is?", "Multiply {a} by {b}.", "How much is {a} × {b}?")),
)


def _two_numbers(rng: random.Random, side: Side) -> tuple[int, int]:
    """The larger one first, so that they can be subtracted."""
    a, b = number(rng, 2, 99, side), number(rng, 2, 99, side)
    return max(a, b), min(a, b)


def _factors(rng: random.Random, side: Side) -> tuple[int, int]:
    return number(rng, 2, 99, side), rng.randint(2, 9)


def _sum(rng: random.Random, side: Side) -> Exercise:
    sign, work, questions = rng.choice(_SUMS)
    a, b = draw(rng, side, f"english {sign}", _factors if sign == "×" else _two_numbers)
    steps = work(a, b)
    return Exercise(
        "english",
        "en",
        rng.choice(questions).format(a=a, b=b),
        steps,
        steps.rsplit("=", 1)[1],
        keys=keys(f"english {sign}", (a, b)),
    )


def make(rng: random.Random, side: Side) -> Exercise:
    """Talk, or now and then a sum."""
    return _sum(rng, side) if rng.random() < 0.4 else _TALK.make(rng, side)


def grade(exercise: Exercise, attempt: Attempt) -> bool:
    """The right number for a sum, otherwise a reply of the answer's class."""
    return same_result(exercise, attempt) if exercise.answer.isdigit() else _TALK.grade(exercise, attempt)


FAMILY = Family("english", "영어로 셈하고 이야기하기", "sums and talk in English", make, grade, _TALK.guess)
