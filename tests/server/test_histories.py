"""The web chat's conversations: kept for a key, searched in Korean, never overwritten by mistake, marked as AI's."""

import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from axk1.server.errors import ApiError
from axk1.server.histories import tree
from axk1.server.language import preferred
from axk1.server.settings import LimitSettings, NoticeSettings, ServeSettings
from server.serving import AppOf, listening

SETTINGS = ServeSettings(
    limits=LimitSettings(key_history_bytes=20_000, json_depth=32), notice=NoticeSettings(operator="시험 회사")
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with listening(AppOf(tmp_path_factory.mktemp("serve"), settings=SETTINGS)) as url:
        yield url


@pytest.fixture
def web(server: str, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    headers = {"Authorization": "Bearer key-" + "".join(one for one in request.node.name if one.isalnum())[:60]}
    with httpx.Client(base_url=server + "/web/api", headers=headers) as client:
        yield client


def node(name: str, parent: str | None, *children: str, role: str = "user", content: str = "", **more: object) -> dict:
    return {"id": name, "parent": parent, "children": list(children), "role": role, "content": content, **more}


def conversation(question: str, answer: str = "네.", title: str = "대화") -> dict:
    nodes = [
        node("0", None, "1", role="system"),
        node("1", "0", "2", "3", content=question),
        node("2", "1", role="assistant", content=answer, model="nano", reasoning="음\n그래", created_at=1_780_000_000),
        node("3", "1", role="assistant", content="다른 답", model="mini"),
    ]
    return {"title": title, "tree": {"root": "0", "nodes": {one["id"]: one for one in nodes}, "current": "2"}}


def save(web: httpx.Client, body: dict, name: str | None = None, revision: str | None = None) -> httpx.Response:
    headers = {} if revision is None else {"If-Match": revision}
    return web.put(f"/conversations/{name or uuid.uuid4()}", json=body, headers=headers)


def search(web: httpx.Client, query: str) -> list[str]:
    return [one["title"] for one in web.get("/conversations", params={"query": query}).json()["data"]]


def test_a_conversation_is_saved_loaded_changed_and_removed(web: httpx.Client) -> None:
    name = str(uuid.uuid4())
    made = save(web, conversation("안녕"), name)
    assert (made.status_code, made.json()["revision"], made.headers["etag"]) == (201, 1, '"1"')
    changed = save(web, conversation("잘 가", title="새 제목"), name, made.headers["etag"])
    assert (changed.status_code, changed.json()["revision"]) == (200, 2)
    whole = web.get(f"/conversations/{name}").json()
    assert whole.keys() == {"id", "title", "created_at", "updated_at", "revision", "tree"}
    assert (whole["title"], whole["revision"]) == ("새 제목", 2)
    assert whole["tree"] == conversation("잘 가")["tree"]
    assert whole["created_at"] < whole["updated_at"]
    assert web.delete(f"/conversations/{name}").status_code == 204
    assert web.get(f"/conversations/{name}").status_code == web.delete(f"/conversations/{name}").status_code == 404


def test_an_older_page_cannot_overwrite(web: httpx.Client) -> None:
    name = str(uuid.uuid4())
    assert save(web, conversation("a"), name, '"1"').status_code == 412
    save(web, conversation("a"), name)
    assert save(web, conversation("b"), name).status_code == 412
    assert save(web, conversation("b"), name, "1").status_code == 200
    stale = save(web, conversation("c"), name, "1")
    assert (stale.status_code, stale.json()["error"]["code"]) == (412, "revision_conflict")
    assert save(web, conversation("d"), name, "*").json()["revision"] == 3
    assert save(web, conversation("d"), name, "x").status_code == 400


def test_of_many_saves_at_once_one_wins(web: httpx.Client) -> None:
    name = str(uuid.uuid4())
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: save(web, conversation("a"), name).status_code, range(8)))
        assert sorted(made) == [201] + [412] * 7
        changed = list(pool.map(lambda one: save(web, conversation(str(one)), name, "1").status_code, range(8)))
    assert sorted(changed) == [200] + [412] * 7


