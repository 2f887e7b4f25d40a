"""`/admin/api`: what administrators do, as JSON. Roles decide what a key may do, in its organisation alone."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from fastapi.security import HTTPBearer
from pydantic import BaseModel, ConfigDict, Field

from axk1.server.access import Caller, Role
from axk1.server.errors import bad_request
from axk1.server.parts import Parts
from axk1.server.tenancy.administration import Administration
from axk1.server.tenancy.audit import Entry
from axk1.server.tenancy.gate import KeyedGate
from axk1.server.tenancy.limits import Limits
from axk1.server.tenancy.people import KeyInfo, KeyWish, OrganisationInfo, ProjectInfo
from axk1.server.tenancy.usage import Group, Span, UsageRow, as_csv

__all__ = ["administration_of", "router"]

_Day = Annotated[str, Query(pattern=r"^(\d{4}-\d{2}-\d{2})?$", description="a day of UTC, included")]
_Count = Annotated[int | None, Field(ge=0, lt=1 << 53)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Named(_Body):
    """A new organisation or project."""

    name: Annotated[str, Field(min_length=1, max_length=200)]


class KeyBody(_Body):
    """A new key. `models` and `endpoints` empty: all; `expires` in seconds since 1970."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    role: Role = "member"
    models: list[str] = []
    endpoints: list[str] = []
    expires: float | None = None
    system: bool = False


class LimitBody(_Body):
    """All limits; what is left out or null is not limited."""

    requests_per_minute: _Count = None
    tokens_per_minute: _Count = None
    at_once: _Count = None
    tokens_per_day: _Count = None
    tokens_per_month: _Count = None
    tokens_total: _Count = None


class ShownKey(BaseModel):
    """`key` is the secret itself: it is shown this once and kept nowhere."""

    key: str
    info: KeyInfo


class AuditState(BaseModel):
    """`broken` is the number of the first entry that was tampered with; `digest` seals all entries."""

    entries: int
    broken: int | None
    digest: str


def administration_of(parts: Parts) -> Administration:
    """The administration of a running server: what it changes about keys holds at its gate at once."""
    gate = parts.gateway.gate
    return (
        Administration(parts.database, gate.forget) if isinstance(gate, KeyedGate) else Administration(parts.database)
    )


def router(parts: Parts) -> APIRouter:
    """The routes; each needs a key."""
    admin = administration_of(parts)
    who: Caller = Depends(parts.caller)
    routes = APIRouter(prefix="/admin/api", tags=["admin"], dependencies=[Depends(HTTPBearer(auto_error=False))])
    _add_organisations(routes, admin, who)
    _add_keys(routes, admin, who)
    _add_limits(routes, admin, who)
    _add_reports(routes, admin, who)
    return routes


def _add_organisations(routes: APIRouter, admin: Administration, who: Caller) -> None:
    @routes.get("/organisations")
    async def list_organisations(caller: Caller = who) -> list[OrganisationInfo]:
        """One's own, or all for a system administrator."""
        return await admin.organisations(caller)

    @routes.post("/organisations", status_code=201)
    async def create_organisation(body: Named, caller: Caller = who) -> OrganisationInfo:
        """For system administrators."""
        return await admin.create_organisation(caller, body.name)

    @routes.get("/organisations/{organisation}/projects")
    async def list_projects(organisation: str, caller: Caller = who) -> list[ProjectInfo]:
        """The projects of an organisation."""
        return await admin.projects(caller, organisation)

    @routes.post("/organisations/{organisation}/projects", status_code=201)
    async def create_project(organisation: str, body: Named, caller: Caller = who) -> ProjectInfo:
        """A project's name is unique in its organisation."""
        return await admin.create_project(caller, organisation, body.name)


def _add_keys(routes: APIRouter, admin: Administration, who: Caller) -> None:
    @routes.get("/organisations/{organisation}/keys")
    async def list_keys(organisation: str, caller: Caller = who) -> list[KeyInfo]:
        """Without their secrets; revoked ones too."""
        return await admin.keys(caller, organisation)

    @routes.post("/projects/{project}/keys", status_code=201)
    async def create_key(project: str, body: KeyBody, response: Response, caller: Caller = who) -> ShownKey:
        """The answer is the only place where the key is ever seen."""
        models, endpoints = tuple(body.models), tuple(body.endpoints)
        wish = KeyWish(body.name, body.role, models, endpoints, body.expires, body.system)
        made = await admin.create_key(caller, project, wish)
        response.headers["Cache-Control"] = "no-store"
        return ShownKey(key=made.secret, info=made.info)

    @routes.post("/keys/{key}/revoke")
    async def revoke_key(key: str, caller: Caller = who) -> KeyInfo:
        """At once and for good."""
        return await admin.revoke_key(caller, key)


def _add_limits(routes: APIRouter, admin: Administration, who: Caller) -> None:
    @routes.get("/limits/{subject}")
    async def read_limits(subject: str, caller: Caller = who) -> Limits:
        """Of a key, a project or an organisation, by its id."""
        return await admin.limits(caller, subject)

    @routes.put("/limits/{subject}")
    async def set_limits(subject: str, body: LimitBody, caller: Caller = who) -> Limits:
        """Replaces all of them."""
        await admin.set_limits(caller, subject, Limits(**body.model_dump()))
        return await admin.limits(caller, subject)

    @routes.get("/spent/{subject}")
    async def read_spent(subject: str, caller: Caller = who) -> dict[str, int]:
        """Tokens used and reserved: in total, by month, by day (UTC)."""
        return await admin.spent(caller, subject)


def _add_reports(routes: APIRouter, admin: Administration, who: Caller) -> None:
    @routes.get("/usage")
    async def read_usage(
        by: Annotated[list[Group], Query()] = ["day"],  # noqa: B006
        since: _Day = "",
        until: _Day = "",
        organisation: str | None = None,
        caller: Caller = who,
    ) -> list[UsageRow]:
        """Sums of the ledger. `organisation` left out: one's own, or all for a system administrator."""
        return await admin.usage(caller, _distinct(by), Span(since, until), _home(caller, organisation))

    @routes.get("/usage.csv", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
    async def export_usage(
        by: Annotated[list[Group], Query()] = ["day"],  # noqa: B006
        since: _Day = "",
        until: _Day = "",
        organisation: str | None = None,
        caller: Caller = who,
    ) -> Response:
        """The same as a table for spreadsheets."""
        rows = await admin.usage(caller, _distinct(by), Span(since, until), _home(caller, organisation))
        return Response(as_csv(by, rows), media_type="text/csv; charset=utf-8")

    @routes.get("/audit")
    async def read_audit(
        organisation: str | None = None, most: Annotated[int, Query(ge=1, le=1000)] = 100, caller: Caller = who
    ) -> list[Entry]:
        """The newest acts first."""
        return await admin.audit(caller, _home(caller, organisation), most)

    @routes.get("/audit/check")
    async def check_audit(caller: Caller = who) -> AuditState:
        """For system administrators: whether the chain of entries is whole."""
        entries, broken, digest = await admin.check_audit(caller)
        return AuditState(entries=entries, broken=broken, digest=digest)


def _home(caller: Caller, organisation: str | None) -> str | None:
    return organisation if organisation is not None or caller.system else caller.organisation


def _distinct(by: list[Group]) -> list[Group]:
    if len(set(by)) != len(by):
        raise bad_request("each group may be named once", "by")
    return by
