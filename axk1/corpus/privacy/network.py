"""Traces of machines and accounts: e-mail, IP and MAC addresses, URLs with a password, keys and tokens."""

import math
import re
from collections import Counter
from collections.abc import Iterator

from axk1.corpus.privacy.finding import Finding
from axk1.corpus.privacy.public import is_example_mac, is_public_address, is_public_email

__all__ = ["addresses", "emails", "secrets"]

_EMAIL = re.compile(
    r"(?<![\w.%+/:-])[A-Za-z0-9][\w.%+-]{0,63}(?:@|＠| ?[\[(](?:at|골뱅이)[\])] ?)"
    r"(?:[A-Za-z0-9-]{1,63}(?:\.| ?[\[(]dot[\])] ?)){1,4}[A-Za-z]{2,24}(?![A-Za-z0-9@-]|\.[A-Za-z])",
    re.ASCII,
)
_SIGNS = ("@", "＠", "(at)", "[at]", "(골뱅이)", "[골뱅이]")
_DISGUISED_AT = re.compile(r" ?[\[(](?:at|골뱅이)[\])] ?|＠")
_DISGUISED_DOT = re.compile(r" ?[\[(]dot[\])] ?")

_IPV4 = re.compile(
    r"(?<![\w.:/-])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\d)(?!\.\d|/\d)|(?<=//)(?:\d{1,3}\.){3}\d{1,3}(?=[:/\s]|$)"
)
_V4_ANCHOR = re.compile(r"\.\d{1,3}\.\d{1,3}(?=\.\d)")
_V6_ANCHOR = re.compile(r":(?:[0-9A-Fa-f]{0,4}:){2}(?<=[0-9A-Fa-f:]{3})")
_IPV6 = re.compile(r"(?<![\w:.])[23][0-9A-Fa-f]{3}:(?:[0-9A-Fa-f]{0,4}:){1,6}[0-9A-Fa-f]{0,4}(?![\w:/])")
_VERSION_WORDS = re.compile(
    r"(?i)\bv(?:er(?:sion)?)?\.?\s?$|버전|빌드|\bbuild|\brelease|릴리스|version|oid|assembly|package|표 |그림 "
    r"|제? ?\d+ ?[장절]|firmware|펌웨어|driver|드라이버|update|업데이트|서비스 ?팩|service pack|\bsp\d"
)
_IP_WORDS = re.compile(
    r"(?i)\bip|아이피|접속|서버|server|host|호스트|ping|addr|주소|로그인|client|remote|from|게이트웨이|gateway|dns|https?://"
)
_MAC_ANCHORS = tuple(re.compile(sign + f"(?:[0-9A-Fa-f]{{2}}{sign}){{4}}") for sign in ":-")
_WHOLE_MAC = re.compile(r"(?<![0-9A-Fa-f:-])[0-9A-Fa-f]{2}([:-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}(?![0-9A-Fa-f:-])")

_CREDENTIALS = re.compile(r"(?<=://)[^\s/:@<>{}$\[\]'\"`()*%]{1,64}:[^\s/@<>{}$\[\]'\"`()*%]{3,128}(?=@[A-Za-z0-9\[])")
_PLACEHOLDER = re.compile(
    r"(?i)user|p[@4]ss|pass|pwd|secret|token|xxx|\.\.\.|your|my|example|sample|dummy|fake|placeholder|changeme|redacted|\*\*|key|test|123456|abcdef|foo|bar|azerty|qwerty"
)
_MADE_UP = re.compile(r"(?i)xxx|your|example|\.\.\.|placeholder|1234567|abcdef|(.)\1{4}")
_ISSUED = {  # the first characters by which issuers mark their keys, and the rest of them
    "AKIA": r"[A-Z0-9]{16}",
    "ASIA": r"[A-Z0-9]{16}",
    "AIza": r"[\w-]{35}",
    "ghp_": r"[A-Za-z0-9]{36}",
    "gho_": r"[A-Za-z0-9]{36}",
    "ghs_": r"[A-Za-z0-9]{36}",
    "github_pat_": r"\w{60,90}",
    "glpat-": r"[\w-]{20,}",
    "hf_": r"[A-Za-z]{30,40}",
    "sk-": r"[\w-]{20,200}",
    "sk_live_": r"[A-Za-z0-9]{20,}",
    "rk_live_": r"[A-Za-z0-9]{20,}",
    "xoxb-": r"[\w-]{20,}",
    "xoxp-": r"[\w-]{20,}",
    "npm_": r"[A-Za-z0-9]{36}",
    "pypi-": r"[\w-]{60,}",
    "eyJ": r"[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}",
}
_ISSUED_PATTERNS = {
    prefix: re.compile(rf"(?<![A-Za-z0-9_-]){re.escape(prefix)}{rest}(?![A-Za-z0-9])")
    for prefix, rest in _ISSUED.items()
}
_LONG_TOKEN = (re.compile(r"_[A-Za-z0-9]{20}"), re.compile(r"-[\w-]{20}", re.ASCII))
_UNMARKED = tuple(prefix for prefix in _ISSUED if prefix[-1] not in "_-")
_PRIVATE_KEY = re.compile(
    r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----[A-Za-z0-9+/=\s\\:,-]{64,8000}?-----END (?:[A-Z]+ )*PRIVATE KEY-----"
)
_VALUE = r"\s?[\"']?([A-Za-z0-9+/_\-.~!@#$%^&*]{8,256}={0,2})(?=[\s\"',;)]|$)"
_ASSIGNED = tuple(re.compile(sign + _VALUE) for sign in ":=")  # two searches for a letter beat one for a set
_SECRET_NAME = re.compile(
    r"(?i)(?:api[_ -]?key|secret(?:[_ -]?key)?|access[_ -]?key|account[_ -]?key"
    r"|auth[_ -]?token|access[_ -]?token"
    r"|client[_ -]?secret|bearer|password|passwd|\bpwd"
    r"|비밀번호|암호|패스워드|비번|인증 ?키|토큰)[\"']?\s?(?:는|은)?\s?$"
)
_ISSUED_BITS = 2.5  # less is asked where the prefix already says it
_NOT_RANDOM_BITS = 3.0  # a random password of 12 characters has about 3.4 bits a character, a word about 2.5