def test_another_key_has_other_conversations(web: httpx.Client) -> None:
    name = str(uuid.uuid4())
    save(web, conversation("비밀"), name)
    other = {"Authorization": "Bearer key-other"}
    assert web.get(f"/conversations/{name}", headers=other).status_code == 404
    assert web.get(f"/conversations/{name}/export", headers=other).status_code == 404
    assert web.delete(f"/conversations/{name}", headers=other).status_code == 404
    assert web.get("/conversations", params={"query": "비밀"}, headers=other).json()["data"] == []
    assert web.put(f"/conversations/{name}", json=conversation("내 것"), headers=other).status_code == 201
    assert web.get(f"/conversations/{name}").json()["tree"]["nodes"]["1"]["content"] == "비밀"
    assert web.get("/conversations", headers={"Authorization": ""}).status_code == 401


def test_search_finds_parts_of_korean_words(web: httpx.Client) -> None:
    save(web, conversation("서울의 날씨를 알려줘", title="하나"))
    save(web, conversation("부산 날씨는?", "Rain AND wind, 100%_확실", title="둘"))
    assert set(search(web, "날씨")) == {"하나", "둘"}
    assert search(web, "울의") == ["하나"]
    assert search(web, "날씨 부산") == ["둘"]
    assert search(web, "\u1102\u1161\u11af\u110a\u1175 \u1107\u116e\u1109\u1161\u11ab") == [
        "둘"
    ]  # decomposed, as macOS types
    assert search(web, "rain") == ["둘"]
    assert search(web, "다른 답") == ["둘", "하나"]
    assert search(web, "하나") == ["하나"]
    assert search(web, "제주") == []
    assert search(web, "음 그래") == []


@pytest.mark.parametrize("query", ["%", "_", "100%_", "/", "\\", "'", '"', "%%'; DROP TABLE conversations; --", "\0"])
def test_wildcards_and_quotes_are_letters(web: httpx.Client, query: str) -> None:
    save(web, conversation("아무것도 없음", title="없음"))
    save(web, conversation(f"여기 {query} 있음", title="있음"))
    assert search(web, query) == (["있음"] if query != "\0" else ["있음", "없음"])


def test_a_snippet_shows_the_find(web: httpx.Client) -> None:
    save(web, conversation("가 " * 300 + "바늘İ\n여기" + " 나" * 300))
    found = web.get("/conversations", params={"query": "여기 가"}).json()["data"][0]
    assert "바늘İ 여기 나" in found["snippet"]
    assert found.keys() == {"id", "title", "updated_at", "revision", "snippet"}
    assert web.get("/conversations").json()["data"][0]["snippet"].startswith("가 가 가")
    assert web.get("/conversations", params={"query": "대화"}).json()["data"][0]["snippet"].startswith("가 가 가")


def test_lists_have_pages_the_last_changed_first(web: httpx.Client) -> None:
    names = [str(uuid.uuid4()) for _ in range(5)]
    for name in names:
        save(web, conversation("a", title=name), name)
    save(web, conversation("b", title=names[0]), names[0], "1")
    order = [names[0], *names[:0:-1]]
    first = web.get("/conversations", params={"limit": 3}).json()
    assert ([one["id"] for one in first["data"]], first["has_more"]) == (order[:3], True)
    rest = web.get("/conversations", params={"limit": 3, "after": order[2]}).json()
    assert ([one["id"] for one in rest["data"]], rest["has_more"]) == (order[3:], False)


def broken(**changes: object) -> dict:
    body = conversation("a")
    for place, value in changes.items():
        *way, last = place.split("__")
        target = body
        for step in way:
            target = target[step]
        target[last] = value
    return body


