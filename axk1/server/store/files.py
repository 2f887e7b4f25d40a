"""Tables of uploaded files, and what each owner holds in bytes."""

from __future__ import annotations

from sqlalchemy import BigInteger, CursorResult, Index, Integer, String, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from axk1.server.store.database import Base

__all__ = ["FileRow", "StoredBytes", "grow"]

NUMBER = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up only what it calls INTEGER


class FileRow(Base):
    """A file that is whole on disk. `number` gives the order of a list; times are seconds since 1970."""

    __tablename__ = "files"
    __table_args__ = (Index("ix_files_project_number", "project", "number"),)

    number: Mapped[int] = mapped_column(NUMBER, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(64), unique=True)
    project: Mapped[str] = mapped_column(String(128))
    filename: Mapped[str] = mapped_column(String(255))
    purpose: Mapped[str] = mapped_column(String(32))
    bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[int | None] = mapped_column(BigInteger)


class StoredBytes(Base):
    """What a project ("project:…") or a key ("key:…") holds: always the sum over its rows, changed with them."""

    __tablename__ = "stored_bytes"

    owner: Mapped[str] = mapped_column(String(140), primary_key=True)
    bytes: Mapped[int] = mapped_column(BigInteger)


async def grow(session: AsyncSession, owner: str, by: int, most: int | None) -> bool:
    """Adds `by` (below 0: gives back) to what `owner` holds; False where that would be more than `most`.

    One statement checks and adds, so that two uploads at once cannot both take the last bytes.
    """
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    await session.execute(insert(StoredBytes).values(owner=owner, bytes=0).on_conflict_do_nothing())
    sum_of_both = StoredBytes.bytes + by
    statement = update(StoredBytes).where(StoredBytes.owner == owner).values(bytes=sum_of_both)
    done = await session.execute(statement if most is None else statement.where(sum_of_both <= most))
    assert isinstance(done, CursorResult)
    return done.rowcount == 1
