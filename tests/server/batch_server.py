"""A server with batches on a front of one route, for the tests that kill it: each question asked is noted in a file.

python batch_server.py FOLDER
"""

import asyncio
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse

from axk1.chat.messages import Message
from axk1.server.batches import routes as batches
from axk1.server.batches.asking import Patience
from axk1.server.calls import ChatCall, ContentPart, Event
from axk1.server.errors import ApiError
from axk1.server.files import routes as files
from axk1.server.parts import Parts
from server.played import PlayedProvider
from server.serving import parts_in

QUICK = Patience(first=0.01, most=0.05, failures=2)


def front(parts: Parts) -> APIRouter:
    """Chat completions with what a batch needs of them."""
    routes = APIRouter()

    @routes.post("/v1/chat/completions")
    async def chat(request: Request) -> JSONResponse:
        body = await request.json()
        messages = tuple(Message(one["role"], one["content"]) for one in body["messages"])
        call = ChatCall(body.get("model", "played"), messages)
        async with await parts.gateway.chat(await parts.origin(request), call) as answer:
            text = "".join([event.text async for event in answer if isinstance(event, ContentPart)])
            usage = {"prompt_tokens": answer.usage.prompt, "completion_tokens": answer.usage.completion}
        return JSONResponse({"choices": [{"message": {"role": "assistant", "content": text}}], "usage": usage})

    return routes


def application(parts: Parts) -> FastAPI:
    """Files, batches and the front."""
    app = FastAPI()

    async def refused(_request: Request, error: ApiError) -> JSONResponse:
        return JSONResponse(error.openai(), error.status, dict(error.headers))

    @app.middleware("http")
    async def name_request(request: Request, call_next: Callable) -> object:
        request.state.request_id = "req_1"
        return await call_next(request)

    app.add_exception_handler(ApiError, refused)
    for router in (files.router(parts), batches.router(parts, QUICK), front(parts)):
        app.include_router(router)
    return app


async def serve(folder: Path) -> None:
    """Prints its port. It answers until it is killed."""

    def noted(call: ChatCall) -> Sequence[Event | ApiError]:
        with (folder / "asked.txt").open("a") as asked:
            asked.write(call.messages[-1].content + "\n")
        return [ContentPart(0, "답")]

    async with parts_in(folder, PlayedProvider(noted, pause=0.05)) as parts:
        door = socket.create_server(("127.0.0.1", 0))
        print(door.getsockname()[1], flush=True)
        await uvicorn.Server(uvicorn.Config(application(parts), log_level="error")).serve(sockets=[door])


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
