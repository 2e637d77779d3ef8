"""A replica that exists in memory and fails when it is told to: the protocol's part of a file.

It keeps what :class:`kctl.store.core.Replica` asks for and nothing else: a log of entries whose
hashes chain, a promise, a term, a view. What is durable is one immutable value, so a copy of
yesterday is a reference. Faults are asked of an adversary at every promise and every commit.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum
from hashlib import blake2b
from typing import NamedTuple, Protocol

from kctl.store import core
from kctl.store.config import Config
from kctl.store.core import NotDurable, Peer, Span, Standing, Way
from kctl.store.errors import Corrupt, DiskFull, OutcomeUnknown, StoreError


class Fate(Enum):
    """What happens to one promise or commit of one replica."""

    WELL = "it is durable"
    FAILS = "it is not durable, and the replica says so"
    UNSURE = "it is not durable, and the replica cannot tell"
    UNSURE_DONE = "it is durable, and the replica cannot tell"
    DIES_BEFORE = "the writer dies before it"
    DIES_AFTER = "the writer dies after it"


class Died(BaseException):
    """The writer's process is gone; what was not durable is undone."""


class Gone(StoreError):
    """The replica does not answer."""


class Row(NamedTuple):
    """One entry as a replica has it; ``peers`` what was known of the others when it was written."""

    index: int  # type: ignore[assignment]
    term: int
    cause: str
    config: Config | None
    hash: bytes
    state: int
    peers: tuple[Peer, ...] = ()


class Disk(NamedTuple):
    """All that is durable of one replica; ``base`` is the first entry it still has."""

    promised: int
    log_term: int
    view: frozenset[str]
    rows: tuple[Row, ...]
    config: Config
    distrusts: frozenset[str] = frozenset()
    head_file: int = 0

    @property
    def base(self) -> int:
        """Return the index of the first entry that is left."""
        return self.rows[0].index

    @property
    def last(self) -> int:
        """Return the index of the last entry."""
        return self.rows[-1].index

    def hash_at(self, index: int) -> bytes:
        """Return the hash of an entry that is there."""
        return self.rows[index - self.base].hash


class Work(NamedTuple):
    """What a writer wants to add: named by its cause, which is its request id too."""

    cause: str
    config: Config | None = None
    forget: int = 0
    """Compact: take out the entries below this one."""
    peers: tuple[Peer, ...] = ()


class Adversary(Protocol):
    """Decides what happens; asked in the same order every time a seed is run."""

    def fate(self, replica: str, moment: str) -> Fate:
        """Return the fate of a promise or commit of a replica."""
        ...


def chained(prev: Row, term: int, work: Work) -> Row:
    """Return the row that an entry makes behind another one."""
    state = (prev.state + int.from_bytes(blake2b(work.cause.encode(), digest_size=8).digest(), "big")) % (1 << 64)
    text = f"{prev.index + 1} {term} {work.cause} {work.config} {state}".encode()
    return Row(
        prev.index + 1,
        term,
        work.cause,
        work.config,
        blake2b(prev.hash + text, digest_size=16).digest(),
        state,
        work.peers,
    )


def empty(config: Config) -> Disk:
    """Return the disk of a replica of a new log."""
    return Disk(0, 0, frozenset(config.voters), (Row(0, 0, "", config, b"genesis", 0),), config)


class Room(NamedTuple):
    """Where replicas lie: their disks, who answers, whose file is damaged, and whose transaction is open for whom."""

    disks: dict[str, Disk]
    up: set[str]
    damaged: set[str]
    held: dict[str, object]
    adversary: Adversary


