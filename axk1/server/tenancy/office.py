"""The pages' `Office` on the real organisations and keys."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from fastapi import APIRouter

from axk1.server.access import Caller, Role
from axk1.server.admin.office import AuditEntry, Key, KeyLimits, NewKey, Organisation, Project, UsageDay
from axk1.server.admin.routes import router
from axk1.server.errors import not_found
from axk1.server.parts import Parts
from axk1.server.tenancy.administration import Administration
from axk1.server.tenancy.api import administration_of
from axk1.server.tenancy.limits import Limits
from axk1.server.tenancy.people import KeyInfo, KeyWish, ProjectInfo
from axk1.server.tenancy.usage import Span

__all__ = ["TenancyOffice", "pages"]


class TenancyOffice:
    """`Office` by `Administration`, which decides who may what and writes the audit log."""

    def __init__(self, administration: Administration, clock: Callable[[], float] = time.time) -> None:
        self._admin = administration
        self._clock = clock

    async def current(self, key_id: str) -> Caller | None:
        """As `Office.current`."""
        return await self._admin.caller_of(key_id)

    async def organisations(self, caller: Caller) -> Sequence[Organisation]:
        """As `Office.organisations`."""
        return [Organisation(one.id, one.name, one.created) for one in await self._admin.organisations(caller)]

    async def organisation(self, caller: Caller, organisation: str) -> Organisation:
        """404 for another's."""
        for one in await self.organisations(caller):
            if one.id == organisation:
                return one
        raise not_found(f"there is no organisation {organisation!r}")

    async def add_organisation(self, caller: Caller, name: str) -> Organisation:
        """System administrators only."""
        made = await self._admin.create_organisation(caller, name)
        return Organisation(made.id, made.name, made.created)

    async def projects(self, caller: Caller, organisation: str) -> Sequence[Project]:
        """Those of an organisation."""
        found = await self.organisation(caller, organisation)
        return [_project(one) for one in await self._admin.projects(caller, found.id)]

    async def project(self, caller: Caller, project: str) -> Project:
        """404 for another's."""
        return _project(await self._admin.project(caller, project))

    async def add_project(self, caller: Caller, organisation: str, name: str) -> Project:
        """In an organisation."""
        found = await self.organisation(caller, organisation)
        return _project(await self._admin.create_project(caller, found.id, name))

    async def keys(self, caller: Caller, project: str) -> Sequence[Key]:
        """Those of a project, with their limits."""
        found = await self._admin.project(caller, project)
        made = [one for one in await self._admin.keys(caller, found.organisation) if one.project == project]
        return [await self._shown(caller, one) for one in made]

    async def key(self, caller: Caller, key_id: str) -> Key:
        """404 for another's."""
        return await self._shown(caller, await self._admin.key(caller, key_id))

    async def add_key(self, caller: Caller, project: str, name: str, role: Role, limits: KeyLimits) -> NewKey:
        """The secret is in the answer and nowhere else."""
        wish = KeyWish(name, role)
        made = await self._admin.create_key(caller, project, wish, Limits(**vars(limits)))
        return NewKey(await self._shown(caller, made.info), made.secret)

    async def set_limits(self, caller: Caller, key_id: str, limits: KeyLimits) -> Key:
        """Those that the page knows; the others stay."""
        before = await self._admin.limits(caller, key_id)
        await self._admin.set_limits(caller, key_id, replace(before, **vars(limits)))
        return await self.key(caller, key_id)

    async def revoke_key(self, caller: Caller, key_id: str) -> Key:
        """At once and for good."""
        return await self._shown(caller, await self._admin.revoke_key(caller, key_id))

    async def usage(self, caller: Caller, organisation: str, project: str | None, days: int) -> Sequence[UsageDay]:
        """As `Office.usage`."""
        found = await self.organisation(caller, organisation)
        first = datetime.fromtimestamp(self._clock(), UTC).date() - timedelta(days=days - 1)
        rows = await self._admin.usage(caller, ["day"], Span(first.isoformat()), found.id, project)
        return [UsageDay(date.fromisoformat(row.group[0]), row.requests, row.prompt, row.completion) for row in rows]

    async def audit(self, caller: Caller, organisation: str, before: int | None, limit: int) -> Sequence[AuditEntry]:
        """As `Office.audit`."""
        found = await self.organisation(caller, organisation)
        entries = await self._admin.audit(caller, found.id, limit, before)
        return [AuditEntry(one.number, one.at, one.actor, one.act, _target(one.subject, one.detail)) for one in entries]

    async def _shown(self, caller: Caller, one: KeyInfo) -> Key:
        limits = await self._admin.limits(caller, one.id)
        few = KeyLimits(limits.requests_per_minute, limits.tokens_per_minute, limits.tokens_per_day)
        hint = f"axk1-{one.id}-…"
        return Key(one.id, one.project, one.name, hint, one.role, few, one.created, one.used, one.revoked)


def pages(parts: Parts) -> APIRouter:
    """The operator's pages on this server's keys."""
    return router(parts, TenancyOffice(administration_of(parts)))


def _project(one: ProjectInfo) -> Project:
    return Project(one.id, one.organisation, one.name, one.created)


def _target(subject: str, detail: str) -> str:
    """With the name, where the act had one."""
    name = json.loads(detail).get("name")
    return f"{name} ({subject})" if name else subject
