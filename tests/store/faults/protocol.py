"""A seeded life of a log over simulated replicas: the turn that files take, and everything that can go wrong.

In: a seed, how many replicas, how many steps. Out: figures, or a Violation; the same seed gives
the same life. Faults: replicas that do not answer, writers that die before or after any promise or
commit, commits that fail and did or did not happen, replicas that are deleted, taken back to
yesterday or damaged, members that come and go, a second writer between a promise and what
follows from it (the locks have failed), readers between two writes. At most a minority is
faulty in a way that no protocol survives (:meth:`Life.weak`); any number may be away.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any, NamedTuple

from kctl.store import config as configs
from kctl.store import core
from kctl.store.api import Head
from kctl.store.config import Config
from kctl.store.core import Turn
from kctl.store.errors import Corrupt, Diverged, HeadMoved, OutcomeUnknown, StoreError
from kctl.store.turn import Proposal, Taking
from tests.store.faults.invariants import Invariants
from tests.store.faults.simulated import Died, Disk, Fate, Room, Row, Simulated, Work, empty, standing
from tests.store.faults.witness import Violation

FATES = tuple(fate for fate in Fate if fate is not Fate.WELL)
DEATHS = (Fate.DIES_BEFORE, Fate.DIES_AFTER)


class Figures(NamedTuple):
    """Lives, their steps, what became of the writes, and how many choices of a log were checked."""

    seeds: int
    steps: int
    acknowledged: int
    unknown: int
    refused: int
    deaths: int
    reads: int
    changes_of_members: int
    choices: int


class Temper(NamedTuple):
    """What a life is mostly about: how often steps are taken, how often something fails in them.

    ``weights`` are of write, read, outage, copy, forget, damage, change of members.
    """

    weights: tuple[float, ...]
    at_promise: float
    at_commit: float
    interlopers: float


TEMPERS = (
    Temper((10, 4, 4, 2, 1, 0.5, 1.5), 0.05, 0.05, 0.01),
    Temper((10, 4, 4, 2, 1, 0.5, 1.5), 0.2, 0.2, 0.03),
    Temper((10, 2, 5, 0, 0, 0, 0), 0.05, 0.45, 0.0),
    Temper((6, 2, 5, 0, 0, 0.2, 6), 0.25, 0.25, 0.0),
    Temper((6, 2, 5, 0, 0, 0, 6), 0.1, 0.3, 0.0),
    Temper((10, 2, 4, 0, 0, 0, 0.5), 0.15, 0.15, 0.3),
    Temper((10, 2, 3, 6, 4, 0, 0), 0.1, 0.1, 0.0),
)


class Life:
    """One seed."""

    def __init__(self, seed: int, replicas: int) -> None:
        self._dice = random.Random(seed)
        self._names = [f"r{n}" for n in range(1, replicas + 1)]
        config = configs.first((name, name) for name in self._names)
        self._fresh = replicas
        self.room = Room({name: empty(config) for name in self._names}, set(self._names), set(), {}, self)
        self.invariants = Invariants()
        self.counts: Counter[str] = Counter()
        self._copies: dict[str, Disk] = {}
        self._forgot: dict[str, Disk] = {}
        self._pending: list[str] = []
        self._temper = self._dice.choice(TEMPERS)
        self._nested = 0

    # what the replicas ask

    def fate(self, replica: str, moment: str) -> Fate:
        """Return what happens to a promise or a commit."""
        if (
            moment == "promise"
            and not self._nested
            and not self._forgot
            and self._dice.random() < self._temper.interlopers
        ):
            self._interlope()
        if self._dice.random() >= (self._temper.at_promise if moment == "promise" else self._temper.at_commit):
            return Fate.WELL
        return self._dice.choice(DEATHS if self._forgot else FATES)

    def _interlope(self) -> None:
        """Another writer takes a whole turn now, as if it held the locks too."""
        self._nested += 1
        self.counts["interlopers"] += 1
        self._write()
        self._nested -= 1

    # what happens

    def run(self, steps: int) -> None:
        """Live."""
        for n in range(steps):
            step = self._dice.choices(
                (self._write, self._read, self._outage, self._copy, self._forget, self._damage, self._change_members),
                self._temper.weights,
            )[0]
            try:
                step()
                self._cure()
                self._sweep()
                self.invariants.check(self.room.disks, self._may_meet)
            except Violation as error:
                raise Violation(f"step {n} ({step.__name__.strip('_')}): {error}") from error

    def _take(self, evaluate: Any) -> Turn:
        if not self._in_budget(frozenset(self.room.up & self.room.disks.keys())):
            self.room.up.update(self.room.disks)
        writer = object()
        names = self._dice.sample(sorted(self.room.disks), len(self.room.disks))
        return Taking([Simulated(name, self.room, writer) for name in names], []).run(evaluate)

    def _write(self) -> None:
        """Write something new, or what nobody has answered yet; sometimes compact."""
        retry = bool(self._pending) and self._dice.random() < 0.5
        cause = self._dice.choice(self._pending) if retry else f"w{self.counts['writes']}"
        self.counts["writes"] += not retry
        forget = self._dice.randint(1, 4) if self._dice.random() < 0.15 else 0
        moved = self._dice.random() < 0.05
        self._carry_out(cause, None, forget, moved=moved)

    def _carry_out(self, cause: str, change: Any, forget: int = 0, *, moved: bool = False) -> bool:
        """Take a turn that appends ``cause`` unless it is there; return whether it was acknowledged."""
        found: list[Row] = []
        may_be_there = cause in self._pending

        def evaluate(leader: Simulated, turn: Turn) -> Proposal[Work] | None:
            rows = leader.disk.rows
            if leader.name in self.room.damaged:
                raise Corrupt(f"{leader.name} is damaged")
            found[:] = [row for row in rows if row.cause == cause]
            if found:
                return None
            if moved or (may_be_there and leader.disk.base > 1):
                raise HeadMoved(Head(rows[-1].index, 0, 0, b"", 0.0))
            config = change(turn.config, rows[-1].index + 1) if change else None
            work = Work(cause, config, rows[-1].index + 2 - forget if forget else 0, turn.peers())
            return Proposal(work, rows[-1].index + 1, config)

        try:
            turn = self._take(evaluate)
        except (Died, OutcomeUnknown) as error:
            self.counts["unknown" if isinstance(error, OutcomeUnknown) else "deaths"] += 1
            self._pending += [] if cause in self._pending else [cause]
            return False
        except HeadMoved:
            return False
        except Diverged as error:
            raise Violation(f"I1: {error}") from error
        except StoreError as error:
            if not may_be_there:
                self.invariants.refused(cause)
            self.counts["refused"] += 1
            self.counts["damaged"] += isinstance(error, Corrupt)
            return False
        rows = found or [row for name in sorted(turn.view) for row in self.room.disks[name].rows if row.cause == cause]
        if not rows:
            raise Violation(f"I3: {cause} was acknowledged and is nowhere")
        self.invariants.acknowledged(max(rows, key=lambda row: row.term))
        self._pending = [other for other in self._pending if other != cause]
        self.counts["acknowledged"] += 1
        return True

    def _read(self) -> None:
        """Look at the replicas one after the other, with a write in between sometimes, and answer from them."""
        least = self.invariants.last
        seen: dict[str, Disk] = {}
        pause = self._dice.randrange(3) if self._dice.random() < 0.3 else -1
        for n, name in enumerate(sorted(self.room.disks)):
            if n == pause:
                self._write()
            if name in self.room.up and name in self.room.disks:
                seen[name] = self.room.disks[name]
        try:
            readers = core.reading([standing(name, disk) for name, disk in seen.items()]).replicas
        except StoreError:
            return
        self.counts["reads"] += bool(readers)
        if readers:
            disk = seen[self._dice.choice(readers)]
            if disk.last < least and self._in_budget(frozenset(seen)):
                raise Violation(f"I6: a read ends at entry {disk.last}; {least} was settled before it began")
            self.invariants.seen(disk.rows)

    # what goes wrong

    def _outage(self) -> None:
        """Replicas go away or come back; whole majorities may be away."""
        for name in sorted(self.room.disks):
            if self._dice.random() < 0.4:
                (self.room.up.discard if name in self.room.up else self.room.up.add)(name)
        if self._dice.random() < 0.3:
            self.room.up.update(self.room.disks)

    def _copy(self) -> None:
        """Keep a copy of a replica's folder."""
        name = self._dice.choice(sorted(self.room.disks))
        self._copies[name] = self.room.disks[name]

    def _forget(self) -> None:
        """Put yesterday's copy in a replica's place, or delete its folder, when that leaves enough others."""
        name = self._dice.choice(sorted(self.room.disks))
        if len(self.weak() | {name}) > self._tolerance():
            return
        now = self.room.disks[name]
        if self._dice.random() < 0.3:
            del self.room.disks[name]
            self.counts["deleted"] += 1
        elif name in self._copies and self._copies[name] != now:
            self._forgot.setdefault(name, now)
            self.room.disks[name] = self._copies[name]
            self.invariants.erased([*self.room.disks.values(), *self._copies.values()])
            self.counts["taken back"] += 1

    def _damage(self) -> None:
        """Damage a replica's file so that its next reader notices; only another member replaces it."""
        name = self._dice.choice(sorted(self.room.disks))
        if len(self.weak() | {name}) <= self._tolerance():
            self.room.damaged.add(name)

    def _change_members(self) -> None:
        """Let a newcomer learn, let learners become voters in place of others, or put one in a voter's place at once."""
        config = self._newest().config
        kind = self._dice.choice(("learn", "promote", "replace"))
        if kind == "promote" and config.learners:
            self._promote(config)
        elif kind == "replace" or (kind == "learn" and len(config.learners) < 2):
            self._bring(config, replace=kind == "replace")
        self.counts["members"] += 1

    def _promote(self, config: Config) -> None:
        """Learners become voters; as many voters leave, or so that one of five, three or one is left."""
        learners = config.learners
        voters = [*self._leavers(config), *sorted(set(config.voters) - self.weak())]
        keep = self._dice.choice([n for n in (1, 3, 5) if 0 <= n - len(learners) <= len(voters)] or [0]) - len(learners)
        if keep < 0:
            return
        new = tuple(sorted((*voters[len(voters) - keep :], *learners)))

        def change(now: Config, last: int) -> Config:
            return now._replace(since=last, voters=new, learners=(), before=now.voters) if now == config else now

        self._carry_out(f"m{self.counts['members']}", change)

    def _leavers(self, config: Config) -> list[str]:
        """Return the voters that should leave first."""
        return sorted(self.weak() & set(config.voters))

    def _bring(self, config: Config, *, replace: bool) -> None:
        """Build a newcomer from what a majority shows; it learns, or takes the place of a voter."""
        shown = {
            name: self.room.disks[name] for name in sorted(self.room.up & self.room.disks.keys() - self.room.damaged)
        }
        try:
            readers = core.reading([standing(name, disk) for name, disk in shown.items()]).replicas
        except StoreError:
            return
        if not readers:
            return
        self._fresh += 1
        name, source = f"n{self._fresh}", shown[readers[0]]
        self.room.disks[name] = source._replace(view=frozenset(), distrusts=frozenset(), head_file=0)
        self.room.up.add(name)
        old = (self._leavers(config) or [self._dice.choice(config.voters)])[0]
        if replace and self._dice.random() < 0.5 and old in self.weak():  # in its very folder: the old file is gone
            self._leave(old)

        def change(now: Config, last: int) -> Config:
            if now != config:
                return now
            if not replace:
                return now._replace(since=last, learners=tuple(sorted((*now.learners, name))), before=now.voters)
            voters = tuple(sorted(name if one == old else one for one in now.voters))
            return now._replace(since=last, voters=voters, before=now.voters)

        self._carry_out(f"m{self.counts['members']}", change)

    def _leave(self, name: str) -> None:
        """A replica's folder is gone for good."""
        self.room.disks.pop(name, None)
        self.room.up.discard(name)
        self._forgot.pop(name, None)
        self.room.damaged.discard(name)

    def _sweep(self) -> None:
        """Throw away the folders of those that nobody calls a member any more."""
        named = {name for disk in self.room.disks.values() for name in (*disk.config.members, *disk.config.before)}
        for name in sorted(self.room.disks.keys() - named):
            if self._dice.random() < 0.3:
                self._leave(name)

    # what can be survived

    def _newest(self) -> Disk:
        return max(self.room.disks.values(), key=lambda disk: (disk.log_term, disk.last))

    def weak(self) -> set[str]:
        """Return the voters that have lost something and have not got it back."""
        gone = set(self._newest().config.voters) - self.room.disks.keys()
        return gone | self._forgot.keys() | self.room.damaged

    def _tolerance(self) -> int:
        return (len(self._newest().config.voters) - 1) // 2

    def _cure(self) -> None:
        """A replica that has again what it had before it was taken back is as good as any."""
        for name, before in list(self._forgot.items()):
            now = self.room.disks.get(name)
            if now is None:
                continue
            if (
                now.promised >= before.promised
                and (now.log_term, now.last) >= (before.log_term, before.last)
                and now.last >= self.invariants.last
            ):
                del self._forgot[name]

    def _may_meet(self, names: frozenset[str]) -> bool:
        """Say whether the log must survive that exactly these replicas meet."""
        return self._in_budget(names)

    def _in_budget(self, names: frozenset[str]) -> bool:
        forgot = names & self._forgot.keys()
        if not forgot:
            return True
        newest = self._newest()
        if newest.config.since == newest.last:
            return False
        away = set(newest.config.voters) - names
        if len(away | forgot | self.room.damaged) <= self._tolerance():
            return True
        return all(self._is_told_on(name, names) for name in forgot)

    def _is_told_on(self, name: str, names: frozenset[str]) -> bool:
        """Say whether somebody among these replicas knows that ``name`` once had more than it has."""
        now = self.room.disks[name]
        others = [self.room.disks[other] for other in names - self._forgot.keys()]
        known = [peer for disk in others for peer in disk.rows[-1].peers if peer.replica == name]
        return any((peer.log_term, peer.last) > (now.log_term, now.last) for peer in known)


def run(seeds: range, steps: int, replicas: int) -> Figures:
    """Live a life for every seed; a Violation names its seed."""
    total: Counter[str] = Counter()
    for seed in seeds:
        life = Life(seed, replicas)
        try:
            life.run(steps)
        except Violation as error:
            raise Violation(f"seed {seed}, {replicas} replicas: {error}") from error
        total.update(life.counts)
        total["choices"] += life.invariants.checks
    return Figures(
        len(seeds),
        len(seeds) * steps,
        *(total[name] for name in ("acknowledged", "unknown", "refused", "deaths", "reads", "members", "choices")),
    )


def until(seeds: int, steps: int = 40) -> None:
    """Live one life after the other, of three replicas and of five; a Violation ends it."""
    for seed in range(seeds):
        run(range(seed, seed + 1), steps, 3 if seed % 3 else 5)
