"""What a log must hold, told by those who wrote to it and read from it.

In: what was attempted, acknowledged and seen, each noted before or after the call it speaks of.
Out: nothing, or a :class:`Violation` when a log that was recovered does not fit. An entry is
known by its cause, which names the attempt; its content follows from that. What was acknowledged
or seen must be there at its index; what was attempted without an answer may be; nothing else may.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from kctl.store.api import Change, Head, Store, Write
from kctl.store.chain import KV_ENTRY
from kctl.store.errors import OutcomeUnknown, StoreError

Put = tuple[str, str | None]
"""A key and its value, None to delete it."""


class Violation(AssertionError):
    """The log has lost, invented or changed something."""


class Row(NamedTuple):
    """One key's state as it must be."""

    value: bytes
    create_revision: int
    mod_revision: int


class Noted:
    """Doing something and noting it; the notes go where a subclass puts them."""

    def attempt(self, cause: str, puts: Sequence[Put]) -> None:
        """Note what is about to be committed."""
        raise NotImplementedError

    def acknowledged(self, cause: str, head: Head) -> None:
        """Note that a commit, or an entry of another kind (cause ""), was acknowledged."""
        raise NotImplementedError

    def refuse(self, cause: str) -> None:
        """Note that an attempt was refused and has left nothing behind."""
        raise NotImplementedError

    def saw(self, store: Store) -> None:
        """Note every entry that a reader was shown: it may not be lost either."""
        raise NotImplementedError

    def hurt(self) -> None:
        """Note that a replica is about to be damaged: until it is mended only a repair makes the log whole."""
        raise NotImplementedError

    def mended(self, store: Store) -> None:
        """Note that the repair is done, and the entries it made."""
        raise NotImplementedError

    def commit(self, store: Store, cause: str, puts: Sequence[Put]) -> Head:
        """Commit and note what came of it: after OutcomeUnknown it is open, after any other error refused."""
        self.attempt(cause, puts)
        try:
            before = store.head()
            head = put(store, puts, cause=cause, expect=before)
        except OutcomeUnknown:
            raise
        except StoreError:
            self.refuse(cause)
            raise
        index = before.index + 1
        self.acknowledged(cause, head._replace(index=index))
        if head.index > index:  # the store has compacted on its own account
            self.acknowledged("", head)
        return head

    def compact(self, store: Store, revision: int) -> Head:
        """Forget what is older; the entries that go were seen before."""
        self.saw(store)
        head = store.compact(revision)
        self.acknowledged("", head)
        return head


class Witness(Noted):
    """What is known; ``known`` maps an index to the cause of its entry ("" for one without writes)."""

    def __init__(self) -> None:
        self.attempts: dict[str, Sequence[Put]] = {}
        self.known: dict[int, str] = {}
        self.refused: set[str] = set()
        self.revisions: dict[int, int] = {}
        self.is_hurt = False

    def attempt(self, cause: str, puts: Sequence[Put]) -> None:
        """Note what is about to be committed."""
        self.attempts[cause] = puts

    def acknowledged(self, cause: str, head: Head) -> None:
        """Note that a commit, or an entry of another kind (cause ""), was acknowledged."""
        self._know(head.index, cause)
        self.revisions[head.index] = head.revision

    def refuse(self, cause: str) -> None:
        """Note that an attempt was refused and has left nothing behind."""
        self.refused.add(cause)

    def saw(self, store: Store) -> None:
        """Note every entry that a reader was shown: it may not be lost either."""
        for entry in list(store.entries()):
            self._know(entry.index, entry.cause if entry.kind == KV_ENTRY else "")

    def hurt(self) -> None:
        """See :meth:`Noted.hurt`."""
        self.is_hurt = True

    def mended(self, store: Store) -> None:
        """See :meth:`Noted.mended`."""
        self.saw(store)
        self.is_hurt = False

    def _know(self, index: int, cause: str) -> None:
        if self.known.setdefault(index, cause) != cause:
            raise Violation(f"entry {index} is {cause!r} and was {self.known[index]!r} before")

    def copy(self) -> Witness:
        """Return what is known now."""
        found = Witness()
        found.attempts, found.known = dict(self.attempts), dict(self.known)
        found.refused, found.revisions = set(self.refused), dict(self.revisions)
        found.is_hurt = self.is_hurt
        return found

    @property
    def last(self) -> int:
        """Return the index of the last entry that must be there."""
        return max(self.known, default=0)

    def open_attempts(self) -> list[str]:
        """Return the attempts of which nobody knows what became."""
        settled = {*self.known.values(), *self.refused}
        return [cause for cause in self.attempts if cause not in settled]

    def repeat(self, store: Store) -> None:
        """Try the last open attempt again: it is in the log once, whether or not it was before."""
        for cause in self.open_attempts()[-1:]:
            was = {entry.cause: entry.index for entry in store.entries()}
            head = put(store, self.attempts[cause], cause=cause)
            if was.get(cause, head.index) != head.index:
                raise Violation(f"{cause} was entry {was[cause]}; its repetition made entry {head.index}")
            self.acknowledged(cause, head)

    def judge(self, store: Store) -> None:
        """Compare a recovered log with what is known; raise Violation."""
        head, entries = store.head(), list(store.entries())
        if head.index < self.last:
            raise Violation(f"entry {self.last} ({self.known[self.last]!r}) is lost: the log ends at {head.index}")
        causes = dict(self.known)
        for entry in entries:
            cause = entry.cause if entry.kind == KV_ENTRY and entry.index else ""
            if entry.index and causes.setdefault(entry.index, cause) != cause:
                raise Violation(f"entry {entry.index} is {cause!r}; {causes[entry.index]!r} was acknowledged or seen")
            if cause in self.refused:
                raise Violation(f"entry {entry.index} is {cause!r}, which was refused")
        found = [entry.index for entry in entries]
        if found != list(range(found[0], head.index + 1)):
            raise Violation(f"entries are missing: {found}, head {head.index}")
        named = [causes.get(n, "") for n in range(1, head.index + 1) if causes.get(n)]
        if len(set(named)) != len(named):
            raise Violation(f"an attempt stands twice in the log: {named}")
        self._judge_rows(store, [causes.get(n, "") for n in range(1, head.index + 1)])

    def _judge_rows(self, store: Store, causes: Iterable[str]) -> None:
        """Fold the attempts and compare states, keys and changes with what the log says."""
        state, changes = self.fold(causes)
        page = store.list("/")
        found = {kv.key: Row(kv.value, kv.create_revision, kv.mod_revision) for kv in page.items}
        if found != state:
            raise Violation(f"the objects are {_short(found)}, want {_short(state)}")
        for key, row in state.items():
            got = store.get(key)
            if got is None or (got.value, got.create_revision, got.mod_revision) != tuple(row):
                raise Violation(f"{key} is {got}, want {row}")
        compacted = store.compacted()
        want = [change for change in changes if change.revision > compacted]
        if (rest := list(store.changes(compacted))) != want:
            raise Violation(f"the changes after {compacted} are {rest}, want {want}")

    def fold(self, causes: Iterable[str]) -> tuple[dict[str, Row], list[Change]]:
        """Return the state after some attempts, and every change on the way."""
        state: dict[str, Row] = {}
        changes = []
        revision = 0
        for cause in causes:
            for key, value in self.attempts.get(cause, ()):
                revision += 1
                old = state.pop(key, None)
                created = old.create_revision if old else revision
                if value is not None:
                    state[key] = Row(value.encode(), created, revision)
                changes.append(Change(key, value.encode() if value is not None else None, revision, created))
        return state, changes


