"""What must hold at every moment, seen by somebody who knows all disks: the invariants of the protocol.

In: the durable state of every replica after each step, and what was told to writers and readers.
Out: a Violation that names the invariant. They are asked of the very functions that decide
(``core.begin``, ``core.reading``), for every set of replicas that could meet next.

I1 one content per term and index; I2 equal hashes mean equal histories; I3 what was acknowledged
is in the log that any later majority chooses; I4 indexes grow by one; I5 what a read returned
stays; I6 no read is older than the last acknowledgement; I8 one state per entry; I9 what was
refused is nowhere; I11 a request stands once. (I7, I10, I12 and I13 are about files and
watching: :mod:`witness` and the conformance tests look at them.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import combinations

from kctl.store import core
from kctl.store.errors import Diverged, StoreError
from tests.store.faults.simulated import Disk, Row, standing
from tests.store.faults.witness import Violation


class Invariants:
    """Remembers what was told and checks that it stays true."""

    def __init__(self) -> None:
        self.settled: dict[int, Row] = {}
        self.checks = 0
        self._contents: dict[tuple[int, int], bytes] = {}
        self._behind: dict[bytes, tuple[bytes, int, str]] = {}
        self._refused: set[str] = set()
        self._requests: dict[str, int] = {}

    @property
    def last(self) -> int:
        """Return the last entry that must stay."""
        return max(self.settled, default=0)

    def acknowledged(self, row: Row) -> None:
        """Note an entry that a writer was told to be lasting (I11: a request makes one entry)."""
        if row.cause and self._requests.setdefault(row.cause, row.index) != row.index:
            raise Violation(f"I11: {row.cause} was entry {self._requests[row.cause]} and is {row.index}")
        self._settle(row, "I3")

    def seen(self, rows: Iterable[Row]) -> None:
        """Note what a linearizable read was shown."""
        for row in rows:
            self._settle(row, "I5")

    def _settle(self, row: Row, name: str) -> None:
        known = self.settled.setdefault(row.index, row)
        if known.hash != row.hash:
            raise Violation(
                f"{name}: entry {row.index} is {row.cause!r} of term {row.term} and was {known.cause!r} of term {known.term}"
            )

    def refused(self, cause: str) -> None:
        """Note a request that was told to have left nothing behind."""
        self._refused.add(cause)

    def erased(self, left: Iterable[Disk]) -> None:
        """Forget what stood on no disk but one that was taken back: its place may be filled again (I1)."""
        rows = [*self.settled.values(), *(row for disk in left for row in disk.rows)]
        self._contents = {(row.term, row.index): row.hash for row in rows}

    def check(self, disks: Mapping[str, Disk], may_meet: Callable[[frozenset[str]], bool]) -> None:
        """Look at all disks, and at every set of replicas of which ``may_meet`` says that it must do no harm."""
        for name, disk in disks.items():
            self._check_disk(name, disk)
        names = sorted(disks)
        for size in range(1, len(names) + 1):
            for chosen in combinations(names, size):
                if may_meet(frozenset(chosen)):
                    self._check_choice({name: disks[name] for name in chosen})

    def _check_disk(self, name: str, disk: Disk) -> None:
        before: Row | None = None
        causes = set()
        for row in disk.rows:
            if self._contents.setdefault((row.term, row.index), row.hash) != row.hash:
                raise Violation(f"I1: {name} has another entry {row.index} of term {row.term}")
            if before is not None:
                fact = before.hash, row.state, row.cause
                if self._behind.setdefault(row.hash, fact) != fact:
                    raise Violation(f"I2/I8: {name} has another history or state behind entry {row.index}")
                if row.index != before.index + 1:
                    raise Violation(f"I4: {name} has entry {row.index} behind {before.index}")
            if row.cause in self._refused:
                raise Violation(f"I9: {name} has {row.cause!r}, which was refused")
            if row.cause and row.cause in causes:
                raise Violation(f"I11: {name} has {row.cause!r} twice")
            causes.add(row.cause)
            before = row

    def _check_choice(self, disks: Mapping[str, Disk]) -> None:
        """Let some replicas meet: the log they choose, and what they answer, has all that is settled."""
        self.checks += 1
        standings = [standing(name, disk) for name, disk in disks.items()]
        try:
            turn = core.begin(standings)
        except Diverged as error:
            raise Violation(f"I1: {sorted(disks)} cannot agree: {error}") from error
        except StoreError:
            turn = None
        if turn is not None:
            self._has_all(disks[turn.leader.replica], f"I3: {sorted(disks)} choose {turn.leader.replica}")
        try:
            readers = core.reading(standings).replicas
        except StoreError:
            return
        for name in readers:
            self._has_all(disks[name], f"I6: {sorted(disks)} read from {name}")

    def _has_all(self, disk: Disk, said: str) -> None:
        if disk.last < self.last:
            raise Violation(f"{said}, which ends at entry {disk.last}; {self.last} is settled")
        for row in disk.rows:
            known = self.settled.get(row.index)
            if known is not None and known.hash != row.hash:
                raise Violation(f"{said}, whose entry {row.index} is {row.cause!r}; {known.cause!r} is settled")
