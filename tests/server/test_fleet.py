"""Several upstreams as one: nobody sees a token twice, and one that is well is enough."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axk1.chat.messages import Message
from axk1.server.calls import ChatCall, ContentPart, Event, Finished
from axk1.server.errors import ApiError
from axk1.server.settings import UpstreamSettings
from axk1.server.upstream.circuit import Circuit
from axk1.server.upstream.fleet import Fleet
from axk1.server.upstream.opening import open_upstreams
from axk1.server.upstream.provider import UpstreamProvider
from axk1.server.upstream.routing import SLACK, Seat, choose, prefix_of
from server.upstream_server import HANG, RESET, PlayedUpstream, Step, delta, event, head, refusal, reply

WORDS = ["하나", " 둘", " 셋"]
GOOD = reply(*WORDS)
WHOLE = "".join(WORDS)


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 30))


def ask(text: str = "안녕") -> ChatCall:
    return ChatCall("k1", (Message("user", text),))


@contextlib.asynccontextmanager
async def fleet_of(
    scripts: Sequence[Callable[[Any], list[Step]]],
    clock: Callable[[], float] = lambda: 0.0,
    check_seconds: float | None = None,
) -> AsyncIterator[tuple[Fleet, list[PlayedUpstream]]]:
    async with contextlib.AsyncExitStack() as stack:
        played = [await stack.enter_async_context(PlayedUpstream(script).listening()) for script in scripts]
        named = [UpstreamSettings(one.url, "k1", timeout_seconds=0.5, gap_seconds=0.5) for one in played]
        fleet = Fleet([UpstreamProvider.of(one, {}) for one in named], clock, check_seconds)
        stack.push_async_callback(fleet.close)
        yield fleet, played


async def text_of(fleet: Fleet, call: ChatCall) -> tuple[str, ApiError | None]:
    """What a client saw, and the error it saw."""
    events: list[Event] = []
    try:
        async for one in await fleet.chat(call):
            events.append(one)  # noqa: PERF401  (what came before an error counts)
    except ApiError as error:
        return "".join(one.text for one in events if isinstance(one, ContentPart)), error
    assert isinstance(events[-1], Finished)
    return "".join(one.text for one in events if isinstance(one, ContentPart)), None


BEFORE: dict[str, list[Step]] = {  # failures before the first token
    "500": refusal(500, {"error": {"message": "boom"}}),
    "429": refusal(429, {}),
    "503": refusal(503, {}),
    "html": [head(502, "text/html"), b"<html>"],
    "reset": [RESET],
    "reset after the head": [head(), RESET],
    "only a role": [head(), event(delta(role="assistant", content="")), RESET],
    "error event": [head(), event({"error": {"message": "boom", "code": 500}})],
    "ends at once": [head()],
    "hangs": [HANG],
}
AFTER: dict[str, list[Step]] = {  # and after it
    "reset later": [head(), event(delta(WORDS[0])), RESET],
    "ends early": [head(), event(delta(WORDS[0]))],
    "error later": [head(), event(delta(WORDS[0])), event({"error": {"message": "boom", "code": 500}})],
}


@pytest.mark.parametrize("fault", BEFORE)
def test_a_failure_before_the_first_token_is_nobody_elses_business(fault: str) -> None:
    async def work() -> None:
        async with fleet_of([lambda _: BEFORE[fault], lambda _: BEFORE[fault], lambda _: GOOD]) as (fleet, _):
            for number in range(3):
                assert await text_of(fleet, ask(str(number))) == (WHOLE, None)
            assert all(seat.outstanding == 0 for seat in fleet.seats)

    run(work())


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from([name for name in (*BEFORE, *AFTER, "good") if name != "hangs"]), max_size=12),
    st.integers(0, 99),
)
def test_no_token_twice_and_one_healthy_upstream_is_enough(faults: list[str], seed: int) -> None:
    """Two upstreams fail as they like, one is well: what a client sees is a beginning of the answer, all of it unless
    it broke off behind the first token."""
    left = {0: faults[::2], 1: faults[1::2]}
    late: list[str] = []

    def failing(place: int) -> Callable[[Any], list[Step]]:
        def script(_: Any) -> list[Step]:
            name = left[place].pop(0) if left[place] else "good"
            late.extend([name] if name in AFTER else [])
            return {**BEFORE, **AFTER, "good": GOOD}[name]

        return script

    async def work() -> None:
        async with fleet_of([failing(0), failing(1), lambda _: GOOD]) as (fleet, _):
            rng = random.Random(seed)
            seen = await asyncio.gather(*(text_of(fleet, ask(str(rng.random()))) for _ in range(8)))
            broken = [text for text, error in seen if error is not None]
            assert broken == [WORDS[0]] * len(late)
            assert Counter(text for text, error in seen if error is None) == Counter([WHOLE] * (8 - len(late)))
            assert all(seat.outstanding == 0 for seat in fleet.seats)

    run(work())


def test_a_clients_own_mistake_is_not_tried_twice() -> None:
    async def work() -> None:
        bad = refusal(400, {"error": {"message": "too long", "param": "messages"}})
        async with fleet_of([lambda _: bad, lambda _: bad]) as (fleet, played):
            _, error = await text_of(fleet, ask())
            assert error is not None
            assert (error.status, error.param) == (400, "messages")
            assert sum(len(one.asked) for one in played) == 1

    run(work())


def test_a_circuit_opens_and_one_probe_closes_it() -> None:
    now = [0.0]
    steps = [BEFORE["500"]]

    async def work() -> None:
        async with fleet_of([lambda _: steps[0]], lambda: now[0]) as (fleet, played):
            for _ in range(3):
                assert (await text_of(fleet, ask()))[1] is not None
            _, error = await text_of(fleet, ask())
            assert error is not None
            assert (error.status, error.headers["Retry-After"]) == (503, "2")
            assert len(played[0].asked) == 3
            now[0] = 2.0
            assert (await text_of(fleet, ask()))[1] is not None  # the probe fails: a longer rest
            assert len(played[0].asked) == 4
            now[0] = 5.0
            assert (await text_of(fleet, ask()))[1] is not None
            assert len(played[0].asked) == 4
            now[0], steps[0] = 6.0, GOOD
            assert await text_of(fleet, ask()) == (WHOLE, None)
            assert not fleet.seats[0].circuit.is_open

    run(work())


def test_only_one_request_probes() -> None:
    circuit = Circuit()
    for _ in range(3):
        circuit.fail(0.0)
    assert not circuit.allows(1.0)
    assert circuit.allows(2.0)
    circuit.begin()
    assert not circuit.allows(2.0)
    circuit.succeed()
    assert circuit.allows(2.0)


def test_retry_after_is_kept_to() -> None:
    now = [0.0]

    async def work() -> None:
        busy = refusal(429, {}, "Retry-After: 9\r\n")
        async with fleet_of([lambda _: busy, lambda _: GOOD], lambda: now[0]) as (fleet, played):
            for number in range(12):
                assert await text_of(fleet, ask(str(number))) == (WHOLE, None)
            assert len(played[0].asked) == 1
            now[0] = 9.0
            for number in range(12):
                assert await text_of(fleet, ask(str(number))) == (WHOLE, None)
            assert len(played[0].asked) == 2

    run(work())


def test_retries_of_work_that_was_taken_are_few() -> None:
    async def work() -> None:
        async with fleet_of([lambda _: BEFORE["500"], lambda _: BEFORE["500"]]) as (fleet, played):
            for seat in fleet.seats:
                seat.circuit.allows = lambda now: True  # type: ignore[method-assign]
            for _ in range(100):
                await text_of(fleet, ask())
            assert sum(len(one.asked) for one in played) == 164

    run(work())


def test_health_checks_find_out_before_clients_do() -> None:
    async def work() -> None:
        async with fleet_of([lambda _: GOOD, lambda _: GOOD], check_seconds=0.001) as (fleet, played):
            played[0].healthy = False
            fleet.seats[0].draining = True
            await text_of(fleet, ask())
            fleet.seats[0].draining = False
            while not fleet.seats[0].circuit.is_open:
                await asyncio.sleep(0.001)
            for number in range(6):
                assert await text_of(fleet, ask(str(number))) == (WHOLE, None)
            assert not played[0].asked
            played[0].healthy = True
            while fleet.seats[0].circuit.open_until > 0.0:
                await asyncio.sleep(0.001)
            for number in range(20):
                await text_of(fleet, ask(str(number)))
            assert played[0].asked
            assert not fleet.seats[0].circuit.is_open

    run(work())


def test_a_client_that_leaves_frees_its_seat_and_blames_nobody() -> None:
    async def work() -> None:
        async with fleet_of([lambda _: [head(), event(delta("하나")), HANG]]) as (fleet, played):
            for _ in range(5):
                answer = await fleet.chat(ask())
                assert await anext(aiter(answer)) == ContentPart(0, "하나")
                await answer.aclose()
            assert (fleet.seats[0].outstanding, fleet.seats[0].circuit.failures) == (0, 0)
            while played[0].left < 5:
                await asyncio.sleep(0.001)

    run(work())


def test_draining_waits_for_the_last_answer() -> None:
    async def work() -> None:
        async with fleet_of([lambda _: GOOD, lambda _: GOOD]) as (fleet, played):
            first = fleet.seats[0]
            fleet.seats[1].draining = True
            answer = await fleet.chat(ask())
            fleet.seats[1].draining = False
            drained = asyncio.create_task(fleet.drain(first, 0.001))
            await asyncio.sleep(0.01)
            assert not drained.done()
            assert [one async for one in answer]
            await drained
            for number in range(5):
                await text_of(fleet, ask(str(number)))
            assert len(played[0].asked) == 1

    run(work())


def seats_of(*weights: float) -> list[Seat]:
    named = [UpstreamSettings(f"http://10.0.0.{n}:8000/v1", "k1", weight=one) for n, one in enumerate(weights)]
    return [Seat(UpstreamProvider(one, "")) for one in named]


def test_a_conversation_stays_where_its_prefix_is_cached() -> None:
    seats = seats_of(1, 1, 1, 1)
    opening = (Message("system", "짧게"), Message("user", "안녕"))
    later = (*opening, Message("assistant", "네"), Message("user", "더"))
    first, second = (choose(seats, prefix_of(ChatCall("k1", one)), 0.0, ()) for one in (opening, later))
    assert first is second is not None
    first.outstanding = int(SLACK) + 1
    assert choose(seats, prefix_of(ChatCall("k1", later)), 0.0, ()) is not first


def test_conversations_are_shared_out_by_weight_and_few_move() -> None:
    seats = seats_of(1, 1, 2)
    prefixes = [prefix_of(ask(str(number))) for number in range(4000)]
    homes = [choose(seats, one, 0.0, ()) for one in prefixes]
    shares = [sum(home is seat for home in homes) / 4000 for seat in seats]
    assert shares == pytest.approx([0.25, 0.25, 0.5], abs=0.03)
    seats[0].draining = True
    moved = [new is not old for old, new in zip(homes, (choose(seats, one, 0.0, ()) for one in prefixes), strict=True)]
    assert sum(moved) == sum(home is seats[0] for home in homes)


def test_a_fleet_serves_one_model() -> None:
    named = [UpstreamSettings("http://10.0.0.1/v1", name) for name in ("a", "b")]
    with pytest.raises(ValueError, match="one model"):
        Fleet([UpstreamProvider(one, "") for one in named])
    with pytest.raises(ValueError, match="twice"):
        open_upstreams([named[0], named[0]], {})


def test_a_client_that_leaves_before_the_reply_begins_frees_its_seat() -> None:
    async def work() -> None:
        async with fleet_of([lambda _: [HANG]]) as (fleet, played):
            task = asyncio.create_task(fleet.chat(ask()))
            while not played[0].asked:
                await asyncio.sleep(0.001)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert (fleet.seats[0].outstanding, fleet.seats[0].circuit.failures) == (0, 0)
            while not played[0].left:
                await asyncio.sleep(0.001)

    run(work())
