"""An upstream provider for tests that use an event loop for each call: it lives in a thread with a loop of its own, for
connections belong to the loop that made them."""

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

from axk1.server.calls import Answer, ChatCall, EmbedCall, Embedded, Event, TextCall, TokenizeCall, Tokens, Usage
from axk1.server.settings import UpstreamSettings
from axk1.server.upstream.opening import open_upstreams

T = TypeVar("T")


class BehindServer:
    """Asks the server at `url` for `model`."""

    def __init__(self, url: str, model: str, key: str = "key-blue") -> None:
        self._fleet = open_upstreams([UpstreamSettings(url, model, key_variable="KEY")], {"KEY": key})[model]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.card = self._fleet.card

    async def chat(self, call: ChatCall) -> Answer:
        return FarAnswer(self, await self.there(self._fleet.chat(call)))

    async def complete(self, call: TextCall) -> Answer:
        return FarAnswer(self, await self.there(self._fleet.complete(call)))

    async def embed(self, call: EmbedCall) -> Embedded:
        return await self.there(self._fleet.embed(call))

    async def tokenize(self, call: TokenizeCall) -> Tokens:
        return await self.there(self._fleet.tokenize(call))

    async def close(self) -> None:
        await self.there(self._fleet.close())
        await self.there(asyncio.sleep(0.01))  # sockets close a moment later
        self._loop.call_soon_threadsafe(self._loop.stop)
        await asyncio.to_thread(self._thread.join)
        self._loop.close()

    async def there(self, work: Coroutine[Any, Any, T]) -> T:
        """Done in the provider's loop."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))


class FarAnswer:
    """An answer that is read in the provider's loop."""

    def __init__(self, provider: BehindServer, answer: Answer) -> None:
        self._provider, self._answer = provider, answer

    @property
    def usage(self) -> Usage:
        return self._answer.usage

    async def __aiter__(self) -> AsyncIterator[Event]:
        events = aiter(self._answer)

        async def following() -> Event | None:
            return await anext(events, None)

        while (event := await self._provider.there(following())) is not None:
            yield event

    async def aclose(self) -> None:
        await self._provider.there(self._answer.aclose())
