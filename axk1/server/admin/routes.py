"""/admin: organisations, projects, keys, usage, audit log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse

from axk1.server.admin import forms
from axk1.server.admin.chart import Chart, chart
from axk1.server.admin.door import add_door
from axk1.server.admin.office import Office, UsageDay
from axk1.server.admin.pages import Pages, guarded
from axk1.server.admin.session import Seal, secret_in
from axk1.server.admin.visit import Desk, Visit, signed_in, to
from axk1.server.parts import Parts

__all__ = ["router"]

_DAYS = 30  # of usage on a page
_ENTRIES = 50  # of the audit log on a page


def router(parts: Parts, office: Office) -> APIRouter:
    """The pages. `office` does what they ask for, and decides whether the caller may."""
    desk = Desk(parts, office, Pages(), Seal(secret_in(parts.settings.folder)))
    routes = APIRouter(prefix="/admin", include_in_schema=False)
    add_door(routes, desk)

    @routes.get("/style.css")
    async def style() -> Response:
        return guarded(FileResponse(Path(__file__).parent / "style.css", media_type="text/css"))

    for address, page in _PAGES.items():
        routes.get(address)(signed_in(desk, page))
    for address, form in _FORMS.items():
        routes.post(address)(signed_in(desk, form))
    return routes


async def _organisations(visit: Visit) -> Response:
    return visit.page("organisations.html", organisations=await visit.desk.office.organisations(visit.caller))


async def _organisation(visit: Visit) -> Response:
    office, caller = visit.desk.office, visit.caller
    return visit.page(
        "organisation.html",
        organisation=await office.organisation(caller, visit.place),
        projects=await office.projects(caller, visit.place),
        chart=_drawn(await office.usage(caller, visit.place, None, _DAYS)),
    )


async def _audit(visit: Visit) -> Response:
    found = await visit.desk.office.organisation(visit.caller, visit.place)
    before = visit.request.query_params.get("before", "")
    last = int(before) if before.isascii() and before.isdigit() and len(before) < 18 else None
    entries = await visit.desk.office.audit(visit.caller, visit.place, last, _ENTRIES + 1)
    more = len(entries) > _ENTRIES
    return visit.page("audit.html", organisation=found, entries=entries[:_ENTRIES], more=more)


async def _project(visit: Visit) -> Response:
    office, caller = visit.desk.office, visit.caller
    found = await office.project(caller, visit.place)
    return visit.page(
        "project.html",
        project=found,
        organisation=await office.organisation(caller, found.organisation),
        keys=await office.keys(caller, found.id),
        chart=_drawn(await office.usage(caller, found.organisation, found.id, _DAYS)),
    )


async def _key(visit: Visit) -> Response:
    found = await visit.desk.office.key(visit.caller, visit.place)
    project = await visit.desk.office.project(visit.caller, found.project)
    return visit.page("key.html", key=found, project=project)


async def _add_organisation(visit: Visit) -> Response:
    made = await visit.desk.office.add_organisation(visit.caller, forms.name(await visit.fields()))
    return to(f"/admin/organisations/{quote(made.id, '')}?done=organisation")


async def _add_project(visit: Visit) -> Response:
    name = forms.name(await visit.fields())
    made = await visit.desk.office.add_project(visit.caller, visit.place, name)
    return to(f"/admin/projects/{quote(made.id, '')}?done=project")


async def _add_key(visit: Visit) -> Response:
    fields = await visit.fields()
    project = await visit.desk.office.project(visit.caller, visit.place)
    wanted = forms.name(fields), forms.role(fields), forms.limits(fields)
    made = await visit.desk.office.add_key(visit.caller, project.id, *wanted)
    # Shown in the answer to the form itself: an address with the key in it would stay in the browser's history.
    return visit.page("new_key.html", project=project, made=made)


async def _set_limits(visit: Visit) -> Response:
    limits = forms.limits(await visit.fields())
    changed = await visit.desk.office.set_limits(visit.caller, visit.place, limits)
    return to(f"/admin/projects/{quote(changed.project, '')}?done=limits")


async def _revoke(visit: Visit) -> Response:
    await visit.fields()
    changed = await visit.desk.office.revoke_key(visit.caller, visit.place)
    return to(f"/admin/projects/{quote(changed.project, '')}?done=revoked")


def _drawn(days: Sequence[UsageDay]) -> Chart:
    return chart(days, datetime.now(UTC).date(), _DAYS)


_PAGES = {
    "/organisations": _organisations,
    "/organisations/{place}": _organisation,
    "/organisations/{place}/audit": _audit,
    "/projects/{place}": _project,
    "/keys/{place}": _key,
}
_FORMS = {
    "/organisations": _add_organisation,
    "/organisations/{place}/projects": _add_project,
    "/projects/{place}/keys": _add_key,
    "/keys/{place}/limits": _set_limits,
    "/keys/{place}/revoke": _revoke,
}
