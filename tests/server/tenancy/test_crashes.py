"""Servers that are killed, and a database that goes away and comes back: no row is lost, none counts twice."""

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from axk1.server.access import Ticket
from axk1.server.calls import Usage
from axk1.server.errors import ApiError
from axk1.server.tenancy.administration import OPERATOR
from axk1.server.tenancy.gate import KeyedGate
from axk1.server.tenancy.limits import Limits
from postgres_cluster import Cluster
from tenancy_parties import Party, party

SERVER = Path(__file__).with_name("one_server.py")
CHAT = "/v1/chat/completions"


class Server:
    def __init__(self, url: str, folder: Path, key: str) -> None:
        command = [sys.executable, str(SERVER), url, str(folder), key]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._line() == "ready"

    def send(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, str]:
        return dict(line.split() for line in iter(self._line, "done"))

    def do(self, line: str) -> dict[str, str]:
        self.send(line)
        return self.answer()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def stop(self) -> None:
        self.process.communicate()
        assert self.process.returncode == 0

    def _line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()


@contextmanager
def servers() -> Iterator[list[Server]]:
    started: list[Server] = []
    yield started
    for one in started:
        one.kill()


def outcomes(rows: list[dict[str, object]]) -> dict[object, object]:
    return {row["id"]: row["outcome"] for row in rows}


def test_what_a_killed_server_had_under_way_is_interrupted(url: str, tmp_path: Path) -> None:
    async def play(p: Party) -> None:
        secret = (await p.key()).secret
        with servers() as started:
            started.append(Server(url, tmp_path / "a", secret))
            started[0].do("admit 50 r1 r2 r3")
            started[0].do("settle r1")
            started.append(Server(url, tmp_path / "a", secret))  # a second one of this folder, alive beside it
            assert outcomes(await p.ledger()) == {"r1": "completed", "r2": None, "r3": None}
            started[0].kill()
            started.append(Server(url, tmp_path / "a", secret))
            assert outcomes(await p.ledger()) == {"r1": "completed", "r2": "interrupted", "r3": "interrupted"}
            assert (await p.admin.spent(OPERATOR, p.organisation))["total"] == 5

    async def whole() -> None:
        async with party(url, tmp_path) as made:
            await play(made)

    asyncio.run(whole())


def test_a_kill_in_the_middle_of_many_loses_and_doubles_nothing(url: str, tmp_path: Path) -> None:
    async def whole() -> None:
        async with party(url, tmp_path) as p:
            secret = (await p.key()).secret
            names = [f"r{i}" for i in range(400)]
            with servers() as started:
                started.append(Server(url, tmp_path / "a", secret))
                started[0].do("admit 50 " + " ".join(names))
                started[0].send("settle " + " ".join(names))
                while not any(row["outcome"] for row in await p.ledger()):
                    pass
                started[0].kill()
                started.append(Server(url, tmp_path / "a", secret))
            rows = await p.ledger()
            assert sorted(row["id"] for row in rows) == sorted(names)
            done = sum(row["outcome"] == "completed" for row in rows)
            assert done + sum(row["outcome"] == "interrupted" for row in rows) == 400
            assert (await p.admin.spent(OPERATOR, p.organisation))["total"] == 5 * done

    asyncio.run(whole())


@pytest.mark.slow
def test_kills_at_random_lose_and_double_nothing(url: str, tmp_path: Path) -> None:
    """What a server has acknowledged is there after it was killed, and the counts are the sum of the rows."""

    async def whole() -> None:
        async with party(url, tmp_path) as p:
            secret, draw = (await p.key()).secret, random.Random(5)
            for turn in range(25):
                with servers() as started:
                    started.append(Server(url, tmp_path / "a", secret))
                    groups = [[f"t{turn}g{group}r{i}" for i in range(10)] for group in range(40)]
                    for names in groups:
                        started[0].send("admit 50 " + " ".join(names))
                        started[0].send("settle " + " ".join(names))
                    time.sleep(draw.uniform(0, 0.5))  # the kill comes at any time
                    started[0].process.kill()
                    said = started[0].process.communicate()[0].split("\n")
                    started.append(Server(url, tmp_path / "a", secret))
                rows = await p.ledger()
                found = outcomes(rows)
                assert {line.split()[0] for line in said if line.endswith(" in")} <= set(found)
                settled = said.count("done") // 2  # an admission and a settlement each
                assert all(found[name] == "completed" for names in groups[:settled] for name in names)
                assert set(found.values()) <= {"completed", "interrupted"}
                spent = (await p.admin.spent(OPERATOR, p.organisation)).get("total", 0)
                assert spent == 5 * list(found.values()).count("completed") == sum(row["charged"] for row in rows)

    asyncio.run(whole())


