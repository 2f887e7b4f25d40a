"""A server without sockets, to be killed: opens a gate and does what its standard input says, line by line."""

import asyncio
import sys
from pathlib import Path

from axk1.server.access import Caller, Ticket
from axk1.server.calls import Usage
from axk1.server.errors import ApiError
from axk1.server.settings import DatabaseSettings
from axk1.server.store.database import open_database
from axk1.server.store.migrate import migrate
from axk1.server.tenancy.gate import KeyedGate


async def _admit(gate: KeyedGate, caller: Caller, names: list[str], tokens: int) -> list[Ticket]:
    asked = [gate.admit(caller, name, "/v1/chat/completions", "nano", tokens) for name in names]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    for name, answer in zip(names, answers, strict=True):
        print(name, answer.status if isinstance(answer, ApiError) else "in")
    return [one for one in answers if isinstance(one, Ticket)]


async def main(url: str, folder: str, key: str) -> None:
    database = open_database(DatabaseSettings(url), Path(folder))
    await migrate(database)
    gate = await KeyedGate.open(database, Path(folder))
    caller = await gate.identify(key)
    tickets: dict[str, Ticket] = {}
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        match line.split():
            case ["admit", tokens, *names]:
                tickets |= {one.id: one for one in await _admit(gate, caller, names, int(tokens))}
            case ["settle", *names]:
                await asyncio.gather(*(gate.settle(tickets[name], Usage(2, 3), "completed") for name in names))
        print("done", flush=True)
    await gate.close()
    await database.dispose()


asyncio.run(main(*sys.argv[1:]))
