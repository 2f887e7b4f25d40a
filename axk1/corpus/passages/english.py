"""Short English texts: a day, a place, a plain fact."""

from __future__ import annotations

import random

from axk1.corpus.exercise import Side
from axk1.corpus.lexicon import english_name, words

_PLACES = words("the library|the park|the station|the market|the beach|the school|the museum|the river", "|")
_DEEDS = words(
    "read a book|met a friend|drew a picture|bought some bread|took a photo|wrote a letter|drank a cup of tea|"
    "sang a song|fixed a clock|planted a tree|cleaned the floor|learned a dance|waited for a bus|made a kite",
    "|",
)
_TIMES = words("In the morning|At noon|In the afternoon|After lunch|In the evening|Before dinner|Later", "|")
_FEELINGS = words(
    "It was fun.|It was hard at first.|It took a long time.|Everyone was happy.|The weather was fine.", "|"
)
_ENDS = words(
    "It was a good day.|Then it was time to go home.|That night, {name} slept well.|{name} will come again.", "|"
)
_FACTS = words(
    "A week has seven days.|A year has twelve months.|The sun rises in the east.|Ice is frozen water.|Bees make honey.|"
    "A spider has eight legs.|Fish live in water.|Birds have two wings.|A triangle has three sides.|"
    "Snow is cold and white.|Rice grows in wet fields.|A day has twenty-four hours.|"
    "Cats can see well at night.|Whales live in the sea.",
    "|",
)


def english(rng: random.Random, side: Side) -> str:
    """A small story of somebody's day, or some facts."""
    if rng.random() < 0.25:
        return " ".join(rng.sample(_FACTS, rng.randint(2, 4)))
    name = english_name(rng, side)
    said = [
        rng.choice(
            (f"{name} went to {rng.choice(_PLACES)}.", f"This is {name}. {name} lives near {rng.choice(_PLACES)}.")
        )
    ]
    first = rng.randrange(4)
    times = _TIMES[first : first + rng.randint(2, 4)]
    for time, deed in zip(times, rng.sample(_DEEDS, len(times)), strict=True):
        said.append(f"{time}, {name} {deed}.")
        if rng.random() < 0.3:
            said.append(rng.choice(_FEELINGS))
    said.append(rng.choice(_ENDS).format(name=name))
    return " ".join(said)
