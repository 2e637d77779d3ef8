"""The replicas of one log in their folders: who answers, who is locked, whose word counts.

In: folders. Out: reads of what a majority shows, and turns of a writer. The decisions are those
of ``kctl.store.core``; a read that finds a writer in the midst of committing tries again for
some milliseconds and then takes a turn of its own to settle what the log is.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from kctl.store import core, replica
from kctl.store.api import Consistency
from kctl.store.core import NotDurable
from kctl.store.errors import (
    NONSENSE,
    Corrupt,
    Locked,
    NoQuorum,
    NoStore,
    OutcomeUnknown,
    RolledBack,
    StoreError,
    Unreadable,
)
from kctl.store.lock import pause
from kctl.store.participant import Known, Participant
from kctl.store.replica import HEAD
from kctl.store.turn import Evaluate, Taking, Together, one_after_the_other

if TYPE_CHECKING:
    from kctl.store.crew import Crew

T = TypeVar("T")
Wrap = Callable[[Participant], Any]
Answer = Callable[[Participant, Known], T]
TRIES = 5


class Seen(NamedTuple):
    """What the replicas showed at one moment: who may answer, and why the others may not."""

    serving: list[tuple[Participant, Known]]
    absent: list[tuple[str, str]]
    is_confirmed: bool


class Group:
    """The replicas in some folders."""

    def __init__(
        self, folders: Sequence[Path], wait: float, wrap: Wrap | None = None, consistency: Consistency = "linearizable"
    ) -> None:
        self._wait = wait
        self._is_alone = len(folders) == 1
        self.participants: list[Participant] = []
        for folder in folders:
            self.add(folder)
        self.consistency = consistency
        self._wrap = wrap
        self._crew: Crew | None = None
        self._single: tuple[Known, Seen] | None = None
        self._damaged: dict[str, str] = {}

    def add(self, folder: Path) -> None:
        """Take in the replica in one more folder; locks are taken in the order of the real paths."""
        if os.path.realpath(folder) not in {os.path.realpath(p.folder) for p in self.participants}:
            self.participants.append(Participant(folder, self._wait, is_alone=self._is_alone))
            self.participants.sort(key=lambda p: os.path.realpath(p.folder))

    def at(self, place: str) -> Participant | None:
        """Return the replica in a folder, None when it was not named."""
        return next((p for p in self.participants if p.place == place), None)

    def close(self) -> None:
        """Close all files."""
        if self._crew is not None:
            self._crew.close()
        for participant in self.participants:
            participant.close()

    def read(self, answer: Answer[T]) -> T:
        """Return what the first replica says that may answer and is not damaged where it is asked."""
        with self.seen() as found:
            error: StoreError | None = None
            for participant, known in sorted(found.serving, key=lambda one: one[0].place in self._damaged):
                try:
                    return answer(participant, known)
                except (Corrupt, Unreadable, sqlite3.Error, *NONSENSE) as problem:
                    found_out = replica.explained(problem, participant.path)
                    if not isinstance(found_out, Corrupt | Unreadable):
                        raise found_out from problem
                    error = found_out
                self._damaged[participant.place] = error.message
            assert error is not None  # noqa: S101 - somebody serves, or seen() raises
            raise error

    @contextmanager
    def seen(self) -> Iterator[Seen]:
        """Hold a snapshot of every replica and say who may answer; NoQuorum and others by the consistency."""
        try:
            yield self._see()
        finally:
            for participant in self.participants:
                participant.rest()

    def _see(self) -> Seen:
        if len(self.participants) == 1:
            return self._see_one(self.participants[0])
        for attempt in range(TRIES + 1):
            looks, failed = self.look()
            absent = [(place, error.message) for place, error in failed]
            standings = [known.standing for _, known in looks]
            try:
                reading = core.reading(standings)
                if not reading.replicas:
                    core.begin(standings, absent)  # raises when no turn could settle it either
            except StoreError as error:
                if not core.doubts(standings):
                    return self._fall_back(looks, failed, error)
                reading = core.Reading((), ())  # snapshots of different moments may accuse each other
            if reading.replicas:
                return self._confirmed(looks, reading, absent)
            for participant in self.participants:
                participant.rest()
            if attempt == TRIES - 1:
                try:
                    self.settle()
                except StoreError as error:
                    looks, failed = self.look()
                    if isinstance(error, OutcomeUnknown):
                        error = _unsettled(looks, failed)
                    return self._fall_back(looks, failed, error)
            else:
                pause()
        raise Locked("other processes keep writing to this log", hint="run the command again")

    def _confirmed(
        self, looks: list[tuple[Participant, Known]], reading: core.Reading, absent: list[tuple[str, str]]
    ) -> Seen:
        serving = [look for look in looks if look[1].standing.replica in reading.replicas]
        why = {doubt.replica: doubt.why for doubt in reading.doubts}
        absent += [(p.place, why[known.standing.replica]) for p, known in looks if known.standing.replica in why]
        return Seen(serving, absent, True)

    def _see_one(self, participant: Participant) -> Seen:
        known = participant.look()
        if self._single is not None and self._single[0] is known:
            return self._single[1]
        standing = known.standing
        try:
            core.begin([standing], [])
        except StoreError as problem:
            error = self.rolled_back(participant, known) if standing.lost else problem
            if self.consistency == "linearizable":
                raise error from None
            return Seen([(participant, known)], [(participant.place, error.message)], False)
        found = Seen([(participant, known)], [], True)
        self._single = (known, found)
        return found

    def rolled_back(self, participant: Participant, known: Known) -> RolledBack:
        """Return the error of a log that is older than what was acknowledged."""
        said = participant.acknowledged(known.facts.cluster)
        return RolledBack(known.tail.head.revision, said, participant.folder / HEAD)

    def _fall_back(
        self, looks: list[tuple[Participant, Known]], failed: list[tuple[str, StoreError]], error: StoreError
    ) -> Seen:
        """Serve the newest replica that can be read when that is what was asked for."""
        if not looks and failed and all(isinstance(problem, NoStore) for _, problem in failed):
            raise failed[0][1]
        if self.consistency == "linearizable" or not looks:
            raise error
        doubted = {doubt.replica for doubt in core.doubts([known.standing for _, known in looks])}
        newest = sorted(
            looks, key=lambda one: (one[1].standing.replica not in doubted, one[1].standing.at), reverse=True
        )
        same = [look for look in newest if look[1].standing.hash == newest[0][1].standing.hash]
        absent = [(place, problem.message) for place, problem in failed]
        return Seen(same, absent or [("", error.message)], False)

    def look(self) -> tuple[list[tuple[Participant, Known]], list[tuple[str, StoreError]]]:
        """Begin to read every replica; return what those that answer show, and why the others do not."""
        looks, failed = [], []
        for participant in self.participants:
            try:
                looks.append((participant, participant.look()))
            except StoreError as error:
                failed.append((participant.place, error))
        ids: dict[str, str] = {}
        for participant, known in list(looks):
            if ids.setdefault(known.facts.replica, participant.place) != participant.place:
                looks.remove((participant, known))
                participant.rest()
                failed.append((participant.place, Corrupt(f"it is a second copy of {ids[known.facts.replica]}")))
        return looks, failed

    @contextmanager
    def locked(self) -> Iterator[tuple[list[Participant], list[tuple[str, StoreError]]]]:
        """Hold the lock files, in the order that all processes keep; who waits too long gets Locked."""
        held: list[Participant] = []
        try:
            yield held, self._hold(held)
        finally:
            for participant in held:
                participant.lock.__exit__()

    def _hold(self, held: list[Participant]) -> list[tuple[str, StoreError]]:
        """Take the lock files, naming in ``held`` whose; return why the others could not be taken."""
        failed: list[tuple[str, StoreError]] = []
        for participant in self.participants:
            try:
                participant.hold()
                held.append(participant)
            except Locked:
                raise
            except StoreError as error:
                failed.append((participant.place, error))
        return failed

    def take(self, evaluate: Evaluate[Any]) -> core.Turn:
        """Take a turn over the replicas that can be locked."""
        held: list[Participant] = []
        try:  # not "with", which costs as much as a lock
            failed = self._hold(held)
            if len(self.participants) == 1 and failed:
                raise failed[0][1]
            absent = [(place, error.message) for place, error in failed]
            replicas = held if self._wrap is None else [self._wrap(participant) for participant in held]
            taking: Taking[Any] = Taking(replicas, absent, self._together() if len(held) > 1 else one_after_the_other)
            try:
                return taking.run(evaluate)
            except NoQuorum:
                if len(self.participants) == 1:
                    raise self._why_not(held[0], taking) from None
                raise
        finally:
            for participant in held:
                participant.lock.__exit__()

    def note(self, name: str, value: bytes | None) -> None:
        """Write a local note on the first replica that takes it."""
        with self.locked() as (held, failed):
            for participant in held:
                try:
                    return participant.note(name, value)
                except StoreError as error:
                    failed.append((participant.place, error))
                except NotDurable as failure:
                    failed.append((participant.place, OutcomeUnknown(failure.why)))
                finally:
                    participant.end()
            raise failed[0][1]

    def give_back(self) -> None:
        """Return free pages of all replicas to the file system."""
        with self.locked() as (held, _):
            for participant in held:
                participant.give_back()

    def _why_not(self, participant: Participant, taking: Taking[Any]) -> StoreError:
        """Say why the only replica takes no write."""
        if taking.errors:
            return taking.errors[-1]
        try:
            known = participant.look()
            if known.standing.lost:
                return self.rolled_back(participant, known)
            return NoQuorum(1, len(known.facts.config.voters), [])
        except StoreError as error:
            return error
        finally:
            participant.rest()

    def _together(self) -> Together:
        if self._crew is None:
            from kctl.store.crew import Crew

            self._crew = Crew()
        return self._crew

    def settle(self) -> core.Turn:
        """Bring every replica that can be counted to one log; return how the turn stood."""
        return self.take(_nothing)

    def forgive(self) -> None:
        """Forget what damage reads met: it was repaired."""
        self._damaged.clear()
        self._single = None

    def damaged(self) -> dict[str, str]:
        """Return the places where a read of this process met damage."""
        return dict(self._damaged)


def _nothing(leader: Any, turn: core.Turn) -> None:
    """Append nothing: a turn that only settles what the log is."""


def _unsettled(looks: list[tuple[Participant, Known]], failed: list[tuple[str, StoreError]]) -> NoQuorum:
    """Return why a reader cannot be answered when too few replicas take over the newest log."""
    missing = [(place, error.message) for place, error in failed]
    newest = core.leader_of([known.standing for _, known in looks])
    if newest is not None:
        missing += [(p.place, "it does not take over the log") for p, known in looks if known.standing.at != newest.at]
    voters = len(newest.config.voters) if newest is not None else len(failed)
    return NoQuorum(max(0, voters - len(missing)), voters, missing)
