"""Which contenders run at the same time: as many as memory holds, and ours with every peer it is compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine_contenders import Candidate


@dataclass(frozen=True)
class Group:
    """Contenders that are loaded together and asked in turn. Seconds of groups of the same `comparison` are compared
    with one another; `share` is the part of the rounds that this one runs."""

    members: tuple[Candidate, ...]
    comparison: int
    share: float = 1.0


def grouped(candidates: Sequence[Candidate], bytes_of: Mapping[Candidate, float], memory: float) -> list[Group]:
    """Every peer shares a group with ours of its bits. A pair that does not fit runs one after the other, twice:
    ours, peer, ours, peer, so that a slow minute of the machine does not strike one of them only."""
    together: list[list[Candidate]] = []
    apart: list[tuple[Candidate, ...]] = []
    for unit in _units(candidates):
        need = sum(bytes_of[one] for one in unit)
        if len(unit) > 1 and need > memory:
            apart.append(unit)
            continue
        for group in together:
            joined = [*group, *(one for one in unit if one not in group)]
            if sum(bytes_of[one] for one in joined) <= memory:
                group[:] = joined
                break
        else:
            together.append(list(unit))
    whole = [Group(tuple(members), index) for index, members in enumerate(together)]
    halves = [Group((one,), len(together) + index, 0.5) for index, unit in enumerate(apart) for one in (*unit, *unit)]
    return whole + halves


def _units(candidates: Sequence[Candidate]) -> list[tuple[Candidate, ...]]:
    """Peers with ours of the same bits; ours alone where it has no peer."""
    ours = {one.bits: one for one in candidates if one.ours}
    peers = [one for one in candidates if not one.ours]
    pairs = [(ours[one.bits], one) if one.bits in ours else (one,) for one in peers]
    return pairs + [(one,) for bits, one in ours.items() if bits not in {peer.bits for peer in peers}]
