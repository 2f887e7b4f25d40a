"""/v1/batches by OpenAI's client: what is asked is answered once, whatever happens meanwhile."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import httpx
import openai
import pytest
from fastapi import FastAPI
from openai.types import Batch
from sqlalchemy.exc import OperationalError

from axk1.server.access import Caller, Ticket
from axk1.server.batches import lines, routes
from axk1.server.batches.asking import Lane
from axk1.server.batches.book import Book
from axk1.server.batches.partial import Partial, Result
from axk1.server.calls import ChatCall, Event
from axk1.server.errors import ApiError, bad_request, overloaded
from axk1.server.gateway import Gateway, Origin
from server.batch_server import application
from server.played import PlayedProvider, talk
from server.serving import AppOf, NamedGate, listening, parts_in

ENDED = {"completed", "failed", "cancelled", "expired"}


def line(name: str, content: str = "안녕", **changes: object) -> str:
    body = {"model": "played", "messages": [{"role": "user", "content": content}]}
    record = {"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": body}
    return json.dumps(record | changes, ensure_ascii=False)


class Model:
    """Repeats what it is told; "fail" fails, "busy" is refused twice, "wait" never ends."""

    def __init__(self) -> None:
        self.refusals = 2

    def script(self, call: ChatCall) -> Sequence[Event | ApiError]:
        word = call.messages[-1].content
        if word == "fail":
            return [bad_request("no such thing")]
        if word == "busy" and self.refusals:
            self.refusals -= 1
            return [overloaded("later", retry_after=0)]
        return talk(call)


class SlowOnWait(PlayedProvider):
    async def chat(self, call: ChatCall) -> object:
        if call.messages[-1].content == "wait":
            await asyncio.Event().wait()
        return await super().chat(call)


class BatchApp(AppOf):
    @contextlib.asynccontextmanager
    async def __call__(self) -> AsyncIterator[FastAPI]:
        async with parts_in(self.folder, self.provider, self.gate, self.settings) as parts:
            yield application(parts)

    gate: NamedGate | None = None


class NotingGate(NamedGate):
    """Keeps who was admitted."""

    def __init__(self) -> None:
        self.admitted: list[Caller] = []

    async def admit(self, caller: Caller, request_id: str, endpoint: str, model: str, tokens: int) -> Ticket:
        self.admitted.append(caller)
        return await super().admit(caller, request_id, endpoint, model, tokens)


GATE = NotingGate()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    app = BatchApp(tmp_path_factory.mktemp("serve"), SlowOnWait(Model().script))
    app.gate = GATE
    with listening(app) as url:
        yield url, app.folder


@pytest.fixture
def client(server: tuple[str, Path], request: pytest.FixtureRequest) -> Iterator[openai.OpenAI]:
    key = f"key-{request.node.name[:60]}"
    with openai.OpenAI(base_url=server[0] + "/v1", api_key=key, max_retries=0) as made:
        yield made


def begin(client: openai.OpenAI, text: str) -> Batch:
    file = client.files.create(file=("in.jsonl", text.encode()), purpose="batch")
    return client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"이름": "시험"}
    )


def until(client: openai.OpenAI, batch: Batch, right: Callable[[Batch], bool]) -> Batch:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        now = client.batches.retrieve(batch.id)
        if right(now):
            return now
        time.sleep(0.05)
    raise AssertionError(now)


def ended(client: openai.OpenAI, batch: Batch) -> Batch:
    return until(client, batch, lambda now: now.status in ENDED)


def records(client: openai.OpenAI, file_id: str | None) -> dict[str, dict]:
    assert file_id is not None
    found = [json.loads(one) for one in client.files.content(file_id).read().decode().strip().split("\n")]
    assert len({one["custom_id"] for one in found}) == len(found)
    return {one["custom_id"]: one for one in found}


def test_every_line_is_answered_or_named(client: openai.OpenAI) -> None:
    batch = begin(client, "\n".join([line("가", "하나 둘"), line("나", "fail"), "", line("다", "busy")]))
    assert (batch.status, batch.metadata) == ("validating", {"이름": "시험"})
    done = ended(client, batch)
    assert done.status == "completed"
    assert done.request_counts is not None
    assert done.request_counts.model_dump() == {"total": 3, "completed": 2, "failed": 1}
    assert done.model == "played"
    assert done.usage is not None
    assert (done.usage.input_tokens, done.usage.output_tokens, done.usage.total_tokens) == (3, 3, 6)
    answers = records(client, done.output_file_id)
    assert answers.keys() == {"가", "다"}
    reply = answers["가"]["response"]
    assert (reply["status_code"], reply["body"]["choices"][0]["message"]["content"]) == (200, "하나 둘")
    errors = records(client, done.error_file_id)
    assert errors["나"]["response"]["status_code"] == 400
    assert errors["나"]["response"]["body"]["error"]["message"] == "no such thing"
    assert client.files.retrieve(done.output_file_id or "").purpose == "batch_output"
    assert [one.id for one in client.batches.list()] == [batch.id]


def test_it_asks_in_its_owners_name(client: openai.OpenAI) -> None:
    ended(client, begin(client, line("a")))
    mine = [one for one in GATE.admitted if one.key_id == client.api_key]
    assert mine == [Caller(client.api_key, "house", client.api_key.removeprefix("key-"))]


def test_nothing_is_null_that_may_not_be(client: openai.OpenAI, server: tuple[str, Path]) -> None:
    batch = begin(client, line("a"))
    ended(client, batch)
    headers = {"Authorization": f"Bearer {client.api_key}"}
    raw = httpx.get(f"{server[0]}/v1/batches/{batch.id}", headers=headers).json()
    assert None not in raw.values()
    assert raw["object"] == "batch"
    empty = httpx.get(f"{server[0]}/v1/batches", headers={"Authorization": "Bearer key-nobody"}).json()
    assert empty == {"object": "list", "data": [], "has_more": False}


def test_lists_have_pages(client: openai.OpenAI) -> None:
    made = [begin(client, line("a")).id for _ in range(3)]
    assert [one.id for one in client.batches.list(limit=2)] == made[::-1]


WRONG = {
    "no json": ("{", "invalid_json_line"),
    "no object": ("[]", "invalid_json_line"),
    "deep": ('{"custom_id":"a","body":' + '{"a":' * 400 + "1" + "}" * 401, "invalid_json_line"),
    "no id": (line(""), "invalid_custom_id"),
    "get": (line("p", method="GET"), "invalid_method"),
    "other url": (line("q", url="/v1/embeddings"), "mismatched_url"),
    "no body": (line("r", body=[]), "invalid_body"),
    "other model": (line("s", body={"model": "other"}), "model_not_found"),
    "stream": (line("t", body={"model": "played", "stream": True}), "stream_not_supported"),
    "field": (line("u", priority=1), "unknown_parameter"),
    "twice": (line("good"), "duplicate_custom_id"),
}


def test_wrong_lines_are_all_named(client: openai.OpenAI) -> None:
    text = "\n".join([line("good"), *(wrong for wrong, _ in WRONG.values())])
    done = ended(client, begin(client, text))
    assert done.status == "failed"
    assert done.failed_at is not None
    assert done.errors is not None
    found = [(one.line, one.code) for one in done.errors.data or []]
    assert found == [(place + 2, code) for place, (_, code) in enumerate(WRONG.values())]
    assert done.output_file_id is None


def rules(**changes: object) -> lines.Rules:
    return replace(lines.Rules("/v1/chat/completions", ("played",), 1000), **changes)


def test_a_file_may_be_empty_too_long_or_begin_with_a_mark(tmp_path: Path) -> None:
    file = tmp_path / "in"
    file.write_text("\n \n")
    assert [one.code for one in lines.check(file, rules()).errors] == ["empty_file"]
    file.write_text(line("a") + "\n" + line("b", "x" * 2000) + "\n" + line("c"))
    assert [(one.code, one.line) for one in lines.check(file, rules()).errors] == [("line_too_long", 2)]
    file.write_bytes(b"\xef\xbb\xbf" + line("a").encode() + b"\r\n")
    assert lines.check(file, rules()) == lines.Checked(1, "played", ())
    file.write_text("\n".join(line(str(place)) for place in range(lines.MOST_LINES + 1)))
    assert [one.code for one in lines.check(file, rules()).errors] == ["too_many_requests"]


def test_only_a_batch_file_of_the_own_project_begins_a_batch(client: openai.OpenAI) -> None:
    file = client.files.create(file=("a", b"x"), purpose="user_data")
    with pytest.raises(openai.BadRequestError, match="purpose") as failure:
        client.batches.create(input_file_id=file.id, endpoint="/v1/completions", completion_window="24h")
    assert failure.value.param == "input_file_id"
    mine = client.files.create(file=("a", b"x"), purpose="batch")
    other = client.with_options(api_key="key-other")
    with pytest.raises(openai.NotFoundError):
        other.batches.create(input_file_id=mine.id, endpoint="/v1/completions", completion_window="24h")
    batch = begin(client, line("a"))
    for ask in (other.batches.retrieve, other.batches.cancel):
        with pytest.raises(openai.NotFoundError):
            ask(batch.id)
    assert not other.batches.list().data


def test_a_cancelled_batch_keeps_what_was_answered(client: openai.OpenAI, server: tuple[str, Path]) -> None:
    batch = begin(client, "\n".join([line("a"), line("b", "wait"), line("c")]))
    until(client, batch, lambda now: now.request_counts is not None and now.request_counts.completed == 2)
    assert client.batches.cancel(batch.id).status in ("cancelling", "cancelled")
    done = ended(client, batch)
    assert done.status == "cancelled"
    assert done.cancelling_at is not None
    assert done.cancelled_at is not None
    assert records(client, done.output_file_id).keys() == {"a", "c"}
    assert records(client, done.error_file_id)["b"]["error"]["code"] == "batch_cancelled"
    assert not list((server[1] / "batches").glob("batch_*"))
    assert client.batches.cancel(batch.id).status == "cancelled"


def test_what_is_late_expires(client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "_WINDOW_SECONDS", 0)
    done = ended(client, begin(client, "\n".join([line("a"), line("b", "wait")])))
    assert done.status == "expired"
    assert done.expired_at is not None
    assert records(client, done.output_file_id).keys() == {"a"}
    assert records(client, done.error_file_id)["b"]["error"]["code"] == "batch_expired"


def test_a_database_that_is_away_stops_no_request(client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> str:
        raise OperationalError("UPDATE", {}, ConnectionError())

    monkeypatch.setattr(Book, "count", away)
    admitted = len(GATE.admitted)
    done = ended(client, begin(client, "\n".join(line(str(place)) for place in range(20))))
    assert (done.status, len(GATE.admitted) - admitted) == ("completed", 20)


def test_a_viewer_may_not_use_them(client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    async def viewer(_gate: object, key: str) -> Caller:
        return Caller(key, "house", "p", "viewer")

    monkeypatch.setattr(NamedGate, "identify", viewer)
    for ask in (client.files.list, client.batches.list):
        with pytest.raises(openai.PermissionDeniedError):
            ask()


def test_a_completed_batch_cannot_be_cancelled(client: openai.OpenAI) -> None:
    batch = begin(client, line("a"))
    ended(client, batch)
    with pytest.raises(openai.ConflictError):
        client.batches.cancel(batch.id)


def test_the_input_may_be_deleted_when_the_batch_has_begun(client: openai.OpenAI) -> None:
    batch = begin(client, line("a"))
    client.files.delete(batch.input_file_id)
    assert ended(client, batch).status == "completed"


def test_a_result_that_was_cut_off_is_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "partial"
    begun = Partial.open(path)
    begun.add(Result(1, ok=True, record={"a": "가"}))
    begun.add(Result(3, ok=False, record={}))
    begun.close()
    begun.add(Result(4, ok=True, record={}))
    whole = path.read_bytes()
    for cut in (1, 10, 100_000):
        path.write_bytes(whole + (b'{"line":2,"ok":true,"record":{"a":"' + b"x" * 200_000)[:cut])
        again = Partial.open(path)
        assert (again.done, again.completed, again.failed) == ({1, 3}, 1, 1)
        again.close()
        assert path.read_bytes() == whole


def test_batches_give_way_to_whoever_waits() -> None:
    async def run() -> None:
        gateway = Gateway({"played": PlayedProvider(lambda call: [])}, NamedGate())
        lane = Lane(gateway, 3)
        origin = Origin(Caller("k", "o", "p"), "/v1/chat/completions", "req_1")
        interactive = await gateway.chat(origin, ChatCall("played", ()))
        assert gateway.interactive == 1
        background = await gateway.chat(replace(origin, request_id="req_2", background=True), ChatCall("played", ()))
        assert gateway.interactive == 1
        async with lane:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(lane.__aenter__(), 0.2)
            await interactive.aclose()
            assert gateway.interactive == 0
            async with lane, lane:
                pass
        await background.aclose()

    asyncio.run(run())


class Killed:
    """The server in a process of its own."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, str(Path(__file__).with_name("batch_server.py")), str(folder)]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}/v1"

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def test_kill_9_loses_no_answer_and_asks_for_none_twice(tmp_path: Path) -> None:
    names = [str(place) for place in range(300)]
    server = Killed(tmp_path)
    with openai.OpenAI(base_url=server.url, api_key="key-blue") as client:
        batch = begin(client, "\n".join(line(name, name) for name in names))
        until(client, batch, lambda now: now.request_counts is not None and now.request_counts.completed > 20)
    server.kill()
    partial = next((tmp_path / "batches").glob("*.partial.jsonl")).read_bytes()
    kept = {json.loads(one)["record"]["custom_id"] for one in partial.split(b"\n")[:-1]}
    server = Killed(tmp_path)
    try:
        with openai.OpenAI(base_url=server.url, api_key="key-blue") as client:
            done = ended(client, batch)
            assert done.status == "completed"
            assert records(client, done.output_file_id).keys() == set(names)
            assert done.error_file_id is None
    finally:
        server.kill()
    asked = Counter((tmp_path / "asked.txt").read_text().split())
    assert 20 < len(kept) < 300
    assert {asked[name] for name in kept} == {1}
    assert sum(asked.values()) <= 300 + 8  # only what was under way was asked again
