"""The gateway with the real gate: settled before the end is seen, whatever the end is."""

import asyncio
from pathlib import Path

from axk1.chat.messages import Message
from axk1.chat.sampling import SamplingParams
from axk1.server.calls import ChatCall
from axk1.server.errors import ApiError
from axk1.server.gateway import Gateway, Origin
from axk1.server.tenancy.administration import OPERATOR
from axk1.server.tenancy.limits import Limits
from server.played import PlayedProvider
from tenancy_parties import party

CALL = ChatCall("played", (Message("user", "하나 둘 셋"),), sampling=SamplingParams(max_tokens=10))


def test_the_row_is_settled_when_the_client_sees_the_end_and_when_it_leaves(url: str, tmp_path: Path) -> None:
    async def whole() -> None:
        async with party(url, tmp_path) as p:
            caller = await p.caller()
            gateway = Gateway({"played": PlayedProvider()}, p.gate)
            async with await gateway.chat(Origin(caller, "/v1/chat/completions", "read"), CALL) as answer:
                assert (await p.ledger())[0]["outcome"] is None
                assert [event async for event in answer][-1]
                assert (await p.ledger())[0]["outcome"] == "completed"
            async with await gateway.chat(Origin(caller, "/v1/chat/completions", "left"), CALL) as answer:
                async for _ in answer:
                    break
            rows = {row["id"]: (row["outcome"], row["prompt"], row["completion"]) for row in await p.ledger()}
            assert rows == {"read": ("completed", 3, 3), "left": ("cancelled", 3, 1)}
            assert (await p.admin.spent(OPERATOR, p.organisation))["total"] == 10

    asyncio.run(whole())


def test_200_streams_at_once_use_no_more_than_the_quota(url: str, tmp_path: Path) -> None:
    async def whole() -> None:
        async with party(url, tmp_path) as p:
            caller = await p.caller()
            await p.admin.set_limits(OPERATOR, caller.key_id, Limits(tokens_total=15_000))
            gateway = Gateway({"played": PlayedProvider()}, p.gate)

            async def one(number: int) -> int:
                try:
                    answer = await gateway.chat(Origin(caller, "/v1/chat/completions", f"r{number}"), CALL)
                except ApiError as error:
                    return error.status
                async with answer:
                    return len([event async for event in answer]) and 200

            answers = await asyncio.gather(*(one(number) for number in range(200)))
            rows = await p.ledger()
            assert set(answers) == {200, 429}
            assert answers.count(200) == len(rows)
            assert {row["outcome"] for row in rows} == {"completed"}
            assert (await p.admin.spent(OPERATOR, caller.key_id))["total"] == 6 * len(rows)

    asyncio.run(whole())