RING = {"a": node("a", None), "b": node("b", "c", "c"), "c": node("c", "b", "b")}
BROKEN = {
    "no title": ({"tree": conversation("a")["tree"]}, "title"),
    "unknown field": (broken(owner="me"), "owner"),
    "no node": (broken(tree__nodes={}), "tree.nodes"),
    "no root": (broken(tree__root="x"), "tree.root"),
    "no current": (broken(tree__current="x"), "tree.current"),
    "two roots": (broken(tree__nodes__3__parent=None), "tree.nodes.1.children"),
    "root with parent": (broken(tree__nodes__0__parent="1"), "tree.nodes.0.parent"),
    "other id": (broken(tree__nodes__3__id="4"), "tree.nodes.3.id"),
    "lost child": (broken(tree__nodes__1__children=["2", "9"]), "tree.nodes.1.children"),
    "child of another": (broken(tree__nodes__0__children=["1", "2"]), "tree.nodes.0.children"),
    "child twice": (broken(tree__nodes__1__children=["2", "2"]), "tree.nodes.1.children"),
    "forgotten child": (broken(tree__nodes__1__children=["2"]), "tree.nodes"),
    "ring": ({"title": "", "tree": {"root": "a", "nodes": RING, "current": "a"}}, "tree.nodes"),
    "role": (broken(tree__nodes__1__role="boss"), "tree.nodes.1.role"),
    "long title": (broken(title="가" * 201), "title"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_tree_is_named(web: httpx.Client, case: str) -> None:
    body, place = BROKEN[case]
    reply = save(web, body)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, place), reply.text


def test_limits_of_size_depth_and_nesting(web: httpx.Client) -> None:
    assert save(web, conversation("x" * (4 << 20))).status_code == 413
    deep: object = 1
    for _ in range(40):
        deep = [deep]
    assert "nested" in save(web, broken(tree__nodes__1__extra=deep)).text
    assert web.put(f"/conversations/{uuid.uuid4()}", content=b"[" * 10_000).status_code == 400
    assert web.put(f"/conversations/{uuid.uuid4()}", content=b'{"title":"\\ud800"}').status_code == 400
    long = {str(one): node(str(one), str(one - 1) if one else None, str(one + 1)) for one in range(6000)}
    long["5999"]["children"] = []
    body = json.dumps({"title": "", "tree": {"root": "0", "nodes": long, "current": "0"}}).encode()
    with pytest.raises(ApiError, match="at most 5000"):
        tree.parse(body, 64)
    assert web.put("/conversations/not-a-uuid", json={}).status_code == 400


def test_the_quota_counts_changes_and_gives_back(web: httpx.Client) -> None:
    name = str(uuid.uuid4())
    assert save(web, conversation("x" * 15_000), name).status_code == 201
    full = save(web, conversation("y" * 15_000))
    assert (full.status_code, full.json()["error"]["code"]) == (413, "storage_quota_exceeded")
    assert save(web, conversation("x" * 16_000), name, "1").status_code == 200
    assert save(web, conversation("x" * 30_000), name, "2").status_code == 413
    assert save(web, conversation("x" * 100), name, "2").status_code == 200
    assert save(web, conversation("y" * 15_000)).status_code == 201
    web.delete(f"/conversations/{name}")
    assert save(web, conversation("z" * 3_000)).status_code == 201


def test_an_export_says_that_ai_answered(web: httpx.Client) -> None:
    name = str(uuid.uuid4())
    save(web, conversation("안녕?", "안녕하세요.", title='제목: "하나"\r\nX-Evil: 1'), name)
    korean = web.get(f"/conversations/{name}/export", headers={"Accept-Language": "ko-KR,en;q=0.5"})
    assert "x-evil" not in korean.headers
    assert korean.headers["content-disposition"].endswith(".md")
    text = korean.text
    head = dict(line.split(": ", 1) for line in text.split("---\n")[1].strip().split("\n"))
    assert {key: json.loads(value) for key, value in head.items()}["ai_generated"] is True
    assert json.loads(head["models"]) == ["mini", "nano"]
    assert json.loads(head["operator"]) == "시험 회사"
    assert "인공지능(AI)이 만들었습니다" in text.split("---\n")[2]
    assert "## AI가 생성한 답변 · nano · 2026-05-28\n" in text
    assert "안녕하세요." in text
    assert "다른 답" not in text  # another branch
    english = web.get(f"/conversations/{name}/export", params={"language": "en"}).text
    assert "generated by artificial intelligence (AI)" in english
    assert "## Answer generated by AI" in english


def test_an_export_as_json_marks_every_answer(web: httpx.Client) -> None:
    name = str(uuid.uuid4())
    save(web, conversation("안녕?"), name)
    whole = web.get(f"/conversations/{name}/export", params={"format": "json"}).json()
    assert (whole["ai_generated"], whole["operator"], whole["models"]) == (True, "시험 회사", ["mini", "nano"])
    assert whole["notice"]
    nodes = whole["conversation"]["tree"]["nodes"]
    assert [one.get("ai_generated", False) for one in nodes.values()] == [False, False, True, True]


@pytest.mark.parametrize(
    ("header", "language"),
    [("", "ko"), ("en", "en"), ("en-US,ko;q=0.9", "en"), ("ko;q=0.5, en;q=0.4", "ko"), ("fr", "ko"), ("en;q=x", "ko")],
)
def test_the_language_is_the_browsers(header: str, language: str) -> None:
    assert preferred(header) == language


def test_folding_keeps_every_place() -> None:
    text = "İSTANBUL ÀB가"
    assert len(tree.fold(text)) == len(text)
    assert tree.fold(text).endswith("stanbul àb가")
