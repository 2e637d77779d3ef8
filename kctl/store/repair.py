"""Bringing replicas back: those that are behind catch up, those that are damaged or lost are rebuilt.

A rebuilt replica is a new file with a new id that takes the place of the old one by an entry of
the log (``membership``), so it needs a majority of the others. A single replica has nobody to
copy from: its indexes and sums are made anew from its rows when those are whole.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from kctl.store import facts, health, history, membership, replica
from kctl.store.core import LeaderFailed
from kctl.store.errors import Corrupt, StoreError
from kctl.store.group import Group
from kctl.store.replica import FILE
from kctl.store.verify import verify as verify_file

REBUILT = frozenset(("missing", "damaged", "forgetful", "distrusted", "foreign"))


def repair(group: Group) -> list[str]:
    """Make every replica whole and equal; return in words what was done. StoreError when it cannot be."""
    behind = [member.place for member in health.members(group) if member.state == "behind"]
    group.settle()
    membership.settle(group)
    done = [f"{place}: caught up" for place in behind] + _mended(group)
    if len(group.participants) == 1:
        return done + _alone(group)
    rotten = _rotten(group)
    config = group.read(lambda _, known: known.facts.config)
    for member in health.members(group):
        state = "damaged" if member.place in rotten else member.state
        if state not in REBUILT:
            continue
        if member.id not in config.members:
            done.append(f"{member.place}: left alone, because it belongs to no member ({member.why})")
            continue
        target = group.at(member.place)
        if target is None:
            done.append(f"{member.place}: not rebuilt, because no folder was named for it")
            continue
        replica.prepare(target.folder)
        name = membership.rebuild(group, member.id, target.folder)
        why = rotten.get(member.place) or member.why
        done.append(f"{member.place}: rebuilt as {name} ({why})")
    group.forgive()
    return done


def _mended(group: Group) -> list[str]:
    """Write damaged head files anew: every log that answers was just brought to one end."""
    done = []
    for participant in group.participants:
        with suppress(StoreError):  # who does not answer is rebuilt
            if participant.mend_head():
                done.append(f"{participant.place}: head file written anew")
    return done


def _rotten(group: Group) -> dict[str, str]:
    """Return the places of replicas that answer and are damaged somewhere, with the first damage."""
    found: dict[str, str] = {}
    for participant in group.participants:
        try:
            problems = verify_file(participant.folder, "full")
        except StoreError:
            continue  # it does not answer: its member says so
        if problems:
            found[participant.place] = problems[0].message
    return found


def _alone(group: Group) -> list[str]:
    """Make the indexes and sums of the only replica anew; Corrupt when more than those is damaged."""
    one = group.participants[0]
    if not verify_file(one.folder, "full"):
        return []
    with group.locked():
        known = one.look()
        if known.standing.lost:
            raise group.rolled_back(one, known)

        def fill(db: Any) -> None:
            history.copy(one.reader(), known.facts, db)
            facts.write(db, known.facts)

        try:
            replica.draft(one.path, fill)
        except LeaderFailed as error:
            raise Corrupt(
                f"{one.place} cannot be repaired: {error.error.message}" if isinstance(error.error, StoreError) else "",
                hint="restore a snapshot, or recover what is whole and accept the loss of the rest",
            ) from error
        finally:
            one.rest()
        one.rebuilt()
        replica.drain(one.path)
        replica.put_in_place(one.path, head_too=False)
    group.forgive()
    return [f"{one.place}: indexes and sums made anew in a new file {FILE}"]
