"""Pages as pictures to a vision model: tries, budget and cache, against a server of our own."""

import base64
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import make_files as make

from axk1.corpus.formats.vision import Vision
from axk1.corpus.readers import read
from axk1.corpus.source import Source
from axk1.corpus.streams import CorpusError


class Endpoint:
    """Answers with the next of `replies`: (status, text, reason for the end)."""

    def __init__(self, replies):
        self.replies, self.asked = list(replies), []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                outer.asked.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
                status, text, reason = outer.replies.pop(0)
                body = json.dumps({"choices": [{"message": {"content": text}, "finish_reason": reason}]}).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def pdf(tmp_path):
    make.write_pdf(tmp_path / "a.pdf", make.bodies(1)[0], columns=1)
    return tmp_path / "a.pdf"


def _read(pdf: Path, endpoint: Endpoint, **settings):
    url = f"http://127.0.0.1:{endpoint.server.server_port}/v1"
    options = {"model": "m", "cache": str(pdf.parent / "cache"), "first_wait": 0.01, "dots_per_inch": 36, **settings}
    return list(read(Source(str(pdf), vision=Vision(url, **options)), lambda document, reason: None))


def test_a_page_goes_as_a_picture_and_is_asked_for_once(pdf):
    with Endpoint([(503, "", ""), (200, "첫 쪽", "stop"), (200, "다음", "stop"), (200, "끝", "stop")]) as endpoint:
        (first,) = _read(pdf, endpoint)
        count = len(endpoint.asked)
        (second,) = _read(pdf, endpoint)
    assert first.text == second.text
    assert first.text.startswith("첫 쪽")
    assert len(endpoint.asked) == count >= 2
    path, body = endpoint.asked[0]
    picture = body["messages"][0]["content"][0]["image_url"]["url"]
    assert path == "/v1/chat/completions"
    assert base64.b64decode(picture.partition(",")[2]).startswith(b"\x89PNG\r\n")


@pytest.mark.parametrize(
    ("replies", "settings", "reason", "asked"),
    [
        ([(401, "", "")], {}, "after 1 try", 1),
        ([(500, "", "")] * 2, {"tries": 2}, "after 2 tries", 2),
        ([(200, "반", "length")], {}, "cut off", 1),
    ],
)
def test_a_refusal_is_final_and_half_an_answer_is_none(pdf, replies, settings, reason, asked):
    with Endpoint(replies) as endpoint:
        with pytest.raises(CorpusError, match=reason):
            _read(pdf, endpoint, **settings)
        assert len(endpoint.asked) == asked


def test_a_spent_budget_stops_before_asking(pdf):
    (pdf.parent / "cache").mkdir()
    (pdf.parent / "cache" / "old.txt").write_text("")
    with Endpoint([]) as endpoint:
        with pytest.raises(CorpusError, match="budget of 1 pages is spent"):
            _read(pdf, endpoint, page_budget=1)
        assert endpoint.asked == []


def test_settings_that_cannot_be_meant_are_errors():
    with pytest.raises(ValueError, match="url must begin with http"):
        Vision("file:///etc/passwd", "m", "c")
    with pytest.raises(ValueError, match="tries must be above 0"):
        Vision("http://a", "m", "c", tries=0)
