"""Values that look like the found ones and belong to nobody: the same key and value give the same stand-in."""

import hashlib
import hmac
import random
import re
from collections.abc import Callable, Mapping

from axk1.corpus.privacy.checks import business_check, corporate_check, foreign_check, luhn, resident_check
from axk1.corpus.privacy.digits import plain_digits

__all__ = ["Pseudonyms"]

_Make = Callable[[str, random.Random], str]
_SURNAMES, _FIRST, _SECOND = "김이박최정강조윤장임", "가나다라마바사아", "람솔빛봄슬별담샘"
_STREETS = ("가온", "누리", "다솜", "라온", "마루", "보람", "사랑", "아라", "온새", "한울")


class Pseudonyms:
    """Stand-ins by HMAC-SHA-256 of kind, value and `scope` (a document's id, or nothing for a whole corpus).

    Registration numbers and cards fail their check digit; resident numbers are of people born from 2060 on; phones have
    a leading zero in the local part, which is never assigned; IP addresses are those of documentation. Two values may
    share a stand-in, most easily among IP addresses, of which 762 are reserved.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, kind: str, value: str, scope: str = "") -> str:
        """The stand-in for a value of this kind."""
        plain = plain_digits(value)
        digits = "".join(filter(str.isdecimal, plain))
        same = digits if kind in _BY_DIGITS and digits else plain.strip().lower()
        seed = hmac.digest(self._key, "\0".join((scope, kind, same)).encode("utf-8"), hashlib.sha256)
        return _MAKERS.get(kind, _same_classes)(plain, random.Random(seed))


def _filled(form: str, digits: str) -> str:
    """`form` with its digits replaced in turn: the separators stay."""
    given = iter(digits)
    return re.sub(r"\d", lambda _: next(given), form)


def _drawn(rng: random.Random, count: int) -> str:
    return "".join(rng.choices("0123456789", k=count))


def _resident(value: str, rng: random.Random) -> str:
    old = "".join(filter(str.isdecimal, value))
    foreign = old[6:7] in tuple("5678")
    sex = int(old[6:7] or 1) % 2
    born = f"{rng.randint(60, 99)}{rng.randint(1, 12):02}{rng.randint(1, 28):02}"
    body = born + str((8 if foreign else 4) - sex) + _drawn(rng, 5)
    check = foreign_check(body) if foreign else resident_check(body)
    return _filled(value, body + str((check + rng.randint(1, 9)) % 10))


def _failing(check: Callable[[str], int], size: int) -> _Make:
    def make(value: str, rng: random.Random) -> str:
        body = _drawn(rng, size - 1)
        return _filled(value, body + str((check(body) + rng.randint(1, 9)) % 10))

    return make


def _card(value: str, rng: random.Random) -> str:
    digits = "".join(filter(str.isdecimal, value))
    body = digits[0] + _drawn(rng, len(digits) - 2)
    right = next(last for last in range(10) if luhn(f"{body}{last}"))
    return _filled(value, body + str((right + rng.randint(1, 9)) % 10))


_AREA = re.compile(r"^\D*(?:(?:00|\+)\D*82\D*0?\D*)?(?:0?2(?!\d\d\D)|0?1[016-9]|0?[3-6]\d|0?70|050\d|080)")


def _phone(value: str, rng: random.Random) -> str:
    area = _AREA.match(value)
    head, tail = (value[: area.end()], value[area.end() :]) if area else ("", value)
    count = sum(map(str.isdecimal, tail))
    return head + _filled(tail, "0" + _drawn(rng, count - 1)) if count else value


def _account(value: str, rng: random.Random) -> str:
    return _filled(value, "000" + _drawn(rng, sum(map(str.isdecimal, value)) - 3))


def _name(value: str, rng: random.Random) -> str:
    given = rng.choice(_FIRST) + rng.choice(_SECOND)
    return rng.choice(_SURNAMES) + given[: max(1, len(value.replace(" ", "")) - 1)]


def _address(value: str, rng: random.Random) -> str:
    region = re.match(r"[가-힣]+(?:특별시|광역시|특별자치시|도)|[가-힣]{2}(?= )", value)
    place = f"{rng.choice(_STREETS)}구 {rng.choice(_STREETS)}{rng.choice(_STREETS)}로 {rng.randint(1, 300)}"
    return f"{region.group() if region else '서울특별시'} {place}"


def _email(_value: str, rng: random.Random) -> str:
    return f"user{rng.getrandbits(32):08x}@example.com"


def _ip(value: str, rng: random.Random) -> str:
    if ":" in value:
        return f"2001:db8::{rng.getrandbits(16):x}:{rng.getrandbits(16):x}"
    return f"{rng.choice(('192.0.2', '198.51.100', '203.0.113'))}.{rng.randint(1, 254)}"


def _mac(value: str, rng: random.Random) -> str:
    sign = "-" if "-" in value else ":"
    return sign.join(["02", *(f"{rng.randrange(256):02x}" for _ in range(5))])  # 02: locally administered


def _same_classes(value: str, rng: random.Random) -> str:
    """A digit for a digit, a letter for a letter of its case."""
    value = re.sub(r"\d", lambda _: rng.choice("0123456789"), value)
    value = re.sub("[A-Z]", lambda _: rng.choice("ABCDEFGHJKLMNPQRSTUVWXYZ"), value)
    return re.sub("[a-z]", lambda _: rng.choice("abcdefghijkmnopqrstuvwxyz"), value)


def _leading(mark: str, count: int) -> _Make:
    """The same classes, with the first `count` characters of its form those that no issuer gives."""
    return lambda value, rng: mark + _same_classes(value[count:], rng)


_MAKERS: Mapping[str, _Make] = {
    "rrn": _resident,
    "frn": _resident,
    "business_number": _failing(business_check, 10),
    "corporate_number": _failing(corporate_check, 13),
    "card": _card,
    "phone": _phone,
    "service_phone": _phone,
    "account": _account,
    "name": _name,
    "address": _address,
    "email": _email,
    "ip": _ip,
    "mac": _mac,
    "driver_licence": _leading("99", 2),
    "passport": _leading("X", 1),
    "plate": lambda value, rng: "00" + re.sub(r"^\D*\d{2,3}", "", _same_classes(value, rng)),
}
_BY_DIGITS = frozenset(
    {"rrn", "frn", "business_number", "corporate_number", "card", "phone", "account", "driver_licence"}
)