class Simulated:
    """One replica as one writer sees it during its turn."""

    def __init__(self, name: str, room: Room, writer: object) -> None:
        self.place = self.name = name
        self._room, self._writer = room, writer
        self._world, self._up, self._adversary = room.disks, room.up, room.adversary
        self._open: Disk | None = None

    @property
    def disk(self) -> Disk:
        """Return what the open transaction sees."""
        if self._open is None:
            raise Gone(f"{self.name} has no open transaction")
        return self._open

    def begin(self) -> Standing:
        """See :meth:`kctl.store.core.Replica.begin`."""
        if self.name not in self._up or self.name not in self._world:
            raise Gone(f"{self.name} does not answer")
        if self._room.held.setdefault(self.name, self._writer) is not self._writer:
            raise Gone(f"{self.name} is busy with another writer")
        self._open = self._world[self.name]
        return standing(self.name, self._open)

    def promise(self, term: int) -> None:
        """See :meth:`kctl.store.core.Replica.promise`."""
        self._open = self.disk._replace(promised=term)
        self._make_durable("promise")

    def follow(self, leader: Simulated, term: int, view: frozenset[str]) -> None:
        """See :meth:`kctl.store.core.Replica.follow`."""
        mine, theirs = self.disk, leader.disk
        if leader is not self:
            mine = self._caught_up(mine, theirs)
        elif self.name in self._room.damaged:
            raise Corrupt(f"{self.name} is damaged")
        self._open = mine._replace(log_term=term, view=view)

    def _caught_up(self, mine: Disk, theirs: Disk) -> Disk:
        common = common_of(mine, theirs)
        way = core.way(span(mine), span(theirs), common)
        if way is Way.SAME:
            return mine._replace(config=theirs.config)
        if way is Way.COPY:
            return mine._replace(rows=theirs.rows, config=theirs.config)
        kept = tuple(row for row in mine.rows if row.index <= common)
        new = []
        for row in theirs.rows:
            if row.index > common:
                before = (new or kept)[-1]
                again = chained(before, row.term, Work(row.cause, row.config, peers=row.peers))
                if again.hash != row.hash:
                    raise Gone(f"{self.name}: entry {row.index} replays to another hash")
                new.append(again)
        rows = (*kept, *new)
        return mine._replace(rows=rows[_first_left(rows, theirs.base) :], config=theirs.config)

    def append(self, entry: Work) -> None:
        """See :meth:`kctl.store.core.Replica.append`."""
        disk = self.disk
        row = chained(disk.rows[-1], disk.log_term, entry)
        rows = (*disk.rows, row)
        first = _first_left(rows, entry.forget)
        self._open = disk._replace(rows=rows[first:], config=entry.config or disk.config)

    def commit(self) -> None:
        """See :meth:`kctl.store.core.Replica.commit`."""
        self._make_durable("commit")

    def _make_durable(self, moment: str) -> None:
        fate = self._adversary.fate(self.name, moment)
        after = self.disk
        self.end()
        if fate is Fate.DIES_BEFORE:
            raise Died
        if fate in (Fate.WELL, Fate.UNSURE_DONE, Fate.DIES_AFTER):
            self._world[self.name] = after
        if fate is Fate.DIES_AFTER:
            raise Died
        if fate is not Fate.WELL:
            why = f"{self.name} failed to {moment}"
            unsure = fate is not Fate.FAILS
            raise NotDurable(why, is_unsure=unsure) from (OutcomeUnknown(why) if unsure else DiskFull(why))

    def acknowledge(self) -> None:
        """See :meth:`kctl.store.core.Replica.acknowledge`."""
        if self.name in self._world:
            disk = self._world[self.name]
            self._world[self.name] = disk._replace(head_file=disk.last)

    def distrust(self, replicas: Collection[str]) -> None:
        """See :meth:`kctl.store.core.Replica.distrust`."""
        if self.name in self._up and self.name in self._world:
            disk = self._world[self.name]
            self._world[self.name] = disk._replace(distrusts=disk.distrusts | set(replicas))

    def end(self) -> None:
        """See :meth:`kctl.store.core.Replica.end`."""
        self._open = None
        if self._room.held.get(self.name) is self._writer:
            del self._room.held[self.name]


def standing(name: str, disk: Disk) -> Standing:
    """Return what a replica says of itself."""
    row = disk.rows[-1]
    lost = disk.head_file if disk.head_file > disk.last else 0
    return Standing(
        name,
        "c",
        disk.config,
        disk.promised,
        disk.log_term,
        disk.view,
        row.index,
        row.hash,
        lost,
        disk.distrusts,
        row.peers,
    )


def common_of(mine: Disk, theirs: Disk) -> int:
    """Return the last entry that is the same on both, -1 for none."""
    low, high = max(mine.base, theirs.base), min(mine.last, theirs.last)
    return core.common_entry(mine.hash_at, theirs.hash_at, low, high)


def span(disk: Disk) -> Span:
    """Return which part of its history a replica has."""
    return Span(disk.base, disk.last, disk.base, disk.base)


def _first_left(rows: tuple[Row, ...], below: int) -> int:
    return sum(row.index < below for row in rows[:-1])
