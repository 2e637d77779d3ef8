"""Broken variants of the protocol: each takes one rule away, and the simulation must notice every time.

In: the name of a mutant. Out: a context in which ``kctl.store.core`` (or what a replica does) is
broken in that way. A rule whose removal nobody notices is either superfluous or not tested.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from kctl.store import core
from kctl.store.config import Config
from kctl.store.core import Outcome, Reading, Standing, Turn, Way
from tests.store.faults.simulated import Simulated, standing

_begin, _way, _leader_of, _reading = core.begin, core.way, core.leader_of, core.reading


def _no_terms(standings: Sequence[Standing], absent: Sequence[tuple[str, str]] = ()) -> Turn:
    turn = _begin(standings, absent)
    return turn._replace(term=turn.leader.log_term)


def _any_view(standings: Sequence[Standing], absent: Sequence[tuple[str, str]] = ()) -> Turn:
    turn = _begin(standings, absent)
    if all(
        (m.at, m.hash, m.promised) == (turn.leader.at, turn.leader.hash, turn.leader.log_term) for m in turn.members
    ):
        return turn._replace(is_clean=True, term=turn.leader.log_term)
    return turn


def _one_is_enough(self: Config, replicas: Any, last: int) -> bool:
    return bool(set(replicas) & set(self.voters))


def _any_number(standings: Sequence[Standing], absent: Sequence[tuple[str, str]] = ()) -> Turn:
    with mock.patch.object(Config, "has_quorum", _one_is_enough):
        return _begin(standings, absent)


def _promise_in_memory(self: Simulated, term: int) -> None:
    self._open = self.disk._replace(promised=term)


def _begin_again(self: Simulated) -> Standing:
    """Go on with the transaction that is open, as there was no promise that ended it."""
    return _simulated_begin(self) if self._open is None else standing(self.name, self.disk)


_simulated_begin = Simulated.begin


def _longest(standings: Sequence[Standing]) -> Standing | None:
    return max(standings, key=lambda s: (s.last, s.log_term, s.replica), default=None)


def _of_voters(standings: Sequence[Standing]) -> Standing | None:
    return _leader_of([s for s in standings if s.replica in s.config.voters])


def _minority(config: Config, last: int, durable: Any, unsure: Any) -> Outcome:
    return Outcome.ACKNOWLEDGED if durable else Outcome.UNKNOWN if unsure else Outcome.NOTHING


def _unsure_is_no(config: Config, last: int, durable: Any, unsure: Any) -> Outcome:
    return Outcome.ACKNOWLEDGED if config.has_quorum(durable, last) else Outcome.NOTHING


def _first(standings: Sequence[Standing]) -> Reading:
    return Reading((min(standings).replica,) if standings else (), ())


def _read_longest(standings: Sequence[Standing]) -> Reading:
    if len(standings) * 2 <= max((len(s.config.voters) for s in standings), default=0):
        return Reading((), ())
    found = _longest(standings)
    return Reading((found.replica,) if found else (), ())


def _never_back(follower: core.Span, leader: core.Span, common: int) -> Way:
    return Way.SAME if follower.last >= leader.last else _way(follower, leader, common)


def _only_new_voters(self: Config, replicas: Any, last: int) -> bool:
    return sum(voter in replicas for voter in self.voters) * 2 > len(self.voters)


def _surely(turn: Turn, standings: Sequence[Standing]) -> bool:
    return True


def _no_doubts(standings: Sequence[Standing]) -> list[core.Doubt]:
    return []


def _is_member(self: Config, replica: str, last: int) -> bool:
    return replica in self.members


Patches = list[tuple[Any, str, Any]]
PROTOCOL: dict[str, Patches] = {
    "no terms: a new view goes on in the old one": [(core, "begin", _no_terms)],
    "no promise round: the term is raised in the transaction that appends": [
        (Simulated, "promise", _promise_in_memory),
        (Simulated, "begin", _begin_again),
    ],
    "what was promised is not looked at again before the append": [(core, "still_holds", _surely)],
    "a term is used again by another set of replicas": [(core, "begin", _any_view)],
    "the longest log is chosen before the highest term": [(core, "leader_of", _longest)],
    "any one replica may take a turn": [(core, "begin", _any_number)],
    "a minority that has the entry acknowledges it": [(core, "outcome", _minority)],
    "a commit that may have happened counts as not": [(core, "outcome", _unsure_is_no)],
    "reads come from the first replica": [(core, "reading", _first)],
    "reads come from the longest log of a majority": [(core, "reading", _read_longest)],
    "a follower's longer log is not taken back": [(core, "way", _never_back)],
    "a replica that forgot counts": [(core, "doubts", _no_doubts)],
    "new members decide alone about their own entry": [(Config, "has_quorum", _only_new_voters)],
    "who is about to leave has no say about the log": [
        (core, "leader_of", _of_voters),
        (Config, "takes_part", _is_member),
    ],
}


@contextmanager
def broken(patches: Patches) -> Iterator[None]:
    """Break something for a while."""
    with ExitStack() as stack:
        for where, name, how in patches:
            stack.enter_context(mock.patch.object(where, name, how))
        yield
