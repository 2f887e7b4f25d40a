"""Continuous batching: which tokens of which sequences the next step computes, and who waits.

First come, first served. Running sequences go first, oldest first, each with all its missing tokens as far as the
step's budget goes; then waiting ones begin. When the cache is full, the youngest running sequence gives its blocks back
and waits at the front of the queue: it is computed again later, mostly from what the cache still remembers.

Drafts, guesses at a sequence's next tokens, ride along on what then is left of the budget and of the free blocks: they
never delay a token that is known, and never send a sequence back to the queue.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

from axk1.engine.cache import BlockPool, block_keys

__all__ = ["Scheduler", "Sequence", "Slice"]


@dataclass(eq=False)
class Sequence:
    """Tokens to be computed: a prompt and what was generated after it.

    `computed` tokens have their latents in `blocks`. Of the first `reusable` tokens the results are not needed (any
    more), so they may come from the prefix cache; when it was first let in, those of `reused` tokens did. `draft` is a
    guess at the tokens that will follow; of all those `drafted` and computed, `accepted` turned out right.
    """

    tokens: list[int]
    reusable: int
    computed: int = 0
    reused: int = 0
    blocks: list[int] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)
    preemptions: int = 0
    draft: list[int] = field(default_factory=list)
    drafted: int = 0
    accepted: int = 0

    @property
    def missing(self) -> int:
        """Tokens not yet computed."""
        return len(self.tokens) - self.computed


@dataclass(frozen=True)
class Slice:
    """One sequence's part of a step: `count` tokens from position `start` on, and a draft of what follows them."""

    sequence: Sequence
    start: int
    count: int
    draft: tuple[int, ...] = ()

    @property
    def end(self) -> int:
        """The position after the last token that is known, where the draft begins."""
        return self.start + self.count


class Scheduler:
    """Of one thread. Each round: `schedule`, run the slices, `computed`; `finish` a sequence that has ended."""

    def __init__(self, pool: BlockPool, block_size: int, max_batch_tokens: int, max_sequences: int) -> None:
        self.pool = pool
        self.block_size = block_size
        self.max_batch_tokens = max_batch_tokens
        self.max_sequences = max_sequences
        self.waiting: deque[Sequence] = deque()
        self.running: list[Sequence] = []  # oldest first

    @property
    def busy(self) -> bool:
        """Whether anything runs or waits."""
        return bool(self.running or self.waiting)

    def add(self, sequence: Sequence) -> None:
        """Queues a sequence. The caller has checked that it can fit into the cache alone."""
        self.waiting.append(sequence)

    def schedule(self) -> list[Slice]:
        """The slices of the next step, at least one while there is work: the oldest sequence always gets on."""
        before = list(self.running)
        slices = self._go_on(before)
        if len(self.running) == len(before):  # who gave way would only be let in to give way again
            slices += self._let_in(self.max_batch_tokens - sum(piece.count for piece in slices))
        assert slices or not self.busy
        return self._with_drafts(slices)

    def computed(self, piece: Slice) -> None:
        """The slice's latents are in the cache: its full blocks may be shared from now on.

        With a draft, call it when the sequence has got its new tokens: those of the draft that are right, and one more.
        Latents of the rest stay behind the computed ones, where they are overwritten before anything reads them.
        """
        sequence = piece.sequence
        accepted = len(sequence.tokens) - 1 - piece.end if piece.draft else 0
        assert piece.draft[:accepted] == tuple(sequence.tokens[piece.end : piece.end + accepted]), (
            "not what was computed"
        )
        sequence.computed = piece.end + accepted
        sequence.keys = block_keys(sequence.tokens, self.block_size, sequence.keys)
        for number in range(piece.start // self.block_size, sequence.computed // self.block_size):
            self.pool.publish(sequence.blocks[number], sequence.keys[number])
        if piece.draft:
            surplus = self._blocks_up_to(len(sequence.tokens))
            self.pool.release(sequence.blocks[surplus:])
            del sequence.blocks[surplus:]

    def finish(self, sequence: Sequence) -> None:
        """Ends a sequence, running or waiting; its blocks are free at once."""
        if sequence in self.running:
            self.running.remove(sequence)
        else:
            self.waiting.remove(sequence)
        self._give_back(sequence)

    def _go_on(self, running: list[Sequence]) -> list[Slice]:
        budget = self.max_batch_tokens
        slices: list[Slice] = []
        for sequence in running:
            count = min(sequence.missing, budget)
            # an older one may have sent it back to the queue
            if count and sequence in self.running and self._make_room(sequence, count):
                slices.append(Slice(sequence, sequence.computed, count))
                budget -= count
        return slices

    def _let_in(self, budget: int) -> list[Slice]:
        slices: list[Slice] = []
        while budget and self.waiting and len(self.running) < self.max_sequences:
            admitted = self._admit(self.waiting[0], budget)
            if admitted is None:
                break
            slices.append(admitted)
            budget -= admitted.count
        return slices

    def _with_drafts(self, slices: list[Slice]) -> list[Slice]:
        room = self.max_batch_tokens - sum(piece.count for piece in slices)
        longer: list[Slice] = []
        for piece in slices:
            sequence = piece.sequence
            draft = sequence.draft if piece.end == len(sequence.tokens) else []
            places = (len(sequence.blocks) + self.pool.free) * self.block_size - piece.end
            draft = draft[: min(room, places)]
            wanted = self._blocks_up_to(piece.end + len(draft)) - len(sequence.blocks)
            sequence.blocks += self.pool.take(wanted)
            longer.append(replace(piece, draft=tuple(draft)))
            room -= len(draft)
        return longer

    def _admit(self, sequence: Sequence, budget: int) -> Slice | None:
        """Begins the first waiting sequence behind what the cache remembers of it; None when there is no room."""
        sequence.keys = block_keys(sequence.tokens, self.block_size, sequence.keys)
        # the last token is computed in any case: its result is what is waited for
        whole = min(sequence.reusable, len(sequence.tokens) - 1) // self.block_size
        known = self.pool.matching(sequence.keys[:whole])
        start = len(known) * self.block_size
        count = min(len(sequence.tokens) - start, budget)
        self.pool.hold(known)
        wanted = self._blocks_up_to(start + count) - len(known)
        if wanted > self.pool.free:
            self.pool.release(known)
            return None
        sequence.blocks = known + self.pool.take(wanted)
        sequence.computed = start
        if not sequence.preemptions:
            sequence.reused = start
        self.running.append(self.waiting.popleft())
        return Slice(sequence, start, count)

    def _make_room(self, sequence: Sequence, count: int) -> bool:
        """Gives a running sequence blocks for `count` more tokens, if need be those of the youngest; False if it was
        itself the youngest and had to give way."""
        wanted = self._blocks_up_to(sequence.computed + count) - len(sequence.blocks)
        while wanted > self.pool.free:
            youngest = self.running[-1]
            self._preempt(youngest)
            if youngest is sequence:
                return False
        sequence.blocks += self.pool.take(wanted)
        return True

    def _preempt(self, sequence: Sequence) -> None:
        self.running.remove(sequence)
        self._give_back(sequence)
        sequence.preemptions += 1
        self.waiting.appendleft(sequence)

    def _give_back(self, sequence: Sequence) -> None:
        self.pool.release(sequence.blocks)
        sequence.blocks = []
        sequence.computed = 0

    def _blocks_up_to(self, tokens: int) -> int:
        return -(-tokens // self.block_size)
