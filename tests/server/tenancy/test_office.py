"""The operator's pages' office on the real tables."""

import asyncio
from datetime import date
from pathlib import Path

import pytest

from axk1.server.admin.office import KeyLimits, Office, UsageDay
from axk1.server.calls import Usage
from axk1.server.errors import ApiError
from axk1.server.tenancy.administration import OPERATOR
from axk1.server.tenancy.limits import Limits
from axk1.server.tenancy.office import TenancyOffice
from axk1.server.tenancy.people import KeyWish
from tenancy_parties import party


def test_the_pages_manage_the_real_keys(url: str, tmp_path: Path) -> None:
    async def whole() -> None:
        async with party(url, tmp_path) as p:
            office: Office = TenancyOffice(p.admin, p.clock)
            owner = await p.caller(KeyWish("주인", "owner"))
            assert await office.current(owner.key_id) == owner
            made = await office.add_key(owner, p.project, "봇", "member", KeyLimits(tokens_per_day=500))
            key = made.key
            assert made.secret not in repr(await office.keys(owner, p.project))
            await p.admin.set_limits(owner, key.id, Limits(at_once=2))
            changed = await office.set_limits(owner, key.id, KeyLimits(requests_per_minute=9))
            assert changed.limits == KeyLimits(requests_per_minute=9)
            assert (await p.admin.limits(owner, key.id)).at_once == 2
            ticket = await p.gate.admit(await p.gate.identify(made.secret), "r", "/v1/chat/completions", "nano", 9)
            await p.gate.settle(ticket, Usage(3, 4), "completed")
            day = UsageDay(date(2025, 11, 27), 1, 3, 4)
            assert await office.usage(owner, p.organisation, p.project, 30) == [day]
            assert await office.usage(owner, p.organisation, "another", 30) == []
            assert (await office.revoke_key(owner, key.id)).revoked_at == p.clock.now
            assert await office.current(key.id) is None
            entries = await office.audit(owner, p.organisation, None, 2)
            assert [one.action for one in entries] == ["key.revoke", "limit.set"]
            (older,) = await office.audit(owner, p.organisation, entries[-1].number - 1, 1)
            assert (older.action, older.target) == ("key.create", f"봇 ({key.id})")

    asyncio.run(whole())


def test_another_organisation_is_not_there_for_the_pages(tmp_path: Path) -> None:
    async def whole() -> None:
        async with party(f"sqlite:///{tmp_path / 'axk1.sqlite3'}", tmp_path) as p:
            office = TenancyOffice(p.admin, p.clock)
            other = await office.add_organisation(OPERATOR, "다온")
            project = await office.add_project(OPERATOR, other.id, "상담")
            key = (await office.add_key(OPERATOR, project.id, "봇", "member", KeyLimits())).key
            owner = await p.caller(KeyWish("주인", "owner"))
            for asked in (
                office.organisation(owner, other.id),
                office.project(owner, project.id),
                office.keys(owner, project.id),
                office.key(owner, key.id),
                office.audit(owner, other.id, None, 5),
            ):
                with pytest.raises(ApiError) as refused:
                    await asked
                assert refused.value.status == 404

    asyncio.run(whole())
