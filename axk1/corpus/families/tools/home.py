"""Tools of a home: lights, heating, alarm, timer, music."""

from __future__ import annotations

import random

from axk1.corpus.exercise import Side, number
from axk1.corpus.families.tools.skill import Skill, Verb, Wish, lines, spec
from axk1.corpus.families.tools.times import clock_time
from axk1.corpus.korean import Noun
from axk1.corpus.lexicon import choose, compose, full_name, integer_keys, words

ROOMS = ("거실", "안방", "부엌", "침실", "현관", "욕실", "서재", "베란다", "아이 방", "복도", "차고", "다락방")
_LAMPS = ("불", "조명", "전등")
_LIGHT = lines("""
    {room} {lamp} {v}
    {room} {lamp:을} {v}
    {room} {lamp} 좀 {v}
    {room} {lamp} 지금 {v}
    지금 {room} {lamp:을} {v}
    {room}에 있는 {lamp} {v}
    이제 {room} {lamp} 좀 {v}
    {room} 쪽 {lamp} {v}
""")
_LIGHT_ON = lines("""
    {room:이} 어두워{y}. {lamp} {v}
    {room:이} 캄캄해{y}. {lamp} 좀 {v}
""")
_LIGHT_OFF = lines("""
    {room:이} 너무 밝아{y}. {lamp} {v}
    {room}에 아무도 없어{y}. {lamp:을} {v}
""")


def _light(rng: random.Random, _side: Side) -> Wish:
    on = rng.random() < 0.5
    room, lamp = choose(rng, ROOMS), choose(rng, _LAMPS)
    verb = Verb("켜", "켜기") if on else Verb("꺼", "끄기")
    patterns = _LIGHT + (_LIGHT_ON if on else _LIGHT_OFF)
    return Wish(f"조명 {verb.nominal}", verb, patterns, {"room": str(room), "on": on}, {"room": room, "lamp": lamp})


_TEMPERATURE = lines("""
    {room} 온도를 {n}도로 {v}
    {room} 온도 {n}도로 {v}
    {room} 난방을 {n}도로 {v}
    {room} 보일러 {n}도로 {v}
    {room} 실내 온도를 {n}도에 {v}
    {n}도로 {room} 온도를 {v}
    {room:이} 추워{y}. 온도를 {n}도로 {v}
    {room:이} 더워{y}. 온도를 {n}도로 {v}
""")


def _temperature(rng: random.Random, side: Side) -> Wish:
    room, degrees = choose(rng, ROOMS), number(rng, 15, 32, side)
    words = {"room": room, "n": degrees}
    arguments = {"room": str(room), "degrees": degrees}
    return Wish("온도 조절", Verb("맞춰", "맞추기"), _TEMPERATURE, arguments, words, integer_keys(degrees))


_ALARM = lines("""
    {time}에 알람 {v}
    {time}에 알람을 {v}
    {time} 알람 {v}
    {time:으로} 알람을 {v}
    알람을 {time}에 {v}
    알람 {time:으로} {v}
    내일 늦으면 안 돼{y}. {time}에 알람 {v}
    {time} 알람 하나 {v}
""")
_WAKE = lines("""
    {time}에 {v}
    {time}에 꼭 {v}
    {time}에 나 좀 {v}
    내일 {time}에 {v}
""")


def _alarm(rng: random.Random, side: Side) -> Wish:
    spoken, time = clock_time(rng, side)
    wake = rng.random() < 0.3
    verb = Verb("깨워", "깨우기") if wake else Verb("맞춰", "맞추기")
    return Wish("알람", verb, _WAKE if wake else _ALARM, {"time": time}, {"time": spoken}, (time,))


_TIMER = lines("""
    타이머 {n}분 {v}
    타이머를 {n}분으로 {v}
    {n}분 타이머 {v}
    {n}분짜리 타이머 하나 {v}
    {n}분 뒤에 울리게 타이머 {v}
    라면 끓이고 있어{y}. 타이머 {n}분 {v}
    지금부터 {n}분 타이머 {v}
    {n}분 동안 타이머를 {v}
""")


