"""What each role may do, the audit log's chain, and the JSON API."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from axk1.server.access import Caller, OpenGate, Role
from axk1.server.app import create_app
from axk1.server.calls import Usage
from axk1.server.errors import ApiError
from axk1.server.settings import DatabaseSettings
from axk1.server.store.database import open_database
from axk1.server.tenancy.administration import OPERATOR
from axk1.server.tenancy.limits import Limits
from axk1.server.tenancy.listen import may_listen
from axk1.server.tenancy.people import KeyWish
from axk1.server.tenancy.roles import ACTIONS, ROLES, Action, may
from axk1.server.tenancy.usage import Span, as_csv
from tenancy_parties import Party, parts_of, party

CHAT = "/v1/chat/completions"

TABLE: Mapping[Action, str] = {  # who may, of owner, admin, member, viewer
    "use_models": "yes yes yes no",
    "read_usage": "yes yes yes yes",
    "read_members": "yes yes no no",
    "manage_members": "yes yes no no",
    "manage_managers": "yes no no no",
    "read_audit": "yes yes no no",
    "manage_system": "no no no no",
}


@pytest.mark.parametrize("action", ACTIONS)
def test_what_each_role_may_do(action: Action) -> None:
    for role, allowed in zip(ROLES, TABLE[action].split(), strict=True):
        assert may(Caller("k", "ours", "p", role), action, "ours") == (allowed == "yes"), role
        assert not may(Caller("k", "ours", "p", role), action, "theirs")
        assert may(Caller("k", "ours", "p", role, system=True), action, "theirs")


def run(play: Callable[[Party], Awaitable[None]], url: str, folder: Path) -> None:
    async def whole() -> None:
        async with party(url, folder) as made:
            await play(made)

    asyncio.run(whole())


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'axk1.sqlite3'}"


async def status(asked: Awaitable[object]) -> int:
    try:
        await asked
    except ApiError as error:
        return error.status
    return 200


@pytest.mark.parametrize(
    ("role", "makes"), [("owner", "yyyyy"), ("admin", "nnyyn"), ("member", "nnnnn"), ("viewer", "nnnnn")]
)
def test_who_may_make_and_revoke_which_keys(role: Role, makes: str, sqlite: str, tmp_path: Path) -> None:
    async def play(p: Party) -> None:
        actor = await p.caller(KeyWish("누구", role))
        for wanted, allowed in zip(ROLES, makes, strict=False):
            target = (await p.key(KeyWish("대상", wanted))).info.id
            expected = 200 if allowed == "y" else 403
            assert await status(p.admin.create_key(actor, p.project, KeyWish("새", wanted))) == expected
            assert await status(p.admin.revoke_key(actor, target)) == expected
        assert await status(p.admin.create_key(actor, p.project, KeyWish("새", system=True))) == 403
        assert await status(p.admin.create_organisation(actor, "새")) == 403
        assert await status(p.admin.set_limits(actor, p.organisation, Limits())) == 403  # nobody lifts their own
        assert await status(p.admin.usage(actor, ["day"])) == 403
        limited = p.admin.set_limits(actor, actor.key_id, Limits(at_once=1))
        assert await status(limited) == (200 if role in ("owner", "admin") else 403)

    run(play, sqlite, tmp_path)


def test_another_organisation_is_not_there(sqlite: str, tmp_path: Path) -> None:
    async def play(p: Party) -> None:
        other = await p.admin.create_organisation(OPERATOR, "다온")
        project = await p.admin.create_project(OPERATOR, other.id, "상담")
        key = await p.admin.create_key(OPERATOR, project.id, KeyWish("남의 키"))
        actor = await p.caller(KeyWish("주인", "owner"))
        assert await status(p.admin.create_key(actor, project.id, KeyWish("새"))) == 404
        assert await status(p.admin.revoke_key(actor, key.info.id)) == 404
        assert await status(p.admin.set_limits(actor, key.info.id, Limits())) == 404
        assert await status(p.admin.spent(actor, other.id)) == 404
        for asked in (p.admin.keys, p.admin.projects, p.admin.audit):
            assert await status(asked(actor, other.id)) == 403
        assert [one.id for one in await p.admin.organisations(actor)] == [p.organisation]

    run(play, sqlite, tmp_path)


def test_names_are_unique_and_printable(url: str, tmp_path: Path) -> None:
    async def play(p: Party) -> None:
        assert await status(p.admin.create_organisation(OPERATOR, "한빛")) == 400
        assert await status(p.admin.create_project(OPERATOR, p.organisation, " 상담 ")) == 400
        for name in ("", " ", "a\nb", "가" * 201):
            assert await status(p.admin.create_organisation(OPERATOR, name)) == 400

    run(play, url, tmp_path)


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE audit SET detail = '{}' WHERE number = 2",
        "UPDATE audit SET actor = 'somebody' WHERE number = 2",
        "UPDATE audit SET at = at + 1 WHERE number = 2",
        "DELETE FROM audit WHERE number = 2",
    ],
)
def test_the_audit_log_shows_tampering(tampering: str, url: str, tmp_path: Path) -> None:
    async def play(p: Party) -> None:
        key = await p.key()
        await p.admin.revoke_key(OPERATOR, key.info.id)
        assert [one.act for one in await p.admin.audit(OPERATOR)] == [
            "key.revoke",
            "key.create",
            "project.create",
            "organisation.create",
        ]
        assert (await p.admin.check_audit(OPERATOR))[:2] == (4, None)
        async with p.database.begin() as connection:
            await connection.execute(text(tampering))
        assert (await p.admin.check_audit(OPERATOR))[1] == 2

    run(play, url, tmp_path)


def test_usage_is_summed(url: str, tmp_path: Path) -> None:
    async def play(p: Party) -> None:
        caller = await p.caller()
        for day, model in ((0, "nano"), (0, "=k1"), (1, "nano")):
            p.clock.now += 86400 * day
            ticket = await p.gate.admit(caller, f"r{day}{model}", CHAT, model, 10)
            await p.gate.settle(ticket, Usage(4, 3, 2, 1), "completed")
        rows = await p.admin.usage(OPERATOR, ["day", "model"], organisation=p.organisation)
        assert as_csv(["day", "model"], rows) == (
            "day,model,requests,prompt,completion,reasoning,cached\n"
            "2025-11-27,'=k1,1,4,3,2,1\n2025-11-27,nano,1,4,3,2,1\n2025-11-28,nano,1,4,3,2,1\n"
        )
        (whole,) = await p.admin.usage(OPERATOR, [], Span("2025-11-28", "2025-11-28"))
        assert (whole.requests, whole.prompt) == (1, 4)

    run(play, url, tmp_path)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.2", "example.com", ""])
def test_without_a_key_only_this_machine_is_served(host: str) -> None:
    with pytest.raises(ValueError, match="axk1 admin key create NAME"):
        may_listen(host, keys_exist=False)
    may_listen(host, keys_exist=True)
    for loopback in ("127.0.0.1", "localhost", "::1", "[::1]", "127.0.0.2"):
        may_listen(loopback, keys_exist=False)


def test_the_json_api(url: str, tmp_path: Path) -> None:
    async def play(p: Party) -> None:
        owner = (await p.key(KeyWish("주인", "owner"))).secret
        app = create_app(parts_of(p.gate, p.database, tmp_path))
        transport = httpx.ASGITransport(app=app)
        headers = {"Authorization": f"Bearer {owner}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://axk1/admin/api", headers=headers) as http:
            made = await http.post(f"/projects/{p.project}/keys", json={"name": "새 키", "models": ["nano"]})
            assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
            secret, key = made.json()["key"], made.json()["info"]["id"]
            listed = await http.get(f"/organisations/{p.organisation}/keys")
            assert secret not in listed.text
            assert [one["name"] for one in listed.json()] == ["주인", "새 키"]
            limits = await http.put(f"/limits/{key}", json={"tokens_per_day": 5})
            assert limits.json()["tokens_per_day"] == 5
            assert (await http.put(f"/limits/{key}", json={"tokens_a_day": 5})).status_code == 400
            assert (await http.put(f"/limits/{key}", json={"at_once": "5"})).status_code == 400
            assert (await http.get("/usage", params={"by": ["key", "day"]})).json() == []
            assert (await http.get("/usage.csv")).text.startswith("day,requests")
            assert (await http.get("/audit")).json()[0]["act"] == "limit.set"
            assert (await http.get("/audit/check")).status_code == 403
            mine = {"Authorization": f"Bearer {secret}"}
            assert (await http.get(f"/organisations/{p.organisation}/keys", headers=mine)).status_code == 403
            assert "/admin/sign-in" in (await http.get("http://axk1/admin")).text  # the operator's pages, beside it
            assert (await http.post(f"/keys/{key}/revoke")).json()["revoked"] > p.clock.now
            assert (await http.get("/organisations", headers=mine)).status_code == 401
            assert (await http.get("/organisations", headers={"Authorization": ""})).status_code == 401

    run(play, url, tmp_path)


def test_every_route_of_the_api_is_on_the_openapi_page(sqlite: str, tmp_path: Path) -> None:
    async def play(p: Party) -> None:
        paths = create_app(parts_of(p.gate, p.database, tmp_path)).openapi()["paths"]
        assert sum(path.startswith("/admin/api/") for path in paths) == 11

    run(play, sqlite, tmp_path)


def test_without_its_database_the_api_says_so_and_when_to_come_again(tmp_path: Path) -> None:
    async def whole() -> None:
        database = open_database(DatabaseSettings(f"postgresql://axk1@/axk1?host={tmp_path}"), tmp_path)
        transport = httpx.ASGITransport(app=create_app(parts_of(OpenGate(), database, tmp_path)))
        async with httpx.AsyncClient(transport=transport, base_url="http://axk1") as http:
            answer = await http.get("/admin/api/organisations")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "3")
        assert answer.json()["error"]["code"] == "database_unavailable"
        await database.dispose()

    asyncio.run(whole())
