"""The built-in curriculum: draw an exercise, see which side owns its contents, grade answers to it.

Run: python examples/02_curriculum.py
"""

from itertools import islice

from axk1.corpus.curriculum import FAMILIES, exercises
from axk1.corpus.exercise import Attempt, side_of

print(f"{len(FAMILIES)} families:", ", ".join(FAMILIES))

# The same arguments give the same exercises, in every process.
(exercise,) = islice(exercises(seed=7, side="held_out", weights={"word2": 1.0}), 1)
print("\nquestion: ", exercise.question)
print("reasoning:", exercise.reasoning)
print("answer:   ", exercise.answer)

# Operands and things from 13 on have an owner, training or the held-out side, found by a hash of their name.
print("keys:     ", exercise.keys)
print("owners:   ", {key: side_of(key) for key in ("integer 36", "integer 37", "달콤한 사탕", "빨간 사탕")})

# The grader that scores an evaluation is the one that will reward reinforcement learning.
family = FAMILIES["word2"]
guess = family.guess(exercise)
for attempt in (Attempt(exercise.answer), Attempt("모르겠어요."), guess):
    verdict = "right" if family.grade(exercise, attempt) else "wrong"
    print(f"{verdict}: {attempt.text}{' (the baseline: a guess from the question alone)' if attempt is guess else ''}")

# A tool exercise is answered by a call, not by text.
(order,) = islice(exercises(seed=7, side="train", weights={"tools": 1.0}), 1)
assert order.call is not None
print(f"\n{order.question}\n{order.call}")
print("right" if FAMILIES["tools"].grade(order, Attempt("", (order.call,))) else "wrong")
