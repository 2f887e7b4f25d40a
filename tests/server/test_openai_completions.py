"""/v1/completions, /v1/embeddings, /tokenize: forms, echoes and scores."""

import base64
import json
from array import array
from collections.abc import Iterator
from typing import Any

import pytest
from openai.types import Completion, CreateEmbeddingResponse

from axk1.server.calls import EmbedCall, TextCall
from server.played import PlayedProvider
from server.strictly import check
from server.test_openai_chat import Chat, chatting


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chat]:
    with chatting(tmp_path_factory.mktemp("completions"), PlayedProvider()) as found:
        yield found


def ask(server: Chat, **fields: Any) -> Any:
    reply = server.http.post("/v1/completions", json={"model": "played", "prompt": "가 나 다"} | fields)
    assert reply.status_code == 200, reply.text
    return reply.json()


def streamed(server: Chat, **fields: Any) -> list[Any]:
    body = {"model": "played", "prompt": "가 나 다", "stream": True} | fields
    text = server.http.post("/v1/completions", json=body).text
    frames = [line.removeprefix("data: ") for line in text.split("\n") if line.startswith("data: ")]
    assert frames.pop() == "[DONE]"
    return [json.loads(frame) for frame in frames]


def last_call(server: Chat) -> TextCall:
    call = server.provider.calls[-1]
    assert isinstance(call, TextCall)
    return call


def test_replies_are_as_the_clients_types_have_them(server: Chat) -> None:
    for fields in ({}, {"echo": True}, {"logprobs": 1}, {"n": 2, "prompt": ["가", "나"]}, {"logprobs": 0}):
        check(ask(server, **fields), Completion)
        for chunk in streamed(server, **fields):
            for choice in chunk["choices"]:
                # null until the last one, as OpenAI sends it; the type knows whole replies only
                choice["finish_reason"] = choice["finish_reason"] or "stop"
            check(chunk, Completion)


def test_echo_with_logprobs_gives_the_prompts_own_log_probabilities(server: Chat) -> None:
    choice = ask(server, echo=True, logprobs=1, max_tokens=1)["choices"][0]
    scores = choice["logprobs"]
    assert choice["text"] == "가 나 다 끝"
    assert scores["token_logprobs"] == [None, -1.0, -1.0, -0.25]
    assert scores["text_offset"] == [0, 1, 3, 5]
    assert scores["top_logprobs"][0] is None
    assert b"".join(map(bytes, scores["bytes"])).decode() == choice["text"]


def test_echo_without_new_tokens_only_scores(server: Chat) -> None:
    choice = ask(server, echo=True, logprobs=0, max_tokens=0)["choices"][0]
    assert (choice["text"], choice["finish_reason"]) == ("가 나 다", "length")
    assert choice["logprobs"]["token_logprobs"] == [None, -1.0, -1.0]
    assert not last_call(server).generate


def test_a_stream_says_what_the_whole_reply_says(server: Chat) -> None:
    for fields in ({"echo": True, "logprobs": 1}, {"echo": True}, {"n": 2, "logprobs": 1}):
        whole = ask(server, **fields)["choices"]
        said: dict[int, dict[str, list[Any]]] = {}
        for chunk in streamed(server, **fields):
            for choice in chunk["choices"]:
                one = said.setdefault(choice["index"], {"text": [], "token_logprobs": [], "text_offset": []})
                one["text"].append(choice["text"])
                for name in ("token_logprobs", "text_offset"):
                    one[name] += (choice["logprobs"] or {}).get(name, [])
        for choice in whole:
            one = said[choice["index"]]
            assert "".join(one["text"]) == choice["text"]
            if choice["logprobs"]:
                assert one["token_logprobs"] == choice["logprobs"]["token_logprobs"]
                assert one["text_offset"] == choice["logprobs"]["text_offset"]


