"""Changing who the members of a log are, by entries of the log itself.

A new replica starts as a learner with a copy of the log: it follows, and counts for nothing. What
makes it a voter is an entry that a majority of the old voters and of the new ones must have. A
file that was lost comes back as a new replica under another id, never as the one it was: what
it had promised is forgotten, and so is its vote.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from kctl.api.errors import Refused, UsageError
from kctl.store import chain, facts, history, replica, salvage, write
from kctl.store.config import SIZES, Config
from kctl.store.core import LeaderFailed, Turn
from kctl.store.errors import Corrupt, StoreError
from kctl.store.facts import ID, Facts
from kctl.store.filesystem import refuse_network
from kctl.store.group import Group
from kctl.store.participant import Known, Participant
from kctl.store.replica import FILE
from kctl.store.turn import Proposal
from kctl.store.write import Batch, Prepared

Edit = Callable[[Config, Turn], Config]


def add_learner(group: Group, folder: Path) -> str:
    """Make a replica in an empty folder that follows the log; return its id. Refused when a log is there."""
    if (folder / FILE).exists():
        raise Refused(f"there is a log in {folder} already", hint="name an empty folder, or remove that log")
    replica.prepare(folder)
    refuse_network(folder)
    group.add(folder)
    name = build(group, folder)
    _change(group, lambda config, _: _with(config, name, folder, config.voters, (*config.learners, name)), "member add")
    group.settle()
    return name


def promote(group: Group, *names: str) -> Config:
    """Make learners voters, all at once; UsageError unless the voters become 1, 3 or 5."""

    def edit(config: Config, turn: Turn) -> Config:
        for name in names:
            if name not in config.learners:
                raise UsageError(f"{name} is not a learner of this log")
            if name not in turn.view:
                raise Refused(f"{name} does not answer", hint="a learner becomes a voter once it has the log")
        learners = tuple(name for name in config.learners if name not in names)
        return config._replace(voters=tuple(sorted((*config.voters, *names))), learners=learners)

    return _change(group, edit, "member promote")


def remove(group: Group, *names: str) -> Config:
    """Take members out, all at once; their files are left where they are."""

    def edit(config: Config, turn: Turn) -> Config:
        for name in names:
            if name not in config.members:
                raise UsageError(f"{name} is not a member of this log")
        voters = tuple(name for name in config.voters if name not in names)
        learners = tuple(name for name in config.learners if name not in names)
        places = tuple(place for place in config.places if place[0] not in names)
        return config._replace(voters=voters, learners=learners, places=places)

    return _change(group, edit, "member remove")


def replace(group: Group, name: str, folder: Path) -> str:
    """Put a new replica in an empty folder in the place of a member; return its id."""
    if (folder / FILE).exists():
        raise Refused(f"there is a log in {folder} already", hint="name an empty folder, or remove that log")
    replica.prepare(folder)
    refuse_network(folder)
    group.add(folder)
    return rebuild(group, name, folder)


def rebuild(group: Group, name: str, folder: Path) -> str:
    """Build a replica anew in a folder and let it take the place of a member; return its id."""
    if name not in _config(group).members:
        raise UsageError(f"{name} is not a member of this log")
    new = build(group, folder)

    def edit(config: Config, turn: Turn) -> Config:
        voters = tuple(sorted(new if one == name else one for one in config.voters))
        learners = tuple(sorted(new if one == name else one for one in config.learners))
        places = tuple(place for place in config.places if place[0] != name)
        return _with(config._replace(places=places), new, folder, voters, learners)

    _change(group, edit, "member replace")
    group.settle()
    return new


def _config(group: Group) -> Config:
    return group.read(lambda _, known: known.facts.config)


def build(group: Group, folder: Path) -> str:
    """Write a copy of the log into a new file in a folder, checked on the way; return its new id.

    Of the first replica that is whole; when none is, put together from all of them.
    """
    name = os.urandom(ID // 2).hex()
    failure: StoreError = Corrupt("no replica is whole", hint="restore a snapshot")
    with group.locked(), group.seen() as found:
        for copy in _copies(found.serving, folder):
            try:
                replica.draft(folder / FILE, _filled(copy, found.serving[0][1], name))
            except LeaderFailed as error:
                failure = error.error
                continue
            target = group.at(str(folder))
            if target is not None:
                target.rebuilt()
            replica.put_in_place(folder / FILE)
            return name
    raise failure


def _copies(serving: Sequence[tuple[Participant, Known]], folder: Path) -> Iterator[Callable[[Any], None]]:
    for source, known in serving:
        if source.folder != folder:
            yield lambda db, source=source, known=known: history.copy(source.reader(), known.facts, db)  # type: ignore[misc]
    yield lambda db: salvage.assemble([source.reader() for source, _ in serving], serving[0][1].facts, db)


def _filled(copy: Callable[[Any], None], known: Known, name: str) -> replica.Fill:
    def fill(db: Any) -> None:
        copy(db)
        own: Facts = known.facts._replace(replica=name, view=frozenset(), distrusts=frozenset())
        facts.write(db, own)

    return fill


def _with(config: Config, name: str, folder: Path, voters: tuple[str, ...], learners: tuple[str, ...]) -> Config:
    places = tuple(sorted((*config.places, (name, str(folder)))))
    return config._replace(voters=tuple(sorted(voters)), learners=tuple(sorted(learners)), places=places)


def _change(group: Group, edit: Edit, cause: str) -> Config:
    """Append the entry that makes a new configuration; return it.

    A second one that changes nothing shows that the first is settled: from then on the members
    before it need not agree any more, one of whom may be lost.
    """
    made = _append(group, edit, cause)
    if made.before != made.voters:
        with suppress(StoreError):  # the change is acknowledged; the next entry settles it as well
            made = _append(group, lambda config, _: config, cause)
    return made


def settle(group: Group) -> None:
    """Settle a change of members that was interrupted; StoreError when too few members answer."""
    config = _config(group)
    if config.before != config.voters:
        _append(group, lambda config, _: config, "member settle")


def _append(group: Group, edit: Edit, cause: str) -> Config:
    made: list[Config] = []

    def evaluate(leader: Any, turn: Turn) -> Proposal[Prepared]:
        tail = leader.known.tail
        new = edit(turn.config, turn)._replace(since=tail.head.index + 1, before=turn.config.voters)
        if len(new.voters) not in SIZES:
            raise UsageError(
                f"the log would have {len(new.voters)} voters", hint="1, 3 or 5 can be kept: change several at once"
            )
        made.append(new)
        batch = Batch(chain.CONFIG_ENTRY, new.encode(), tail.head.revision, tail.head.now, cause)
        prepared = write.plain(tail, turn.term, batch, turn.peers())._replace(config=new)
        return Proposal(prepared, prepared.tail.head.index, new)

    group.take(evaluate)
    return made[-1]
