"""What the ledger costs: clients that identify, admit and settle without pause.

    python benchmarks/ledger.py [--database postgresql://…] [--clients 200] [--seconds 5]

Without --database, SQLite in a temporary folder. The database must be empty. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path

import uvloop

from axk1.server.calls import Usage
from axk1.server.settings import DatabaseSettings
from axk1.server.store.database import open_database
from axk1.server.store.migrate import migrate
from axk1.server.tenancy.administration import OPERATOR, Administration
from axk1.server.tenancy.gate import KeyedGate
from axk1.server.tenancy.limits import Limits
from axk1.server.tenancy.people import KeyWish

KEYS = 8
WIDE = Limits(10**8, 10**12, 10**6, 10**15, 10**15, 10**15)  # every limit is counted, none is reached


async def keys_of(admin: Administration) -> list[str]:
    organisation = await admin.create_organisation(OPERATOR, "benchmark")
    project = await admin.create_project(OPERATOR, organisation.id, "benchmark")
    made = [await admin.create_key(OPERATOR, project.id, KeyWish(f"key {i}")) for i in range(KEYS)]
    for one in made:
        await admin.set_limits(OPERATOR, one.info.id, WIDE)
    return [one.secret for one in made]


async def client(name: str, gate: KeyedGate, key: str, stop: float) -> list[tuple[float, float]]:
    """Seconds for admission and for settlement of each request."""
    times = []
    while (begin := time.perf_counter()) < stop:
        caller = await gate.identify(key)
        ticket = await gate.admit(caller, f"{name}-{len(times)}", "/v1/chat/completions", "nano", 1000)
        admitted = time.perf_counter()
        await gate.settle(ticket, Usage(10, 20), "completed")
        times.append((admitted - begin, time.perf_counter() - admitted))
    return times


def milliseconds(times: list[float]) -> dict[str, float]:
    parts = statistics.quantiles(times, n=20)
    return {"p50": round(parts[9] * 1e3, 1), "p95": round(parts[18] * 1e3, 1)}


async def measure(url: str, folder: Path, clients: int, seconds: float) -> dict[str, object]:
    database = open_database(DatabaseSettings(url), folder)
    await migrate(database)
    keys = await keys_of(Administration(database))
    gate = await KeyedGate.open(database, folder)
    begin, processor = time.perf_counter(), time.process_time()
    stop = begin + seconds
    asked = (client(f"c{i}", gate, keys[i % KEYS], stop) for i in range(clients))
    times = [one for done in await asyncio.gather(*asked) for one in done]
    wall, used = time.perf_counter() - begin, time.process_time() - processor
    await gate.close()
    await database.dispose()
    return {
        "database": database.dialect.name,
        "clients": clients,
        "requests_per_second": round(len(times) / wall),
        "admit_ms": milliseconds([admit for admit, _ in times]),
        "settle_ms": milliseconds([settle for _, settle in times]),
        "processor_ms_per_request": round(used / len(times) * 1e3, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", default="")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(uvloop.run(measure(options.database, Path(folder), options.clients, options.seconds))))


if __name__ == "__main__":
    main()
