"""/v1/files by OpenAI's client, and what an attacker would send."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import openai
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from axk1.server.errors import ApiError
from axk1.server.files.names import clean_name
from axk1.server.files.shelf import NewFile, Page, Shelf
from axk1.server.files.upload import receive
from axk1.server.settings import LimitSettings, ServeSettings
from axk1.server.store.files import FileRow, StoredBytes
from server.played import PlayedProvider
from server.serving import AppOf, listening, parts_in

LIMITS = ServeSettings(limits=LimitSettings(upload_bytes=4 << 20, project_file_bytes=6 << 20))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("serve")
    with listening(AppOf(folder, PlayedProvider(), LIMITS)) as url:
        yield url, folder


@pytest.fixture
def client(server: tuple[str, Path], request: pytest.FixtureRequest) -> Iterator[openai.OpenAI]:
    name = request.node.name.replace("[", "-").replace("]", "")
    with openai.OpenAI(base_url=server[0] + "/v1", api_key=f"key-{name[:60]}", max_retries=0) as made:
        yield made


def test_a_file_lives_from_upload_to_deletion(client: openai.OpenAI, server: tuple[str, Path]) -> None:
    data = "안녕\n".encode() * 100_000
    made = client.files.create(file=("말뭉치.jsonl", data), purpose="batch")
    assert (made.bytes, made.filename, made.purpose, made.status) == (len(data), "말뭉치.jsonl", "batch", "processed")
    assert client.files.retrieve(made.id) == made
    assert client.files.content(made.id).read() == data
    assert client.files.delete(made.id).deleted is True
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(made.id)
    assert not list((server[1] / "files").rglob(f"*{made.id}*"))


def test_a_list_has_pages_in_both_orders_and_by_purpose(client: openai.OpenAI) -> None:
    ids = [client.files.create(file=(f"{place}.txt", b"x"), purpose="user_data").id for place in range(5)]
    client.files.create(file=("b.jsonl", b"x"), purpose="batch")
    assert [one.id for one in client.files.list(limit=2, purpose="user_data")] == ids[::-1]
    assert [one.id for one in client.files.list(limit=2, purpose="user_data", order="asc")] == ids
    page = client.files.list(limit=4, order="asc")
    assert (page.has_more, len(page.data)) == (True, 4)


def test_an_empty_list_has_no_nulls(server: tuple[str, Path]) -> None:
    reply = httpx.get(server[0] + "/v1/files", headers={"Authorization": "Bearer key-nobody"})
    assert reply.json() == {"object": "list", "data": [], "first_id": "", "last_id": "", "has_more": False}


def test_another_project_sees_nothing(client: openai.OpenAI, server: tuple[str, Path]) -> None:
    made = client.files.create(file=("secret.txt", b"x"), purpose="user_data")
    other = client.with_options(api_key="key-other")
    for ask in (other.files.retrieve, other.files.content, other.files.delete):
        with pytest.raises(openai.NotFoundError):
            ask(made.id)
    assert not other.files.list().data
    with pytest.raises(openai.NotFoundError):
        other.files.list(after=made.id)
    assert client.files.content(made.id).read() == b"x"
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="wrong").files.list()


def test_an_expiry_is_kept_and_bounded(client: openai.OpenAI) -> None:
    kept = client.files.create(
        file=("a.txt", b"x"), purpose="user_data", expires_after={"anchor": "created_at", "seconds": 3600}
    )
    assert kept.expires_at == kept.created_at + 3600
    with pytest.raises(openai.BadRequestError, match="3600"):
        client.files.create(
            file=("a.txt", b"x"), purpose="user_data", expires_after={"anchor": "created_at", "seconds": 1}
        )


@pytest.mark.parametrize("purpose", ["batch_output", "", "fun"])
def test_only_known_purposes_may_be_uploaded(client: openai.OpenAI, purpose: str) -> None:
    with pytest.raises(openai.BadRequestError, match="purpose must be one of") as failure:
        client.files.create(file=("a.txt", b"x"), purpose=purpose)  # type: ignore[arg-type]
    assert failure.value.param == "purpose"


def test_too_much_is_refused_and_leaves_nothing_behind(client: openai.OpenAI, server: tuple[str, Path]) -> None:
    before = sorted((server[1] / "files").rglob("*file-*"))
    with pytest.raises(openai.APIStatusError, match=str(4 << 20)) as failure:
        client.files.create(file=("big", b"x" * ((4 << 20) + 1)), purpose="user_data")
    assert failure.value.status_code == 413
    client.files.create(file=("fits", b"x" * (3 << 20)), purpose="user_data")
    with pytest.raises(openai.APIStatusError, match="no room") as failure:
        client.files.create(file=("fits no more", b"x" * (4 << 20)), purpose="user_data")
    assert (failure.value.status_code, failure.value.code) == (413, "storage_quota_exceeded")
    assert len(list((server[1] / "files").rglob("*file-*"))) == len(before) + 1


BROKEN = {
    "no form": ("application/json", b"{}"),
    "no boundary": ("multipart/form-data", b"--x--"),
    "cut off": ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="file"; fil'),
    "no end": (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc\r\n--x\r\n',
    ),
    "no file": (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--x--\r\n',
    ),
    "other part": (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\nabc\r\n--x--\r\n',
    ),
    "no name": ("multipart/form-data; boundary=x", b"--x\r\nContent-Type: text/plain\r\n\r\nabc\r\n--x--\r\n"),
    "unknown field": (
        "multipart/form-data; boundary=x",
        (
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc\r\n'
            b'--x\r\nContent-Disposition: form-data; name="owner"\r\n\r\nme\r\n--x--\r\n'
        ),
    ),
    "long field": (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\n' + b"p" * 2000 + b"\r\n--x--\r\n",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_form_is_named(server: tuple[str, Path], case: str) -> None:
    kind, body = BROKEN[case]
    headers = {"Content-Type": kind, "Authorization": "Bearer key-broken"}
    reply = httpx.post(server[0] + "/v1/files", content=body, headers=headers)
    assert reply.status_code == 400, reply.text
    assert reply.json()["error"]["type"] == "invalid_request_error"
    assert not list((server[1] / "files").rglob("*.partial"))


def test_a_name_cannot_leave_the_folder_or_its_header(client: openai.OpenAI, server: tuple[str, Path]) -> None:
    evil = '../../../etc/pass"wd\r\nSet-Cookie: a=b; 한글.txt'
    body = (
        '--x\r\nContent-Disposition: form-data; name="file"; filename="'
        + evil.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
        + '"\r\n\r\nabc\r\n--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n--x--\r\n'
    )
    headers = {"Content-Type": "multipart/form-data; boundary=x", "Authorization": f"Bearer {client.api_key}"}
    made = httpx.post(server[0] + "/v1/files", content=body.encode(), headers=headers).json()
    assert "/" not in made["filename"]
    reply = httpx.get(f"{server[0]}/v1/files/{made['id']}/content", headers=headers)
    assert "set-cookie" not in reply.headers
    assert reply.headers["content-disposition"].isascii()
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert {path.parent.parent for path in (server[1] / "files").rglob("*file-*")} == {server[1] / "files"}


@pytest.mark.parametrize("file_id", ["..%2f..%2faxk1.sqlite3", "file-%2e%2e", "%00", "..", "axk1.sqlite3"])
def test_an_id_is_never_a_path(server: tuple[str, Path], file_id: str) -> None:
    reply = httpx.get(f"{server[0]}/v1/files/{file_id}/content", headers={"Authorization": "Bearer key-path"})
    assert reply.status_code == 404


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a.txt", "a.txt"),
        ("C:\\보고서\\1월.hwp", "1월.hwp"),
        ("../../x", "x"),
        ("..", "file"),
        ("", "file"),
        ("a\r\nb\x00c\u202egnp.exe", "abcgnp.exe"),
        ("\u1112\u1161\u11ab.txt", "한.txt"),
        ("가" * 200 + ".jsonl", "가" * 83 + ".jsonl"),
        ("x" * 300, "x" * 255),
        (".gitignore", ".gitignore"),
    ],
)
def test_names_are_made_harmless(given: str, kept: str) -> None:
    assert clean_name(given) == kept
    assert clean_name(kept) == kept


async def chunks(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def form(data: bytes) -> bytes:
    return b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + data + b"\r\n--x--\r\n"


@pytest.mark.parametrize("size", [1, 2, 7, 4096])
def test_a_form_is_read_the_same_wherever_it_is_cut(tmp_path: Path, size: int) -> None:
    data = b"line\r\n--x-not\r\n\x00\xff" * 20
    read = asyncio.run(receive("multipart/form-data; boundary=x", chunks(form(data), size), tmp_path / "a", 10_000))
    assert (tmp_path / "a").read_bytes() == data
    assert (read.bytes, read.sha256) == (len(data), hashlib.sha256(data).hexdigest())


def test_a_client_that_leaves_leaves_no_file(tmp_path: Path) -> None:
    async def leaving() -> AsyncIterator[bytes]:
        yield form(b"x" * 100)[:80]
        raise ConnectionError

    with pytest.raises(ConnectionError):
        asyncio.run(receive("multipart/form-data; boundary=x", leaving(), tmp_path / "a", 10_000))
    assert not list(tmp_path.iterdir())


def test_uploads_at_once_cannot_exceed_the_quota(tmp_path: Path) -> None:
    async def race() -> tuple[int, int]:
        async with parts_in(tmp_path) as parts:
            shelf = Shelf(parts.database, tmp_path / "files", 1000)

            async def put() -> bool:
                upload = await shelf.upload("multipart/form-data; boundary=x", chunks(form(b"x" * 300), 64), 1000)
                try:
                    await shelf.keep(upload, NewFile("blue", "a", "user_data"))
                except ApiError:
                    return False
                return True

            kept = sum(await asyncio.gather(*(put() for _ in range(8))))
            async with AsyncSession(parts.database) as session:
                held = await session.scalar(select(StoredBytes.bytes))
            files = [path for path in (tmp_path / "files").rglob("*") if path.is_file()]
            assert len(files) == kept
            return kept, held or 0

    assert asyncio.run(race()) == (3, 900)


def test_what_has_expired_is_gone_and_gives_its_bytes_back(tmp_path: Path) -> None:
    async def expire() -> None:
        async with parts_in(tmp_path) as parts:
            shelf = Shelf(parts.database, tmp_path / "files", 1000)
            upload = await shelf.upload("multipart/form-data; boundary=x", chunks(form(b"x" * 300), 64), 1000)
            row = await shelf.keep(upload, NewFile("blue", "a", "user_data", expires_after=-1))
            with pytest.raises(ApiError, match="no file"):
                await shelf.find("blue", row.id)
            await shelf.sweep()
            assert not shelf.path(row.id).exists()
            async with AsyncSession(parts.database) as session:
                assert await session.scalar(select(StoredBytes.bytes)) == 0
                assert await session.scalar(select(FileRow)) is None
            assert await shelf.page("blue", Page(10), None) == ([], False)

    asyncio.run(expire())
