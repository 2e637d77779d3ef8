"""One writer's turn, carried out: the steps that ``kctl.store.core`` decides on, over any replicas.

In: replicas whose lock files are held, and what to write. Out: the entry on a majority, or an
error that says whether it may be there. A replica that fails on the way drops out and the turn
goes on without it as long as a majority stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from kctl.store import core
from kctl.store.config import Config
from kctl.store.core import LeaderFailed, NotDurable, Outcome, Replica, Standing, Turn
from kctl.store.errors import Corrupt, NoQuorum, OutcomeUnknown, StoreError, Unreadable

E = TypeVar("E")
Absent = list[tuple[str, str]]
Together = Callable[[Iterable[Callable[[], None]]], None]
"""Runs calls, at the same time if it likes, and returns when all are done; they do not raise."""


class Proposal(NamedTuple, Generic[E]):
    """What a writer wants to append: the entry, the log's last index with it, the members after it."""

    entry: E
    last: int
    config: Config | None = None


Evaluate = Callable[[Any, Turn], Proposal[E] | None]
"""Given the leader's replica and the turn: what to append, None for nothing; may raise."""


def one_after_the_other(calls: Iterable[Callable[[], None]]) -> None:
    """Run calls in turn: the simplest Together."""
    for call in calls:
        call()


