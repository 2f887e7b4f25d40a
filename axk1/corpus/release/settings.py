"""What a person says of a release, once, in a TOML file: names, licences, who was asked to be left out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache

from license_expression import ExpressionError, get_spdx_licensing

__all__ = ["Licence", "ReleaseSettings", "SourceTerms", "require_spdx"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_VERSION = re.compile(r"\d+\.\d+\.\d+")
_OWN_LICENCE = re.compile(r"LicenseRef-[A-Za-z0-9.-]+")


@dataclass(frozen=True)
class SourceTerms:
    """What holds for the documents of one source, where a document's own metadata says nothing else.

    license: an SPDX expression. attribution: whom to name. url: where the text came from. changes: what was done to it,
    as CC licences ask.
    """

    license: str = ""
    attribution: str = ""
    url: str = ""
    changes: str = ""

    def __post_init__(self) -> None:
        if self.license:
            require_spdx(self.license)


@dataclass(frozen=True)
class Licence:
    """The words of a licence that SPDX does not list (`LicenseRef-…`): its name, and what it says or where."""

    name: str
    text: str


@dataclass(frozen=True)
class ReleaseSettings:
    """name: as on a hub ("axk1-korean"). url: where the release will lie. contact: how to ask to be left out.

    opt_out: a file of lines `id ID`, `url PREFIX` or `sha256 HEX` (of the text); what matches is not released.
    """

    name: str
    version: str
    date: str
    url: str
    contact: str
    creators: tuple[str, ...]
    description_ko: str
    description_en: str
    sources: Mapping[str, SourceTerms] = field(default_factory=dict)
    licenses: Mapping[str, Licence] = field(default_factory=dict)
    opt_out: str = ""
    shard_bytes: int = 256_000_000  # of UTF-8 text in one Parquet file
    samples: int = 200  # documents in the viewer page

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"name {self.name!r}: use letters, digits, '.', '_' and '-'")
        if not _VERSION.fullmatch(self.version):
            raise ValueError(f"version {self.version!r}: write it as 1.0.0")
        try:
            date.fromisoformat(self.date)
        except ValueError as error:
            raise ValueError(f"date {self.date!r}: write it as 2026-01-31") from error
        if self.shard_bytes < 1 or self.samples < 0:
            raise ValueError("shard_bytes must be above 0, samples not negative")
        for name in self.licenses:
            if not _OWN_LICENCE.fullmatch(name):
                raise ValueError(f"licenses: {name!r} is none of your own; SPDX wants LicenseRef-NAME")


@lru_cache(maxsize=4096)  # the same few expressions stand at millions of documents, and the list of SPDX is long
def require_spdx(expression: str) -> frozenset[str]:
    """The licences in an SPDX expression. ValueError for what is no such expression or names an unknown licence."""
    licensing = get_spdx_licensing()
    try:
        found = licensing.license_keys(expression)
    except ExpressionError as error:
        raise ValueError(f"license {expression!r} is no SPDX expression: {error}") from error
    known = licensing.known_symbols
    for name in found:
        if name not in known and not _OWN_LICENCE.fullmatch(name):
            raise ValueError(f"license {expression!r}: SPDX knows no {name!r} (own ones are called LicenseRef-NAME)")
    if not found:
        raise ValueError("license is empty: every document needs one")
    return frozenset(found)
