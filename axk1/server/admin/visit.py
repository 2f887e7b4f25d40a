"""A request of somebody who is signed in, and the way from it to a page."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from axk1.server.access import Caller
from axk1.server.admin import forms
from axk1.server.admin.office import Office
from axk1.server.admin.pages import Pages, guarded
from axk1.server.admin.session import COOKIE, Seal, Session
from axk1.server.errors import ApiError
from axk1.server.parts import Parts

__all__ = ["Desk", "Visit", "known", "may_manage", "session_of", "signed_in", "to"]


@dataclass(frozen=True)
class Desk:
    """What all pages share."""

    parts: Parts
    office: Office
    pages: Pages
    seal: Seal


@dataclass(frozen=True)
class Visit:
    """`place` is an id in the address ("" where there is none)."""

    desk: Desk
    request: Request
    session: Session
    caller: Caller
    place: str

    def page(self, name: str, status: int = 200, **values: Any) -> Response:
        """With what every page shows."""
        shared = {
            "caller": self.caller,
            "token": self.desk.seal.token(self.session),
            "done": self.request.query_params.get("done", ""),
        }
        return self.desk.pages.response(self.request, name, status, **shared | values)

    async def fields(self) -> forms.Fields:
        """403 for a form that this session's pages did not make."""
        fields = await forms.read(self.request)
        if not self.desk.seal.fits(self.session, fields.get("token", "")):
            raise ApiError(403, "this form is of another session: open its page again", "permission_error")
        return fields


def signed_in(desk: Desk, work: Callable[[Visit], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """A route that sends who is not signed in to the door, and shows what was refused as a page."""

    async def answer(request: Request) -> Response:
        session, caller = await known(desk, request)
        if session is None or caller is None:
            return to("/admin")
        visit = Visit(desk, request, session, caller, request.path_params.get("place", ""))
        try:
            return await work(visit)
        except ApiError as error:
            return visit.page("error.html", error.status, error=error)

    return answer


async def known(desk: Desk, request: Request) -> tuple[Session | None, Caller | None]:
    """The session, and whose it is: asked anew each time, so that a revoked key is out at once."""
    session = session_of(desk, request)
    caller = await desk.office.current(session.key_id) if session is not None and session.key_id else None
    return session, caller if caller is not None and may_manage(caller) else None


def session_of(desk: Desk, request: Request) -> Session | None:
    """The cookie's."""
    return desk.seal.opened(request.cookies.get(COOKIE, ""), time.time())


def may_manage(caller: Caller) -> bool:
    """Whether these pages are for a key."""
    return caller.system or caller.role in ("owner", "admin")


def to(address: str) -> Response:
    """The browser asks for another page."""
    return guarded(RedirectResponse(address, 303))
