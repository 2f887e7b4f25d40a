"""The upstreams of a server's settings, as Providers by the names of their models."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from axk1.server.settings import UpstreamSettings
from axk1.server.upstream.fleet import Fleet
from axk1.server.upstream.provider import UpstreamProvider

__all__ = ["open_upstreams"]

_CHECK_SECONDS = 5.0  # between two health checks of an upstream


def open_upstreams(upstreams: Sequence[UpstreamSettings], environment: Mapping[str, str]) -> dict[str, Fleet]:
    """One fleet for each name; asks each upstream what it is. To be called where no event loop runs. ValueError for
    settings that make no sense; an upstream that is away is none."""
    addresses = [one.url.rstrip("/") for one in upstreams]
    twice = next((one for place, one in enumerate(addresses) if one in addresses[:place]), None)
    if twice is not None:
        raise ValueError(f"the upstream {twice} is listed twice: give it a weight instead")
    made = {
        one.name: [UpstreamProvider.of(two, environment) for two in upstreams if two.name == one.name]
        for one in upstreams
    }
    asyncio.run(_look([provider for group in made.values() for provider in group]))
    return {name: Fleet(group, check_seconds=_CHECK_SECONDS) for name, group in made.items()}


async def _look(providers: Sequence[UpstreamProvider]) -> None:
    await asyncio.gather(*(one.look() for one in providers))