def _short(rows: dict[str, Row]) -> str:
    return json.dumps({key: [row.value.decode()[:12], row.mod_revision] for key, row in sorted(rows.items())})


def put(store: Store, puts: Sequence[Put], *, cause: str, expect: Head | None = None) -> Head:
    """Commit one entry on the current head; the cause is its request id too."""
    head = expect if expect is not None else store.head()
    writes = []
    for n, (key, value) in enumerate(puts, head.revision + 1):
        old = store.get(key)
        content = value.encode() if value is not None else None
        known = old is not None and old.create_revision <= head.revision  # else the head has moved, as commit will say
        writes.append(Write(key, content, n, old.create_revision if known else n))
    revision = head.revision + len(puts)
    return store.commit(head, writes, revision=revision, now=head.now + 1, cause=cause, request_id=cause.encode())


class Notes(Noted):
    """A witness in a file, for a process that is about to be killed: every note is one write."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def attempt(self, cause: str, puts: Sequence[Put]) -> None:
        """See :meth:`Witness.attempt`."""
        self._note("attempt", cause, puts)

    def acknowledged(self, cause: str, head: Head) -> None:
        """See :meth:`Witness.acknowledged`."""
        self._note("acknowledged", cause, head.index, head.revision)

    def refuse(self, cause: str) -> None:
        """See :meth:`Witness.refuse`."""
        self._note("refuse", cause)

    def saw(self, store: Store) -> None:
        """See :meth:`Witness.saw`."""
        self._note("saw", [(e.index, e.cause if e.kind == KV_ENTRY else "") for e in store.entries()])

    def hurt(self) -> None:
        """See :meth:`Noted.hurt`."""
        self._note("hurt")

    def mended(self, store: Store) -> None:
        """See :meth:`Noted.mended`."""
        self.saw(store)
        self._note("mended")

    def _note(self, *what: object) -> None:
        self._file.write(json.dumps(what).encode() + b"\n")


def read(path: Path) -> Witness:
    """Return the witness that a file's notes make; a torn last line was not written."""
    witness = Witness()
    for line in path.read_bytes().split(b"\n")[:-1]:
        verb, *rest = json.loads(line)
        if verb == "attempt":
            witness.attempt(rest[0], [(key, value) for key, value in rest[1]])
        elif verb == "acknowledged":
            witness.acknowledged(rest[0], Head(rest[1], rest[2], 0, b"", 0.0))
        elif verb == "refuse":
            witness.refuse(rest[0])
        elif verb in ("hurt", "mended"):
            witness.is_hurt = verb == "hurt"
        else:
            for index, cause in rest[0]:
                witness._know(index, cause if index else "")
    return witness
