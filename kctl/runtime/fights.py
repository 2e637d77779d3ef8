"""Two controllers that undo each other's work: a field that goes from A to B and back, again and again.

In: every change of a spec with who made it. Out: the fight, once a field has gone back three times between
different writers with nobody else in between. Only fields of ``spec`` count, and only of objects that count their
generations: what changes in a status follows from something.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from kctl.api.objects import Key, key_of
from kctl.client.client import WatchEvent

TURNS = 3
"""So many times must a field have come back."""
DEPTH = 4
"""Fields below this depth are compared as wholes."""
NOTHING = object()


class Fight(NamedTuple):
    """Who changes which field of what, between which values."""

    resource: str
    key: Key
    path: str
    values: tuple[Any, Any]
    writers: tuple[str, ...]

    def text(self) -> str:
        """Return it in words."""
        first, second = ("nothing" if value is NOTHING else repr(value) for value in self.values)
        who = " and ".join(self.writers)
        name = "/".join(part for part in self.key if part)
        return (
            f"{self.resource} {name}: {self.path} goes {first} -> {second} -> {first}: {who} undo each other's change"
        )


class _Turn(NamedTuple):
    old: Any
    new: Any
    writer: str
    back: int


class Fights:
    """Watches specs for fights; ``found`` is the first."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, Key], dict[str, _Turn]] = {}
        self.found: Fight | None = None

    def see(self, event: WatchEvent, writer: str) -> None:
        """Take one change in; ``writer`` is "" for somebody who is no control loop: that starts all anew."""
        old, new = event.old, event.object
        if old is None or event.type != "MODIFIED" or self.found is not None:
            return
        if old["metadata"].get("generation") == new["metadata"].get("generation"):
            return
        identity = (event.resource, key_of(new))
        if not writer:
            self._last.pop(identity, None)
            return
        last = self._last.setdefault(identity, {})
        for path, before, after in _changes(old.get("spec"), new.get("spec"), "spec", DEPTH):
            turn = last.get(path)
            is_back = turn is not None and turn.writer != writer and turn.new == before and turn.old == after
            count = turn.back + 1 if turn is not None and is_back else 0
            last[path] = _Turn(before, after, writer, count)
            if count >= TURNS and turn is not None:
                writers = tuple(sorted({writer, turn.writer}))
                self.found = Fight(*identity, path, (before, after), writers)
                return


def _changes(old: Any, new: Any, path: str, depth: int) -> Iterator[tuple[str, Any, Any]]:
    """Yield path, old and new value of what differs."""
    if old is new:
        return
    if depth and isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(old.keys() | new.keys()):
            yield from _changes(old.get(name, NOTHING), new.get(name, NOTHING), f"{path}.{name}", depth - 1)
    elif old != new:
        yield path, old, new
