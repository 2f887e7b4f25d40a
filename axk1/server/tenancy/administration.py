"""What administrators do, in one place for the command line, the JSON API and the page."""

from __future__ import annotations

import json
import secrets
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from axk1.server.access import Caller
from axk1.server.errors import bad_request, not_found
from axk1.server.store.database import exclusive
from axk1.server.tenancy.audit import Entry, first_broken, read, record
from axk1.server.tenancy.keys import digest_of, new_key
from axk1.server.tenancy.ledger import key_refusal
from axk1.server.tenancy.limits import NO_LIMITS, Limits
from axk1.server.tenancy.lookup import exists, home_of, key_row, organisation_of_project
from axk1.server.tenancy.people import KeyInfo, KeyWish, NewKey, OrganisationInfo, ProjectInfo
from axk1.server.tenancy.roles import require, require_key
from axk1.server.tenancy.tables import AuditRow, Key, LimitRow, Organisation, Project, Spent
from axk1.server.tenancy.usage import EVER, Group, Span, UsageRow, sums

__all__ = ["OPERATOR", "Administration"]

_LONGEST_NAME = 200

OPERATOR = Caller("cli", "", "", "owner", system=True)
"""Who works on the server's own machine, by the command line."""


class Administration:
    """Every method takes who acts: ApiError 403 for what the role may not, 404 for what is not there or is not theirs
    to see, 400 for a mistake. Acts and their audit entry are one transaction. `changed` is called after a change to
    keys, so that a gate forgets what it knew."""

    def __init__(
        self, database: AsyncEngine, changed: Callable[[], None] = lambda: None, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._changed = changed
        self._clock = clock

    async def keys_exist(self) -> bool:
        """Whether any key can be used at all."""
        usable = select(Key.id).where(Key.revoked.is_(None)).limit(1)
        async with self._database.connect() as connection:
            return (await connection.execute(usable)).first() is not None

    async def create_organisation(self, actor: Caller, name: str) -> OrganisationInfo:
        """Names are unique."""
        require(actor, "manage_system", "")
        made = OrganisationInfo(_id("org"), _name(name), self._clock())
        async with exclusive(self._database) as connection:
            if await exists(connection, select(Organisation.id).where(Organisation.name == made.name)):
                raise bad_request(f"there is an organisation {made.name!r} already", "name")
            await connection.execute(insert(Organisation).values(asdict(made)))
            await self._record(connection, actor, made.id, "organisation.create", made.id, {"name": made.name})
        return made

    async def organisations(self, actor: Caller) -> list[OrganisationInfo]:
        """All for a system administrator, else one's own."""
        wanted = select(Organisation.id, Organisation.name, Organisation.created).order_by(Organisation.name)
        if not actor.system:
            wanted = wanted.where(Organisation.id == actor.organisation)
        async with self._database.connect() as connection:
            return [OrganisationInfo(*row) for row in await connection.execute(wanted)]

    async def create_project(self, actor: Caller, organisation: str, name: str) -> ProjectInfo:
        """Names are unique in the organisation."""
        require(actor, "manage_members", organisation)
        made = ProjectInfo(_id("proj"), organisation, _name(name), self._clock())
        same = select(Project.id).where(Project.organisation == organisation, Project.name == made.name)
        async with exclusive(self._database) as connection:
            if not await exists(connection, select(Organisation.id).where(Organisation.id == organisation)):
                raise not_found(f"there is no organisation {organisation!r}", "organisation")
            if await exists(connection, same):
                raise bad_request(f"there is a project {made.name!r} already", "name")
            await connection.execute(insert(Project).values(asdict(made)))
            await self._record(connection, actor, organisation, "project.create", made.id, {"name": made.name})
        return made

    async def projects(self, actor: Caller, organisation: str) -> list[ProjectInfo]:
        """Those of an organisation."""
        require(actor, "read_members", organisation)
        columns = (Project.id, Project.organisation, Project.name, Project.created)
        wanted = select(*columns).where(Project.organisation == organisation).order_by(Project.name)
        async with self._database.connect() as connection:
            return [ProjectInfo(*row) for row in await connection.execute(wanted)]

    async def project(self, actor: Caller, project: str) -> ProjectInfo:
        """One of them."""
        columns = (Project.id, Project.organisation, Project.name, Project.created)
        async with self._database.connect() as connection:
            require(actor, "read_members", await organisation_of_project(connection, actor, project))
            row = (await connection.execute(select(*columns).where(Project.id == project))).one()
            return ProjectInfo(*row)

    async def create_key(self, actor: Caller, project: str, wish: KeyWish, limits: Limits = NO_LIMITS) -> NewKey:
        """The only time that the key can be seen. It has its limits from the beginning."""
        secret, public = new_key()
        async with exclusive(self._database) as connection:
            home = await organisation_of_project(connection, actor, project)
            require_key(actor, home, wish.role, wish.system)
            now = self._clock()
            if wish.expires is not None and wish.expires <= now:
                raise bad_request("expires must be in the future", "expires")
            info = KeyInfo(
                public, project, home, _name(wish.name), wish.role, wish.system, wish.models, wish.endpoints,
                now, wish.expires, None, None,
            )  # fmt: skip
            lists = {"models": json.dumps(wish.models), "endpoints": json.dumps(wish.endpoints)}
            await connection.execute(insert(Key).values({**asdict(info), **lists, "digest": digest_of(secret)}))
            await connection.execute(insert(LimitRow).values({"subject": public, **asdict(limits)}))
            await self._record(connection, actor, home, "key.create", public, {**asdict(wish), **asdict(limits)})
        self._changed()
        return NewKey(info, secret)

    async def keys(self, actor: Caller, organisation: str) -> list[KeyInfo]:
        """Those of an organisation, revoked ones too."""
        require(actor, "read_members", organisation)
        wanted = select(*Key.__table__.c).where(Key.organisation == organisation).order_by(Key.created)
        async with self._database.connect() as connection:
            return [KeyInfo.of(row) for row in await connection.execute(wanted)]

    async def key(self, actor: Caller, key: str) -> KeyInfo:
        """One of them."""
        async with self._database.connect() as connection:
            row = await key_row(connection, actor, key)
        require(actor, "read_members", row.organisation)
        return KeyInfo.of(row)

    async def caller_of(self, key: str) -> Caller | None:
        """Whom a key belongs to now; None for one that is revoked, expired or not there."""
        async with self._database.connect() as connection:
            row = (await connection.execute(select(*Key.__table__.c).where(Key.id == key))).first()
        if row is None or key_refusal(row, self._clock()):
            return None
        return Caller(row.id, row.organisation, row.project, row.role, row.system)

    async def revoke_key(self, actor: Caller, key: str) -> KeyInfo:
        """From now on it is refused: here at once, for admissions of other servers too. Twice is harmless."""
        async with exclusive(self._database) as connection:
            row = await key_row(connection, actor, key)
            require_key(actor, row.organisation, row.role, row.system)
            if row.revoked is None:
                await connection.execute(update(Key).where(Key.id == key).values(revoked=self._clock()))
                await self._record(connection, actor, row.organisation, "key.revoke", key, {"name": row.name})
                row = await key_row(connection, actor, key)
        self._changed()
        return KeyInfo.of(row)

    async def set_limits(self, actor: Caller, subject: str, limits: Limits) -> None:
        """All limits of a key, a project or an organisation (those of an organisation: by system administrators)."""
        async with exclusive(self._database) as connection:
            home = await home_of(connection, actor, subject, "manage_members")
            if home == subject:
                require(actor, "manage_system", "")
            await connection.execute(delete(LimitRow).where(LimitRow.subject == subject))
            await connection.execute(insert(LimitRow).values({"subject": subject, **asdict(limits)}))
            await self._record(connection, actor, home, "limit.set", subject, asdict(limits))

    async def limits(self, actor: Caller, subject: str) -> Limits:
        """Those that are set for it."""
        async with self._database.connect() as connection:
            await home_of(connection, actor, subject, "read_members")
            wanted = select(*LimitRow.__table__.c).where(LimitRow.subject == subject)
            row = (await connection.execute(wanted)).first()
        return Limits(*tuple(row)[1:]) if row else Limits()

    async def spent(self, actor: Caller, subject: str) -> dict[str, int]:
        """Tokens used and reserved, by window: "total", months, days."""
        async with self._database.connect() as connection:
            await home_of(connection, actor, subject, "read_usage")
            wanted = select(Spent.window, Spent.tokens).where(Spent.subject == subject).order_by(Spent.window)
            return {row.window: row.tokens for row in await connection.execute(wanted)}

    async def usage(
        self,
        actor: Caller,
        by: Sequence[Group],
        span: Span = EVER,
        organisation: str | None = None,
        project: str | None = None,
    ) -> list[UsageRow]:
        """Sums of the ledger; `organisation` None: all, for system administrators; of one project or of all."""
        require(actor, "read_usage" if organisation is not None else "manage_system", organisation or "")
        async with self._database.connect() as connection:
            return await sums(connection, by, span, organisation, project)

    async def audit(
        self, actor: Caller, organisation: str | None = None, most: int = 100, before: int | None = None
    ) -> list[Entry]:
        """The newest acts first, those with a number below `before`; `organisation` None: all, for system
        administrators."""
        require(actor, "read_audit" if organisation is not None else "manage_system", organisation or "")
        async with self._database.connect() as connection:
            return await read(connection, organisation, most, before)

    async def check_audit(self, actor: Caller) -> tuple[int, int | None, str]:
        """How many entries there are, the first that was tampered with, and the last digest: whoever writes that down
        elsewhere can also see later whether the end was cut off."""
        require(actor, "manage_system", "")
        async with self._database.connect() as connection:
            entries = [
                Entry(*row) for row in await connection.execute(select(*AuditRow.__table__.c).order_by(AuditRow.number))
            ]
        return len(entries), first_broken(entries), entries[-1].digest if entries else ""

    async def note_login(self, actor: Caller) -> None:
        """Somebody opened the admin page."""
        async with exclusive(self._database) as connection:
            await self._record(connection, actor, actor.organisation, "login", actor.key_id, {})

    async def _record(
        self,
        connection: AsyncConnection,
        actor: Caller,
        organisation: str,
        act: str,
        subject: str,
        detail: dict[str, Any],
    ) -> None:
        await record(connection, self._clock(), actor.key_id, organisation, act, subject, detail)


def _id(kind: str) -> str:
    return f"{kind}_{secrets.token_hex(8)}"


def _name(name: str) -> str:
    plain = unicodedata.normalize("NFC", name).strip()
    if not plain or len(plain) > _LONGEST_NAME or not plain.isprintable():
        raise bad_request(f"a name has 1 to {_LONGEST_NAME} printable characters", "name")
    return plain