class Taking(Generic[E]):
    """One turn over some replicas; ``absent`` names those that were out from the start, with the reason."""

    def __init__(
        self, replicas: Sequence[Replica[E]], absent: Absent, together: Together = one_after_the_other
    ) -> None:
        self._replicas = list(replicas)
        self._together = together
        self.absent = list(absent)
        self.errors: list[StoreError] = []
        self._by_id: dict[str, Replica[E]] = {}
        self._damaged: set[str] = set()

    def run(self, evaluate: Evaluate[E]) -> Turn:
        """Take the turn; return how it stood. Errors of ``evaluate`` pass through once the log is settled."""
        try:
            while True:
                turn = self._begin()
                was_clean = turn.is_clean
                if not was_clean:
                    settled = self._settle(turn)
                    if settled is None or settled.config.since == settled.leader.last:
                        if settled is not None:
                            self._commit(settled, settled.config, settled.leader.last)
                        continue  # a configuration must be settled before anything follows it
                    turn = settled
                try:
                    proposal = evaluate(self._by_id[turn.leader.replica], turn)
                except (Corrupt, Unreadable) as error:
                    self._drop_damaged(turn, error)
                    continue
                except StoreError:
                    if not was_clean:
                        self._commit(turn, turn.config, turn.leader.last)
                    raise
                if was_clean and len(turn.members) == 1 and proposal is not None and proposal.config is None:
                    self._finish_alone(turn.leader.replica, proposal.entry)
                else:
                    self._finish(turn, proposal, was_clean=was_clean)
                return turn
        finally:
            for replica in self._replicas:
                replica.end()

    def _finish_alone(self, name: str, entry: E) -> None:
        """Append and commit on the only voter: what it says is the outcome."""
        replica = self._by_id[name]
        try:
            replica.append(entry)
            replica.commit()
        except (StoreError, NotDurable) as error:
            self._drop(self._by_id.pop(name), error)
            if self.errors:
                raise self.errors[-1] from error
            if isinstance(error, NotDurable) and error.is_unsure:
                raise OutcomeUnknown("the only replica may or may not have the change") from error
            raise NoQuorum(0, 1, self.absent) from error
        replica.acknowledge()

    def _finish(self, turn: Turn, proposal: Proposal[E] | None, *, was_clean: bool) -> None:
        if proposal is not None:
            entry = proposal.entry
            for member in turn.members:
                self._try(member.replica, lambda replica: replica.append(entry))
            self._commit(turn, proposal.config or turn.config, proposal.last)
        elif not was_clean:
            self._commit(turn, turn.config, turn.leader.last)
        for doubt in turn.doubts:
            if doubt.kind == "forgetful" and doubt.replica in turn.config.members:
                self._damaged.add(doubt.replica)
        if self._damaged:
            for name in turn.view & self._by_id.keys():
                self._try(name, lambda replica: replica.distrust(self._damaged))

    def _begin(self) -> Turn:
        self._by_id = {}
        standings: list[Standing] = []
        for replica in list(self._replicas):
            replica.end()
            try:
                standing = replica.begin()
                if standing.replica in self._by_id:
                    raise Corrupt(f"it is a second copy of replica {standing.replica}")
            except StoreError as error:
                self._drop(replica, error)
                continue
            self._by_id[standing.replica] = replica
            standings.append(standing)
        return core.begin(standings, self.absent)

    def _settle(self, turn: Turn) -> Turn | None:
        """Promise a higher term and give every replica the leader's log; None: somebody wrote in between."""
        names = [member.replica for member in turn.members]
        kept = [name for name in names if self._promise(name, turn.term)]
        turn = core.promised(turn, kept, self.absent)
        standings: list[Standing] = []
        for member in turn.members:
            self._try(member.replica, lambda replica: standings.append(replica.begin()))
        if not core.still_holds(turn, standings):
            return None
        leader = self._by_id[turn.leader.replica]
        try:
            for member in (*turn.followers, turn.leader):
                self._try(member.replica, lambda replica: replica.follow(leader, turn.term, turn.view))
        except LeaderFailed as failure:
            self._drop_damaged(turn, failure.error)
            return None
        if turn.leader.replica not in self._by_id:
            return None
        return turn

    def _promise(self, name: str, term: int) -> bool:
        def promise(replica: Replica[E]) -> None:
            try:
                replica.promise(term)
            except NotDurable as error:
                if error.is_unsure:
                    self._damaged.add(name)  # a sync failed: what it shows may not be on its disk
                raise

        return self._try(name, promise)

    def _commit(self, turn: Turn, config: Config, last: int) -> None:
        """Commit on everybody who is left; raise unless a majority has it."""
        names = [m.replica for m in turn.members if m.replica in self._by_id]
        if not config.has_quorum(names, last):
            raise self._no_quorum(turn, names)
        durable, failed = self._commit_on(names)
        if not failed:  # everybody has it, and they are enough
            for name in durable:
                self._by_id[name].acknowledge()
            return
        unsure: list[str] = []
        for name, error in failed:
            unsure += [name] if error.is_unsure else []
            self._drop(self._by_id.pop(name), error)
        found = core.outcome(config, last, durable, unsure)
        if found is Outcome.NOTHING:
            raise self._no_quorum(turn, durable)
        if found is Outcome.UNKNOWN:
            if len(config.voters) == 1 and self.errors and isinstance(self.errors[-1], OutcomeUnknown):
                raise self.errors[-1]  # the disk's own words; a learner's error would say that nothing was written
            raise OutcomeUnknown(f"only {len(durable)} of {len(config.voters)} replicas are known to have the change")
        for name in durable:
            self._by_id[name].acknowledge()
        if unsure:
            for name in durable:
                self._try(name, lambda replica: replica.distrust(unsure))

    def _commit_on(self, names: list[str]) -> tuple[list[str], list[tuple[str, NotDurable]]]:
        """Commit on replicas at the same time; return who has it, and why the others may not."""
        durable: list[str] = []
        failed: list[tuple[str, NotDurable]] = []

        def commit(name: str) -> None:
            try:
                self._by_id[name].commit()
                durable.append(name)
            except NotDurable as error:
                failed.append((name, error))

        if len(names) == 1:
            commit(names[0])
        else:
            self._together([lambda name=name: commit(name) for name in names])  # type: ignore[misc]
        return durable, failed

    def _no_quorum(self, turn: Turn, usable: Iterable[str]) -> StoreError:
        voters = turn.config.voters
        if len(voters) == 1 and self.errors:
            return self.errors[-1]
        return NoQuorum(sum(voter in set(usable) for voter in voters), len(voters), self.absent)

    def _try(self, name: str, step: Callable[[Replica[E]], None]) -> bool:
        """Do a step on a replica that is still in; it drops out when that fails."""
        replica = self._by_id.get(name)
        if replica is None:
            return False
        try:
            step(replica)
        except (StoreError, NotDurable) as error:
            del self._by_id[name]
            self._drop(replica, error)
            return False
        return True

    def _drop(self, replica: Replica[E], error: StoreError | NotDurable) -> None:
        replica.end()
        self._replicas.remove(replica)
        if isinstance(error, NotDurable):
            self.absent.append((replica.place, error.why))
            if isinstance(error.__cause__, StoreError):
                self.errors.append(error.__cause__)
        else:
            self.absent.append((replica.place, error.message))
            self.errors.append(error)

    def _drop_damaged(self, turn: Turn, error: StoreError) -> None:
        """Go on without a leader whose file is damaged; the others will not count it until it is rebuilt."""
        if len(turn.config.voters) == 1:
            raise error
        name = turn.leader.replica
        self._damaged.add(name)
        self._drop(self._by_id.pop(name), error)
