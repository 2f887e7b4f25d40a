"""Upstreams that are killed while they stream: real processes, real connections, SIGKILL."""

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

from axk1.chat.messages import Message
from axk1.server.calls import ChatCall, ContentPart, Finished
from axk1.server.errors import ApiError
from axk1.server.settings import UpstreamSettings
from axk1.server.upstream.fleet import Fleet
from axk1.server.upstream.opening import open_upstreams

WORDS = [f"말{number}" for number in range(40)]
TEXT = " ".join(WORDS)
SERVER = """
import sys, time
from pathlib import Path
from server.played import PlayedProvider
from server.serving import AppOf, listening
with listening(AppOf(Path(sys.argv[1]), PlayedProvider(pause=0.01))) as url:
    print(url, flush=True)
    time.sleep(60)
"""


def started(folder: Path) -> tuple[subprocess.Popen[str], str]:
    folder.mkdir()
    path = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]
    command = [sys.executable, "-c", f"import sys; sys.path[:0] = {path}\n{SERVER}", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def listens(url: str) -> bool:
    try:
        return httpx.get(f"{url}/v1/models", headers={"Authorization": "Bearer key-a"}).status_code == 200
    except httpx.HTTPError:
        return False


async def seen(fleet: Fleet, number: int, progress: dict[int, str]) -> tuple[str, bool]:
    """The text that a client saw, and whether it was told that this is all."""
    text, whole = "", False
    try:
        async for event in await fleet.chat(
            ChatCall("played", (Message("system", str(number)), Message("user", TEXT)))
        ):
            text += event.text if isinstance(event, ContentPart) else ""
            progress[number], whole = text, isinstance(event, Finished)
    except ApiError as error:
        assert error.status >= 500  # noqa: PT017
    return text, whole


def test_a_killed_upstream_takes_only_what_it_had_begun(tmp_path: Path) -> None:
    running = [started(tmp_path / name) for name in ("one", "two")]
    try:
        while not all(listens(url) for _, url in running):
            time.sleep(0.02)
        named = [UpstreamSettings(f"{url}/v1", "played", key_variable="K") for _, url in running]
        fleet = open_upstreams(named, {"K": "key-a"})["played"]

        async def work() -> None:
            progress: dict[int, str] = {}
            early = [asyncio.create_task(seen(fleet, number, progress)) for number in range(24)]
            while not all(progress.values()) or len(progress) < 24:  # until every one has begun
                await asyncio.sleep(0.001)
            begun = fleet.seats[0].outstanding
            assert begun
            running[0][0].send_signal(signal.SIGKILL)
            late = [asyncio.create_task(seen(fleet, 100 + number, {})) for number in range(24)]
            found = await asyncio.gather(*early)
            assert all(TEXT.startswith(text) for text, _ in found)
            assert all(text == TEXT for text, whole in found if whole)
            assert sum(not whole for _, whole in found) == begun
            assert await asyncio.gather(*late) == [(TEXT, True)] * 24
            assert [seat.outstanding for seat in fleet.seats] == [0, 0]
            await fleet.close()

        asyncio.run(asyncio.wait_for(work(), 40))
    finally:
        for process, _ in running:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
