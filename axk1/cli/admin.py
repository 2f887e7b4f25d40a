"""`axk1 admin`: organisations, keys, limits, usage and the audit log of a server, on the server's own database."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from axk1.cli.admin_acts import ACTS
from axk1.cli.admin_show import Screen
from axk1.cli.words import Words
from axk1.server.access import Role
from axk1.server.errors import ApiError
from axk1.server.settings import DatabaseSettings, ServeSettings
from axk1.server.store.database import open_database
from axk1.server.store.migrate import migrate
from axk1.server.tenancy.administration import Administration
from axk1.server.tenancy.limits import Limits
from axk1.server.tenancy.roles import ROLES
from axk1.server.tenancy.usage import GROUPS

__all__ = ["admin"]

_DEFAULT_ROLE: Role = "member"


def admin(argv: list[str], say: Words) -> int:
    """Do one act; running servers of the same database follow within seconds."""
    options = _parser(say).parse_args(argv)
    try:
        return asyncio.run(_act(options, Screen(say, options.json)))
    except ApiError as error:
        raise ValueError(error.message) from error
    except SQLAlchemyError as error:
        reason = str(error.__cause__ or error).split("\n")[0]
        raise ValueError(say(f"데이터베이스에 닿지 않습니다: {reason}", f"the database fails: {reason}")) from error


async def _act(options: argparse.Namespace, screen: Screen) -> int:
    database = open_database(DatabaseSettings(options.database), options.folder)
    try:
        await migrate(database)
        return await ACTS[options.subject, options.act](Administration(database), options, screen)
    finally:
        await database.dispose()


def _parser(say: Words) -> argparse.ArgumentParser:
    about = say(
        "조직, 키, 한도, 사용량, 감사 기록 관리", "organisations, keys, limits, usage and the audit log of a server"
    )
    parser = argparse.ArgumentParser(prog="axk1 admin", description=about)
    where = _where(say)
    subjects = parser.add_subparsers(dest="subject", required=True)
    _add_organisation(subjects, where, say)
    _add_project(subjects, where, say)
    _add_key(subjects, where, say)
    _add_limit(subjects, where, say)
    _add_reports(subjects, where, say)
    return parser


def _where(say: Words) -> argparse.ArgumentParser:
    """What every act may be told."""
    where = argparse.ArgumentParser(add_help=False)
    add = where.add_argument
    add("--folder", type=Path, default=ServeSettings.folder, help=say("서버 폴더", "the server's folder"))
    add("--database", default="", metavar="URL", help=say("PostgreSQL 주소", "a database elsewhere: postgresql://…"))
    add("--json", action="store_true", help=say("기계가 읽을 JSON으로", "as JSON, for machines"))
    return where


_Subjects = argparse._SubParsersAction  # the type of add_subparsers has no public name


def _acts(subjects: _Subjects[argparse.ArgumentParser], name: str, about: str) -> _Subjects[argparse.ArgumentParser]:
    return subjects.add_parser(name, help=about, description=about).add_subparsers(dest="act", required=True)


def _add_organisation(subjects: _Subjects[argparse.ArgumentParser], where: argparse.ArgumentParser, say: Words) -> None:
    acts = _acts(subjects, "organisation", say("조직", "organisations"))
    acts.add_parser("list", parents=[where], help=say("모두 보기", "all of them"))
    create = acts.add_parser("create", parents=[where], help=say("새로 만들기", "make one"))
    create.add_argument("name", help=say("이름", "its name"))


def _add_project(subjects: _Subjects[argparse.ArgumentParser], where: argparse.ArgumentParser, say: Words) -> None:
    acts = _acts(subjects, "project", say("프로젝트", "projects"))
    listed = acts.add_parser("list", parents=[where], help=say("조직의 프로젝트 보기", "those of an organisation"))
    create = acts.add_parser("create", parents=[where], help=say("새로 만들기", "make one"))
    for one in (listed, create):
        one.add_argument("organisation", help=say("조직의 이름이나 id", "an organisation's name or id"))
    create.add_argument("name", help=say("이름", "its name"))


def _add_key(subjects: _Subjects[argparse.ArgumentParser], where: argparse.ArgumentParser, say: Words) -> None:
    acts = _acts(subjects, "key", say("API 키", "API keys"))
    listed = acts.add_parser("list", parents=[where], help=say("조직의 키 보기", "those of an organisation"))
    listed.add_argument("organisation", help=say("조직의 이름이나 id", "an organisation's name or id"))
    revoke = acts.add_parser("revoke", parents=[where], help=say("못 쓰게 하기", "make one useless, for good"))
    revoke.add_argument("key", help=say("키의 id", "the key's id"))
    add = acts.add_parser("create", parents=[where], help=say("새로 만들기", "make one; it is shown once")).add_argument
    add("name", help=say("누가 무엇에 쓰는지", "who uses it, and for what"))
    project = say(
        "프로젝트의 이름이나 id (하나뿐이면 생략, 하나도 없으면 default를 만듦)",
        "a project's name or id (left out: the only one; where there is none, one named default is made)",
    )
    add("--project", default="", help=project)
    add("--role", choices=ROLES, default=_DEFAULT_ROLE, help=say("역할", "what it may do"))
    add("--model", action="append", default=[], help=say("이 모델만 (여러 번 가능)", "only this model; repeatable"))
    add("--endpoint", action="append", default=[], metavar="PATH", help=say("이 경로만", "only this path; repeatable"))
    add("--days", type=float, help=say("며칠 동안 쓸 수 있는지", "for how many days it is good"))
    add("--system", action="store_true", help=say("모든 조직을 관리하는 키", "it may manage every organisation"))


def _add_limit(subjects: _Subjects[argparse.ArgumentParser], where: argparse.ArgumentParser, say: Words) -> None:
    acts = _acts(subjects, "limit", say("한도", "limits of a key, a project or an organisation"))
    show = acts.add_parser(
        "show", parents=[where], help=say("한도와 지금까지 쓴 양", "its limits and what it has used")
    )
    change = acts.add_parser("set", parents=[where], help=say("한도 정하기", "change those that are named"))
    for one in (show, change):
        one.add_argument("id", help=say("키, 프로젝트, 조직의 id", "the id of a key, a project or an organisation"))
    for name in vars(Limits()):
        option = "--" + name.replace("_", "-")
        change.add_argument(option, metavar="N", help=say("수, 또는 none (한도 없음)", "a number, or none"))


def _add_reports(subjects: _Subjects[argparse.ArgumentParser], where: argparse.ArgumentParser, say: Words) -> None:
    usage = subjects.add_parser("usage", parents=[where], help=say("사용량", "what was used"))
    usage.set_defaults(act="")
    add = usage.add_argument
    add("--by", action="append", choices=GROUPS, help=say("나눌 기준 (여러 번 가능)", "grouped by; repeatable"))
    add("--since", default="", metavar="DAY", help=say("이날부터 (UTC, 2026-11-27)", "from this day of UTC on"))
    add("--until", default="", metavar="DAY", help=say("이날까지", "up to this day, included"))
    add("--organisation", default="", help=say("이 조직만", "of this organisation only"))
    add("--csv", action="store_true", help=say("CSV로", "as CSV"))
    audit = subjects.add_parser("audit", parents=[where], help=say("감사 기록", "who did what"))
    audit.set_defaults(act="")
    audit.add_argument(
        "--check", action="store_true", help=say("고친 흔적이 없는지 확인", "whether it was tampered with")
    )
    audit.add_argument("--most", type=int, default=50, metavar="N", help=say("최근 몇 개", "how many of the newest"))
