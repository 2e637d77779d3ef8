"""Who the members of a log are: the value a configuration entry holds. Pure.

A configuration names the voters, whose majority decides, and the learners, which only follow.
While the entry that made it is the last of the log, it may not be settled yet: then a majority
of the voters *before* it must agree as well, so that two configurations never decide apart.
A place is where a member was last seen: for people, never for finding it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import NamedTuple

SIZES = (1, 3, 5)
"""How many voters there may be: an even number survives no more than the odd one below it."""


class Config(NamedTuple):
    """The members of a log since the entry ``since``."""

    since: int
    voters: tuple[str, ...]
    learners: tuple[str, ...]
    before: tuple[str, ...]
    places: tuple[tuple[str, str], ...]

    @property
    def members(self) -> tuple[str, ...]:
        """Return voters and learners in order of id, the order of locks too."""
        return tuple(sorted((*self.voters, *self.learners)))

    def place(self, replica: str) -> str:
        """Return where a member was last seen, "" when that is unknown."""
        return dict(self.places).get(replica, "")

    def has_quorum(self, replicas: Collection[str], last: int) -> bool:
        """Say whether these replicas may decide about a log that ends at entry ``last``."""
        if not is_majority(replicas, self.voters):
            return False
        return last > self.since or is_majority(replicas, self.before)

    def takes_part(self, replica: str, last: int) -> bool:
        """Say whether a replica has a part in a turn over a log that ends at ``last``: who must agree, and learners."""
        return replica in self.voters or replica in self.learners or (last <= self.since and replica in self.before)

    def encode(self) -> str:
        """Return the configuration as canonical JSON."""
        return json.dumps(self._asdict(), separators=(",", ":"), sort_keys=True)


def is_majority(replicas: Collection[str], voters: Collection[str]) -> bool:
    """Say whether more than half of the voters are among the replicas."""
    found = 0
    for voter in voters:
        if voter in replicas:
            found += 1
    return found * 2 > len(voters)


def first(places: Iterable[tuple[str, str]]) -> Config:
    """Return the configuration a new log starts with, given id and place of every replica."""
    pairs = tuple(sorted(places))
    ids = tuple(replica for replica, _ in pairs)
    return Config(0, ids, (), ids, pairs)


def decode(text: str) -> Config:
    """Read what :meth:`Config.encode` wrote; ValueError, KeyError when it is something else."""
    found = json.loads(text)
    places = tuple((str(replica), str(place)) for replica, place in found["places"])
    voters, learners, before = (tuple(map(str, found[name])) for name in ("voters", "learners", "before"))
    return Config(int(found["since"]), voters, learners, before, places)
