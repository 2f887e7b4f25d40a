"""Many people at once: streaming clients that come and go, against the same questions one by one and the engine alone.

    python benchmarks/load.py [MODEL] [--clients 200] [--seconds 300] [--leave 0.1] [--out FILE.jsonl]

Starts `axk1 serve` on MODEL (default runs/nano/model-int4). Each client asks one of 64 questions at temperature 0 and
reads the stream; one in ten leaves in the middle. Questions with a near tie on the way are left out. Every text that is
read must be, to its last byte, how the text that the same question got alone begins, and a whole one must be equal to
it. Memory of the server is read when all clients are under way and at the end, when they have gone. The engine alone
answers the same questions in this process, as many at once, before and after. Clients, server and engine share the
machine's cores: what the clients cost is told.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import Request, urlopen

import orjson
import uvloop
from machine import identity, peaks

from axk1.chat.format import ChatFormat
from axk1.chat.messages import Message
from axk1.chat.sampling import SamplingParams
from axk1.corpus.curriculum import FAMILIES
from axk1.engine.engine import Engine, Limits
from axk1.tokenizer.tokenizer import Tokenizer

QUESTIONS = 64
MOST_TOKENS = 96
HEAD = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n"
)
CLEAR = 0.05  # nats between the likeliest token and the next: closer ones may turn with how a prompt is cut into steps
_TOKENS = re.compile(rb'"completion_tokens":(\d+)')
_CONTENT = re.compile(rb'"content":("(?:[^"\\]|\\.)*")')


@dataclass
class Seen:
    """What the clients saw."""

    whole: int = 0
    left: int = 0
    tokens: int = 0
    wrong: list[str] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)


def questions() -> list[str]:
    names = [name for name in FAMILIES if name not in ("tools", "abstain")]
    rng = random.Random(0)
    return [FAMILIES[names[place % len(names)]].make(rng, "held_out").question for place in range(2 * QUESTIONS)]


def body(model: str, question: str, stream: bool) -> bytes:
    asked = {"model": model, "messages": [{"role": "user", "content": question}], "temperature": 0, "stream": stream}
    more = {"stream_options": {"include_usage": True}} if stream else {"logprobs": True, "top_logprobs": 2}
    return orjson.dumps(asked | more | {"max_tokens": MOST_TOKENS, "seed": 0})


@contextmanager
def server(model: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "axk1", "serve", str(model), "--name", "load", "--port", "0", "--lang", "en"]
        with subprocess.Popen([*command, "--folder", folder], stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            for line in process.stderr:
                if found := re.match(r"API\s+(http://\S+)/v1", line):
                    break
            else:
                raise SystemExit("the server did not begin")
            try:
                yield process, found.group(1)
            finally:
                process.terminate()
                process.communicate(timeout=60)


def alone(address: str) -> dict[str, str]:
    """Questions, and the answer to each when nobody else asks."""
    answers = {}
    for question in questions():
        request = Request(f"{address}/v1/chat/completions", body("load", question, stream=False))
        request.add_header("Content-Type", "application/json")
        with urlopen(request) as reply:
            choice = json.load(reply)["choices"][0]
        tops = [one["top_logprobs"] for one in choice["logprobs"]["content"]]
        if all(top[0]["logprob"] - top[1]["logprob"] > CLEAR for top in tops):
            answers[question] = choice["message"]["content"]
    return dict(list(answers.items())[:QUESTIONS])


async def client(
    port: int, rng: random.Random, answers: list[tuple[str, str]], stop: float, seen: Seen, leave: float
) -> None:
    while time.perf_counter() < stop:
        question, answer = answers[rng.randrange(len(answers))]
        leaves = rng.randrange(1, 20) if rng.random() < leave else 0
        await exchange(port, question, answer, leaves, seen)


async def exchange(port: int, question: str, answer: str, leaves: int, seen: Seen) -> None:
    """One stream: read to the end, or left after so many reads."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        sent = body("load", question, stream=True)
        began = last = time.perf_counter()
        writer.write(HEAD % len(sent) + sent)
        received = bytearray()
        reads = 0
        while data := await reader.read(1 << 16):
            received += data
            now = time.perf_counter()
            if b'"content":"' in data and data.count(b'"content":"') > data.count(b'"role"'):
                (seen.gaps if reads else seen.first).append(now - last if reads else now - began)
                last = now
                reads += 1
            if leaves and reads >= leaves:
                break
    finally:
        writer.close()
    judge(bytes(received), answer, whole=not data, seen=seen)


