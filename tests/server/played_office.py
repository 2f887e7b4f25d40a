"""Organisations, projects and keys in memory, for the tests of the pages."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from axk1.server.access import Caller, OpenGate, Role
from axk1.server.admin.office import AuditEntry, Key, KeyLimits, NewKey, Organisation, Project, UsageDay
from axk1.server.errors import ApiError, not_found, unauthorized

BEGAN = 1_780_000_000.0


class PlayedOffice(OpenGate):
    """Both the gate and the office. The keys "axk1-system", "axk1-blue-admin" and "axk1-blue-member" are there."""

    def __init__(self) -> None:
        self.made_organisations = {
            name: Organisation(name, label, BEGAN) for name, label in (("blue", "푸른 회사"), ("red", "Red"))
        }
        self.made_projects = {
            "p1": Project("p1", "blue", "고객 상담", BEGAN),
            "p2": Project("p2", "red", "Secret", BEGAN),
        }
        self.made_keys: dict[str, Key] = {}
        self.secrets: dict[str, str] = {}
        self.log: list[AuditEntry] = []
        self.days: list[UsageDay] = []
        for secret, role, project in (
            ("axk1-system", "owner", "p1"),
            ("axk1-blue-admin", "admin", "p1"),
            ("axk1-blue-member", "member", "p1"),
        ):
            self._keep(secret, secret, role, project, KeyLimits())

    def _keep(self, secret: str, name: str, role: Role, project: str, limits: KeyLimits) -> Key:
        key = Key(f"key_{len(self.made_keys)}", project, name, f"axk1-…{secret[-4:]}", role, limits, BEGAN)
        self.made_keys[key.id] = key
        self.secrets[secret] = key.id
        return key

    def _noted(self, caller: Caller, action: str, target: str) -> None:
        self.log.append(AuditEntry(len(self.log) + 1, time.time(), caller.key_id, action, target))

    async def identify(self, key: str | None) -> Caller:
        caller = await self.current(self.secrets.get(key or "", ""))
        if caller is None:
            raise unauthorized("unknown key")
        return caller

    async def current(self, key_id: str) -> Caller | None:
        key = self.made_keys.get(key_id)
        if key is None or key.revoked_at is not None:
            return None
        organisation = self.made_projects[key.project].organisation
        return Caller(key.id, organisation, key.project, key.role, system=key.name == "axk1-system")

    async def organisations(self, caller: Caller) -> Sequence[Organisation]:
        return [one for one in self.made_organisations.values() if caller.system or one.id == caller.organisation]

    async def organisation(self, caller: Caller, organisation: str) -> Organisation:
        for one in await self.organisations(caller):
            if one.id == organisation:
                return one
        raise not_found("no such organisation")

    async def add_organisation(self, caller: Caller, name: str) -> Organisation:
        if not caller.system:
            raise ApiError(403, "only the system's key may make organisations")
        made = Organisation(f"org_{len(self.made_organisations)}", name, time.time())
        self.made_organisations[made.id] = made
        return made

    async def projects(self, caller: Caller, organisation: str) -> Sequence[Project]:
        found = await self.organisation(caller, organisation)
        return [one for one in self.made_projects.values() if one.organisation == found.id]

    async def project(self, caller: Caller, project: str) -> Project:
        if project not in self.made_projects:
            raise not_found("no such project")
        await self.organisation(caller, self.made_projects[project].organisation)
        return self.made_projects[project]

    async def add_project(self, caller: Caller, organisation: str, name: str) -> Project:
        found = await self.organisation(caller, organisation)
        made = Project(f"p{len(self.made_projects) + 1}", found.id, name, time.time())
        self.made_projects[made.id] = made
        return made

    async def keys(self, caller: Caller, project: str) -> Sequence[Key]:
        found = await self.project(caller, project)
        return [one for one in self.made_keys.values() if one.project == found.id]

    async def key(self, caller: Caller, key_id: str) -> Key:
        if key_id not in self.made_keys:
            raise not_found("no such key")
        await self.project(caller, self.made_keys[key_id].project)
        return self.made_keys[key_id]

    async def add_key(self, caller: Caller, project: str, name: str, role: Role, limits: KeyLimits) -> NewKey:
        found = await self.project(caller, project)
        secret = f"axk1-{secrets.token_urlsafe(32)}"
        self._noted(caller, "key.create", name)
        return NewKey(self._keep(secret, name, role, found.id, limits), secret)

    async def set_limits(self, caller: Caller, key_id: str, limits: KeyLimits) -> Key:
        self.made_keys[key_id] = replace(await self.key(caller, key_id), limits=limits)
        self._noted(caller, "key.limits", key_id)
        return self.made_keys[key_id]

    async def revoke_key(self, caller: Caller, key_id: str) -> Key:
        self.made_keys[key_id] = replace(await self.key(caller, key_id), revoked_at=time.time())
        self._noted(caller, "key.revoke", key_id)
        return self.made_keys[key_id]

    async def usage(self, caller: Caller, organisation: str, project: str | None, days: int) -> Sequence[UsageDay]:
        await self.organisation(caller, organisation)
        return self.days

    async def audit(self, caller: Caller, organisation: str, before: int | None, limit: int) -> Sequence[AuditEntry]:
        await self.organisation(caller, organisation)
        return [one for one in reversed(self.log) if before is None or one.number < before][:limit]

    def use(self) -> None:
        """A month of use, for the eye."""
        today = datetime.now(UTC).date()
        for place in range(30):
            many = 40_000 + 9000 * (place * 7 % 11) - (30_000 if place % 7 in (5, 6) else 0)
            self.days.append(UsageDay(today - timedelta(days=29 - place), many // 400, many, many // 3))
