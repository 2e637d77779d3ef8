"""How the replicas of a log stand, and what is wrong with them.

In: the group of a store. Out: its Members, its Problems. What can be told of a replica that does
not answer comes from the configuration the others agree on.
"""

from __future__ import annotations

import os

from kctl.store import core
from kctl.store.api import Level, Member, Problem
from kctl.store.config import Config
from kctl.store.errors import Corrupt, NoStore, ReadOnlyStore, StoreError, Unreadable, WrongFormat
from kctl.store.group import Group
from kctl.store.participant import Known, Participant
from kctl.store.verify import verify as verify_file

Looks = list[tuple[Participant, Known]]


def members(group: Group) -> list[Member]:
    """Return the replicas in order of id; those that do not answer with the reason."""
    try:
        looks, failed = group.look()
        return _members(group, looks, failed)
    finally:
        for participant in group.participants:
            participant.rest()


def _members(group: Group, looks: Looks, failed: list[tuple[str, StoreError]]) -> list[Member]:
    newest = _newest(looks)
    if newest is None:
        return [Member("", place, "voter", _state_of(error), error.message) for place, error in failed]
    doubted = {doubt.replica: doubt for doubt in core.doubts([k.standing for _, k in looks if _is_of(k, newest)])}
    config = newest.facts.config
    found: dict[str, Member] = {}
    strangers: list[Member] = []
    for participant, known in looks:
        member = _member(participant, known, newest, doubted.get(known.facts.replica))
        if place_damage := group.damaged().get(participant.place):
            member = member._replace(state="damaged", why=place_damage)
        if member.state == "foreign":
            strangers.append(member)
        else:
            found[member.id] = member
    errors = dict(failed)
    taken = {member.place for member in found.values()}
    for name in config.members:
        if name not in found:
            found[name] = _lost(name, config, errors, strangers, taken)
            taken.add(found[name].place)
    roles = {name: "learner" if name in config.learners else "voter" for name in config.members}
    mine = [found[name]._replace(role=roles[name]) for name in config.members]
    return mine + [stranger for stranger in strangers if stranger.place not in taken]


def _lost(name: str, config: Config, errors: dict[str, StoreError], strangers: list[Member], taken: set[str]) -> Member:
    """Describe a member that does not answer: by the place it was last seen, or the only one left.

    Folders may have been moved since; a place that holds something else stands for the member whose it was.
    """
    place = config.place(name)
    known = {config.place(member) for member in config.members}
    there = [s for s in strangers if s.place not in taken and (s.place == place or s.place not in known)]
    where = place if place in errors else next((p for p in sorted(errors) if p not in taken), place)
    error = errors.get(where)
    for stranger in sorted(there, key=lambda s: s.place != place):
        if stranger.place == place or error is None:
            return stranger._replace(id=name, role="voter")
    if error is None:
        return Member(name, where, "voter", "missing", "no folder that was named holds it")
    return Member(name, where, "voter", _state_of(error), error.message)


def _newest(looks: Looks) -> Known | None:
    """Return what the replica whose word counts most shows."""
    if not looks:
        return None
    clusters = [known.facts.cluster for _, known in looks]
    most = max(sorted(set(clusters)), key=clusters.count)
    standings = [known.standing for _, known in looks if known.facts.cluster == most]
    doubted = {doubt.replica for doubt in core.doubts(standings)}
    best = max(standings, key=lambda s: (s.replica not in doubted, s.replica in s.config.voters, s.at))
    return next(known for _, known in looks if known.standing is best)


def _is_of(known: Known, newest: Known) -> bool:
    return known.facts.cluster == newest.facts.cluster


def _member(participant: Participant, known: Known, newest: Known, doubt: core.Doubt | None) -> Member:
    head, name = known.tail.head, known.facts.replica
    state, why = "ok", ""
    lag = newest.tail.head.index - head.index
    if not _is_of(known, newest):
        state, why = "foreign", f"it holds the log of another cluster, {known.facts.cluster}"
    elif name not in newest.facts.config.members:
        state, why = "foreign", "it is not a member"
    elif doubt is not None:
        state, why = doubt.kind, doubt.why
    elif not os.access(participant.path, os.W_OK) or not os.access(participant.folder, os.W_OK):
        state, why = "readonly", "it cannot be written"
    elif known.standing.at != newest.standing.at:
        state, why = "behind", f"it is {lag} entries behind"
    size = participant.size()
    return Member(name, participant.place, "voter", state, why, head.index, head.revision, head.term, max(lag, 0), size)


def _state_of(error: StoreError) -> str:
    if isinstance(error, NoStore):
        return "missing"
    if isinstance(error, ReadOnlyStore):
        return "readonly"
    return "damaged" if isinstance(error, Corrupt | WrongFormat | Unreadable) else "missing"


def verify(group: Group, level: Level) -> list[Problem]:
    """Check every replica by itself and against the others."""
    problems: list[Problem] = []
    for participant in group.participants:
        try:
            problems += verify_file(participant.folder, level)
        except StoreError as error:
            kind = {"missing": "missing", "damaged": "unreadable"}.get(_state_of(error), "unreadable")
            problems.append(Problem(participant.place, kind, error.message))
    told = {problem.place for problem in problems}
    for member in members(group):
        if member.state != "ok" and member.place not in told:
            problems.append(Problem(member.place, member.state, member.why))
    return problems
