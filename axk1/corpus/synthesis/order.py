"""Items worked on side by side, their results given back in the items' order."""

import itertools
import queue
import threading
from collections.abc import Callable, Generator, Iterator
from typing import TypeVar

__all__ = ["in_order"]

T = TypeVar("T")
R = TypeVar("R")


def in_order(
    items: Iterator[T], work: Callable[[T], R], threads: int, ahead: int, stop: threading.Event
) -> Generator[R, None, None]:
    """`work` of every item, by so many threads; items are taken up to `ahead` before the first unfinished one.

    The first error of any item is raised as soon as it happens. However this ends, `stop` is set, no further item is
    begun, and work under way is waited for; a second Ctrl-C leaves it, for the threads do not outlive the process.
    """
    tasks: queue.SimpleQueue[tuple[int, T] | None] = queue.SimpleQueue()
    results: queue.SimpleQueue[tuple[int, R | None, BaseException | None]] = queue.SimpleQueue()

    def serve() -> None:
        while (task := tasks.get()) is not None:
            if stop.is_set():
                continue
            try:
                results.put((task[0], work(task[1]), None))
            except BaseException as error:  # noqa: BLE001 (raised again by the thread that waits)
                stop.set()
                results.put((task[0], None, error))

    crew = [threading.Thread(target=serve, daemon=True) for _ in range(threads)]
    for thread in crew:
        thread.start()
    try:
        yield from _collected(enumerate(items), tasks, results, max(ahead, threads))
    finally:
        stop.set()
        for _ in crew:
            tasks.put(None)
        for thread in crew:
            thread.join()


def _collected(
    numbered: Iterator[tuple[int, T]],
    tasks: "queue.SimpleQueue[tuple[int, T] | None]",
    results: "queue.SimpleQueue[tuple[int, R | None, BaseException | None]]",
    ahead: int,
) -> Iterator[R]:
    begun = 0
    for first in itertools.islice(numbered, ahead):
        tasks.put(first)
        begun += 1
    arrived: dict[int, R | None] = {}
    following = 0
    while following < begun:
        while following not in arrived:
            number, result, error = results.get()
            if error is not None:
                raise error
            arrived[number] = result
        if (task := next(numbered, None)) is not None:
            tasks.put(task)
            begun += 1
        yield arrived.pop(following)  # type: ignore[misc]  # None only where R holds None
        following += 1
