"""Which of several upstreams a call goes to: where its prefix is cached, unless that one is much busier."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from axk1.server.calls import ChatCall, EmbedCall, TextCall
from axk1.server.upstream.circuit import Circuit
from axk1.server.upstream.provider import UpstreamProvider

__all__ = ["SLACK", "Seat", "choose", "prefix_of"]

SLACK = 4.0
"""Requests per weight by which the upstream with the cached prefix may be busier than the least busy one. A cached
prefix saves the prefill of all earlier turns; a queue of a few requests costs a part of one batch step."""

_HEAD = 1024  # characters or ids of a plain prompt that make its prefix


@dataclass
class Seat:
    """One upstream with what is known about it."""

    provider: UpstreamProvider
    circuit: Circuit = field(default_factory=Circuit)
    outstanding: int = 0
    draining: bool = False

    @property
    def load(self) -> float:
        """Requests under way per weight."""
        return self.outstanding / self.provider.settings.weight

    @property
    def address(self) -> str:
        """Tells seats apart: their model's name is the same."""
        return self.provider.settings.url


def prefix_of(call: ChatCall | TextCall | EmbedCall) -> bytes:
    """What stays the same over the turns of a conversation: tools, system message and first question."""
    if isinstance(call, ChatCall):
        opening = []
        for message in call.messages:
            opening.append(message.to_dict())
            if message.role == "user":
                break
        whole: object = [opening, [tool.to_dict() for tool in call.tools]]
    elif isinstance(call, TextCall):
        whole = [one[:_HEAD] for one in call.prompts[:1]]
    else:
        whole = [one[:_HEAD] for one in call.inputs[:1]]
    return hashlib.blake2b(json.dumps(whole, default=str).encode()).digest()


def choose(seats: Sequence[Seat], prefix: bytes, now: float, tried: Sequence[Seat]) -> Seat | None:
    """The seat for a call; None when no untried one may be asked.

    Rendezvous hashing by weight: when an upstream comes or goes, only its own conversations move.
    """
    free = [
        seat
        for seat in seats
        if not seat.draining and seat.circuit.allows(now) and not any(seat is other for other in tried)
    ]
    if not free:
        return None
    least = min(free, key=lambda seat: ((seat.outstanding + 1) / seat.provider.settings.weight, _score(seat, prefix)))
    home = min(free, key=lambda seat: _score(seat, prefix))
    return home if home.load <= least.load + SLACK else least


def _score(seat: Seat, prefix: bytes) -> float:
    """Lowest wins; wins with the chance of its weight's share."""
    digest = hashlib.blake2b(prefix + seat.address.encode(), digest_size=8).digest()
    share = (int.from_bytes(digest, "big") + 1) / (2**64 + 1)
    return -math.log(share) / seat.provider.settings.weight
