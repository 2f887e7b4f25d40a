"""The table of answers that /v1/responses keeps."""

from __future__ import annotations

from sqlalchemy import Double, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from axk1.server.store.database import Base

__all__ = ["ResponseRow"]


class ResponseRow(Base):
    """`items` is the whole conversation with the answer, so that a long chain is one read. Both texts are JSON."""

    __tablename__ = "responses"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    project: Mapped[str] = mapped_column(String(128), index=True)
    created_at: Mapped[float] = mapped_column(Double)  # seconds since 1970
    response: Mapped[str] = mapped_column(Text)
    items: Mapped[str] = mapped_column(Text)
