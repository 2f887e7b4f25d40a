"""Numbers of people and firms: one search for runs of digits, then the rules of each kind on each run only."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime

from axk1.corpus.privacy.checks import (
    birth_date,
    business_check,
    corporate_check,
    foreign_check,
    is_card,
    resident_check,
)
from axk1.corpus.privacy.finding import Finding
from axk1.corpus.privacy.public import is_example_card

__all__ = ["numbers"]

_BEFORE, _AFTER = 30, 14  # characters in which a word gives a number its meaning
_RUN = re.compile(r"[0-9](?:[-–·./() ]{0,3}[0-9]){6,}")
_EDGE = r"(?<![\d.+])(?<!\d[-–])(?<![A-Za-z0-9_])"
_END = r"(?![\d])(?![-–]\d)(?![A-Za-z_])"


def _compiled(body: str) -> re.Pattern[str]:
    return re.compile(_EDGE + body + _END)


_LOOSE = r"\d(?: ?[-–.·]? ?\d){5} ?[-–.·]? ?\d(?: ?[-–.·]? ?\d){6}"
_THIRTEEN = _compiled(_LOOSE)
_TIGHT = re.compile(r"\d{6} ?[-–] ?\d{7}$")
_LICENCE = _compiled(r"(?:1[1-9]|2[0-8])[- ]\d{2}[- ]\d{6}[- ]\d{2}")
_LICENCE_BARE = _compiled(r"(?:1[1-9]|2[0-8])-?\d{2}-?\d{6}-?\d{2}")
_CARD_GROUPED = _compiled(r"(?:\d{4}([- .])\d{4}\1\d{4}\1\d{4}|\d{4}([- ])\d{6}\2\d{4,5})")
_CARD_BARE = _compiled(r"\d{14,16}")
_ACCOUNT = _compiled(r"(?:\d{2,6}[- ]\d{2,6}[- ]\d{2,7}(?:[- ]\d{1,5})?|\d{3,4}-\d{6,9}|\d{10,14})")
_BUSINESS = _compiled(r"\d{3}[- ]?\d{2}[- ]?\d{5}")
_SEP = r"[-–. ·]{0,2}"
_MOBILE = re.compile(rf"(?<![\d+A-Za-z_])(?<!\d[-.])\(?01[016-9]\)?{_SEP}(?:\d{{4}}|\d{{3}}){_SEP}\d{{4}}" + _END)
_MOBILE_SPLIT = _compiled(r"(?:0[ .-]1[ .-][016-9](?:[ .-]{1,3}\d){8}|01[016-9](?:[ .-]\d\d){4})")
_ABROAD = re.compile(
    r"(?:(?<![\w+])\+ ?|(?<![\d\w])00)82[-–. )]{0,2}\(?0?\)?(?:1[016-9]|2|[3-6][1-5]|70)\)?"
    r"[-–. ]{0,2}\d{3,4}[-–. ]{0,2}\d{4}" + _END
)
_CODE = "0(?:2|3[1-3]|4[1-4]|5[1-5]|6[1-4]|70|50[2-8])"
_LANDLINE = re.compile(
    rf"(?<![\d+A-Za-z_])(?<!\d[-.])(?:\({_CODE}\) ?|{_CODE}(?:\) ?|{_SEP}))\d{{3,4}}[-–. ]\d{{4}}" + _END
)
_SERVICE = re.compile(
    r"(?<![\d-])(?:(?:15(?:22|33|44|66|77|88|99)|16(?:00|11|22|33|44|55|60|61|66|68|70|88|99)"
    r"|18(?:00|11|22|33|44|55|66|77|99))-\d{4}|080[-) ]{1,2}\d{3,4}-\d{4})" + _END
)

_RESIDENT_WORDS = re.compile(r"(?i)주민|민번|생년월일|resident reg|\brrn\b|\bjumin")
_FOREIGN_WORDS = re.compile(r"(?i)외국인|거소|체류|alien reg|foreign")
_CORPORATE_WORDS = re.compile(r"(?i)법인|등기|corporate reg")
_FIRM_WORDS = re.compile(r"(?i)사업자|사업장|business (?:reg|license|number)|\bbrn\b|\(주\)|㈜|주식회사|대표")
_FIRM_NUMBER = re.compile("사업자|법인|등록번호")
_LICENCE_WORDS = re.compile(r"(?i)면허|driver")
_CARD_WORDS = re.compile(r"(?i)카드|결제|\bcard|visa|비자|마스터|\bamex")
_BANKS = (
    r"(?:국민|신한|우리|하나|기업|농협|수협|씨티|제일|산업|부산|대구|광주|전북|경남|제주|우체국|새마을|신협|케이|카카오|토스)"
    r"(?:은행|뱅크|금고|중앙회)|\b(?:KB|NH|IBK|SC|iM)\b|농협|신협|우체국 ?(?:예금|계좌)?|새마을금고|카뱅|토스뱅크"
)
_ACCOUNT_WORDS = re.compile(
    rf"(?i){_BANKS}|계좌|입금|송금|이체|예금주|환불 ?받|통장|bank account|account (?:no|number)"
)
_PHONE_WORDS = re.compile(
    r"(?i)전화|연락|휴대|핸드폰|폰|번호|문의|팩스|\bfax|\btel|\bphone|\bmobile|\bcall|☎|📞|문자로|상담|고객센터|콜센터|대표|H\.?P"
)
_OTHER_NUMBERS = re.compile(
    r"(?i)(?:주문|송장|운송장|접수|상품|모델|일련|문서|관리|배송|티켓|예약|품목|부품|거래|승인|발급|제품|시리얼|증권"
    r"|특허|출원|참조) ?(?:번호|코드|no\.?)|바코드|버전"
    r"|\b(?:isbn|issn|order|tracking|invoice|ticket|serial|build|version|part|sku|upc|ean|id|uuid|guid)\b"
)


def _near(words: re.Pattern[str], text: str, start: int, end: int) -> bool:
    """Whether one of the words stands before (in a form also on the line above) or on the same line close behind."""
    return bool(words.search(text, max(0, start - _BEFORE), start) or words.search(_same_line_after(text, end)))


def _same_line_after(text: str, end: int) -> str:
    return text[end : end + _AFTER].partition("\n")[0]


def _same_line_before(text: str, start: int, reach: int) -> str:
    return text[max(0, start - reach) : start].rpartition("\n")[2]


def _other(text: str, start: int) -> bool:
    """Whether the words just before say that it is a number of something else."""
    return bool(_OTHER_NUMBERS.search(_same_line_before(text, start, 16)))


def _digits(text: str) -> str:
    return "".join(filter(str.isdecimal, text))


def numbers(text: str) -> Iterator[Finding]:
    """Registration numbers, licences, cards, accounts and phones of a text whose digits are ASCII."""
    today = datetime.now(UTC).date()
    for run in _RUN.finditer(text):
        start, end, count = max(0, run.start() - 2), run.end(), sum(map(str.isdecimal, run.group()))
        yield from _phones(text, start, end, count)
        if count >= 10:
            yield from _firms(text, start, end)
            yield from _accounts(text, start, end)
        if count >= 12:
            yield from _people(text, start, end, today)
            yield from _cards(text, start, end)


def _matches(pattern: re.Pattern[str], text: str, start: int, end: int) -> Iterator[tuple[int, int, str]]:
    """Matches within a run; the pattern still sees what stands before the run and the few characters after it."""
    for found in pattern.finditer(text, start, min(len(text), end + 2)):
        yield found.start(), found.end(), found.group()


def _people(text: str, start: int, end: int, today: date) -> Iterator[Finding]:
    for at, to, value in _matches(_THIRTEEN, text, start, end):
        kind = _thirteen(_digits(value), text, at, to, today)
        if kind:
            yield Finding(kind, at, to)
    for pattern, certain in ((_LICENCE, True), (_LICENCE_BARE, False)):
        for at, to, _ in _matches(pattern, text, start, end):
            if (certain and not _other(text, at)) or _near(_LICENCE_WORDS, text, at, to):
                yield Finding("driver_licence", at, to)


def _thirteen(digits: str, text: str, at: int, to: int, today: date) -> str:
    """Which of the three numbers of thirteen digits it is, or none. A valid check digit counts, and since one number
    in ten has it by chance, an unwritten hyphen needs a word too; numbers from October 2020 on have none at all."""
    tight = bool(_TIGHT.match(text[at:to]))
    if _near(_CORPORATE_WORDS, text, at, to) and not _near(_RESIDENT_WORDS, text, at, to):
        return "corporate_number" if corporate_check(digits) == int(digits[12]) and int(digits) else ""
    if not birth_date(digits, today) or _other(text, at):
        return ""
    foreign = digits[6] in "5678"
    check = foreign_check(digits) if foreign else resident_check(digits)
    said = _near(_RESIDENT_WORDS, text, at, to) or (foreign and _near(_FOREIGN_WORDS, text, at, to))
    if said or (tight and check == int(digits[12])):
        return "frn" if foreign else "rrn"
    return ""


def _cards(text: str, start: int, end: int) -> Iterator[Finding]:
    for pattern, certain in ((_CARD_GROUPED, True), (_CARD_BARE, False)):
        for at, to, value in _matches(pattern, text, start, end):
            digits = _digits(value)
            if is_card(digits) and not is_example_card(digits):
                said = _near(_CARD_WORDS, text, at, to)
                if said or (certain and digits[0] != "9" and not _other(text, at)):
                    yield Finding("card", at, to)


def _accounts(text: str, start: int, end: int) -> Iterator[Finding]:
    for at, to, value in _matches(_ACCOUNT, text, start, end):
        said = _ACCOUNT_WORDS.search(text, max(0, at - 25), at)
        if said and _BUSINESS.fullmatch(value):  # the form of a firm's number too: the line above does not count
            said = _ACCOUNT_WORDS.search(_same_line_before(text, at, 25))
        firm = _FIRM_NUMBER.search(_same_line_before(text, at, 16))
        if said and 10 <= len(_digits(value)) <= 14 and not firm and not _other(text, at):
            yield Finding("account", at, to)


def _firms(text: str, start: int, end: int) -> Iterator[Finding]:
    for at, to, value in _matches(_BUSINESS, text, start, end):
        digits = _digits(value)
        valid = business_check(digits) == int(digits[9]) and digits[:3] != "000" and not _other(text, at)
        if valid and (value[3] == value[-6] == "-" or _near(_FIRM_WORDS, text, at, to)):
            yield Finding("business_number", at, to)


def _phones(text: str, start: int, end: int, count: int) -> Iterator[Finding]:
    for at, to, _ in _matches(_SERVICE, text, start, end):
        line = _same_line_before(text, at, _BEFORE) + " " + _same_line_after(text, to)
        if _PHONE_WORDS.search(line):  # 1600-1360 is a sum and 1655-1705 a life as well
            yield Finding("service_phone", at, to)
    if count < 9:
        return
    for at, to, _ in _matches(_ABROAD, text, max(0, start - 3), end):
        yield Finding("phone", at, to)
    for at, to, _ in _matches(_LANDLINE, text, start, end):
        yield Finding("phone", at, to)
    for at, to, value in _matches(_MOBILE, text, start, end):
        if not _other(text, at) and (
            value.lstrip("(")[:3] == "010" or len(value) > 11 or _near(_PHONE_WORDS, text, at, to)
        ):
            yield Finding("phone", at, to)
    for at, to, _ in _matches(_MOBILE_SPLIT, text, start, end):
        if _near(_PHONE_WORDS, text, at, to):
            yield Finding("phone", at, to)
