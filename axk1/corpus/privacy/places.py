"""Where people live and drive: postal addresses, number plates, coordinates, and passports (letters among digits)."""

import re
from collections.abc import Iterator

from axk1.corpus.privacy.finding import Finding

__all__ = ["coordinates", "passports", "plates", "postal_addresses"]

_REGION = (
    r"(?:서울|부산|대구|인천|광주|대전|울산)(?:특별시|광역시|시)?|세종(?:특별자치시|시)?|경기도?|강원(?:특별자치도|도)?"
    r"|충청[남북]도|충[남북]|전라[남북]도|전북특별자치도|전[남북]|경상[남북]도|경[남북]|제주(?:특별자치도|도)?"
)
_DISTRICT = r"(?:[가-힣]{2,3}(?:시|군)|[가-힣]{1,3}구)"  # no town has a name of one syllable: 다시, 당시
_AREA = r"[가-힣]{1,6}\d?(?:읍|면|동|가)"
_WHERE = (
    rf"(?<![가-힣])(?:(?:{_REGION}) ?(?:{_DISTRICT} )?(?:{_DISTRICT} )?|{_DISTRICT} (?:{_DISTRICT} )?)(?:{_AREA} )?"
)
_BUILDING = "(?:아파트|빌라|빌딩|오피스텔|타워|맨션|주택|힐스|캐슬|자이|파크|마을|단지)"
_FLAT = r"(?:,? ?제?\d{1,4}동)?(?:,? ?(?:지하 ?|B)?\d{1,3}층)?(?:,? ?제?\d{1,5}호)?"
_DETAIL = rf"(?:,? ?[가-힣A-Za-z0-9]{{1,12}}{_BUILDING})?{_FLAT}"
_NO_COUNT = (
    r"(?!\d|[.,]\d|[:%년월일개명원건회조항차배점위동가호]|-\d|번 국도)"  # what makes the number one of something else
)
_HOUSE = r"(?:지하 ?)?\d{1,4}(?:-\d{1,3})?"
_BRANCH = r"(?: ?\d{1,4}(?:번?[가-힣]?길))?"  # 12번길, 12가길
_ROAD = re.compile(
    rf"{_WHERE}[가-힣A-Za-z0-9·]{{1,12}}(?:(?<!으)로|길){_BRANCH} ?{_HOUSE}{_NO_COUNT}(?:번지)?{_DETAIL}"
)
_LOT = re.compile(
    rf"{_WHERE}[가-힣]{{1,6}}\d?(?:동|리|가) (?:산 ?)?\d{{1,4}}"
    rf"(?:(?:-\d{{1,4}})? ?번지(?: ?\d{{1,4}}호)?|-\d{{1,4}}){_NO_COUNT}{_DETAIL}"
)
_ROAD_ANCHOR = re.compile(r"[로길] ?\d{1,4}(?!\d|[.,]\d|[:%년월조])")
_LOT_ANCHOR = re.compile(r"[동리가] (?:산 ?)?\d{1,4}(?:-\d| ?번지)")
_REACH = 45  # characters from the first syllable of a region to the number of a house
_LONGEST = 60

_LETTERS = "가나다라마거너더러머버서어저고노도로모보소오조구누두루무부수우주아바사자하허호배"
_PLATE = re.compile(rf"(?<![\d가-힣A-Za-z-])(?:(?:{_REGION}) ?)?\d{{2,3}} ?[{_LETTERS}] ?\d{{4}}(?![\d-])")
_PLATE_ANCHOR = re.compile(rf"[{_LETTERS}] ?\d{{4}}(?!\d)")
_PLATE_WORDS = re.compile(
    "차량|번호판|자동차|승용차|승합차|화물차|트럭|택시|버스|렌터카|차주|주차|그랜저|쏘나타|아반떼|카니발|오토바이|견인"
    "|차종|차 ?번호"
)
_CASE_WORDS = re.compile(r"선고|판결|결정|대법원|법원|헌재|사건|고지|참조")
_REGION_FIRST = re.compile(_REGION)

_PASSPORT = re.compile(r"(?<![A-Za-z0-9])[MSRODG](?:\d{8}|\d{3}[A-Z]\d{4})(?![A-Za-z0-9])")
_PASSPORT_WORDS = re.compile(r"(?i)여권|passport")
_LONGITUDE = re.compile(r", ?1(?:2[4-9]|3[0-2])\.\d{4}")
_COORDINATES = re.compile(r"(?<![\d.])3[3-8]\.\d{4,8}°?[NS]?, ?1(?:2[4-9]|3[0-2])\.\d{4,8}(?!\d)")


def postal_addresses(text: str) -> Iterator[Finding]:
    """도로명 and 지번 addresses down to the house. A street alone, or a district alone, names nobody and is left."""
    for anchor, pattern in ((_ROAD_ANCHOR, _ROAD), (_LOT_ANCHOR, _LOT)):
        reached = 0
        for hit in anchor.finditer(text):
            if hit.start() < reached:
                continue
            line = max(reached, hit.start() - _REACH, text.rfind("\n", 0, hit.start()) + 1)
            for found in pattern.finditer(text, line, min(len(text), hit.end() + _LONGEST)):
                if found.end() >= hit.end():
                    value = found.group().rstrip(" ,")
                    yield Finding("address", found.start(), found.start() + len(value))
                    reached = found.end()
                    break


def plates(text: str) -> Iterator[Finding]:
    """Number plates. Case numbers (98다1234) have the same form: a region or a word of traffic must stand by."""
    for hit in _PLATE_ANCHOR.finditer(text):
        for found in _PLATE.finditer(text, max(0, hit.start() - 12), hit.end() + 1):
            around = text[max(0, found.start() - 30) : found.start()].rpartition("\n")[2]
            regional = bool(_REGION_FIRST.match(found.group()))
            said = _PLATE_WORDS.search(around) or _PLATE_WORDS.search(
                text[found.end() : found.end() + 12].partition("\n")[0]
            )
            anonymous = set(filter(str.isdecimal, found.group())) == {"0"}
            if (regional or said) and not anonymous and not _CASE_WORDS.search(around[-20:]):
                yield Finding("plate", found.start(), found.end())


def passports(text: str) -> Iterator[Finding]:
    """M12345678 and, since 2021, M123A4567, where the words 여권 or passport stand close by."""
    if not ("여권" in text or "assport" in text or "ASSPORT" in text):
        return
    for found in _PASSPORT.finditer(text):
        if _PASSPORT_WORDS.search(_around(text, found.start(), found.end())):
            yield Finding("passport", found.start(), found.end())


def _around(text: str, start: int, end: int) -> str:
    """The line up to there and a little further; where the line begins with the number, also what stands above it."""
    before = text[max(0, start - 30) : start]
    line = before.rpartition("\n")[2]
    return (line if line.strip() else before) + " " + text[end : end + 14].partition("\n")[0]


def coordinates(text: str) -> Iterator[Finding]:
    """A latitude and a longitude within Korea, to ten metres or finer."""
    for hit in _LONGITUDE.finditer(text):
        found = _COORDINATES.search(text, max(0, hit.start() - 14), min(len(text), hit.end() + 9))
        if found:
            yield Finding("coordinates", found.start(), found.end())
