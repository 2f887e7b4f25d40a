"""/v1/responses by OpenAI's client."""

import asyncio
from pathlib import Path

import openai
import pytest
from sqlalchemy import inspect

from axk1.server.calls import ChatCall
from axk1.server.settings import DatabaseSettings
from axk1.server.store.database import open_database
from axk1.server.store.migrate import migrate
from axk1.server.store.responses import ResponseRow
from server.played import PlayedProvider
from server.serving import AppOf, listening


def client_of(url: str, project: str = "blue") -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key=f"key-{project}", max_retries=0)


def test_a_chain_survives_a_restart_and_stays_in_its_project(tmp_path: Path) -> None:
    with listening(AppOf(tmp_path)) as url, client_of(url) as client:
        first = client.responses.create(model="played", input="안녕", reasoning={"effort": "high"})
        assert (first.output_text, first.status) == ("안녕", "completed")
        assert [one.type for one in first.output] == ["reasoning", "message"]
    provider = PlayedProvider()
    with listening(AppOf(tmp_path, provider)) as url, client_of(url) as client, client_of(url, "red") as other:
        assert client.responses.retrieve(first.id).output == first.output
        client.responses.create(model="played", input="또", previous_response_id=first.id)
        call = provider.calls[-1]
        assert isinstance(call, ChatCall)
        assert [(one.role, one.content) for one in call.messages] == [
            ("user", "안녕"),
            ("assistant", "안녕"),
            ("user", "또"),
        ]
        for refused in (other.responses.retrieve, other.responses.delete):
            with pytest.raises(openai.NotFoundError):
                refused(first.id)
        client.responses.delete(first.id)
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(first.id)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"instruction": "x"}, "did you mean 'instructions'"),
        ({"background": True}, "not offered"),
        ({"truncation": "auto"}, "truncation"),
        ({"tools": [{"type": "web_search"}]}, "not offered"),
        ({"stream": True}, "not offered here yet"),
        ({"input": [{"type": "function_call", "call_id": "a", "name": "f", "arguments": "{"}]}, "is not JSON"),
        ({"text": {"format": {"type": "xml"}}}, "json_object"),
    ],
)
def test_what_is_not_offered_is_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    with (
        listening(AppOf(tmp_path)) as url,
        client_of(url) as client,
        pytest.raises(openai.BadRequestError, match=message),
    ):
        client.responses.create(model="played", input="안녕", extra_body=change)


def test_the_migrated_table_is_the_models(tmp_path: Path) -> None:
    async def columns() -> set[str]:
        database = open_database(DatabaseSettings(), tmp_path)
        await migrate(database)
        async with database.connect() as connection:
            found = await connection.run_sync(lambda one: inspect(one).get_columns("responses"))
        await database.dispose()
        return {column["name"] for column in found}

    assert asyncio.run(columns()) == set(ResponseRow.__table__.columns.keys())