def emails(text: str) -> Iterator[Finding]:
    """E-mail addresses of people, also written with (at)."""
    for sign in _SIGNS:
        reached, at = 0, text.find(sign)
        while at >= 0:
            near = _EMAIL.finditer(text, max(reached, at - 66), min(len(text), at + 140))
            found = next((one for one in near if one.end() > at), None)
            reached = at + 1
            if found and found.start() < at:
                reached = found.end()
                if not _is_public(found.group()):
                    yield Finding("email", found.start(), found.end())
            at = text.find(sign, reached)


def _is_public(written: str) -> bool:
    return is_public_email(_DISGUISED_DOT.sub(".", _DISGUISED_AT.sub("@", written)))


def addresses(text: str) -> Iterator[Finding]:
    """IP and MAC addresses that name one machine. Version numbers of four parts are told apart by the words before."""
    yield from _ipv4(text)
    for hit in _V6_ANCHOR.finditer(text):
        found = _IPV6.match(text, hit.start() - 4)
        if found and not is_public_address(found.group()) and len(found.group().replace("::", ":").split(":")) > 3:
            yield Finding("ip", found.start(), found.end())
    if any(anchor.search(text) for anchor in _MAC_ANCHORS):
        for found in _WHOLE_MAC.finditer(text):
            if not is_example_mac(found.group()):
                yield Finding("mac", found.start(), found.end())


def _ipv4(text: str) -> Iterator[Finding]:
    for hit in _V4_ANCHOR.finditer(text):
        found = _IPV4.search(text, max(0, hit.start() - 3), hit.end() + 5)
        if not found:
            continue
        at, to = found.span()
        before = text[max(0, at - 40) : at].rpartition("\n")[2]
        if is_public_address(found.group()) or _VERSION_WORDS.search(before[-24:]):
            continue
        large = sum(int(part) > 20 for part in found.group().split("."))
        if large >= 3 or (large >= 1 and _IP_WORDS.search(before)):  # 2.1.3.4 is a heading more often than a machine
            yield Finding("ip", at, to)


def secrets(text: str) -> Iterator[Finding]:
    """Private keys, tokens by their issuers' prefixes, passwords in URLs, random values given to a secret's name."""
    if "-----BEGIN" in text:
        for found in _PRIVATE_KEY.finditer(text):
            yield Finding("secret", found.start(), found.end())
    if any(mark.search(text) for mark in _LONG_TOKEN) or any(prefix in text for prefix in _UNMARKED):
        yield from _issued(text)
    if "://" in text and "@" in text:
        for found in _CREDENTIALS.finditer(text):
            if not _stands_for_a_secret(found.group().partition(":")[2]):
                yield Finding("credentials", found.start(), found.end())
    yield from _assigned(text)


def _issued(text: str) -> Iterator[Finding]:
    for prefix, pattern in _ISSUED_PATTERNS.items():
        if prefix in text:
            for found in pattern.finditer(text):
                rest = found.group()[len(prefix) :]
                if not _MADE_UP.search(rest) and _entropy(rest) >= _ISSUED_BITS:
                    yield Finding("secret", found.start(), found.end())


def _assigned(text: str) -> Iterator[Finding]:
    for pattern in _ASSIGNED:
        for found in pattern.finditer(text):
            if _SECRET_NAME.search(text[max(0, found.start() - 24) : found.start()]) and _is_random(found.group(1)):
                yield Finding("secret", *found.span(1))


def _is_random(value: str) -> bool:
    """Letters and digits mixed, of high entropy, and no word that stands for a secret."""
    if _stands_for_a_secret(value) or not re.search(r"\d", value) or not re.search("[A-Za-z]", value):
        return False
    return _entropy(value) >= min(_NOT_RANDOM_BITS, math.log2(len(value)) - 0.6)


def _stands_for_a_secret(value: str) -> bool:
    """password, YOUR_KEY, p@ssword1: a short word in the midst of a random value is chance."""
    found = _PLACEHOLDER.search(value)
    return found is not None and (found.start() == 0 or len(found.group()) >= 4)


def _entropy(value: str) -> float:
    """Bits a character, by the counts of its characters."""
    total = len(value)
    return -sum(count / total * math.log2(count / total) for count in Counter(value).values())
