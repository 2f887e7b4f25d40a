"""Commands in English, and the tool calls they ask for."""

from __future__ import annotations

import random

from axk1.corpus.exercise import Exercise, Family, Side, number, side_of
from axk1.corpus.families.grading import same_call
from axk1.corpus.families.tools.offer import call, first_tool, offer, thought
from axk1.corpus.families.tools.skill import Skill, Verb, Wish, lines, spec
from axk1.corpus.lexicon import choose, compose, english_person, integer_keys, words

_SPOKEN = Verb("", "")  # English patterns hold their verbs
_FRAMES = (
    "{c}",
    "{c}.",
    "{c}, please.",
    "Please {c}.",
    "Can you {c}?",
    "Could you {c}?",
    "Could you please {c}?",
    "I want you to {c}.",
    "I need you to {c}.",
    "Would you {c}?",
)
_ROOMS = (
    "living room",
    "kitchen",
    "bedroom",
    "bathroom",
    "hallway",
    "garage",
    "office",
    "attic",
    "dining room",
    "basement",
)


def _light(rng: random.Random, _side: Side) -> Wish:
    room, on = choose(rng, _ROOMS), rng.random() < 0.5
    patterns = lines("""
        turn {s} the light in the {room}
        turn {s} the {room} light
        switch {s} the {room} light
        switch {s} the lights in the {room}
    """)
    return Wish("Light", _SPOKEN, patterns, {"room": str(room), "on": on}, {"room": room, "s": "on" if on else "off"})


def _temperature(rng: random.Random, side: Side) -> Wish:
    room, degrees = choose(rng, _ROOMS), number(rng, 15, 32, side)
    patterns = lines("""
        set the {room} to {n} degrees
        set the temperature in the {room} to {n} degrees
        heat the {room} to {n} degrees
        keep the {room} at {n} degrees
    """)
    arguments = {"room": str(room), "degrees": degrees}
    return Wish("Temperature", _SPOKEN, patterns, arguments, {"room": room, "n": degrees}, integer_keys(degrees))


_HOURS = tuple(f"{hour:02}" for hour in range(5, 24))
_MINUTES = tuple(f"{minute:02}" for minute in range(0, 60, 5))


def _alarm(rng: random.Random, side: Side) -> Wish:
    time = str(compose(rng, side, _HOURS, _MINUTES, joiner=":"))
    hour, half = int(time[:2]), "am" if int(time[:2]) < 12 else "pm"
    spoken = f"{(hour - 1) % 12 + 1}{'' if time.endswith('00') else time[2:]} {half}"
    patterns = lines("""
        set an alarm for {t}
        wake me up at {t}
        set the alarm for {t}
        give me an alarm at {t}
    """)
    return Wish("Alarm", _SPOKEN, patterns, {"time": time}, {"t": spoken}, (time,))


def _timer(rng: random.Random, side: Side) -> Wish:
    minutes = number(rng, 2, 90, side)
    patterns = lines("""
        set a timer for {n} minutes
        start a {n} minute timer
        set the timer to {n} minutes
        give me a timer of {n} minutes
    """)
    return Wish("Timer", _SPOKEN, patterns, {"minutes": minutes}, {"n": minutes}, integer_keys(minutes))


_CITIES = words("Seoul Busan Daegu Incheon Tokyo Paris London Berlin Rome Madrid Oslo Vienna Sydney Toronto")
_DAYS = words("today tomorrow Monday Tuesday Wednesday Thursday Friday Saturday Sunday")


def _weather(rng: random.Random, _side: Side) -> Wish:
    city, day = choose(rng, _CITIES), choose(rng, _DAYS)
    when = day if day.islower() else f"on {day}"
    patterns = lines("""
        tell me the weather in {city} {when}
        check the weather in {city} {when}
        show me the weather for {city} {when}
        look up the weather in {city} {when}
    """)
    return Wish("Weather", _SPOKEN, patterns, {"place": str(city), "day": str(day)}, {"city": city, "when": when})


_TEXT_HEADS = words("I will be there|Let's meet|Call me|I will leave|We will start|I can help|See you|I will call", "|")
_TEXT_TAILS = words("in ten minutes|after lunch|at six|this evening|before noon|tonight|after work|tomorrow", "|")


