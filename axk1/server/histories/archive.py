"""Conversations in the database: found by what was said in them, never overwritten by an older page."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, case, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from axk1.server.errors import ApiError, not_found
from axk1.server.histories.tree import Conversation, fold, searched
from axk1.server.store.files import grow
from axk1.server.store.histories import ConversationRow

__all__ = ["Archive", "Found", "Saved"]

_BEFORE, _SNIPPET = 40, 160  # characters before a find, and of a snippet


@dataclass(frozen=True)
class Found:
    """A line of a list."""

    id: str
    title: str
    updated_at: float
    revision: int
    snippet: str


@dataclass(frozen=True)
class Saved:
    """What a save made."""

    revision: int
    updated_at: float


class Archive:
    """All conversations. Every method works on those of one key."""

    def __init__(self, database: AsyncEngine, most_bytes: int) -> None:
        """`most_bytes`: what the conversations of one key may hold together."""
        self._database, self._most = database, most_bytes

    async def page(
        self, key_id: str, words: Sequence[str], limit: int, after: str | None
    ) -> tuple[Sequence[Found], bool]:
        """Those that hold all of `words` (folded), the last changed first, and whether more follow."""
        row = ConversationRow
        wanted = select(row.id, row.title, row.updated_at, row.revision, self._snippet(words)).where(
            row.key_id == key_id, *(row.folded.contains(word, autoescape=True) for word in words)
        )
        if after is not None:
            last = await self.find(key_id, after)
            earlier = and_(row.updated_at == last.updated_at, row.id < last.id)
            wanted = wanted.where(or_(row.updated_at < last.updated_at, earlier))
        wanted = wanted.order_by(row.updated_at.desc(), row.id.desc()).limit(limit + 1)
        async with AsyncSession(self._database) as session:
            rows = (await session.execute(wanted)).all()
        found = [Found(*one[:4], snippet=" ".join(one[4].split())) for one in rows[:limit]]
        return found, len(rows) > limit

    async def find(self, key_id: str, conversation_id: str) -> ConversationRow:
        """404 for one that is not there or is another key's."""
        async with AsyncSession(self._database) as session:
            row = await session.get(ConversationRow, (key_id, conversation_id))
        if row is None:
            raise not_found(f"no conversation has the id {conversation_id!r}", "id")
        return row

    async def create(self, key_id: str, conversation_id: str, conversation: Conversation, tree: str) -> Saved:
        """412 for one that is there already."""
        now = time.time()
        row = ConversationRow(
            key_id=key_id,
            id=conversation_id,
            revision=1,
            created_at=now,
            updated_at=now,
            **_columns(conversation, tree),
        )
        try:
            async with AsyncSession(self._database) as session, session.begin():
                await self._grow(session, key_id, row.bytes)
                session.add(row)
        except IntegrityError as error:
            raise conflict(conversation_id) from error
        return Saved(1, now)

    async def replace(
        self, key_id: str, conversation_id: str, revision: int | None, conversation: Conversation, tree: str
    ) -> Saved:
        """A new revision of `revision` (None: of whichever is there); 412 for another revision, or for none."""
        row = ConversationRow
        mine = and_(row.key_id == key_id, row.id == conversation_id)
        now, columns = time.time(), _columns(conversation, tree)
        async with AsyncSession(self._database) as session, session.begin():
            before = (await session.execute(select(row.bytes, row.revision).where(mine))).first()
            if before is None or revision not in (None, before.revision):
                raise conflict(conversation_id)
            await self._grow(session, key_id, len(tree.encode()) - before.bytes)
            unchanged = update(row).where(mine, row.revision == before.revision)
            values = {"revision": before.revision + 1, "updated_at": now, **columns}
            if await session.scalar(unchanged.values(values).returning(row.id)) is None:  # somebody was faster
                raise conflict(conversation_id)
        return Saved(before.revision + 1, now)

    async def remove(self, key_id: str, conversation_id: str) -> None:
        """404 as `find`."""
        row = ConversationRow
        wanted = delete(row).where(row.key_id == key_id, row.id == conversation_id).returning(row.bytes)
        async with AsyncSession(self._database) as session, session.begin():
            gone = await session.scalar(wanted)
            if gone is None:
                raise not_found(f"no conversation has the id {conversation_id!r}", "id")
            await grow(session, f"key:{key_id}", -gone, None)

    async def _grow(self, session: AsyncSession, key_id: str, by: int) -> None:
        if not await grow(session, f"key:{key_id}", by, self._most if by > 0 else None):
            message = f"the conversations of this key may hold {self._most} bytes together: delete some"
            raise ApiError(413, message, code="storage_quota_exceeded")

    def _snippet(self, words: Sequence[str]) -> ColumnElement[str]:
        """Around the first word where it was found, else from the beginning; never the title."""
        start = func.length(ConversationRow.title) + 2
        if words:
            place = func.strpos if self._database.dialect.name == "postgresql" else func.instr
            near = place(ConversationRow.folded, words[0]) - _BEFORE
            start = case((near > start, near), else_=start)
        return func.substr(ConversationRow.text, start, _SNIPPET)


def conflict(conversation_id: str) -> ApiError:
    """412: the page has another revision than the server."""
    message = f"the conversation {conversation_id} was changed elsewhere: load it again, then save"
    return ApiError(412, message, param="If-Match", code="revision_conflict")


def _columns(conversation: Conversation, tree: str) -> dict[str, object]:
    title, text = searched(conversation)
    whole = f"{title}\n{text}"
    return {"title": title, "tree": tree, "text": whole, "folded": fold(whole), "bytes": len(tree.encode())}
