"""The Store protocol: what the API server needs of a log, and the values it is told in.

In: batches of writes, each numbered by the API server. Out: heads, current and past states,
changes. Keys are ``/{resource}/{namespace}/{name}`` (namespace "" for cluster scope, so the
slash stands twice), values are canonical JSON bytes; the store looks into neither.

An *entry* is one batch. It takes the revisions after the previous head up to its own, and
keeps per key the last state with that state's own revision. Every commit names the head it
was computed from and fails with ``HeadMoved`` when another writer was faster.

Not here: what a revision means to a client, watching (the API server tells its watchers from
memory; other processes read :meth:`Store.changes`), leases.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol


class Write(NamedTuple):
    """The last state of one key in a batch; ``value`` None deletes it."""

    key: str
    value: bytes | None
    revision: int
    create_revision: int


class Head(NamedTuple):
    """The end of the log. Equal heads mean equal histories: ``hash`` chains all entries."""

    index: int  # type: ignore[assignment]
    revision: int
    term: int
    hash: bytes
    now: float


class KV(NamedTuple):
    """One key's state at some revision."""

    key: str
    value: bytes
    create_revision: int
    mod_revision: int


class Change(NamedTuple):
    """One stored state of one key, in order of revision; ``value`` None means deleted."""

    key: str
    value: bytes | None
    revision: int
    create_revision: int


class Page(NamedTuple):
    """A part of a listing in order of key; ``revision`` pins the next page to the same state."""

    items: list[KV]
    revision: int
    more: bool


class Entry(NamedTuple):
    """What the log says about one batch; ``first > last`` when it holds no write."""

    index: int  # type: ignore[assignment]
    first: int
    last: int
    term: int
    kind: int
    now: float
    cause: str
    hash: bytes


class Store(Protocol):
    """A log of entries and the states that follow from it."""

    @property
    def cluster_id(self) -> str:
        """The identity of this log, chosen when it was created."""
        ...

    def head(self) -> Head:
        """Return the end of the log as it is now, also when another process moved it."""
        ...

    def commit(
        self,
        expect: Head,
        writes: Sequence[Write],
        *,
        revision: int,
        now: float,
        cause: str = "",
        request_id: bytes = b"",
    ) -> Head:
        """Append one entry, durable when this returns, and return the new head.

        ``revision`` is the last revision of the batch; every write has a revision of its own in
        the range after ``expect.revision`` and no key stands twice. A ``request_id`` that is in
        the log already returns the head it made then and writes nothing. Raises HeadMoved when
        ``expect`` is not the head (nothing is written), OutcomeUnknown when only a retry with
        the same ``request_id`` can tell.
        """
        ...

    def get(self, key: str, *, revision: int | None = None) -> KV | None:
        """Return the state of a key, None when absent; Compacted, FutureRevision."""
        ...

    def list(self, prefix: str, *, revision: int | None = None, limit: int = 0, after: str = "") -> Page:
        """Return the keys under ``prefix`` that follow ``after``, at most ``limit`` of them.

        Raises Compacted, FutureRevision.
        """
        ...

    def changes(self, after: int) -> Iterator[Change]:
        """Yield every stored state with a revision above ``after``; Compacted when some are gone."""
        ...

    def entries(self, after: int = -1) -> Iterator[Entry]:
        """Yield the entries with an index above ``after`` that compaction has left, oldest first."""
        ...

    def compact(self, revision: int) -> Head:
        """Forget what is older than ``revision`` as an entry of its own; return the new head.

        The state at ``revision`` itself stays readable. Compacting less than is compacted
        already changes nothing. Raises FutureRevision.
        """
        ...

    def compacted(self) -> int:
        """Return the lowest revision that can be read, 0 when nothing is compacted."""
        ...

    def hint(self, name: str) -> bytes | None:
        """Return a local note; notes are outside the log, not replicated and may be lost."""
        ...

    def set_hint(self, name: str, value: bytes | None) -> None:
        """Write a local note, None to take it out."""
        ...

    def close(self) -> None:
        """Let go of files; the store cannot be used afterwards."""
        ...
