"""Templates become pages that run no script, load nothing from elsewhere and are kept by no cache."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from axk1.server.language import Language, preferred

__all__ = ["LANGUAGE_COOKIE", "Pages", "guarded", "language_of"]

LANGUAGE_COOKIE = "axk1_language"
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "img-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_LANGUAGES: tuple[Language, ...] = ("ko", "en")


class Pages:
    """All templates, read once. Every value that enters one is escaped."""

    def __init__(self) -> None:
        loader = FileSystemLoader(Path(__file__).parent / "templates")
        self._made = Environment(
            loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        self._made.filters["moment"] = _moment
        self._made.filters["number"] = "{:,}".format

    def response(self, request: Request, name: str, status: int = 200, **values: Any) -> Response:
        """A page in the reader's language, which it then remembers."""
        language = language_of(request)
        here = request.url.path if request.method == "GET" else "/admin"  # where the switch leads
        known = {"language": language, "say": _say(language), "here": here} | values
        page = HTMLResponse(self._made.get_template(name).render(known), status, {"Cache-Control": "no-store"})
        if request.query_params.get("lang") == language:
            page.set_cookie(LANGUAGE_COOKIE, language, 365 * 24 * 3600, path="/admin", httponly=True, samesite="strict")
        return guarded(page)


def guarded(response: Response) -> Response:
    """With the headers that every page of these has."""
    response.headers.update(_HEADERS)
    return response


def language_of(request: Request) -> Language:
    """As the switch says now or said before, else as the browser asks."""
    for said in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
        for language in _LANGUAGES:
            if said == language:
                return language
    return preferred(request.headers.get("accept-language", ""))


def _say(language: Language) -> Callable[[str, str], str]:
    return (lambda korean, _english: korean) if language == "ko" else (lambda _korean, english: english)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