@pytest.mark.parametrize(
    ("prompt", "prompts"),
    [("가", ("가",)), (["가", "나"], ("가", "나")), ([1, 2], ((1, 2),)), ([[1], [2, 3]], ((1,), (2, 3)))],
)
def test_prompts_come_in_four_forms(server: Chat, prompt: Any, prompts: tuple[Any, ...]) -> None:
    assert len(ask(server, prompt=prompt)["choices"]) == len(prompts)
    assert last_call(server).prompts == prompts


@pytest.mark.parametrize(
    ("fields", "param"),
    [({"suffix": "끝"}, "suffix"), ({"best_of": 3}, "best_of"), ({"max_tokens": 0}, "max_tokens"),
     ({"prompt": []}, "prompt"), ({"logprobs": 21}, "logprobs"), ({"messages": []}, "messages"),
     ({"prompt": [-1]}, "prompt.0")],
)  # fmt: skip
def test_what_cannot_be_had_is_refused(server: Chat, fields: dict[str, Any], param: str) -> None:
    reply = server.http.post("/v1/completions", json={"model": "played", "prompt": "가"} | fields)
    assert reply.status_code == 400
    assert reply.json()["error"]["param"] == param


def test_embeddings_are_as_the_clients_types_have_them(server: Chat) -> None:
    reply = server.http.post("/v1/embeddings", json={"model": "played", "input": ["가", "나"]}).json()
    check(reply, CreateEmbeddingResponse)
    assert isinstance(server.provider.calls[-1], EmbedCall)
    packed = server.http.post("/v1/embeddings", json={"model": "played", "input": "가", "encoding_format": "base64"})
    vector = array("f", base64.b64decode(packed.json()["data"][0]["embedding"]))
    assert list(vector) == reply["data"][0]["embedding"] == [1.0, 0.0]
    refused = server.http.post("/v1/embeddings", json={"model": "played", "input": "가", "dimensions": 1})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "dimensions")


def test_tokenize_and_back(server: Chat) -> None:
    reply = server.http.post("/tokenize", json={"prompt": "가 나", "return_token_strs": True}).json()
    assert reply == {"count": 2, "max_model_len": 4096, "tokens": [0, 1], "token_strs": ["가", "나"]}
    chat = server.http.post("/tokenize", json={"model": "played", "messages": [{"role": "user", "content": "가"}]})
    assert chat.json()["count"] == 2
    assert server.http.post("/detokenize", json={"tokens": [0, 1]}).json() == {"prompt": "가 나"}
    assert server.http.post("/tokenize", json={"prompt": "가", "messages": []}).status_code == 400


@pytest.mark.parametrize("field", ["messages", "tools"])
def test_tokenize_takes_no_more_than_chat(server: Chat, field: str) -> None:
    message = {"role": "user", "content": "가"}
    tool = {"type": "function", "function": {"name": "f"}}
    body = {"messages": [message]} | (
        {"messages": [message] * 4097} if field == "messages" else {"tools": [tool] * 129}
    )
    reply = server.http.post("/tokenize", json=body)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, field)


def test_a_stream_tells_the_scores_of_the_prompt_and_the_usage_so_far(server: Chat) -> None:
    whole = ask(server, prompt_logprobs=1)
    chunks = streamed(server, prompt_logprobs=1, stream_options={"continuous_usage_stats": True})
    told = [chunk["choices"][0]["prompt_logprobs"] for chunk in chunks[:-1] if "prompt_logprobs" in chunk["choices"][0]]
    assert told == [whole["choices"][0]["prompt_logprobs"]]
    assert all(chunk["usage"]["prompt_tokens"] == whole["usage"]["prompt_tokens"] for chunk in chunks)
    assert chunks[-1]["usage"] == whole["usage"]


def test_an_empty_input_is_named_as_the_client_wrote_it(server: Chat) -> None:
    reply = server.http.post("/v1/embeddings", json={"model": "played", "input": []})
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, "input")
