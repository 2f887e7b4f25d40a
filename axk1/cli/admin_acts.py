"""The acts of `axk1 admin`, each a line or two around the server's `Administration`."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, replace

from axk1.cli.admin_show import Screen
from axk1.server.tenancy.administration import OPERATOR, Administration
from axk1.server.tenancy.limits import Limits
from axk1.server.tenancy.people import KeyWish, OrganisationInfo, ProjectInfo
from axk1.server.tenancy.usage import Group, Span, as_csv

__all__ = ["ACTS"]

Act = Callable[[Administration, argparse.Namespace, Screen], Awaitable[int]]

_DEFAULT = "default"
_DAY = 86400.0


async def _organisations(admin: Administration, _options: argparse.Namespace, screen: Screen) -> int:
    found = await admin.organisations(OPERATOR)
    screen.rows(("id", "name", "created"), [asdict(one) for one in found])
    return 0


async def _create_organisation(admin: Administration, options: argparse.Namespace, screen: Screen) -> int:
    made = await admin.create_organisation(OPERATOR, options.name)
    screen.made(
        made, f"조직 {made.name}을(를) 만들었습니다: {made.id}", f"made the organisation {made.name}: {made.id}"
    )
    return 0


async def _projects(admin: Administration, options: argparse.Namespace, screen: Screen) -> int:
    home = await _organisation(admin, options.organisation)
    found = await admin.projects(OPERATOR, home.id)
    screen.rows(("id", "name", "created"), [asdict(one) for one in found])
    return 0


async def _create_project(admin: Administration, options: argparse.Namespace, screen: Screen) -> int:
    home = await _organisation(admin, options.organisation)
    made = await admin.create_project(OPERATOR, home.id, options.name)
    screen.made(made, f"프로젝트 {made.name}을(를) 만들었습니다: {made.id}", f"made the project {made.name}: {made.id}")
    return 0


async def _keys(admin: Administration, options: argparse.Namespace, screen: Screen) -> int:
    home = await _organisation(admin, options.organisation)
    columns = ("id", "name", "role", "system", "expires", "revoked", "used")
    found = [asdict(one) for one in await admin.keys(OPERATOR, home.id)]
    screen.rows(columns, found)
    return 0


async def _create_key(admin: Administration, options: argparse.Namespace, screen: Screen) -> int:
    if options.days is not None and options.days <= 0:
        raise ValueError(screen.say("--days는 0보다 커야 합니다", "--days must be above 0"))
    project = await _project(admin, options.project, screen)
    expires = None if options.days is None else time.time() + options.days * _DAY
    models, endpoints = tuple(options.model), tuple(options.endpoint)
    wish = KeyWish(options.name, options.role, models, endpoints, expires, options.system)
    made = await admin.create_key(OPERATOR, project.id, wish)
    shown = json.dumps({"key": made.secret, "info": asdict(made.info)}, ensure_ascii=False)
    screen.plain(shown if screen.as_json else made.secret)
    screen.warn(
        "이 키는 지금 한 번만 보입니다. 안전한 곳에 옮겨 적어 주세요.",
        "This key is shown only now. Keep it in a safe place.",
    )
    return 0


async def _revoke_key(admin: Administration, options: argparse.Namespace, screen: Screen) -> int:
    gone = await admin.revoke_key(OPERATOR, options.key)
    screen.made(gone, f"키 {gone.id}({gone.name})를 폐기했습니다.", f"revoked the key {gone.id} ({gone.name})")
    return 0


async def _show_limits(admin: Administration, options: argparse.Namespace, screen: Screen) -> int:
    limits = await admin.limits(OPERATOR, options.id)
    spent = await admin.spent(OPERATOR, options.id)
    if screen.as_json:
        screen.plain(json.dumps({"limits": asdict(limits), "spent": spent}))
        return 0
    screen.rows(("limit", "value"), [{"limit": name, "value": value} for name, value in asdict(limits).items()])
    screen.rows(("window", "tokens"), [{"window": name, "tokens": value} for name, value in spent.items()])
    return 0


async def _set_limits(admin: Administration, options: argparse.Namespace, screen: Screen) -> int:
    named = {name: getattr(options, name) for name in vars(Limits()) if getattr(options, name) is not None}
    if not named:
        raise ValueError(
            screen.say("바꿀 한도를 적어 주세요", "name the limits to change, such as --tokens-per-day 1000")
        )
    before = await admin.limits(OPERATOR, options.id)
    limits = replace(before, **{name: _count(name, value) for name, value in named.items()})
    await admin.set_limits(OPERATOR, options.id, limits)
    screen.made(limits, f"{options.id}의 한도를 바꿨습니다.", f"changed the limits of {options.id}")
    return 0


async def _usage(admin: Administration, options: argparse.Namespace, screen: Screen) -> int:
    by: Sequence[Group] = options.by or ["day"]
    home = (await _organisation(admin, options.organisation)).id if options.organisation else None
    rows = await admin.usage(OPERATOR, by, Span(options.since, options.until), home)
    if options.csv:
        screen.plain(as_csv(by, rows).removesuffix("\n"))
        return 0
    shown = [{**dict(zip(by, row.group, strict=True)), **asdict(row)} for row in rows]
    columns = (*by, "requests", "prompt", "completion", "reasoning", "cached")
    screen.rows(columns, [{name: row[name] for name in columns} for row in shown])
    return 0


async def _audit(admin: Administration, options: argparse.Namespace, screen: Screen) -> int:
    if not options.check:
        found = await admin.audit(OPERATOR, most=options.most)
        screen.rows(("number", "at", "actor", "act", "subject", "detail"), [asdict(one) for one in found])
        return 0
    entries, broken, digest = await admin.check_audit(OPERATOR)
    if screen.as_json:
        screen.plain(json.dumps({"entries": entries, "broken": broken, "digest": digest}))
    elif broken is None:
        screen.plain(
            screen.say(f"{entries}개 모두 온전합니다. 봉인: {digest}", f"all {entries} are whole; seal: {digest}")
        )
    else:
        screen.plain(screen.say(f"{broken}번부터 고친 흔적이 있습니다.", f"tampered with from number {broken} on"))
    return 0 if broken is None else 1


async def _organisation(admin: Administration, given: str) -> OrganisationInfo:
    found = [one for one in await admin.organisations(OPERATOR) if given in (one.id, one.name)]
    if not found:
        raise ValueError(f"no organisation {given!r}: see 'axk1 admin organisation list'")
    return found[0]


async def _project(admin: Administration, given: str, screen: Screen) -> ProjectInfo:
    every = [one for home in await admin.organisations(OPERATOR) for one in await admin.projects(OPERATOR, home.id)]
    if not every and not given:
        home = await admin.create_organisation(OPERATOR, _DEFAULT)
        return await admin.create_project(OPERATOR, home.id, _DEFAULT)
    found = [one for one in every if given in ("", one.id, one.name)]
    if len(found) != 1:
        wanted = ", ".join(f"{one.name} ({one.id})" for one in found or every)
        raise ValueError(screen.say(f"--project로 하나를 골라 주세요: {wanted}", f"choose one by --project: {wanted}"))
    return found[0]


def _count(name: str, value: str) -> int | None:
    if value == "none":
        return None
    if not value.isascii() or not value.isdigit():
        raise ValueError(f"--{name.replace('_', '-')} is a whole number or none, not {value!r}")
    return int(value)


ACTS: Mapping[tuple[str, str], Act] = {
    ("organisation", "list"): _organisations,
    ("organisation", "create"): _create_organisation,
    ("project", "list"): _projects,
    ("project", "create"): _create_project,
    ("key", "list"): _keys,
    ("key", "create"): _create_key,
    ("key", "revoke"): _revoke_key,
    ("limit", "show"): _show_limits,
    ("limit", "set"): _set_limits,
    ("usage", ""): _usage,
    ("audit", ""): _audit,
}
