"""The page's files, under rules that let it load nothing from elsewhere, and what it must know of the server."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse, Response
from pydantic import BaseModel

from axk1.server.errors import not_found
from axk1.server.parts import Parts
from axk1.server.web.notice import before, label

__all__ = ["router"]

_STATIC = Path(__file__).with_name("static")
# KaTeX places its glyphs by style attributes; nothing else may be inline, and nothing comes from another server.
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "style-src-attr 'unsafe-inline'",
        "font-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "worker-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
# Swagger UI writes styles of its own and holds its pictures in its text.
_DOCS_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_FRESH = {"Cache-Control": "no-cache"}
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_UNBUILT = """<!doctype html><html lang="ko"><meta charset="utf-8"><title>axk1</title>
<p>화면이 아직 만들어지지 않았습니다. 저장소에서 <code>make web</code>을 실행해 주세요.
API는 그대로 쓸 수 있습니다.</p>
<p lang="en">The page is not built yet: run <code>make web</code> in the repository.
The API works without it.</p></html>
"""


class Words(BaseModel):
    """A text in both languages."""

    ko: str
    en: str


class Config(BaseModel):
    """What the page needs before it can ask anything."""

    models: list[str]
    keys: bool
    operator: str
    notice: Words
    label: Words


def router(parts: Parts) -> APIRouter:
    """Nothing at all where the operator wants no page."""
    routes = APIRouter(tags=["web"])
    _add_files(routes)
    if not parts.settings.web:
        return routes

    @routes.get("/web/api/config")
    async def config() -> Config:
        """Needs no key: the page asks it before it has one."""
        notice = parts.settings.notice
        return Config(
            models=list(parts.gateway.providers),
            keys=parts.settings.keys,
            operator=notice.operator,
            notice=Words(**before(notice)),
            label=Words(**label(notice)),
        )

    @routes.get("/", include_in_schema=False)
    async def page() -> Response:
        if not (_STATIC / "index.html").is_file():
            return HTMLResponse(_UNBUILT, 503, _HEADERS | _FRESH)
        return FileResponse(_STATIC / "index.html", headers=_HEADERS | _FRESH)

    @routes.get("/sw.js", include_in_schema=False)
    async def worker() -> Response:
        return FileResponse(_found(_STATIC, "sw.js"), headers=_HEADERS | _FRESH)

    @routes.get("/manifest.webmanifest", include_in_schema=False)
    async def manifest() -> Response:
        file = _found(_STATIC, "manifest.webmanifest")
        return FileResponse(file, headers=_FRESH, media_type="application/manifest+json")

    return routes


def _add_files(routes: APIRouter) -> None:
    """The documentation of the API, and what it and the page are made of."""

    @routes.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        if not (_STATIC / "docs.html").is_file():
            return HTMLResponse(_UNBUILT, 503, _HEADERS | _FRESH)
        headers = _HEADERS | _FRESH | {"Content-Security-Policy": _DOCS_POLICY}
        return FileResponse(_STATIC / "docs.html", headers=headers)

    @routes.get("/assets/{name}", include_in_schema=False)
    async def asset(name: str) -> Response:
        """Names hold a hash of the content, but for the icons, which browsers know by name."""
        headers = _FRESH if name.startswith("icon") else _FOR_EVER
        return FileResponse(_found(_STATIC / "assets", name), headers=headers)


def _found(folder: Path, name: str) -> Path:
    """A file of the folder itself. 404 for anything else, such as a name that leads out of it."""
    file = folder / name
    if "/" in name or "\\" in name or name.startswith(".") or not file.is_file():
        raise not_found(f"there is no {name}")
    return file
