"""Scheduler and cache as a state machine: whatever callers do, no block is lost, shared wrongly or kept too long."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from axk1.engine.cache import BlockPool, block_keys
from axk1.engine.scheduler import Scheduler, Sequence, Slice

EVERYTHING = 10**9


class SchedulerMachine(RuleBasedStateMachine):
    """Runs the scheduler against a model of the cache: for every block, the tokens whose latents it holds."""

    @initialize(
        block_size=st.integers(1, 4), blocks=st.integers(4, 14), budget=st.integers(1, 20), running=st.integers(1, 5)
    )
    def begin(self, block_size: int, blocks: int, budget: int, running: int) -> None:
        self.block_size, self.blocks = block_size, blocks
        self.pool = BlockPool(blocks)
        self.scheduler = Scheduler(self.pool, block_size, budget, running)
        self.arrived: list[Sequence] = []
        self.contents: dict[tuple[int, int], tuple[int, ...]] = {}  # (block, offset): all tokens up to that one
        self.ended: set[int] = set()

    @property
    def live(self) -> list[Sequence]:
        return [one for one in self.arrived if id(one) not in self.ended]

    @rule(
        beginning=st.sampled_from([(), (1, 2, 3, 4, 5, 6, 7, 8), (1, 2, 3, 4, 9, 9, 9, 9)]),
        rest=st.lists(st.integers(0, 2), min_size=1, max_size=12),
        scored=st.booleans(),
    )
    def add(self, beginning: tuple[int, ...], rest: list[int], scored: bool) -> None:
        tokens = [*beginning, *rest][: self.blocks * self.block_size]
        self.arrived.append(Sequence(tokens, reusable=0 if scored else EVERYTHING))
        self.scheduler.add(self.arrived[-1])

    @precondition(lambda self: self.scheduler.busy)
    @rule(
        ends=st.lists(st.booleans(), min_size=5, max_size=5), token=st.integers(0, 2), cancelled=st.integers(0, 9),
        right=st.integers(0, 6), draft=st.lists(st.integers(0, 2), max_size=6),
    )  # fmt: skip
    def step(self, ends: list[bool], token: int, cancelled: int, right: int, draft: list[int]) -> None:
        """Of every draft `right` tokens turn out right; `draft` is the next one."""
        pieces = self.scheduler.schedule()
        self.check_step(pieces)
        for piece in pieces:
            self.write(piece)
        if cancelled < len(self.live):  # while the step runs
            self.end(self.live[cancelled])
        for piece, ends_now in zip(pieces, [*ends] * 20, strict=False):
            if id(piece.sequence) in self.ended:
                continue
            sequence = piece.sequence
            grows = piece.end == len(sequence.tokens)
            if grows:
                sequence.tokens += [*piece.draft[:right], token]
                sequence.reusable = EVERYTHING
            self.scheduler.computed(piece)
            room = self.blocks * self.block_size - len(sequence.tokens)
            if grows and (ends_now or room < 0):
                self.end(sequence)
            elif grows:
                assert sequence.missing == 1
                sequence.draft = draft[:room]

    @precondition(lambda self: self.live)
    @rule(place=st.integers(0, 100))
    def cancel(self, place: int) -> None:
        self.end(self.live[place % len(self.live)])

    def end(self, sequence: Sequence) -> None:
        self.scheduler.finish(sequence)
        self.ended.add(id(sequence))

    def check_step(self, pieces: list[Slice]) -> None:
        assert pieces, "while there is work, every step does some"
        assert sum(piece.count + len(piece.draft) for piece in pieces) <= self.scheduler.max_batch_tokens
        assert len({id(piece.sequence) for piece in pieces}) == len(pieces)
        assert pieces[0].sequence is self.live[0], "the oldest request always gets on"
        order = [self.arrived.index(piece.sequence) for piece in pieces]
        assert order == sorted(order)
        for piece in pieces:
            assert piece.count > 0
            assert piece.start == piece.sequence.computed
            assert piece.end + len(piece.draft) <= len(piece.sequence.blocks) * self.block_size
            assert not piece.draft or piece.end == len(piece.sequence.tokens), "a draft follows all that is known"

    def write(self, piece: Slice) -> None:
        """What a back end does: fill the slots of the slice, then read those of all positions before."""
        sequence = piece.sequence
        tokens = (*sequence.tokens[: piece.end], *piece.draft)
        for position in range(piece.start, len(tokens)):
            block = sequence.blocks[position // self.block_size]
            assert self.pool.references(block) == 1, "a block that is written to has one owner"
            assert not self.pool.is_published(block), "a published block is never written to"
            self.contents[block, position % self.block_size] = tokens[: position + 1]
        for position in range(len(tokens)):
            slot = (sequence.blocks[position // self.block_size], position % self.block_size)
            assert self.contents[slot] == tokens[: position + 1], "latents of other tokens are read"

    @invariant()
    def references_are_exact(self) -> None:
        if not hasattr(self, "pool"):
            return
        held = [block for sequence in self.live for block in sequence.blocks]
        for block in range(self.blocks):
            assert self.pool.references(block) == held.count(block)
            assert held.count(block) <= 1 or self.pool.is_published(block), "only full, published blocks are shared"
        assert self.pool.free == self.blocks - len(set(held))
        for sequence in self.live:
            assert len(set(sequence.blocks)) == len(sequence.blocks)
            most = -(-len(sequence.tokens) // self.block_size)
            assert len(sequence.blocks) <= most, "a draft that was wrong holds no block"

    @invariant()
    def order_is_fair(self) -> None:
        if not hasattr(self, "scheduler"):
            return
        queue = [*self.scheduler.running, *self.scheduler.waiting]
        assert [id(one) for one in queue] == [id(one) for one in self.live], (
            "first come, first served, also when preempted"
        )
        assert len(self.scheduler.running) <= self.scheduler.max_sequences

    def teardown(self) -> None:
        if not hasattr(self, "scheduler"):
            return
        steps = 0
        for sequence in self.live:
            sequence.draft = []
        while self.scheduler.busy:
            for piece in self.scheduler.schedule():
                self.scheduler.computed(piece)
                if not piece.sequence.missing:
                    self.end(piece.sequence)
            steps += 1
            assert steps < 10_000, "no end in sight"
        assert self.pool.free == self.blocks, "when all have ended, nothing is held"


SchedulerMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestScheduler = SchedulerMachine.TestCase


def test_keys_depend_on_all_that_came_before() -> None:
    keys = block_keys([1, 2, 3, 4, 5, 6, 7], 2)
    assert len(keys) == 3
    assert block_keys([1, 2, 3, 4], 2) == keys[:2]
    assert block_keys([9, 2, 3, 4], 2)[1] != keys[1]
    assert block_keys([1, 2, 3, 4, 5, 6, 8, 8], 2, keys)[:3] == keys


def computed(scheduler: Scheduler, tokens: list[int]) -> Sequence:
    """A sequence that runs to its end and is finished."""
    sequence = Sequence(tokens, EVERYTHING)
    scheduler.add(sequence)
    while sequence.missing:
        for piece in scheduler.schedule():
            scheduler.computed(piece)
    scheduler.finish(sequence)
    return sequence


def test_fully_cached_prompt_still_runs_one_token() -> None:
    scheduler = Scheduler(BlockPool(8), 1, 16, 4)
    computed(scheduler, [1, 2, 3, 4])
    again = Sequence([1, 2, 3, 4], EVERYTHING)
    scheduler.add(again)
    (piece,) = scheduler.schedule()
    assert (piece.start, piece.count) == (3, 1)


def test_the_least_recently_used_beginning_is_forgotten_first() -> None:
    scheduler = Scheduler(BlockPool(4), 2, 16, 4)
    computed(scheduler, [1, 1, 2, 2])
    computed(scheduler, [3, 3, 4, 4])
    computed(scheduler, [1, 1, 2, 2, 5])  # uses the first again; its fifth token takes the end of the other
    assert computed(scheduler, [1, 1, 2, 2, 6]).reused == 4
    assert computed(scheduler, [3, 3, 4, 4, 5]).reused == 2


def test_what_is_scored_is_computed() -> None:
    scheduler = Scheduler(BlockPool(8), 1, 16, 4)
    computed(scheduler, [1, 2, 3, 4])
    scheduler.add(Sequence([1, 2, 3, 4], reusable=1))
    assert scheduler.schedule()[0].start == 1


def test_drafts_get_what_is_left_and_send_nobody_back() -> None:
    scheduler = Scheduler(BlockPool(4), 2, 8, 4)
    old, new = Sequence([1, 2, 3], EVERYTHING), Sequence([4, 5], EVERYTHING)
    for sequence in (old, new):
        scheduler.add(sequence)
    for piece in scheduler.schedule():
        piece.sequence.tokens.append(6)
        scheduler.computed(piece)
    old.draft, new.draft = [7, 7, 7, 7, 7], [8]
    pieces = scheduler.schedule()
    assert [piece.draft for piece in pieces] == [(), (8,)], "the new one's next token takes the last block"
    assert old.preemptions == new.preemptions == 0


def test_only_what_was_right_of_a_draft_can_be_found_again() -> None:
    scheduler = Scheduler(BlockPool(8), 2, 16, 4)
    sequence = Sequence([1, 2, 3], EVERYTHING, draft=[4, 5, 6, 7, 8])
    scheduler.add(sequence)
    (piece,) = scheduler.schedule()
    assert (piece.end, piece.draft) == (3, (4, 5, 6, 7, 8))
    sequence.tokens += [4, 5, 9]
    scheduler.computed(piece)
    assert (sequence.computed, len(sequence.blocks)) == (5, 3)
    scheduler.finish(sequence)
    assert computed(scheduler, [1, 2, 3, 4, 5, 6, 7, 8]).reused == 4


@pytest.mark.parametrize("budget", [1, 5, 64])
def test_the_budget_goes_to_running_sequences_first(budget: int) -> None:
    scheduler = Scheduler(BlockPool(32), 4, budget, 4)
    old, new = Sequence(list(range(10)), EVERYTHING), Sequence(list(range(20, 30)), EVERYTHING)
    scheduler.add(old)
    scheduler.schedule()
    scheduler.add(new)
    pieces = scheduler.schedule()
    assert pieces[0].sequence is old
    assert (len(pieces) == 2) == (budget > 10)
