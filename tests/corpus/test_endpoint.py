"""Tries, waits and the key, against a server of our own."""

import threading
import time
from email.utils import formatdate

import pytest

from axk1.corpus.endpoint import Endpoint, EndpointError, post
from axk1.corpus.streams import CorpusError
from model_server import ModelServer

BODY = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "안녕"}]}
SECRET = "sk-only-for-this-test"


def text(reply):
    return reply["choices"][0]["message"]["content"]


def ask(server, **settings):
    return post(Endpoint(server.url, **{"first_wait": 0.01, **settings}), "/chat/completions", BODY, text)


@pytest.mark.parametrize("fault", ["429", "500", "503 0.01", "cut", "drop"])
def test_what_may_pass_is_asked_again(fault):
    with ModelServer(lambda _: "네", lambda _, number: fault if number < 2 else "") as server:
        assert ask(server) == "네"
        assert sum(server.asked.values()) == 3


@pytest.mark.parametrize("status", [400, 401, 404, 422])
def test_what_will_not_pass_is_asked_once(status):
    with ModelServer(lambda _: "", lambda *_: str(status)) as server:
        with pytest.raises(EndpointError, match=f"/chat/completions: no answer after 1 try .*{status}") as error:
            ask(server)
        assert error.value.status == status
        assert sum(server.asked.values()) == 1


def test_tries_come_to_an_end_and_a_slow_answer_is_none():
    with ModelServer(lambda _: "네", lambda *_: "slow 1") as server:
        with pytest.raises(EndpointError, match=r"no answer after 2 tries .*timed out"):
            ask(server, tries=2, timeout=0.1)
        assert sum(server.asked.values()) == 2


@pytest.mark.parametrize("wait", ["0.3", "date"])
def test_the_endpoint_says_how_long_to_wait(wait):
    def fault(_, number):
        asked = formatdate(time.time() + 2, usegmt=True) if wait == "date" else wait
        return f"429 {asked}" if number == 0 else ""

    with ModelServer(lambda _: "네", fault) as server:
        began = time.monotonic()
        assert ask(server) == "네"
        assert time.monotonic() - began >= 0.3


def test_an_endpoint_that_asks_for_an_hour_is_left():
    with (
        ModelServer(lambda _: "네", lambda *_: "429 3600") as server,
        pytest.raises(EndpointError, match="after 1 try"),
    ):
        ask(server)


def test_waiting_ends_when_it_is_told_to():
    stop = threading.Event()
    with ModelServer(lambda _: "네", lambda *_: "500") as server:
        threading.Timer(0.2, stop.set).start()
        began = time.monotonic()
        with pytest.raises(EndpointError):
            post(Endpoint(server.url, first_wait=30), "/chat/completions", BODY, text, stop)
        assert time.monotonic() - began < 10


def test_the_key_stands_in_its_header_and_nowhere_else(monkeypatch):
    monkeypatch.setenv("THE_KEY", SECRET + "\n")  # as a shell's $(cat file) may leave it
    with ModelServer(lambda _: "네", lambda _, number: "401" if number else "") as server:
        assert ask(server, key_variable="THE_KEY") == "네"
        assert server.headers[0]["Authorization"] == f"Bearer {SECRET}"
        with pytest.raises(EndpointError, match=r"overloaded Bearer \*\*\*") as error:
            ask(server, key_variable="THE_KEY")
        assert SECRET not in repr(error.value)


@pytest.mark.parametrize(("value", "message"), [("", "holds no key"), (f"{SECRET}\nX: y", "cannot be a key")])
def test_a_key_that_is_none_is_named_by_its_variable(monkeypatch, value, message):
    monkeypatch.setenv("THE_KEY", value)
    with ModelServer(lambda _: "네") as server:
        with pytest.raises(CorpusError, match=f"THE_KEY {message}|what THE_KEY holds {message}") as error:
            ask(server, key_variable="THE_KEY")
        assert not server.asked
        assert SECRET not in str(error.value)


def test_a_redirect_does_not_carry_the_key_away(monkeypatch):
    monkeypatch.setenv("THE_KEY", SECRET)
    with ModelServer(lambda _: "네") as other:
        away = ModelServer(lambda _: "", lambda *_: f"302 {other.url}/chat/completions")
        with away as server, pytest.raises(EndpointError, match="302"):
            ask(server, key_variable="THE_KEY")
        assert not other.headers


def test_an_answer_that_the_caller_finds_wrong_for_good_is_not_asked_for_again():
    def read(_reply):
        raise CorpusError("cut off")

    with ModelServer(lambda _: "네") as server:
        with pytest.raises(CorpusError, match="cut off"):
            post(Endpoint(server.url), "/chat/completions", BODY, read)
        assert sum(server.asked.values()) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"url": "file:///etc/passwd"}, "url must begin"), ({"url": "http://a", "tries": 0}, "tries must be above 0")],
)
def test_settings_that_cannot_be_meant(settings, message):
    with pytest.raises(ValueError, match=message):
        Endpoint(**settings)