def test_two_servers_share_a_quota(url: str, tmp_path: Path) -> None:
    async def whole() -> None:
        async with party(url, tmp_path) as p:
            key = await p.key()
            await p.admin.set_limits(OPERATOR, key.info.id, Limits(tokens_per_month=3777))
            with servers() as started:
                started += [Server(url, tmp_path / name, key.secret) for name in "ab"]
                for number, one in enumerate(started):
                    one.send("admit 50 " + " ".join(f"s{number}r{i}" for i in range(200)))
                answers = [value for one in started for value in one.answer().values()]
                assert (answers.count("in"), answers.count("429")) == (75, 325)
                assert (await p.admin.spent(OPERATOR, key.info.id))["total"] == 3750

    asyncio.run(whole())


async def _until_back(gate: KeyedGate, key: str) -> None:
    while True:
        try:
            ticket = await gate.admit(await gate.identify(key), "again", CHAT, "nano", 1)
        except ApiError as error:
            if error.status != 503:
                raise
            await asyncio.sleep(0.05)
        else:
            await gate.settle(ticket, Usage(), "completed")
            return


def test_a_database_that_goes_away_and_comes_back(
    cluster: Cluster, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = cluster.create("away")

    async def whole() -> None:
        async with party(url, tmp_path) as p:
            key = await p.key()
            caller = await p.gate.identify(key.secret)
            tickets = [await p.gate.admit(caller, f"r{i}", CHAT, "nano", 50) for i in range(3)]
            cluster.stop()
            await asyncio.gather(*(p.gate.settle(one, Usage(2, 3), "completed") for one in tickets[:2]))
            with pytest.raises(ApiError) as refused:
                await p.gate.admit(caller, "new", CHAT, "nano", 50)
            assert (refused.value.status, refused.value.headers["Retry-After"]) == (503, "3")
            assert await p.gate.identify(key.secret) == caller  # seen a moment ago
            p.gate.forget()
            with pytest.raises(ApiError, match="database cannot be reached"):
                await p.gate.identify(key.secret)
            cluster.start()
            await _until_back(p.gate, key.secret)
            found = outcomes(await p.ledger())
            assert found == {"r0": "completed", "r1": "completed", "r2": None, "again": "completed"}
            await p.gate.settle(tickets[2], Usage(2, 3), "completed")
            assert (await p.admin.spent(OPERATOR, p.organisation))["total"] == 15

    asyncio.run(whole())
    said = [record.getMessage() for record in caplog.records if record.name.endswith("tenancy.writer")]
    assert len(said) == 2, said  # once that it is away, once that it is back
    assert key_free(caplog.text)


def key_free(text: str) -> bool:
    return "axk1-" not in text.replace("axk1-pg-", "")


def test_a_server_killed_while_the_database_is_away_keeps_its_settlements(cluster: Cluster, tmp_path: Path) -> None:
    url = cluster.create("killed")

    async def whole() -> None:
        async with party(url, tmp_path) as p:
            secret = (await p.key()).secret
            with servers() as started:
                started.append(Server(url, tmp_path / "a", secret))
                started[0].do("admit 50 r1 r2")
                cluster.stop()
                started[0].do("settle r1")
                assert started[0].do("admit 50 r3") == {"r3": "503"}
                started[0].kill()
                (journal,) = (tmp_path / "a" / "journal").glob("*.jsonl")
                with journal.open("a", encoding="utf-8") as file:
                    file.write('{"id": "r2", "outc')  # killed in the middle of a line that nobody was told of
                cluster.start()
                started.append(Server(url, tmp_path / "a", secret))
                assert outcomes(await p.ledger()) == {"r1": "completed", "r2": "interrupted"}
                assert not journal.exists()

    asyncio.run(whole())


def test_a_silent_server_elsewhere_is_taken_for_dead_and_may_still_settle(url: str, tmp_path: Path) -> None:
    async def whole() -> None:
        async with party(url, tmp_path) as p:
            caller = await p.gate.identify((await p.key()).secret)
            ticket: Ticket = await p.gate.admit(caller, "r1", CHAT, "nano", 50)
            other = await KeyedGate.open(p.database, tmp_path / "elsewhere", p.clock)
            for _ in range(12):
                await other.look_around()
                await p.gate.look_around()
            assert outcomes(await p.ledger()) == {"r1": None}
            for _ in range(12):
                await other.look_around()
            await other.look_around()
            assert outcomes(await p.ledger()) == {"r1": "interrupted"}
            await p.gate.settle(ticket, Usage(2, 3), "completed")
            assert outcomes(await p.ledger()) == {"r1": "completed"}
            assert (await p.admin.spent(OPERATOR, p.organisation))["total"] == 5
            await other.close()

    asyncio.run(whole())
