"""People's names where words around them say so: 성명:, 담당자, 씨. A name that stands alone is not found."""

import re
from collections.abc import Iterator

from axk1.corpus.privacy.finding import Finding
from axk1.corpus.privacy.name_words import DOUBLE_SURNAMES, GIVEN_SYLLABLES, JOBS, NOT_NAMES, SURNAMES

__all__ = ["names", "plausible"]

_HANGUL = re.compile("[가-힣]")
_PARTICLES = (
    "(?:은|는|이|가|을|를|의|에게서|에게|께서는|께서|께|과|와|도|만|으로|로|이라고|라고|이라는|라는|이며|이고|입니다|이에요|예요"
    "|이다|이었다|였다|한테|이랑|랑|인데|님|씨|이가|이는|외)"
)
_EDGE = rf"(?P<tail>{_PARTICLES}?)(?![가-힣A-Za-z0-9])"
_AFTER = re.compile(_EDGE)
_NAME = rf"(?:(?:{'|'.join(DOUBLE_SURNAMES)})[가-힣]{{1,2}}|[{SURNAMES}][가-힣]{{2}})"
_SHORT = rf"(?:[{SURNAMES}] [가-힣]{{2}}|[{SURNAMES}][가-힣])"

_PERSONAL = (  # a value after these is a person's name, if it can be one at all
    "성 ?명|성함|예금주|입금자|수취인|수령인|받는 ?(?:사람|분)|보내는 ?(?:사람|분)|환자명?|고객명|회원명|학생명"
    "|보호자|주문자명?|담당자?|비상연락|신청인|신청자|사원명|직원명|가입자|피해자|대표이사"
)
_OTHER = "이 ?름|작성자|대표자|가해자|임차인|임대인|매도인|매수인|피고인|피의자|학부모|발신인?|수신인?|접수자|Name|name"
_SIGN = r"(?: ?\([^()\n]{1,8}\))? ?[:：=] ?[\"']?"
_FIELD = re.compile(
    rf"(?<![가-힣])(?:(?:{_PERSONAL}){_SIGN}(?P<name>{_NAME}|{_SHORT})|(?:{_OTHER}){_SIGN}(?P<other>{_NAME})){_EDGE}"
)
_FIELD_ANCHOR = re.compile(rf"[:：=] ?[\"']?[{SURNAMES}{''.join({double[0] for double in DOUBLE_SURNAMES})}]")
_ROLE = re.compile(
    r"(?:피고인|피의자|증인|피해자|고소인|상피고인|담당자는?|예금주는?|환자|보호자|대표이사|작성자|신청인|임차인|임대인|매수인"
    rf"|매도인|성명은|성함은|소외 망|피고인은),? (?P<name>{_NAME}){_EDGE}"
)
_SELF = re.compile(rf"(?:저는|나는|이름은),? (?P<name>{_NAME})(?=입니다|이에요|예요|이라고|라고|이고|이며|이다|\.)")
_TITLE = re.compile(
    r"(?P<title>씨|님|선생님|고객님|환자분|과장|대리|팀장|부장|(?<!주)차장|사원|주임|실장|변호사|간호사|기사님?|군|양)"
    r"(?=(?:은|는|이|가|을|를|의|에게|께|과|와|도|한테|입니다|이었|라고|이라|님|께서)?(?:[^가-힣]|$))"
)
_YOUNG = frozenset({"군", "양"})  # also a county and an amount: only after a space
_CLAN = re.compile(r".{0,12}(?:공파|종중|문중|종친|종회|시조|본관)")
_UNSPACED = frozenset({"씨", "님", "선생님", "고객님"})
_LAST_IS_PARTICLE = frozenset("의로을를는가와과이도만나")
_LAST_OF_NOUN = frozenset("한인자")  # 선임한 변호사, 소유인 이 사건, 채무자 사이
_ENDS_PHRASE = re.compile(r"\s*(?:[,.)\n]|$)")
_BEFORE_EUN = frozenset("지예하가다성정시고혜나소영경효유세승동")  # 지은, 예은: the last syllable is no particle


def plausible(name: str) -> bool:
    """Whether the syllables after the surname are such as given names have, and the whole is no word of its own."""
    given = name[2:] if name[:2] in DOUBLE_SURNAMES else name[1:].strip()
    known = name in NOT_NAMES or given in JOBS  # 김국장님 is a surname and a job
    return bool(given) and not known and all(syllable in GIVEN_SYLLABLES for syllable in given)


def _is_noun_and_particle(name: str) -> bool:
    """명의+로, 주식+의: three syllables, of which the last is a particle rather than a part of a given name."""
    return name[-1] in _LAST_IS_PARTICLE or (name[-1] == "은" and name[-2] not in _BEFORE_EUN)


def _certain(text: str) -> Iterator[tuple[int, int]]:
    yield from _after_field(text)
    for found in _ROLE.finditer(text):
        name, bare = found["name"], not found["tail"]
        noun = _is_noun_and_particle(name) or (name[-1] in _LAST_OF_NOUN and not _ENDS_PHRASE.match(text, found.end()))
        if plausible(name) and not (bare and noun):
            yield found.span("name")
    for found in _SELF.finditer(text):
        if plausible(found["name"]):
            yield found.span("name")
    for found in _TITLE.finditer(text):
        if span := _named_before(text, found.start(), found["title"]):
            yield span


def _after_field(text: str) -> Iterator[tuple[int, int]]:
    reached = 0
    for hit in _FIELD_ANCHOR.finditer(text):
        found = _FIELD.search(text, max(reached, hit.start() - 20), min(len(text), hit.end() + 14))
        reached = hit.end() - 1
        if found and found.end() >= hit.end():
            group = "name" if found["name"] else "other"
            if plausible(found[group]):
                yield found.span(group)


def _named_before(text: str, at: int, title: str) -> tuple[int, int] | None:
    spaced = text[at - 1 : at] == " "
    end = at - spaced
    for start in (end - 3, end - 4):
        name = text[max(start, 0) : end]
        known = name[:1] in SURNAMES if start == end - 3 else name[:2] in DOUBLE_SURNAMES
        if start >= 0 and known and name.isalpha() and not _HANGUL.match(text[max(0, start - 1) : start]):
            return (start, end) if plausible(name) and _may_precede(name, title, spaced, text[at : at + 24]) else None
    return None


def _may_precede(name: str, title: str, spaced: bool, rest: str) -> bool:
    if title == "씨":
        return spaced or not _CLAN.match(rest)  # 경주정씨 양경공파 is a clan
    if title == "님":
        return spaced or name[-1] != "형"
    if not spaced:
        return title in _UNSPACED
    return not _is_noun_and_particle(name) and name[-1] not in _LAST_OF_NOUN


def names(text: str) -> Iterator[Finding]:
    """Names said to be names, and the other places where the same name of three or more syllables stands."""
    seen: set[str] = set()
    for start, end in _certain(text):
        yield Finding("name", start, end)
        if end - start >= 3 and not _is_noun_and_particle(text[start:end]):
            seen.add(text[start:end])
    for name in seen:
        at = text.find(name)
        while at >= 0:
            if not _HANGUL.match(text[max(0, at - 1) : at]) and _AFTER.match(text, at + len(name)):
                yield Finding("name", at, at + len(name))
            at = text.find(name, at + 1)