def _message(rng: random.Random, side: Side) -> Wish:
    text, to = compose(rng, side, _TEXT_HEADS, _TEXT_TAILS), english_person(rng, side)
    patterns = lines("""
        text {to} '{text}'
        send '{text}' to {to}
        send {to} the message '{text}'
        tell {to} '{text}'
    """)
    return Wish(
        "Message", _SPOKEN, patterns, {"to": str(to), "text": str(text)}, {"to": to, "text": text}, (str(to), str(text))
    )


_TITLE_HEADS = words("Silver Quiet Golden Distant Blue Broken Gentle Winter Summer Lonely")
_TITLE_TAILS = words("River Road Window Garden Moon Letter Train Harbor Light Song")


def _music(rng: random.Random, side: Side) -> Wish:
    title, artist = compose(rng, side, _TITLE_HEADS, _TITLE_TAILS), english_person(rng, side)
    patterns = lines("""
        play '{title}' by {artist}
        put on '{title}' by {artist}
        play the song '{title}' by {artist}
        play {artist}'s '{title}'
    """)
    words = {"title": title, "artist": artist}
    return Wish(
        "Music", _SPOKEN, patterns, {"title": str(title), "artist": str(artist)}, words, (str(title), str(artist))
    )


def _line(rng: random.Random, side: Side) -> Wish:
    line, start = compose(rng, side, tuple("ABCDEFGH"), tuple("123456789"), joiner=""), rng.random() < 0.5
    patterns = lines("""
        {s} line {line}
        {s} production line {line}
        {s} line {line} now
        {s} line {line} right away
    """)
    action = "start" if start else "stop"
    return Wish(
        "Line", _SPOKEN, patterns, {"line": str(line), "action": action}, {"s": action, "line": line}, (f"line {line}",)
    )


_ITEM_HEADS = words("fresh organic frozen cheap large small local imported")
_ITEMS = words("apples eggs carrots bananas cookies tomatoes onions lemons potatoes peaches")


def _cart(rng: random.Random, side: Side) -> Wish:
    item, quantity = compose(rng, side, _ITEM_HEADS, _ITEMS), number(rng, 2, 20, side)
    patterns = lines("""
        add {n} {item} to the cart
        put {n} {item} in my cart
        buy {n} {item}
        order {n} {item}
    """)
    keys = (str(item), *integer_keys(quantity))
    return Wish(
        "Cart", _SPOKEN, patterns, {"item": str(item), "quantity": quantity}, {"n": quantity, "item": item}, keys
    )


_SKILLS = (
    Skill(spec("set_light", "light", room="string", on="boolean"), _light),
    Skill(spec("set_temperature", "heating", room="string", degrees="integer"), _temperature),
    Skill(spec("set_alarm", "alarm", time="string"), _alarm),
    Skill(spec("set_timer", "timer", minutes="integer"), _timer),
    Skill(spec("get_weather", "weather", place="string", day="string"), _weather),
    Skill(spec("send_message", "message", to="string", text="string"), _message),
    Skill(spec("play_music", "music", title="string", artist="string"), _music),
    Skill(spec("control_line", "production line", line="string", action="start|stop"), _line),
    Skill(spec("add_to_cart", "shopping", item="string", quantity="integer"), _cart),
)


def _say(rng: random.Random, wish: Wish) -> str:
    clause = rng.choice(wish.patterns).format(**wish.words)
    sentence = rng.choice(_FRAMES).format(c=clause)
    return sentence[0].upper() + sentence[1:]


def make(rng: random.Random, side: Side) -> Exercise:
    """A command in English and the one right call among one to three tools."""
    skill = _SKILLS[int(rng.random() * len(_SKILLS))]
    wish = skill.wish(rng, side)
    sentence = _say(rng, wish)
    while not wish.keys and side_of(sentence) != side:
        sentence = _say(rng, wish)
    tools = offer(rng, _SKILLS, skill)
    return Exercise(
        "tools_en", "en", sentence, thought(wish, skill), "", call(wish, skill), tools, keys=wish.keys or (sentence,)
    )


FAMILY = Family("tools_en", "영어로 도구 호출", "tool calls in English", make, same_call, first_tool)
