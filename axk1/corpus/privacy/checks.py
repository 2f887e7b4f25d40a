"""Arithmetic of Korean registration numbers and cards: which digit strings can have been issued."""

from datetime import date

__all__ = ["birth_date", "business_check", "corporate_check", "foreign_check", "is_card", "luhn", "resident_check"]

_RESIDENT = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)
_CENTURY = {
    "9": 1800,
    "0": 1800,
    "1": 1900,
    "2": 1900,
    "5": 1900,
    "6": 1900,
    "3": 2000,
    "4": 2000,
    "7": 2000,
    "8": 2000,
}
_BUSINESS = (1, 3, 7, 1, 3, 7, 1, 3, 5)


def birth_date(digits: str, today: date) -> date | None:
    """The date that the first seven of 13 digits (YYMMDD and the digit of sex and century) stand for.

    None where there is no such day, or where it is not between 1900 and `today`.
    """
    try:
        born = date(_CENTURY[digits[6]] + int(digits[:2]), int(digits[2:4]), int(digits[4:6]))
    except ValueError:
        return None
    return born if date(1900, 1, 1) <= born <= today else None


def _resident_sum(digits: str) -> int:
    return sum(weight * int(digit) for weight, digit in zip(_RESIDENT, digits, strict=False))


def resident_check(digits: str) -> int:
    """The 13th digit of a 주민등록번호, for the first twelve: (11 - sum mod 11) mod 10. Numbers issued from October
    2020 on have a random digit there."""
    return (11 - _resident_sum(digits) % 11) % 10


def foreign_check(digits: str) -> int:
    """The 13th digit of a 외국인등록번호: the same sum, with two added."""
    return (13 - _resident_sum(digits) % 11) % 10


def business_check(digits: str) -> int:
    """The tenth digit of a 사업자등록번호, for the first nine; the ninth, times five, counts by both its digits."""
    total = (
        sum(weight * int(digit) for weight, digit in zip(_BUSINESS, digits, strict=False)) + int(digits[8]) * 5 // 10
    )
    return -total % 10


def corporate_check(digits: str) -> int:
    """The 13th digit of a 법인등록번호, for the first twelve: weights 1 and 2 in turn."""
    return -sum(int(digit) * (1 + place % 2) for place, digit in enumerate(digits[:12])) % 10


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of ISO/IEC 7812."""
    doubled = (sum(divmod(int(digit) * 2, 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0


def is_card(digits: str) -> bool:
    """Whether the length and first digits are of a card network (Visa, Mastercard, Amex, Diners, JCB, Discover,
    UnionPay, and 9 for Korean domestic cards) and the check digit is right."""
    first, two, four = digits[0], int(digits[:2]), int(digits[:4])
    if len(digits) == 16:
        known = first in "49" or 51 <= two <= 55 or 2221 <= four <= 2720 or two in (35, 60, 62, 64, 65)
    else:
        known = (len(digits) == 15 and two in (34, 37)) or (len(digits) == 14 and two in (30, 36, 38))
    return known and luhn(digits)
