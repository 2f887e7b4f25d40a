"""Our server beside vLLM's on the same checkpoint and load: first token, gaps, throughput, interleaved in one run.

    python benchmarks/serve.py [PRESET] [--streams 1 16] [--rounds 5] [--only NAME…] [--out FILE.jsonl] [--smoke]

PRESET (default mini) gets random weights and a tokenizer of the whole vocabulary. Every contender is started once; in
each round all take their turn on the same prompts of some 128 tokens, which they have not seen before, 64 tokens each,
while the others are stopped. The client is one process that reads raw sockets; what it costs is told. vLLM comes from
the environment that benchmarks/peers/vllm.sh makes.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import random
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import orjson
import torch
from engine_contenders import vllm_environment
from machine import identity, peaks

from axk1.arch import preset
from axk1.chat import template
from axk1.export.huggingface import save
from axk1.model.transformer import Transformer
from axk1.tokenizer.train import train

WORDS = 64  # of a prompt: some two tokens each
NEW = 64
STARTING_SECONDS = 300


def words(rng: random.Random, count: int) -> list[str]:
    """Two Hangul syllables each."""
    return ["".join(chr(0xAC00 + rng.randrange(11172)) for _ in range(2)) for _ in range(count)]


def make(name: str, folder: Path) -> Path:
    """Random weights of a preset with a tokenizer that knows as many tokens."""
    if folder.exists():
        return folder
    torch.manual_seed(0)
    config = preset(name)
    rng = random.Random(0)
    known = words(rng, 2 * config.vocab_size)
    tokenizer = train([" ".join(known[at : at + 50]) for at in range(0, len(known), 50)] * 3, config.vocab_size)
    state = Transformer(config).state_dict()
    save(state, config, folder, tokenizer.files() | template.files(), dtype=torch.bfloat16)
    return folder


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


class Contender:
    """A server in a process group of its own, which can be stopped and go on."""

    def __init__(self, name: str, command: Sequence[str], port: int, environment: dict[str, str], log: Path) -> None:
        self.name, self.port = name, port
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command, env=os.environ | environment, stdout=output, stderr=output, start_new_session=True
            )
        self._log = log

    def wait(self) -> None:
        until = time.monotonic() + STARTING_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            try:
                with urlopen(f"http://127.0.0.1:{self.port}/v1/models") as reply:
                    self.model = json.load(reply)["data"][0]["id"]
                    return
            except (URLError, OSError):
                time.sleep(0.2)
        raise SystemExit(f"{self.name} did not begin: see {self._log}")

    def signal(self, number: int) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)


def ours(folder: Path, log: Path, state: Path) -> Contender:
    port = free_port()
    command = [sys.executable, "-m", "axk1", "serve", str(folder), "--port", str(port), "--folder", str(state)]
    return Contender("ours", command, port, {}, log)


def vllm(folder: Path, log: Path, environments: Path, threads: int) -> Contender:
    port = free_port()
    python = environments / "vllm/bin/python"
    if not python.exists():
        raise SystemExit(f"no {python}: run benchmarks/peers/vllm.sh, or --only ours")
    # its command `vllm` asks for a package of that name, which the CPU build has not
    command = [str(python), "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder), "--port", str(port)]
    command += ["--host", "127.0.0.1", "--dtype", "bfloat16", "--gpu-memory-utilization", "0.5"]
    command += ["--max-model-len", "1024", "--no-enable-prefix-caching"]
    # its own kernel turns the wrong pairs for this family
    command += ["--compilation-config", '{"custom_ops": ["-rotary_embedding"]}']
    environment = vllm_environment(threads) | {"VLLM_ENABLE_V1_MULTIPROCESSING": "1"}
    preload = (environments / "vllm/lib/libiomp5.so").resolve()
    if preload.exists():
        environment["LD_PRELOAD"] = str(preload)
    return Contender("vLLM", command, port, environment, log)


@contextmanager
def running(contenders: list[Contender]) -> Iterator[None]:
    try:
        for one in contenders:
            one.wait()
            one.signal(signal.SIGSTOP)
        yield
    finally:
        for one in contenders:
            one.signal(signal.SIGCONT)
            one.signal(signal.SIGTERM)
        for one in contenders:
            try:
                one.process.wait(20)
            except subprocess.TimeoutExpired:
                one.signal(signal.SIGKILL)


async def exchange(contender: Contender, prompt: str) -> list[float]:
    """When each piece of text came, in seconds from the request."""
    asked: dict[str, Any] = {"model": contender.model, "prompt": prompt, "max_tokens": NEW, "temperature": 0}
    body = orjson.dumps(asked | {"stream": True, "ignore_eos": True, "stream_options": {"include_usage": True}})
    reader, writer = await asyncio.open_connection("127.0.0.1", contender.port)
    began = time.perf_counter()
    head = (
        b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
    )
    writer.write(head % len(body) + b"Connection: close\r\n\r\n" + body)
    times, received = [], bytearray()
    while data := await reader.read(1 << 16):
        received += data
        if b'"text":' in data:
            times.append(time.perf_counter() - began)
    writer.close()
    if b"data: [DONE]" not in received or b'"completion_tokens":%d' % NEW not in received:
        raise SystemExit(f"{contender.name} answered: {received[:500]!r}")
    return times


async def at_once(contender: Contender, prompts: Sequence[str]) -> tuple[float, list[list[float]]]:
    began = time.perf_counter()
    times = await asyncio.gather(*(exchange(contender, prompt) for prompt in prompts))
    return time.perf_counter() - began, times


def turn(contender: Contender, prompts: Sequence[str]) -> dict[str, float]:
    """One contender's turn on these prompts; milliseconds, tokens per second."""
    contender.signal(signal.SIGCONT)
    cpu = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    took, times = asyncio.run(at_once(contender, prompts))
    cpu = sum(resource.getrusage(resource.RUSAGE_SELF)[:2]) - cpu
    contender.signal(signal.SIGSTOP)
    first = sorted(one[0] for one in times)
    gaps = sorted(later - sooner for one in times for sooner, later in itertools.pairwise(one))
    return {
        "first_p50": 1e3 * statistics.median(first),
        "first_p95": 1e3 * first[int(0.95 * (len(first) - 1))],
        "gap_p50": 1e3 * statistics.median(gaps),
        "gap_p95": 1e3 * gaps[int(0.95 * (len(gaps) - 1))],
        "tokens_per_second": NEW * len(prompts) / took,
        "client_cores": cpu / took,
    }


