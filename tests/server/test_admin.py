"""The operator's pages: who gets in, what a form needs, what is shown, and what never is."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from axk1.server.admin.chart import chart, short
from axk1.server.admin.office import UsageDay
from axk1.server.admin.routes import router
from axk1.server.admin.session import COOKIE, Seal, Session, secret_in
from server.played_office import PlayedOffice
from server.serving import listening, parts_in

PAGES = (
    "/admin/organisations",
    "/admin/organisations/blue",
    "/admin/organisations/blue/audit",
    "/admin/projects/p1",
    "/admin/keys/key_2",
)
FORMS = (
    "/admin/organisations/blue/projects",
    "/admin/projects/p1/keys",
    "/admin/keys/key_2/limits",
    "/admin/keys/key_2/revoke",
)


Served = tuple["Server", str]  # with its URL


class Server:
    """The pages on an office in memory."""

    def __init__(self, folder: Path) -> None:
        self.office = PlayedOffice()
        self.office.use()
        self._folder = folder

    @contextlib.asynccontextmanager
    async def __call__(self) -> AsyncIterator[FastAPI]:
        async with parts_in(self._folder, gate=self.office) as parts:
            app = FastAPI()
            app.include_router(router(parts, self.office))
            yield app


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    made = Server(tmp_path)
    with listening(made) as url:
        yield made, url


@pytest.fixture
def browser(server: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server[1], follow_redirects=True) as client:
        yield client


def token(page: str) -> str:
    found = re.search(r'name="token" value="([0-9a-f]{64})"', page)
    assert found, page
    return found[1]


def sign_in(browser: httpx.Client, key: str) -> httpx.Response:
    return browser.post("/admin/sign-in", data={"token": token(browser.get("/admin").text), "key": key})


def test_only_a_managers_key_gets_in(browser: httpx.Client) -> None:
    assert sign_in(browser, "axk1-unknown").status_code == 401
    assert sign_in(browser, "").status_code == 401
    assert sign_in(browser, "axk1-blue-member").status_code == 403
    for page in PAGES:
        assert browser.get(page).url.path == "/admin"
    assert sign_in(browser, "axk1-blue-admin").url.path == "/admin/organisations"
    for page in PAGES:
        assert browser.get(page).status_code == 200


def test_the_cookie_is_strict_and_cannot_be_made(browser: httpx.Client, server: Served) -> None:
    page = browser.get("/admin")
    for word in ("HttpOnly", "SameSite=strict", "Path=/admin"):
        assert word in page.headers["set-cookie"]
    assert "axk1-blue-admin" not in str(sign_in(browser, "axk1-blue-admin").request.headers.get("cookie"))
    good = browser.cookies[COOKIE]
    text, mark = good.split(".")
    changed = text[:-1] + ("A" if text[-1] != "A" else "B")
    for bad in (
        "",
        ".",
        f"{text}.",
        f"{changed}.{mark}",
        f"{text}.{'0' * 64}",
        Seal(b"x").closed(Session("key_0", "n", 1 << 40)),
    ):
        reply = httpx.get(f"{server[1]}/admin/organisations", cookies={COOKIE: bad})
        assert (reply.status_code, reply.headers["location"]) == (303, "/admin"), bad
    assert httpx.get(f"{server[1]}/admin/organisations", cookies={COOKIE: good}).status_code == 200


def test_a_session_ends_with_time_and_with_its_key(browser: httpx.Client, server: Served, tmp_path: Path) -> None:
    over = Seal(secret_in(tmp_path)).closed(Session("key_1", "nonce", int(datetime.now(UTC).timestamp()) - 1))
    assert httpx.get(f"{server[1]}/admin/organisations", cookies={COOKIE: over}).status_code == 303
    sign_in(browser, "axk1-blue-admin")
    assert browser.get("/admin/organisations").url.path == "/admin/organisations"
    admin = asyncio.run(server[0].office.identify("axk1-blue-admin"))
    asyncio.run(server[0].office.revoke_key(admin, admin.key_id))
    assert browser.get("/admin/organisations").url.path == "/admin"


def test_no_form_works_without_its_token(browser: httpx.Client, server: Served) -> None:
    assert browser.post("/admin/sign-in", data={"key": "axk1-system"}).status_code == 403
    sign_in(browser, "axk1-system")
    stranger = token(httpx.get(f"{server[1]}/admin").text)
    before = (dict(server[0].office.made_keys), dict(server[0].office.made_projects))
    for form in (*FORMS, "/admin/organisations", "/admin/sign-out"):
        for wrong in ("", stranger, "가"):
            reply = browser.post(form, data={"token": wrong, "name": "x"})
            assert reply.status_code == 403, form
    assert (server[0].office.made_keys, server[0].office.made_projects) == before
    assert browser.get("/admin/organisations").url.path == "/admin/organisations"


def test_signing_out_forgets(browser: httpx.Client) -> None:
    page = sign_in(browser, "axk1-system")
    assert browser.post("/admin/sign-out", data={"token": token(page.text)}).url.path == "/admin"
    assert browser.get("/admin/organisations").url.path == "/admin"


def test_a_key_is_shown_once(browser: httpx.Client, server: Served) -> None:
    page = sign_in(browser, "axk1-blue-admin").text
    fields = {"token": token(page), "name": " 봇\u202e ", "role": "viewer", "requests_per_minute": "1,000"}
    made = browser.post("/admin/projects/p1/keys", data=fields)
    key = list(server[0].office.made_keys.values())[-1]
    secret = next(secret for secret, name in server[0].office.secrets.items() if name == key.id)
    assert (key.name, key.role, key.limits.requests_per_minute, key.limits.tokens_per_day) == (
        "봇",
        "viewer",
        1000,
        None,
    )
    assert secret in made.text
    assert made.headers["cache-control"] == "no-store"
    for address in (*PAGES, f"/admin/keys/{key.id}"):
        assert secret not in browser.get(address).text


def test_limits_are_set_and_keys_revoked(browser: httpx.Client, server: Served) -> None:
    page = sign_in(browser, "axk1-blue-admin").text
    reply = browser.post("/admin/keys/key_2/limits", data={"token": token(page), "tokens_per_day": "5000"})
    assert "5,000" in reply.text
    assert server[0].office.made_keys["key_2"].limits.tokens_per_day == 5000
    for wrong in ("-1", "1.5", "많이", "9" * 20):
        refused = browser.post("/admin/keys/key_2/limits", data={"token": token(page), "tokens_per_day": wrong})
        assert refused.status_code == 400
    reply = browser.post("/admin/keys/key_2/revoke", data={"token": token(page)})
    assert "폐기됨" in reply.text
    assert server[0].office.made_keys["key_2"].revoked_at is not None
    assert [one.action for one in server[0].office.log] == ["key.limits", "key.revoke"]
    assert "key.revoke" in browser.get("/admin/organisations/blue/audit").text


def test_the_system_makes_organisations_and_others_see_their_own(browser: httpx.Client, server: Served) -> None:
    page = sign_in(browser, "axk1-system").text
    assert "Red" in page
    reply = browser.post("/admin/organisations", data={"token": token(page), "name": "새 회사"})
    assert (reply.url.path, "새 회사" in reply.text) == ("/admin/organisations/org_2", True)
    reply = browser.post("/admin/organisations/org_2/projects", data={"token": token(page), "name": "첫 프로젝트"})
    assert reply.url.path == "/admin/projects/p3"
    assert browser.post("/admin/organisations", data={"token": token(page), "name": " \n"}).status_code == 400
    assert browser.post("/admin/organisations", data={"token": token(page), "name": "x" * 20_000}).status_code == 413
    with httpx.Client(base_url=server[1], follow_redirects=True) as other:
        page = sign_in(other, "axk1-blue-admin").text
        assert "Red" not in page
        for hidden in (
            "/admin/organisations/red",
            "/admin/projects/p2",
            "/admin/organisations/red/audit",
            "/admin/keys/x",
        ):
            assert other.get(hidden).status_code == 404
        assert other.post("/admin/organisations", data={"token": token(page), "name": "x"}).status_code == 403


class Tags(HTMLParser):
    """What a page is made of."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_names_are_text_and_pages_run_no_script(browser: httpx.Client) -> None:
    page = sign_in(browser, "axk1-system").text
    evil = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    for form in ("/admin/organisations", "/admin/organisations/blue/projects", "/admin/projects/p1/keys"):
        browser.post(form, data={"token": token(page), "name": evil})
    for address in PAGES:
        reply = browser.get(address)
        tags = Tags(reply.text).tags
        assert not {tag for tag, _ in tags} & {"script", "img", "iframe", "style"}
        assert not [name for _, attributes in tags for name in attributes if name.startswith("on") or name == "style"]
        assert "default-src 'none'" in reply.headers["content-security-policy"]
        assert (reply.headers["x-frame-options"], reply.headers["cache-control"]) == ("DENY", "no-store")