def judge(received: bytes, answer: str, whole: bool, seen: Seen) -> None:
    pieces = [orjson.loads(piece) for piece in _CONTENT.findall(received)]
    text = "".join(pieces)
    if whole and not _TOKENS.search(received):
        seen.wrong.append(f"broken off: {received[-200:]!r}")
    elif whole:
        seen.whole += 1
        seen.tokens += int(_TOKENS.findall(received)[-1])
        if text != answer or not received.rstrip(b"\r\n0").endswith(b"data: [DONE]"):
            seen.wrong.append(f"{text!r} instead of {answer!r}")
    else:
        seen.left += 1
        seen.tokens += sum(1 for piece in pieces if piece)  # at least
        if not answer.startswith(text):
            seen.wrong.append(f"{text!r} is not how {answer!r} begins")


def engine_alone(model: Path, asked: list[str], clients: int, seconds: float) -> float:
    """Tokens per second of the engine, as many requests at once, none of which leaves."""
    tokenizer = Tokenizer.load(model)
    chat = ChatFormat.of(model, tokenizer)
    assert chat is not None
    prompts = [chat.prompt([Message("user", question)]).ids for question in asked]

    async def one(engine: Engine, rng: random.Random, stop: float) -> int:
        made = 0
        params = SamplingParams(temperature=0, max_tokens=MOST_TOKENS, stop_token_ids=engine.config.special_token_ids)
        while time.perf_counter() < stop:
            async with engine.astream(prompts[rng.randrange(len(prompts))], params) as stream:
                while deltas := await stream.waiting():
                    made += len(deltas)
        return made

    async def all_of_them(engine: Engine) -> float:
        began = time.perf_counter()
        stop = began + seconds
        made = await asyncio.gather(*(one(engine, random.Random(seed), stop) for seed in range(clients)))
        return sum(made) / (time.perf_counter() - began)

    with (
        Engine.open(model, limits=Limits(max_sequences=256)) as engine,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(all_of_them(engine))  # warm
        return runner.run(all_of_them(engine))


def resident(process: subprocess.Popen[str]) -> float:
    """MB that a process holds."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024  # type: ignore[union-attr]


def cpu_of(process: subprocess.Popen[str]) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def milliseconds(times: list[float]) -> dict[str, float]:
    parts = statistics.quantiles(times, n=100)
    return {"p50": round(parts[49] * 1e3, 1), "p95": round(parts[94] * 1e3, 1), "p99": round(parts[98] * 1e3, 1)}


async def load(
    process: subprocess.Popen[str], port: int, options: argparse.Namespace, answers: dict[str, str]
) -> dict[str, object]:
    seen, pairs = Seen(), list(answers.items())
    rng = random.Random(1)
    began = time.perf_counter()
    stop = began + options.seconds
    server_cpu, own_cpu = cpu_of(process), sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    tasks = [
        asyncio.create_task(client(port, random.Random(rng.random()), pairs, stop, seen, options.leave))
        for _ in range(options.clients)
    ]
    await asyncio.sleep(options.seconds / 4)
    early = resident(process)
    await asyncio.gather(*tasks)
    took = time.perf_counter() - began
    late = resident(process)
    return {
        "clients": options.clients,
        "seconds": round(took, 1),
        "whole": seen.whole,
        "left": seen.left,
        "wrong": len(seen.wrong),
        "examples": seen.wrong[:3],
        "tokens_per_second": round(seen.tokens / took, 1),
        "first_ms": milliseconds(seen.first),
        "gap_ms": milliseconds(seen.gaps),
        "rss_mb": {"after_a_quarter": round(early), "end": round(late)},
        "cpu_cores": {
            "server": round((cpu_of(process) - server_cpu) / took, 2),
            "clients": round((sum(resource.getrusage(resource.RUSAGE_SELF)[:2]) - own_cpu) / took, 2),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", type=Path, default=Path("runs/nano/model-int4"))
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--leave", type=float, default=0.1)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    shortly = min(options.seconds, 10)
    with server(options.model) as (process, address):
        answers = alone(address)
    before = engine_alone(options.model, list(answers), options.clients, shortly)
    with server(options.model) as (process, address):
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            found = runner.run(load(process, int(address.rpartition(":")[2]), options, answers))
        idle = resident(process)
    after = engine_alone(options.model, list(answers), options.clients, shortly)
    line = {"benchmark": "load", "model": str(options.model), **found, "rss_idle_mb": round(idle)}
    line |= {"engine_alone_tokens_per_second": [round(before, 1), round(after, 1)], **peaks()}
    print(json.dumps(line, ensure_ascii=False, indent=1))
    if options.out:
        with options.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line | identity(sys.argv), ensure_ascii=False) + "\n")
    if found["wrong"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