def measure(contenders: list[Contender], streams: int, rounds: int) -> dict[str, list[dict[str, float]]]:
    found: dict[str, list[dict[str, float]]] = {one.name: [] for one in contenders}
    for number in range(-1, rounds):  # the first one warms up
        rng = random.Random(1000 * streams + number)
        prompts = [" ".join(words(rng, WORDS)) for _ in range(streams)]
        for one in contenders:
            result = turn(one, prompts)
            if number >= 0:
                found[one.name].append(result)
                print(streams, number, one.name, {name: round(value, 1) for name, value in result.items()}, flush=True)
    return found


def summary(found: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Best and median of each figure, and ours against the others: above 1 is ahead."""
    lines: dict[str, Any] = {}
    for name, rounds in found.items():
        for figure in rounds[0]:
            values = [one[figure] for one in rounds]
            best = max(values) if figure == "tokens_per_second" else min(values)
            lines.setdefault(name, {})[figure] = {"best": round(best, 2), "median": round(statistics.median(values), 2)}
    for name in found:
        if name != "ours" and "ours" in found:
            lines[f"ours / {name}"] = {
                figure: {
                    kind: round(_ahead(figure, lines["ours"][figure][kind], lines[name][figure][kind]), 2)
                    for kind in ("best", "median")
                }
                for figure in lines[name]
                if figure != "client_cores"
            }
    return lines


def _ahead(figure: str, mine: float, other: float) -> float:
    return mine / other if figure == "tokens_per_second" else other / mine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", nargs="?", default="mini")
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=["ours", "vLLM"], default=["ours", "vLLM"])
    parser.add_argument("--environments", type=Path, default=Path("runs/peers"))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--smoke", action="store_true", help="nano, one round: does it run at all?")
    options = parser.parse_args()
    if options.smoke:
        options.preset, options.streams, options.rounds = "nano", [4], 1
    threads = torch.get_num_threads()
    measured = peaks()
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        place = Path(scratch)
        folder = make(options.preset, Path("runs/benchmarks") / f"serve-{options.preset}")
        starts = {
            "ours": lambda: ours(folder, place / "ours.log", place / "state"),
            "vLLM": lambda: vllm(folder, Path("runs/benchmarks/vllm-serve.log"), options.environments, threads),
        }
        contenders = [starts[name]() for name in options.only]
        stack.enter_context(running(contenders))
        for streams in options.streams:
            line = {"benchmark": "serve", "preset": options.preset, "streams": streams, "new": NEW, **measured}
            line |= summary(measure(contenders, streams, options.rounds))
            print(json.dumps(line, indent=1))
            if options.out:
                with options.out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line | identity(sys.argv)) + "\n")


if __name__ == "__main__":
    main()
