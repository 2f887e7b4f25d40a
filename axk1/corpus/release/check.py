"""Is a release what it says it is? Everything is read again; nothing is believed."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unicodedata import is_normalized

import pyarrow as pa
import pyarrow.parquet as pq

from axk1.corpus.dedup.digests import DigestSet
from axk1.corpus.release.opt_out import text_digest
from axk1.corpus.release.settings import require_spdx
from axk1.corpus.release.statistics import Statistics
from axk1.corpus.release.tables import SCHEMA, Row
from axk1.corpus.release.write import SUMS, Scan, checksums, split_of
from axk1.corpus.streams import CorpusError

__all__ = ["Finding", "check_release"]

_DIGEST_MEMORY = 1 << 30
_MOST_PROBLEMS = 5  # told of one kind


@dataclass(frozen=True)
class Finding:
    """One thing that was checked: its name in Korean and English, and what is wrong (empty: nothing)."""

    korean: str
    english: str
    problems: tuple[str, ...]


def check_release(folder: Path, scan: Scan | None) -> Iterator[Finding]:
    """The findings, one after another, as the folder is read. CorpusError when it is no release, OSError."""
    if not (folder / SUMS).exists():
        raise CorpusError(f"{folder} is no release: {SUMS} is missing")
    there = _by_name(checksums(folder))
    yield Finding("빠지거나 바뀐 파일", "files missing or changed", tuple(_files(folder, there)))
    reading = _Reading(folder)
    reading.run(scan)
    yield Finding("표의 열", "columns of the tables", tuple(reading.columns))
    yield Finding("두 번 실린 글", "texts that stand here twice", _few(reading.repeated))
    yield Finding("빼 달라고 한 글", "texts that were opted out", _few(reading.opted_out))
    yield Finding("이용 조건", "licences", _few(reading.licences))
    yield Finding("NFC가 아니거나 빈 글", "texts that are empty or not NFC", _few(reading.texts))
    statistics = json.loads(json.dumps(reading.statistics.to_json()))
    yield Finding("통계", "statistics", _difference(folder / "statistics.json", statistics))
    yield Finding("Croissant의 해시값", "digests in croissant.json", tuple(_croissant(folder, there)))
    if scan and _json(folder / "privacy.json")["scanned"]:
        found = {"scanned": True, "found": dict(sorted(reading.personal.items()))}
        yield Finding("개인정보 보고", "report on personal data", _difference(folder / "privacy.json", found))


class _Reading:
    """One pass over all rows."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._asked = frozenset(_json(folder / "opt_out.json")["sha256"])
        self._own = frozenset(_json(folder / "licenses.json")["texts"])
        self._judged: dict[str, str] = {}
        self.statistics = Statistics()
        self.personal: dict[str, int] = {}
        self.columns: list[str] = []
        self.repeated: list[str] = []
        self.opted_out: list[str] = []
        self.licences: list[str] = []
        self.texts: list[str] = []

    def run(self, scan: Scan | None) -> None:
        seen = DigestSet(_DIGEST_MEMORY)
        for file in sorted((self._folder / "data").glob("*.parquet")):
            for row in self._rows(file):
                self._row(row, split_of(file), seen)
                for kind, count in (scan(row["text"]) if scan else {}).items():
                    self.personal[kind] = self.personal.get(kind, 0) + count

    def _rows(self, file: Path) -> Iterator[Row]:
        try:
            with pq.ParquetFile(file) as opened:
                if opened.schema_arrow.names != SCHEMA.names:
                    self.columns.append(f"{file.name}: {', '.join(opened.schema_arrow.names)}")
                    return
                for batch in opened.iter_batches(batch_size=256):
                    yield from batch.to_pylist()
        except (pa.ArrowException, OSError) as error:
            self.columns.append(f"{file.name}: {str(error).partition(chr(10))[0]}")

    def _row(self, row: Row, split: str, seen: DigestSet) -> None:
        self.statistics.add(row["text"], split, row["source"], row["license"])
        digest = text_digest(row["text"])
        if digest in self._asked:
            self.opted_out.append(row["id"])
        if not seen.add(bytes.fromhex(digest)[:16]):
            self.repeated.append(row["id"])
        if problem := self._licence(row["license"]):
            self.licences.append(f"{row['id']}: {problem}")
        if not row["text"].strip() or not is_normalized("NFC", row["text"]):
            self.texts.append(row["id"])

    def _licence(self, expression: str) -> str:
        """What is wrong with it; each expression is judged once."""
        if expression not in self._judged:
            try:
                own = {name for name in require_spdx(expression) if name.startswith("LicenseRef-")}
                self._judged[expression] = "" if own <= self._own else f"licenses.json has no words of {min(own)}"
            except ValueError as error:
                self._judged[expression] = str(error)
        return self._judged[expression]


def _files(folder: Path, there: Mapping[str, str]) -> Iterator[str]:
    said = _by_name((folder / SUMS).read_text(encoding="utf-8"))
    for name in sorted(said.keys() | there.keys()):
        if name not in there:
            yield f"{name}: missing"
        elif name not in said:
            yield f"{name}: not in {SUMS}"
        elif said[name] != there[name]:
            yield f"{name}: changed"


def _by_name(sums: str) -> dict[str, str]:
    pairs = (line.split("  ", 1) for line in sums.split("\n") if line)
    return {name: digest for digest, name in pairs}


def _croissant(folder: Path, there: Mapping[str, str]) -> Iterator[str]:
    files = [one for one in _json(folder / "croissant.json")["distribution"] if "sha256" in one]
    said = {one["contentUrl"]: one["sha256"] for one in files}
    tables = {name: digest for name, digest in there.items() if name.startswith("data/")}
    for name in sorted(said | tables):
        if said.get(name) != tables.get(name):
            yield f"{name}: {said.get(name)} is not {tables.get(name)}"


def _difference(file: Path, found: dict[str, Any]) -> tuple[str, ...]:
    said = _json(file)
    return tuple(f"{key}: {said.get(key)} is not {found[key]}" for key in found if said.get(key) != found[key])


def _json(file: Path) -> dict[str, Any]:
    try:
        values: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CorpusError(f"{file.name} is missing: this is no whole release") from error
    except ValueError as error:
        raise CorpusError(f"{file.name} is no JSON: {error}") from error
    return values


def _few(problems: list[str]) -> tuple[str, ...]:
    rest = len(problems) - _MOST_PROBLEMS
    return (*problems[:_MOST_PROBLEMS], *([f"… {rest} more"] if rest > 0 else []))
