"""Jamo put together into syllables, and lone conjoining jamo written as the letters that keyboards send.

옛한글 stays: a sequence that Unicode can only write in conjoining jamo (ᄒᆞᆫ) is not touched beyond NFC.
"""

import re
import unicodedata

__all__ = ["compose", "count_private_use", "nfc"]

_INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_FINALS = "ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"

# ㅎㅏㄴㄱㅡㄹ: at least two syllables, or it may be chat (ㅋㅑ) or a lesson on letters. A final consonant is one
# that no vowel follows.
_SYLLABLE = f"[{_INITIALS}][{_VOWELS}](?:[{_FINALS}](?![{_VOWELS}]))?"
_SPELT_OUT = re.compile(f"(?<![ㄱ-ㅣ])(?:{_SYLLABLE}){{2,}}(?![ㄱ-ㅣ])")
_ONE = re.compile(_SYLLABLE)

_HALF_WIDTH = re.compile("[\uffa1-\uffdc]")
_HALF_WIDTH_TABLE = dict(zip(range(0xFFA1, 0xFFBF), range(0x3131, 0x314F), strict=True))
_HALF_WIDTH_TABLE |= {
    first + n: 0x314F + start + n
    for start, first, count in ((0, 0xFFC2, 6), (6, 0xFFCA, 6), (12, 0xFFD2, 6), (18, 0xFFDA, 3))
    for n in range(count)
}

_CONJOINING = re.compile("[\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff]+")
_AS_LETTERS = {0x1100 + n: ord(letter) for n, letter in enumerate(_INITIALS)}
_AS_LETTERS |= {0x1161 + n: ord(letter) for n, letter in enumerate(_VOWELS)}
_ONLY_INITIALS = re.compile("[\u1100-\u1112]+")
_ONLY_VOWELS = re.compile("[\u1161-\u1175]+")
_PRIVATE_USE = re.compile("[\ue000-\uf8ff]")


def nfc(text: str) -> str:
    """Unicode normal form C."""
    return text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)


def compose(text: str) -> str:
    """Spelt-out syllables, half-width jamo and lone conjoining jamo in their usual form."""
    if _HALF_WIDTH.search(text):
        text = text.translate(_HALF_WIDTH_TABLE)
    text = _CONJOINING.sub(_letters, text)
    return _SPELT_OUT.sub(_syllables, text)


def count_private_use(text: str) -> int:
    """Characters of the private use area: where text of the Hanyang fonts keeps its 옛한글."""
    return len(_PRIVATE_USE.findall(text))


def _letters(found: re.Match[str]) -> str:
    run = found[0]
    follows_syllable = found.start() > 0 and "가" <= found.string[found.start() - 1] <= "힣"
    if _ONLY_INITIALS.fullmatch(run) or (_ONLY_VOWELS.fullmatch(run) and not follows_syllable):
        return run.translate(_AS_LETTERS)
    return run


def _syllables(found: re.Match[str]) -> str:
    return _ONE.sub(_syllable, found[0])


def _syllable(found: re.Match[str]) -> str:
    letters = found[0]
    code = (_INITIALS.index(letters[0]) * len(_VOWELS) + _VOWELS.index(letters[1])) * (len(_FINALS) + 1)
    return chr(0xAC00 + code + (_FINALS.index(letters[2]) + 1 if len(letters) == 3 else 0))