def _timer(rng: random.Random, side: Side) -> Wish:
    minutes = number(rng, 1, 90, side)
    verb = Verb("맞춰", "맞추기")
    return Wish("타이머", verb, _TIMER, {"minutes": minutes}, {"n": minutes}, integer_keys(minutes))


_TITLE_HEADS = words("푸른 작은 오래된 조용한 하얀 먼 따뜻한 느린 낯선 깊은 새벽 여름 겨울 그날의 너의 마지막")
_TITLE_TAILS = words("밤 바다 골목 편지 별빛 노래 기차 정원 하늘 우산 계단 강물 창가 약속 눈사람 등대")
_SONG = lines("""
    '{title}' {v}
    '{title}' 좀 {v}
    노래 '{title}' {v}
    {quoted:이라는} 노래 {v}
    심심해{y}. '{title}' {v}
""")
_SONG_OF = lines("""
    {artist}의 '{title}' {v}
    {artist:이} 부른 '{title}' {v}
    {artist} 노래 중에 '{title}' {v}
    {artist} '{title}' 좀 {v}
    가수 {artist}의 '{title}' {v}
""")


def _music(rng: random.Random, side: Side) -> Wish:
    title = compose(rng, side, _TITLE_HEADS, _TITLE_TAILS)
    verb = Verb("틀어", "틀기") if rng.random() < 0.7 else Verb("재생해", "재생하기")
    words: dict[str, object] = {"title": title, "quoted": Noun(f"'{title}'")}
    if rng.random() < 0.4:
        return Wish("음악", verb, _SONG, {"title": str(title)}, words, (title,))
    artist = full_name(rng, side)
    arguments = {"title": str(title), "artist": str(artist)}
    return Wish("음악", verb, _SONG_OF, arguments, words | {"artist": artist}, (title, artist))


HOME = (
    Skill(
        spec("set_light", "조명", room="string", on="boolean"),
        _light,
        "room",
        lines("""
            {lamp} {v}
            {lamp:을} {v}
            {lamp} 좀 {v}
            지금 {lamp} {v}
            이제 {lamp:을} 좀 {v}
        """),
        ("어느 방의 조명을 말씀하시나요?", "어느 방 조명인가요?"),
    ),
    Skill(
        spec("set_temperature", "난방 온도", room="string", degrees="integer"),
        _temperature,
        "degrees",
        lines("""
            {room} 온도 좀 {v}
            {room} 온도를 {v}
            {room} 난방 온도를 {v}
            {room} 보일러 온도 {v}
            지금 {room} 온도를 {v}
        """),
        ("몇 도로 맞출까요?", "온도를 몇 도로 할까요?"),
    ),
    Skill(
        spec("set_alarm", "알람", time="string"),
        _alarm,
        "time",
        lines("""
            알람 {v}
            알람 좀 {v}
            알람을 {v}
            알람 하나 {v}
            내일 알람 {v}
            내일 아침 알람을 {v}
        """),
        ("몇 시에 알람을 맞출까요?", "알람은 몇 시로 할까요?"),
    ),
    Skill(
        spec("set_timer", "타이머", minutes="integer"),
        _timer,
        "minutes",
        lines("""
            타이머 {v}
            타이머 좀 {v}
            타이머를 {v}
            타이머 하나 {v}
            지금부터 타이머 {v}
            라면 끓이고 있어{y}. 타이머 {v}
        """),
        ("타이머를 몇 분으로 맞출까요?", "몇 분 타이머로 할까요?"),
    ),
    Skill(
        spec("play_music", "음악 재생", title="string", artist="string?"),
        _music,
        "title",
        lines("""
            노래 {v}
            노래 좀 {v}
            음악 {v}
            음악을 {v}
            심심해{y}. 노래 {v}
            음악 좀 {v}
        """),
        ("어떤 노래를 틀까요?", "무슨 노래를 들려 드릴까요?"),
    ),
)
