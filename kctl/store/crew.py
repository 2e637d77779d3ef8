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
        self._todo: list[SimpleQueue[Call | None]] = []
        self._done: SimpleQueue[None] = SimpleQueue()

    def __call__(self, calls: Iterable[Call]) -> None:
        """Run calls at the same time; return when all are done."""
        first, *rest = calls
        while len(self._todo) < len(rest):
            todo: SimpleQueue[Call | None] = SimpleQueue()
            Thread(target=self._work, args=(todo,), daemon=True, name="kctl-replica").start()
            self._todo.append(todo)
        for todo, call in zip(self._todo, rest, strict=False):
            todo.put(call)
        first()
        for _ in rest:
            self._done.get()

    def _work(self, todo: SimpleQueue[Call | None]) -> None:
        while (call := todo.get()) is not None:
            try:
                call()
            finally:
                self._done.put(None)

    def close(self) -> None:
        """Let the threads end."""
        for todo in self._todo:
            todo.put(None)
        self._todo = []