def test_pages_speak_the_browsers_language_until_told(browser: httpx.Client) -> None:
    assert 'lang="ko"' in browser.get("/admin").text
    assert "Sign in" in browser.get("/admin", headers={"Accept-Language": "en-GB"}).text
    assert "Sign in" in browser.get("/admin?lang=en").text
    assert "Sign in" in browser.get("/admin", headers={"Accept-Language": "ko"}).text
    assert "로그인" in browser.get("/admin?lang=ko").text
    assert "로그인" in browser.get("/admin?lang=xx").text


def test_every_field_has_a_label_and_every_page_a_heading(browser: httpx.Client) -> None:
    sign_in(browser, "axk1-system")
    for address in PAGES:
        page = browser.get(address).text
        tags = [tag for tag, _ in Tags(page).tags]
        assert (tags.count("h1"), tags.count("main"), tags.count("title") >= 1) == (1, 1, True)
        fields = [one for tag, one in Tags(page).tags if tag in ("input", "select") and one.get("type") != "hidden"]
        assert len(fields) == tags.count("label")


def test_the_secret_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    first = secret_in(tmp_path)
    assert len(first) == 32
    assert secret_in(tmp_path) == first
    assert (tmp_path / "admin.secret").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["admin.secret"]


def test_a_chart_reaches_its_top_and_shows_empty_days() -> None:
    last = date(2026, 3, 2)
    drawn = chart([UsageDay(last, 3, 1200, 300), UsageDay(last - timedelta(days=2), 1, 10, 0)], last, 5)
    assert [one.day.day for one in drawn.bars] == [last - timedelta(days=4 - place) for place in range(5)]
    assert [one.day.requests for one in drawn.bars] == [0, 0, 1, 0, 3]
    assert (drawn.requests, drawn.tokens) == (4, 1510)
    assert [one.label for one in drawn.ticks] == ["0", "500", "1K", "1.5K", "2K"]
    tallest = drawn.bars[-1]
    assert tallest.y + tallest.prompt + tallest.completion == pytest.approx(drawn.base)
    assert tallest.y == pytest.approx(drawn.base - (drawn.base - drawn.ticks[-1].y) * 1500 / 2000)
    assert chart([], last, 3).ticks[-1].label == "4"
    assert [short(one) for one in (999, 1000, 2_500_000, 10**9, 3 * 10**12)] == ["999", "1K", "2.5M", "1B", "3T"]
