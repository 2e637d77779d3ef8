"""The Store protocol: what the API server needs of a log, and the values it is told in.

In: batches of writes, each numbered by the API server. Out: heads, current and past states,
changes. Keys are ``/{resource}/{namespace}/{name}`` (namespace "" for cluster scope, so the
slash stands twice), values are canonical JSON bytes; the store looks into neither.

An *entry* is one batch. It takes the revisions after the previous head up to its own, and
keeps per key the last state with that state's own revision. Every commit names the head it
was computed from and fails with ``HeadMoved`` when another writer was faster.

A store may keep its log on several *replicas*; then what is acknowledged is durable on a
majority of them, and reads ask a majority (``linearizable``) or, when there is none, the newest
one that can be read (``serializable``; :meth:`Store.freshness` says so).

Not here: what a revision means to a client, leases.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

Consistency = Literal["linearizable", "serializable"]
Level = Literal["tail", "rows", "full"]


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


class Member(NamedTuple):
    """One replica of the log, as it stands now.

    ``role`` is voter or learner. ``state`` is ``ok``, ``behind`` (it will catch up with the next
    write), ``missing`` (nothing at its place can be opened), ``damaged`` (a hash does not fit),
    ``forgetful`` (older than what it acknowledged), ``distrusted`` (its disk failed during a
    commit), ``readonly`` or ``foreign`` (the log of another cluster, or of no member, lies at its
    place); ``why`` says it in words. Only ok and behind count towards a majority. ``lag`` is how
    many entries it is behind, -1 when unknown; ``size`` the bytes of its files.
    """

    id: str
    place: str
    role: str
    state: str
    why: str = ""
    index: int = -1  # type: ignore[assignment]
    revision: int = -1
    term: int = -1
    lag: int = -1
    size: int = 0


class Problem(NamedTuple):
    """Something that is not as it was committed, or not as it should be.

    ``kind`` is ``missing``, ``unreadable``, ``foreign``, ``forgetful``, ``distrusted``, ``behind``,
    ``pages``, ``schema``, ``entry``, ``row``, ``index``, ``sum``, ``state`` or ``meta``; ``place`` the replica's.
    """

    place: str
    kind: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class Freshness(NamedTuple):
    """Where the answers of a store come from.

    ``is_confirmed``: a majority shows this head. Otherwise it is the newest that can be read and
    writes are refused; ``changed`` is when its file last changed by the machine's clock (0.0
    when unknown) and ``missing`` names the replicas that do not answer, with the reason.
    """

    head: Head
    is_confirmed: bool
    changed: float = 0.0
    missing: tuple[tuple[str, str], ...] = ()


class Batch(NamedTuple):
    """What a watch delivers: the changes of whole entries in order of revision.

    ``revision`` is a bookmark: everything up to it was delivered; a watch may begin anew there.
    """

    changes: list[Change]
    revision: int


class Watch(Protocol):
    """The changes under a prefix, in order, each once, whole entries at a time, from a revision on."""

    def poll(self) -> Batch | None:
        """Return what is new, None when nothing is; never waits. Compacted when it fell behind."""
        ...


class Retention(NamedTuple):
    """How much history is kept: at least the last ``revisions``, and none older than ``seconds``.

    ``seconds`` counts by the log's own time; 0 keeps by number alone. Compaction happens inside a
    commit once there is half as much again (so its cost is spread).
    """

    revisions: int
    seconds: float = 0.0


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

    def watch(self, prefix: str, after: int) -> Watch:
        """Return the changes under ``prefix`` above the revision ``after``; Compacted, FutureRevision."""
        ...

    def freshness(self) -> Freshness:
        """Say whether a majority confirms what is read, and how old it is when none does."""
        ...

    def members(self) -> Sequence[Member]:
        """Return the replicas and how each of them stands, in order of id."""
        ...

    def verify(self, level: Level = "rows") -> Sequence[Problem]:
        """Check the replicas against their hashes and each other; nothing is repaired.

        ``tail`` looks at the ends alone, ``rows`` at every entry, row and sum, ``full`` also at
        every page and both indexes.
        """
        ...

    def snapshot(self, out: Path) -> Head:
        """Write the current state as one portable file, whole or not at all; return its head."""
        ...

    def close(self) -> None:
        """Let go of files; the store cannot be used afterwards."""
        ...
