"""`axk1 admin`: keys from the first one on, shown once, in both languages."""

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest

from axk1.cli import main
from axk1.server.settings import DatabaseSettings
from axk1.server.store.database import open_database
from axk1.server.tenancy.gate import KeyedGate


def _admin(folder: Path, *words: str, language: str = "en") -> int:
    return main(["--lang", language, "admin", *words, "--folder", str(folder)])


def test_the_first_key_needs_nothing_and_is_shown_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _admin(tmp_path, "key", "create", "첫 키", "--system", "--role", "owner", language="ko") == 0
    shown = capsys.readouterr()
    secret = shown.out.strip()
    assert secret.startswith("axk1-")
    assert "한 번만 보입니다" in shown.err
    assert _admin(tmp_path, "key", "list", "default") == 0
    assert _admin(tmp_path, "audit") == 0
    assert secret not in capsys.readouterr().out
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert secret.encode() not in stored
    assert secret.split("-", 2)[2].encode() not in stored

    async def identify() -> None:
        database = open_database(DatabaseSettings(), tmp_path)
        gate = await KeyedGate.open(database, tmp_path)
        assert (await gate.identify(secret)).system
        await gate.close()
        await database.dispose()

    asyncio.run(identify())


def test_acts_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def found(*words: str) -> object:
        assert _admin(tmp_path, *words, "--json") == 0
        return json.loads(capsys.readouterr().out)

    home = found("organisation", "create", "한빛")
    project = found("project", "create", "한빛", "상담")
    assert isinstance(home, dict)
    assert isinstance(project, dict)
    assert found("project", "list", home["id"]) == [project]
    made = found("key", "create", "시험", "--project", "상담", "--model", "nano", "--days", "1")
    assert isinstance(made, dict)
    key = made["info"]["id"]
    found("limit", "set", key, "--tokens-per-day", "100", "--at-once", "3")
    found("limit", "set", key, "--at-once", "none")
    shown = found("limit", "show", key)
    assert isinstance(shown, dict)
    assert (shown["limits"]["tokens_per_day"], shown["limits"]["at_once"], shown["spent"]) == (100, None, {})
    revoked = found("key", "revoke", key)
    assert isinstance(revoked, dict)
    assert revoked["revoked"] > 0
    assert found("usage", "--by", "model") == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("key", "revoke", "nobody"), "there is no key 'nobody'"),
        (("project", "create", "nowhere", "x"), "no organisation 'nowhere'"),
        (("limit", "set", "x"), "name the limits to change"),
        (("limit", "set", "x", "--at-once", "many"), "there is no organisation, project or key 'x'"),
        (("key", "create", "x", "--days", "0"), "--days must be above 0"),
    ],
)
def test_mistakes_are_one_line(
    words: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _admin(tmp_path, *words) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


def test_a_database_that_is_not_there_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"postgresql://axk1@/axk1?host={tmp_path}"
    assert main(["--lang", "en", "admin", "usage", "--database", url]) == 2
    assert capsys.readouterr().err.startswith("axk1: error: the database fails: ")


def test_a_changed_audit_log_is_an_error_of_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _admin(tmp_path, "organisation", "create", "한빛")
    assert _admin(tmp_path, "audit", "--check") == 0
    with sqlite3.connect(tmp_path / "axk1.sqlite3") as connection:
        connection.execute("UPDATE audit SET actor = 'nobody'")
    connection.close()
    assert _admin(tmp_path, "audit", "--check") == 1
    assert "tampered with from number 1 on" in capsys.readouterr().out


def test_usage_is_exported_as_csv(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _admin(tmp_path, "usage", "--by", "day", "--by", "key", "--csv") == 0
    assert capsys.readouterr().out == "day,key,requests,prompt,completion,reasoning,cached\n"
