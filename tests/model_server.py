"""A server that plays a model for the tests: deterministic replies, and faults on demand."""

import contextlib
import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Body = dict[str, Any]
Fault = str
"""A status ("429", "500 3" with Retry-After 3), "cut" (half of the JSON), "drop" (no reply), "slow 0.5", or "" """


class ModelServer:
    """Answers POST /v1/chat/completions with `reply` of the body; `fault` says what goes wrong first, by body and try.

    asked: how often each body came; answered: how often it was answered in full. most_at_once: requests at a time.
    """

    def __init__(
        self,
        reply: Callable[[Body], str],
        fault: Callable[[Body, int], Fault] = lambda _body, _try: "",
        seconds: float = 0,
    ) -> None:
        self.reply, self.fault, self.seconds = reply, fault, seconds
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.headers: list[dict[str, str]] = []
        self.at_work = self.most_at_once = 0
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.serve(self)

            def log_message(self, *_args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        body: Body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        key = json.dumps(body, ensure_ascii=False, sort_keys=True)
        with self._lock:
            self.headers.append(dict(handler.headers))
            number = self.asked[key]
            self.asked[key] += 1
            self.at_work += 1
            self.most_at_once = max(self.most_at_once, self.at_work)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._answer(handler, body, key, self.fault(body, number))

    def _answer(self, handler: BaseHTTPRequestHandler, body: Body, key: str, fault: Fault) -> None:
        kind, _, detail = fault.partition(" ")
        if kind == "drop":
            handler.close_connection = True
            with self._lock:
                self.at_work -= 1
            return
        time.sleep(float(detail) if kind == "slow" else self.seconds)
        if kind.isdecimal():
            handler.send_response(int(kind))
            if detail:
                handler.send_header("Location" if kind.startswith("3") else "Retry-After", detail)
            data = f"overloaded {handler.headers.get('Authorization', '')}".encode()
        else:
            data = json.dumps(completion(body, self.reply(body)), ensure_ascii=False).encode()
            data = data[: len(data) // 2] if kind == "cut" else data
            handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        with self._lock:
            self.at_work -= 1  # from here on the client may already send its next one
        handler.wfile.write(data)
        if not kind.isdecimal() and kind != "cut":
            with self._lock:
                self.answered[key] += 1

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def completion(body: Body, text: str) -> dict[str, Any]:
    """As of the chat API; a token is three characters."""
    sent = sum(len(message["content"]) for message in body["messages"])
    cut = text[: 3 * body["max_tokens"]]
    usage = {"prompt_tokens": sent // 3, "completion_tokens": -(-len(cut) // 3)}
    message = {"role": "assistant", "content": cut}
    finish = "length" if len(cut) < len(text) else "stop"
    return {"model": "played-model-1", "choices": [{"message": message, "finish_reason": finish}], "usage": usage}


def drawn(body: Body, count: int) -> int:
    """A number below `count` that depends on the whole body."""
    digest = hashlib.blake2b(json.dumps(body, sort_keys=True).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") % count
