"""Keys are recognised, limits hold under races, every request has one row."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy.exc import DataError

from axk1.server.access import Ticket
from axk1.server.calls import Usage
from axk1.server.errors import ApiError
from axk1.server.tenancy.administration import OPERATOR
from axk1.server.tenancy.limits import Limits
from axk1.server.tenancy.people import KeyWish
from postgres_cluster import Cluster
from tenancy_parties import Party, party

CHAT = "/v1/chat/completions"
Play = Callable[[Party], Awaitable[None]]


def run(play: Play, url: str, folder: Path) -> None:
    async def whole() -> None:
        async with party(url, folder) as made:
            await play(made)

    asyncio.run(whole())


async def refusal(asked: Awaitable[object]) -> ApiError:
    with pytest.raises(ApiError) as caught:
        await asked
    return caught.value


def test_a_key_is_known_until_it_is_revoked(url: str, tmp_path: Path) -> None:
    async def play(p: Party) -> None:
        key = await p.key()
        caller = await p.gate.identify(key.secret)
        assert (caller.organisation, caller.project, caller.role) == (p.organisation, p.project, "member")
        await p.admin.revoke_key(OPERATOR, key.info.id)
        error = await refusal(p.gate.identify(key.secret))
        assert (error.status, error.code) == (401, "invalid_api_key")
        error = await refusal(p.gate.admit(caller, "r", CHAT, "nano", 1))  # even if another server still knows it
        assert error.status == 401
        assert key.secret not in repr(key)
        assert key.secret not in repr(error)

    run(play, url, tmp_path)


@pytest.mark.parametrize("wrong", [None, "", "sk-1", "axk1-0123456789abcdef-" + "a" * 43, "가" * 30, "axk1-' OR 1=1"])
def test_what_is_no_key_of_ours_is_refused(wrong: str | None, tmp_path: Path) -> None:
    async def play(p: Party) -> None:
        await p.key()
        assert (await refusal(p.gate.identify(wrong))).status == 401

    run(play, f"sqlite:///{tmp_path}/axk1.sqlite3", tmp_path)


def test_the_right_id_with_a_wrong_secret_is_refused(tmp_path: Path) -> None:
    async def play(p: Party) -> None:
        secret = (await p.key()).secret
        other = secret[:-1] + ("A" if secret[-1] != "A" else "B")
        assert (await refusal(p.gate.identify(other))).message == "the API key is not known"

    run(play, f"sqlite:///{tmp_path}/axk1.sqlite3", tmp_path)


def test_a_key_expires(url: str, tmp_path: Path) -> None:
    async def play(p: Party) -> None:
        key = await p.key(KeyWish("잠깐", expires=p.clock.now + 60))
        caller = await p.gate.identify(key.secret)
        p.clock.now += 61
        assert "expired" in (await refusal(p.gate.admit(caller, "r", CHAT, "nano", 1))).message
        p.gate.forget()
        assert "expired" in (await refusal(p.gate.identify(key.secret))).message

    run(play, url, tmp_path)


def test_a_key_may_be_bound_to_models_and_endpoints(url: str, tmp_path: Path) -> None:
    async def play(p: Party) -> None:
        caller = await p.caller(KeyWish("묶인 키", models=("nano",), endpoints=(CHAT,)))
        assert (await p.gate.admit(caller, "r1", CHAT, "nano", 1)).id == "r1"
        assert (await refusal(p.gate.admit(caller, "r2", CHAT, "k1", 1))).status == 403
        assert (await refusal(p.gate.admit(caller, "r3", "/v1/embeddings", "nano", 1))).status == 403
        assert (
            await refusal(p.gate.admit(await p.caller(KeyWish("보기", "viewer")), "r4", CHAT, "nano", 1))
        ).status == 403

    run(play, url, tmp_path)


def test_200_at_once_never_exceed_a_quota(url: str, tmp_path: Path) -> None:
    async def play(p: Party) -> None:
        caller = await p.caller()
        await p.admin.set_limits(OPERATOR, caller.key_id, Limits(tokens_per_day=1050))
        asked = [p.gate.admit(caller, f"r{i}", CHAT, "nano", 100) for i in range(200)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        tickets = [one for one in answers if isinstance(one, Ticket)]
        errors = [one for one in answers if isinstance(one, ApiError)]
        assert (len(tickets), len(errors)) == (10, 190)
        assert {(one.status, one.code) for one in errors} == {(429, "insufficient_quota")}
        assert errors[0].headers["Retry-After"] == str(12 * 3600)
        await asyncio.gather(*(p.gate.settle(one, Usage(10, 5), "completed") for one in tickets))
        assert (await p.admin.spent(OPERATOR, caller.key_id))["total"] == 150
        assert (await p.gate.admit(caller, "later", CHAT, "nano", 900)).reserved == 900

    run(play, url, tmp_path)


@pytest.mark.parametrize("level", ["organisation", "project", "key"])
def test_limits_hold_at_every_level(level: str, tmp_path: Path) -> None:
    async def play(p: Party) -> None:
        caller = await p.caller()
        subject = {"organisation": p.organisation, "project": p.project, "key": caller.key_id}[level]
        await p.admin.set_limits(OPERATOR, subject, Limits(requests_per_minute=2, at_once=1))
        first = await p.gate.admit(caller, "r1", CHAT, "nano", 0)
        assert first.headers["x-ratelimit-remaining-requests"] == "1"
        error = await refusal(p.gate.admit(caller, "r2", CHAT, "nano", 0))
        assert (error.status, error.code, error.headers["Retry-After"]) == (429, "rate_limit_exceeded", "1")
        await p.gate.settle(first, Usage(), "completed")
        await p.gate.settle(await p.gate.admit(caller, "r3", CHAT, "nano", 0), Usage(), "completed")
        error = await refusal(p.gate.admit(caller, "r4", CHAT, "nano", 0))
        assert error.headers["Retry-After"] == "30"
        p.clock.now += 30
        await p.gate.admit(caller, "r5", CHAT, "nano", 0)

    run(play, f"sqlite:///{tmp_path}/axk1.sqlite3", tmp_path)


def test_every_request_has_one_row(url: str, tmp_path: Path) -> None:
    async def play(p: Party) -> None:
        caller = await p.caller()
        ticket = await p.gate.admit(caller, "r1", CHAT, "nano", 40)
        twin = await p.gate.admit(caller, "r1", CHAT, "nano", 40)  # the same request asks a second time
        await p.gate.settle(ticket, Usage(7, 5, 2, 1), "completed")
        await p.gate.settle(ticket, Usage(9, 9), "failed")
        await p.gate.settle(twin, Usage(7, 0), "cancelled")
        rows = await p.ledger()
        assert [(row["outcome"], row["prompt"], row["completion"]) for row in rows] == [
            ("completed", 7, 5),
            ("cancelled", 7, 0),
        ]
        assert (rows[0]["reasoning"], rows[0]["cached"]) == (2, 1)
        assert (await p.admin.spent(OPERATOR, p.organisation))["total"] == 19

    run(play, url, tmp_path)


def test_a_client_that_leaves_while_it_is_admitted_leaves_no_open_row(tmp_path: Path) -> None:
    async def play(p: Party) -> None:
        caller = await p.caller()
        for steps in range(12):
            task = asyncio.create_task(p.gate.admit(caller, f"r{steps}", CHAT, "nano", 10))
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await p.gate.settle(await p.gate.admit(caller, "s", CHAT, "nano", 1), Usage(), "completed")
        await p.gate.settle(await p.gate.admit(caller, "t", CHAT, "nano", 1), Usage(), "completed")
        assert {row["outcome"] for row in await p.ledger()} <= {"cancelled", "completed"}
        assert (await p.admin.spent(OPERATOR, p.organisation)).get("total", 0) == 0

    run(play, f"sqlite:///{tmp_path}/axk1.sqlite3", tmp_path)


def test_a_row_that_the_database_never_takes_fails_alone(cluster: Cluster, tmp_path: Path) -> None:
    async def play(p: Party) -> None:
        caller = await p.caller()
        names = ["r1", "nul\0", "r2"]
        asked = [p.gate.admit(caller, name, CHAT, "nano", 1) for name in names]
        first, bad, second = await asyncio.gather(*asked, return_exceptions=True)
        assert isinstance(first, Ticket)
        assert isinstance(bad, DataError)
        assert isinstance(second, Ticket)
        await p.gate.settle(first, Usage(1), "completed")

    run(play, cluster.create("poison"), tmp_path)
