"""The table of conversations that the web chat keeps."""

from __future__ import annotations

from sqlalchemy import BigInteger, Double, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from axk1.server.store.database import Base

__all__ = ["ConversationRow"]


class ConversationRow(Base):
    """A conversation of one key. Another key's with the same id is another conversation, so no id tells of others'.

    `text` is what can be searched: the title, a line end, all that was said; `folded` is the same with small letters,
    character by character, so that a place in one is the place in the other. Times are seconds since 1970.
    """

    __tablename__ = "conversations"
    __table_args__ = (Index("ix_conversations_key_id_updated_at", "key_id", "updated_at"),)

    key_id: Mapped[str] = mapped_column(String(128), primary_key=True)
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    tree: Mapped[str] = mapped_column(Text)  # JSON
    text: Mapped[str] = mapped_column(Text)
    folded: Mapped[str] = mapped_column(Text)
    bytes: Mapped[int] = mapped_column(BigInteger)
    revision: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[float] = mapped_column(Double)
    updated_at: Mapped[float] = mapped_column(Double)
