"""How `axk1 admin` shows what it found: tables for people, JSON for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from axk1.cli.words import Words

__all__ = ["Screen"]

_TIMES = {"created", "expires", "revoked", "used", "at"}
_IDS = {"id", "subject"}
_KOREAN = {
    "name": "이름", "organisation": "조직", "project": "프로젝트", "role": "역할", "system": "전체 관리",
    "models": "모델", "endpoints": "경로", "created": "만든 때", "expires": "끝나는 때", "revoked": "폐기한 때",
    "used": "마지막 사용", "day": "날짜", "key": "키", "model": "모델", "endpoint": "경로", "outcome": "결과",
    "requests": "요청", "prompt": "입력", "completion": "출력", "reasoning": "생각", "cached": "캐시",
    "number": "번호", "at": "때", "actor": "한 사람", "act": "한 일", "subject": "대상", "detail": "내용",
    "limit": "한도", "window": "기간", "tokens": "토큰", "value": "값",
}  # fmt: skip


@dataclass(frozen=True)
class Screen:
    """Where results go, and in which language and form."""

    say: Words
    as_json: bool

    def rows(self, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
        """A table, or a JSON list of objects."""
        if self.as_json:
            self.plain(json.dumps([dict(row) for row in rows], ensure_ascii=False))
            return
        table = Table()
        for name in columns:  # an id is there to be copied: it is never cut
            table.add_column(self.say(_KOREAN.get(name, name), name), no_wrap=name in _IDS, overflow="fold")
        for row in rows:
            table.add_row(*(_cell(name, row[name]) for name in columns))
        Console(highlight=False, markup=False).print(table)

    def made(self, value: Any, korean: str, english: str) -> None:
        """One line about what was made or changed, or the thing itself as JSON."""
        self.plain(json.dumps(asdict(value), ensure_ascii=False) if self.as_json else self.say(korean, english))

    def plain(self, text: str) -> None:
        """As it is."""
        print(text)

    def warn(self, korean: str, english: str) -> None:
        """A line for the person, beside the result."""
        print(self.say(korean, english), file=sys.stderr)


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name in _TIMES:
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    if isinstance(value, bool):
        return "✓" if value else ""
    return ", ".join(value) if isinstance(value, tuple) else str(value)
