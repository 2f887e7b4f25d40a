"""Signing in and out."""

from __future__ import annotations

import time

from fastapi import APIRouter, Request, Response

from axk1.server.admin import forms
from axk1.server.admin.session import COOKIE, SECONDS, Session
from axk1.server.admin.visit import Desk, Visit, known, may_manage, session_of, signed_in, to
from axk1.server.errors import ApiError

__all__ = ["add_door"]


def add_door(routes: APIRouter, desk: Desk) -> None:
    """The first page, and the two forms that change who is signed in."""

    @routes.get("")
    async def begin(request: Request) -> Response:
        session, caller = await known(desk, request)
        return to("/admin/organisations") if session and caller else _first_page(desk, request)

    @routes.post("/sign-in")
    async def sign_in(request: Request) -> Response:
        try:
            fields = await forms.read(request)
            session = session_of(desk, request)
            if session is None or not desk.seal.fits(session, fields.get("token", "")):
                return _first_page(desk, request, 403, "expired")
            caller = await desk.parts.gateway.gate.identify(fields.get("key", "").strip() or None)
        except ApiError as error:
            return _first_page(desk, request, error.status, "unknown" if error.status == 401 else "later")
        if await desk.office.current(caller.key_id) is None:
            return _first_page(desk, request, 401, "unknown")
        if not may_manage(caller):
            return _first_page(desk, request, 403, "member")
        reply = to("/admin/organisations")
        _give(reply, desk, request, Session.begin(caller.key_id, time.time()))
        return reply

    async def sign_out(visit: Visit) -> Response:
        await visit.fields()
        reply = to("/admin")
        reply.delete_cookie(COOKIE, path="/admin")
        return reply

    routes.post("/sign-out")(signed_in(desk, sign_out))


def _first_page(desk: Desk, request: Request, status: int = 200, wrong: str = "") -> Response:
    """The form carries the token of a session of nobody, so that no other site can sign a visitor in."""
    session = Session.begin("", time.time())
    page = desk.pages.response(request, "sign_in.html", status, token=desk.seal.token(session), wrong=wrong)
    _give(page, desk, request, session)
    return page


def _give(reply: Response, desk: Desk, request: Request, session: Session) -> None:
    secure = request.url.scheme == "https"
    value = desk.seal.closed(session)
    reply.set_cookie(COOKIE, value, SECONDS, path="/admin", secure=secure, httponly=True, samesite="strict")
