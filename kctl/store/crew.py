"""Doing the same on several replicas at once: one thread each, kept for the next time.

SQLite waits for the disk without Python's lock, so three commits cost little more than one. The
first call is done by who asks; threads are made when there is a second one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from queue import SimpleQueue
from threading import Thread

Call = Callable[[], None]


class Crew:
    """Threads that run calls; calls must not raise."""

    def __init__(self) -> None:
        self._todo: list[SimpleQueue[tuple[Call, SimpleQueue[None]] | None]] = []

    def __call__(self, calls: Iterable[Call]) -> None:
        """Run calls at the same time; return when all are done, also when this thread is interrupted."""
        first, *rest = calls
        done: SimpleQueue[None] = SimpleQueue()
        while len(self._todo) < len(rest):
            todo: SimpleQueue[tuple[Call, SimpleQueue[None]] | None] = SimpleQueue()
            Thread(target=_work, args=(todo,), daemon=True, name="kctl-replica").start()
            self._todo.append(todo)
        for todo, call in zip(self._todo, rest, strict=False):
            todo.put((call, done))
        try:
            first()
        finally:
            for _ in rest:
                done.get()

    def close(self) -> None:
        """Let the threads end."""
        for todo in self._todo:
            todo.put(None)
        self._todo = []


def _work(todo: SimpleQueue[tuple[Call, SimpleQueue[None]] | None]) -> None:
    while (task := todo.get()) is not None:
        call, done = task
        try:
            call()
        finally:
            done.put(None)
