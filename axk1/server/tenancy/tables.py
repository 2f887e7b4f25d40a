"""The tables of organisations, keys, limits and the ledger. Times are seconds since 1970; days and months are UTC."""

from __future__ import annotations

from sqlalchemy import BigInteger, Double, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from axk1.server.store.database import Base

__all__ = ["AuditRow", "Bucket", "Instance", "Key", "LedgerRow", "LimitRow", "Organisation", "Project", "Spent"]

_ID = String(64)
_NAME = String(200)


class Organisation(Base):
    """Whoever pays: projects and keys belong to it."""

    __tablename__ = "organisation"

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    name: Mapped[str] = mapped_column(_NAME, unique=True)
    created: Mapped[float] = mapped_column(Double)


class Project(Base):
    """A part of an organisation; its name is unique there."""

    __tablename__ = "project"
    __table_args__ = (Index("ix_project_organisation_name", "organisation", "name", unique=True),)

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    organisation: Mapped[str] = mapped_column(_ID, ForeignKey("organisation.id"))
    name: Mapped[str] = mapped_column(_NAME)
    created: Mapped[float] = mapped_column(Double)


class Key(Base):
    """An API key without its secret. `models` and `endpoints` are JSON lists; empty: all."""

    __tablename__ = "api_key"

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    project: Mapped[str] = mapped_column(_ID, ForeignKey("project.id"), index=True)
    organisation: Mapped[str] = mapped_column(_ID, ForeignKey("organisation.id"), index=True)
    name: Mapped[str] = mapped_column(_NAME)
    role: Mapped[str] = mapped_column(String(16))
    system: Mapped[bool]
    digest: Mapped[str] = mapped_column(String(64))  # SHA-256 of the whole key, in hexadecimal
    models: Mapped[str] = mapped_column(Text)
    endpoints: Mapped[str] = mapped_column(Text)
    created: Mapped[float] = mapped_column(Double)
    expires: Mapped[float | None] = mapped_column(Double)
    revoked: Mapped[float | None] = mapped_column(Double)
    used: Mapped[float | None] = mapped_column(Double)  # last admission, to the minute


class LimitRow(Base):
    """The limits of a key, a project or an organisation: `subject` is its id. None: no limit."""

    __tablename__ = "usage_limit"

    subject: Mapped[str] = mapped_column(_ID, primary_key=True)
    requests_per_minute: Mapped[int | None] = mapped_column(BigInteger)
    tokens_per_minute: Mapped[int | None] = mapped_column(BigInteger)
    at_once: Mapped[int | None] = mapped_column(BigInteger)
    tokens_per_day: Mapped[int | None] = mapped_column(BigInteger)
    tokens_per_month: Mapped[int | None] = mapped_column(BigInteger)
    tokens_total: Mapped[int | None] = mapped_column(BigInteger)


class Spent(Base):
    """Tokens that a subject has used and reserved in a window: "total", a month "2026-11" or a day "2026-11-27"."""

    __tablename__ = "spent"

    subject: Mapped[str] = mapped_column(_ID, primary_key=True)
    window: Mapped[str] = mapped_column(String(10), primary_key=True)
    tokens: Mapped[int] = mapped_column(BigInteger)


class Bucket(Base):
    """The state of a limit per minute: how much was left at a time. `kind` is "requests" or "tokens"."""

    __tablename__ = "bucket"

    subject: Mapped[str] = mapped_column(_ID, primary_key=True)
    kind: Mapped[str] = mapped_column(String(10), primary_key=True)
    level: Mapped[float] = mapped_column(Double)
    at: Mapped[float] = mapped_column(Double)


class Instance(Base):
    """A running server; `beat` grows while it lives."""

    __tablename__ = "instance"

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    started: Mapped[float] = mapped_column(Double)
    beat: Mapped[int] = mapped_column(BigInteger)


class LedgerRow(Base):
    """One request. `outcome` None: still open. `charged` is what `spent` holds of it now: the reservation while it is
    open, then what was used."""

    __tablename__ = "ledger"
    __table_args__ = (
        Index("ix_ledger_organisation_day", "organisation", "day"),
        Index("ix_ledger_outcome_instance", "outcome", "instance"),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    instance: Mapped[str] = mapped_column(_ID)
    key: Mapped[str] = mapped_column(_ID)
    project: Mapped[str] = mapped_column(_ID)
    organisation: Mapped[str] = mapped_column(_ID)
    model: Mapped[str] = mapped_column(Text)
    endpoint: Mapped[str] = mapped_column(Text)
    day: Mapped[str] = mapped_column(String(10))
    started: Mapped[float] = mapped_column(Double)
    finished: Mapped[float | None] = mapped_column(Double)
    outcome: Mapped[str | None] = mapped_column(String(16))
    charged: Mapped[int] = mapped_column(BigInteger)
    prompt: Mapped[int] = mapped_column(BigInteger)
    completion: Mapped[int] = mapped_column(BigInteger)
    reasoning: Mapped[int] = mapped_column(BigInteger)
    cached: Mapped[int] = mapped_column(BigInteger)


class AuditRow(Base):
    """One administrative act. `number` counts without a gap; `digest` covers the row and the digest before it."""

    __tablename__ = "audit"

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at: Mapped[float] = mapped_column(Double)
    actor: Mapped[str] = mapped_column(_ID)  # a key's id, or "cli"
    organisation: Mapped[str] = mapped_column(_ID)  # "" for an act on none
    act: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(_ID)
    detail: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(64))
