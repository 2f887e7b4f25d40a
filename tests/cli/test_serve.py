"""`axk1 serve` as a process: it begins, answers, stops, and says in one line why it cannot."""

import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

pytest.importorskip("fastapi")
AXK1 = [sys.executable, "-m", "axk1", "serve"]


@contextlib.contextmanager
def served(*arguments: object, folder: Path) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    command = [*AXK1, *map(str, arguments), "--port", "0", "--folder", str(folder), "--lang", "en"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if found := re.match(r"API\s+(http://\S+)/v1", line):
                break
        else:
            raise AssertionError("".join(said))
        try:
            yield process, found.group(1)
        finally:
            process.kill()


def refused(*arguments: object) -> str:
    done = subprocess.run([*AXK1, *map(str, arguments), "--lang", "en"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def post(url: str, key: str = "", **fields: Any) -> Any:
    request = Request(url, json.dumps(fields).encode(), {"Content-Type": "application/json"})
    if key:
        request.add_header("Authorization", f"Bearer {key}")
    with urlopen(request, timeout=30) as reply:
        return json.load(reply)


def test_a_model_is_served_and_stops_when_told(small_int4: Path, tmp_path: Path) -> None:
    with served(small_int4, "--name", "small", folder=tmp_path) as (process, url):
        with urlopen(f"{url}/ready") as reply:
            assert json.load(reply) == {"status": "ready"}
        found = post(f"{url}/v1/completions", model="small", prompt="거실", max_tokens=4, temperature=0)
        assert found["usage"]["completion_tokens"] == 4
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_a_running_stream_is_finished_or_told(small_int4: Path, tmp_path: Path) -> None:
    with served(small_int4, "--name", "small", "limits.grace_seconds=0.2", folder=tmp_path) as (process, url):
        host, port = url.removeprefix("http://").split(":")
        body = json.dumps(
            {"model": "small", "prompt": "거실", "max_tokens": 500, "ignore_eos": True, "n": 64, "stream": True}
        ).encode()
        head = f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        head += "Content-Type: application/json\r\n\r\n"
        with socket.create_connection((host, int(port)), timeout=60) as connection:
            connection.sendall(head.encode() + body)
            received = connection.recv(1 << 16)
            process.send_signal(signal.SIGTERM)
            while data := connection.recv(1 << 16):
                received += data
        assert b"data: [DONE]" in received or b"the server stops" in received
        assert process.wait(30) == 0


def test_keys_are_asked_for_and_every_request_has_its_row_after_a_kill(small_int4: Path, tmp_path: Path) -> None:
    def admin(*arguments: str) -> Any:
        command = [sys.executable, "-m", "axk1", "admin", *arguments, "--folder", str(tmp_path), "--json"]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    key = admin("key", "create", "first")["key"]
    for _ in range(2):
        with served(small_int4, "--name", "small", "--keys", folder=tmp_path) as (process, url):
            with pytest.raises(HTTPError, match="401"):
                post(f"{url}/v1/completions", model="small", prompt="거실")
            for _ in range(3):
                post(f"{url}/v1/completions", key, model="small", prompt="거실", max_tokens=2)
            process.kill()
    rows = admin("usage")
    assert sum(row["requests"] for row in rows) == 6


def test_a_first_key_made_while_the_server_runs_counts_under_every_name(tmp_path: Path) -> None:
    with served("--upstream", "http://127.0.0.1:9/v1", "--model", "m", "--keys", folder=tmp_path) as (_, url):
        command = [sys.executable, "-m", "axk1", "admin", "key", "create", "first", "--folder", str(tmp_path), "--json"]
        key = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["key"]
        named = {"Host": "chat.example", "Authorization": f"Bearer {key}"}
        with urlopen(Request(f"{url}/v1/models", headers=named)) as reply:
            assert reply.status == 200


def test_what_cannot_be_is_said_in_one_line(small_int4: Path, tmp_path: Path) -> None:
    assert "no model folder" in refused(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "cannot listen" in refused(small_int4, "--port", taken.getsockname()[1], "--folder", tmp_path)
    assert "no API key keeps them out" in refused(small_int4, "--host", "0.0.0.0", "--port", 0, "--folder", tmp_path)
    recipe = tmp_path / "serve.toml"
    recipe.write_text('model = "m"\nprot = 1\n', encoding="utf-8")
    assert "prot" in refused(recipe)
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    assert str(tmp_path) in refused(tmp_path, "--port", 0, "--folder", tmp_path / "serve")
    assert "from 0 to 65535" in refused(small_int4, "--port", 70000)
    assert "--model goes with --upstream" in refused(small_int4, "--model", "other")
    assert "--upstream needs --model" in refused("--upstream", "http://127.0.0.1:9/v1")


def test_alive_before_ready(small_int4: Path, tmp_path: Path) -> None:
    """While the model is opened the port answers: alive, not ready."""
    from axk1.server.run import run
    from axk1.server.settings import ServeSettings

    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        f"from {run.__module__} import run\n"
        f"from {ServeSettings.__module__} import ServeSettings\n"
        "def slow():\n    time.sleep(60)\n"
        "run(ServeSettings(port=int(sys.argv[1]), folder=Path(sys.argv[2])), slow, print)\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with subprocess.Popen([sys.executable, "-c", program, str(port), str(tmp_path)]) as process:
        try:
            for _ in range(300):
                with contextlib.suppress(OSError), urlopen(f"http://127.0.0.1:{port}/health") as reply:
                    assert reply.status == 200
                    break
                time.sleep(0.05)
            with pytest.raises(HTTPError, match="503"):
                urlopen(f"http://127.0.0.1:{port}/ready")
            with pytest.raises(HTTPError, match="503"):
                urlopen(f"http://127.0.0.1:{port}/v1/models")
        finally:
            process.kill()
