"""The rule by which a write becomes lasting. Pure: facts in, decisions out, no I/O and no clock.

A log lies on replicas. Whoever writes takes one *turn*, and leads for as long as it lasts:

    lock      the writers of all processes take turns; a majority of lock files is needed
    begin     read a Standing from every replica that answers          -> begin()
    promise   unless nothing changed since the last turn, every replica durably promises a
              higher term; a majority is needed                        -> promised()
    install   every replica takes over the log of the leader: the one with the highest
              (log term, last entry); the view is who promised
    append    the entry is written in the same transaction as the install
    commit    every replica makes its transaction durable              -> outcome()

``log_term`` moves with the log that is installed (the last normal view of Viewstamped
Replication), so no empty entry is needed to settle what an earlier leader left. The view makes
the promise round unnecessary as long as the same replicas answer: in a term only one set of
replicas ever writes, and each turn begins with all of them equal.

A replica that shows less than it is known to have had has *forgotten*: its file was replaced by
an older copy, or its write-ahead log lost its end. Its vote may have made something lasting that
it no longer knows, so it does not count until it is rebuilt under another id.

What performs the steps is ``kctl.store.turn``; what a replica must be able to do for it is
:class:`Replica`, which files implement in ``kctl.store.participant`` and simulations elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from enum import Enum
from typing import NamedTuple, Protocol, Self, TypeVar

from kctl.store.config import Config
from kctl.store.errors import Diverged, NoQuorum, StoreError

HashAt = Callable[[int], bytes]
"""Returns the hash of the entry with a number."""


class Peer(NamedTuple):
    """What an entry says of another replica: how it stood when the entry was written."""

    replica: str
    promised: int
    log_term: int
    last: int


class Standing(NamedTuple):
    """What one replica says of itself inside a transaction.

    ``last`` and ``hash`` are those of its last entry; ``view`` who promised ``log_term``;
    ``lost`` the entry that its head file acknowledged and its log lacks (0: none is lacking);
    ``distrusts`` the replicas it was told not to count; ``peers`` what its last entry knows.
    """

    replica: str
    cluster: str
    config: Config
    promised: int
    log_term: int
    view: frozenset[str]
    last: int
    hash: bytes
    lost: int = 0
    distrusts: frozenset[str] = frozenset()
    peers: tuple[Peer, ...] = ()

    @property
    def at(self) -> tuple[int, int]:
        """Return what logs are compared by: the term that installed them, then their length."""
        return self.log_term, self.last


class Doubt(NamedTuple):
    """Why a replica that answers is not counted: ``kind`` as :class:`kctl.store.api.Member.state`."""

    replica: str
    kind: str
    why: str


class Turn(NamedTuple):
    """One writer's turn as it stands: who takes part, whose log counts, and whether to promise."""

    leader: Standing
    config: Config
    members: tuple[Standing, ...]
    doubts: tuple[Doubt, ...]
    term: int
    is_clean: bool

    @property
    def view(self) -> frozenset[str]:
        """Return the ids of who takes part."""
        return frozenset(member.replica for member in self.members)

    @property
    def followers(self) -> tuple[Standing, ...]:
        """Return who takes part besides the leader."""
        return tuple(member for member in self.members if member.replica != self.leader.replica)

    def peers(self) -> tuple[Peer, ...]:
        """Return what the next entry will know of everybody: their promises, and what they durably had.

        Who is alone has nobody to remember it.
        """
        if len(self.members) == 1:
            return ()
        known = (Peer(m.replica, self.term, m.log_term, m.last) for m in self.members)
        return tuple(sorted(known))


class Outcome(Enum):
    """How a commit ended."""

    ACKNOWLEDGED = "a majority has it"
    UNKNOWN = "somebody may have it: only a later turn can tell"
    NOTHING = "nobody has it"


class Way(Enum):
    """How a follower takes over the leader's log."""

    SAME = "nothing to do"
    REPLAY = "the entries behind the common one"
    TRUNCATE = "take back to the common entry, then replay"
    COPY = "everything"


class Span(NamedTuple):
    """Which part of its history a log still has.

    Entries from ``base`` to ``last`` are there; those above ``whole`` have all their rows and can
    be replayed; those above ``undo`` can be taken back one by one.
    """

    base: int
    last: int
    whole: int
    undo: int


def doubts(standings: Sequence[Standing]) -> list[Doubt]:
    """Return whom not to count: who holds another cluster's log, who forgot, and who is distrusted."""
    cluster = cluster_of(standings)
    ours = [s for s in standings if s.cluster == cluster]
    found = {s.replica: _doubt(s, ours) for s in ours}
    told = {d for s in ours if not found[s.replica] for d in s.distrusts}
    out = []
    for standing in standings:
        why = found.get(standing.replica, "")
        if standing.cluster != cluster:
            out.append(Doubt(standing.replica, "foreign", f"it holds the log of another cluster, {standing.cluster}"))
        elif why:
            out.append(Doubt(standing.replica, "forgetful", why))
        elif standing.replica in told:
            out.append(
                Doubt(standing.replica, "distrusted", "it was found old, damaged or failing, and is to be rebuilt")
            )
    return out


def cluster_of(standings: Sequence[Standing]) -> str:
    """Return whose log it is: what most replicas say, among equally many those that need more others."""
    clusters = [s.cluster for s in standings]
    most = max(standings, key=lambda s: (clusters.count(s.cluster), len(s.config.voters), s.cluster), default=None)
    return most.cluster if most is not None else ""


def _doubt(one: Standing, standings: Sequence[Standing]) -> str:
    if one.lost:
        return f"it ends at entry {one.last}, but entry {one.lost} was acknowledged"
    for other in standings:
        if other.replica == one.replica:
            continue
        if one.replica in other.view and other.log_term > one.promised:
            return f"it promised term {other.log_term} and knows only of {one.promised}"
        for peer in other.peers:
            if peer.replica == one.replica and (peer.log_term, peer.last) > one.at:
                return f"it ends at entry {one.last}, but had entry {peer.last}"
            if peer.replica == one.replica and peer.promised > one.promised:
                return f"it promised term {peer.promised} and knows only of {one.promised}"
    return ""


def leader_of(standings: Iterable[Standing]) -> Standing | None:
    """Return whose log counts: the highest (log term, last entry). Raises Diverged when two of equal rank differ.

    Learners and who has left count too, after members of equal rank: a majority by the members
    before them may have nobody else who knows the entry that made them so.
    """
    found: Standing | None = None
    for standing in sorted(standings, key=_rank):
        if found is None:
            found = standing
        elif standing.at == found.at and standing.hash != found.hash:
            raise Diverged(
                f"replicas {found.replica} and {standing.replica} both end at entry {found.last} "
                f"of term {found.log_term} and differ"
            )
    return found


def _rank(standing: Standing) -> tuple[int, int, bool, str]:
    is_outside = not standing.config.takes_part(standing.replica, standing.last)
    return -standing.log_term, -standing.last, is_outside, standing.replica


def begin(standings: Sequence[Standing], absent: Sequence[tuple[str, str]] = ()) -> Turn:
    """Decide how a turn starts from what all answering replicas say; NoQuorum, Diverged.

    ``absent`` names places that do not answer, with the reason; it only goes into the error.
    """
    if len(standings) == 1 and _is_alone(standings[0]):
        only = standings[0]
        return Turn(only, only.config, (only,), (), only.log_term, True)
    doubted = tuple(doubts(standings))
    names = {doubt.replica for doubt in doubted}
    trusted = [s for s in standings if s.replica not in names]
    leader = leader_of(trusted)
    if leader is None:
        voters = len(standings[0].config.voters) if standings else max(1, len(absent))
        raise NoQuorum(0, voters, _missing(standings, doubted, absent))
    config = leader.config
    parts = (s for s in trusted if s is leader or config.takes_part(s.replica, leader.last))
    members = tuple(sorted(parts, key=_id))  # with who has left when nobody else has the last entry
    view = frozenset(member.replica for member in members)
    if not config.has_quorum(view, leader.last):
        usable = sum(voter in view for voter in config.voters)
        raise NoQuorum(usable, len(config.voters), _missing(standings, doubted, absent))
    is_clean = all(
        m.at == leader.at and m.hash == leader.hash and m.promised == leader.log_term and m.view == view
        for m in members
    )
    term = leader.log_term if is_clean else max(s.promised for s in standings) + 1
    return Turn(leader, config, members, doubted, term, is_clean)


def _is_alone(one: Standing) -> bool:
    """Say whether a replica is the only member of its log and nothing changed since its last turn."""
    return (
        one.config.voters == (one.replica,)
        and one.config.before == one.config.voters
        and not (one.config.learners or one.lost or one.distrusts)
        and one.promised == one.log_term
        and len(one.view) == 1
        and one.replica in one.view
    )


def _id(standing: Standing) -> str:
    return standing.replica


def _missing(
    standings: Sequence[Standing], doubted: Sequence[Doubt], absent: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    places = {s.replica: s.config.place(s.replica) or s.replica for s in standings}
    return [*((places[doubt.replica], doubt.why) for doubt in doubted), *absent]


def promised(turn: Turn, kept: Collection[str], absent: Sequence[tuple[str, str]] = ()) -> Turn:
    """Return the turn among those whose promise is durable; NoQuorum when they are too few.

    The leader is chosen anew among them: it may be the one that failed.
    """
    members = tuple(m._replace(promised=turn.term) for m in turn.members if m.replica in kept)
    leader = leader_of(members)
    usable = sum(voter in kept for voter in turn.config.voters)
    if leader is None:
        raise NoQuorum(usable, len(turn.config.voters), absent)
    config = leader.config
    members = tuple(m for m in members if m is leader or config.takes_part(m.replica, leader.last))
    if not config.has_quorum([m.replica for m in members], leader.last):
        raise NoQuorum(usable, len(config.voters), absent)
    return Turn(leader, config, members, turn.doubts, turn.term, False)


def still_holds(turn: Turn, standings: Sequence[Standing]) -> bool:
    """Say whether nobody wrote between the promise and the transaction that goes on from it."""
    now = {s.replica: s for s in standings}
    return all(
        m.replica in now
        and (now[m.replica].promised, now[m.replica].at, now[m.replica].hash) == (turn.term, m.at, m.hash)
        for m in turn.members
    )


def way(follower: Span, leader: Span, common: int) -> Way:
    """Say how a follower gets the leader's log, given the last entry that is the same in both (-1: none)."""
    if common < max(follower.base, leader.base) or common < leader.whole:
        return Way.SAME if common == follower.last == leader.last else Way.COPY
    if common == follower.last:
        return Way.SAME if common == leader.last else Way.REPLAY
    return Way.TRUNCATE if common >= follower.undo else Way.COPY


def common_entry(mine: HashAt, theirs: HashAt, low: int, high: int) -> int:
    """Return the last entry from low to high with the same hash in both, -1 for none.

    Hashes chain, so it is searched by halves.
    """
    if high < low or mine(low) != theirs(low):
        return -1
    while low < high:
        middle = (low + high + 1) // 2
        if mine(middle) == theirs(middle):
            low = middle
        else:
            high = middle - 1
    return low


def outcome(config: Config, last: int, durable: Collection[str], unsure: Collection[str]) -> Outcome:
    """Say what became of a commit whose log now ends at ``last`` under ``config``.

    ``durable`` committed; of ``unsure`` the commit failed in a way that may have left the entry.
    """
    if config.has_quorum(durable, last):
        return Outcome.ACKNOWLEDGED
    return Outcome.UNKNOWN if durable or unsure else Outcome.NOTHING


class Reading(NamedTuple):
    """Who may answer a read: ``replicas`` all show the same ``head``; empty: a turn must settle it first."""

    replicas: tuple[str, ...]
    doubts: tuple[Doubt, ...]


def reading(standings: Sequence[Standing]) -> Reading:
    """Decide whether a majority shows one end of the log and nobody shows more; without any lock."""
    doubted = tuple(doubts(standings))
    names = {doubt.replica for doubt in doubted}
    trusted = [s for s in standings if s.replica not in names]
    leader = leader_of(trusted)
    if leader is None:
        return Reading((), doubted)
    same = tuple(s.replica for s in trusted if s.at == leader.at and s.hash == leader.hash)
    ahead = [s for s in trusted if s.replica in leader.config.members and s.at > leader.at]
    if ahead or not leader.config.has_quorum(same, leader.last):
        return Reading((), doubted)
    return Reading(same, doubted)


Entry_contra = TypeVar("Entry_contra", contravariant=True)


class NotDurable(Exception):
    """A replica failed to promise or to commit; ``is_unsure``: it may have done it all the same."""

    def __init__(self, why: str, *, is_unsure: bool) -> None:
        super().__init__(why)
        self.why = why
        self.is_unsure = is_unsure


class LeaderFailed(Exception):
    """A follower could not follow because the leader's file is damaged or cannot be read; ``error`` says how."""

    def __init__(self, error: StoreError) -> None:
        super().__init__(str(error))
        self.error = error


class Replica(Protocol[Entry_contra]):
    """What a turn needs of one replica. Any method but ``end`` may raise a StoreError: it then drops out."""

    place: str

    def begin(self) -> Standing:
        """Open a transaction that keeps other writers out, and say how the log stands."""
        ...

    def promise(self, term: int) -> None:
        """Write the promise and commit the open transaction with it; NotDurable."""
        ...

    def follow(self, leader: Self, term: int, view: frozenset[str]) -> None:
        """Take over the leader's log (its open transaction is read) and note term and view.

        The leader is told to follow itself, which only notes them. LeaderFailed when it is the
        leader that cannot be read.
        """
        ...

    def append(self, entry: Entry_contra) -> None:
        """Write an entry behind the log inside the open transaction."""
        ...

    def commit(self) -> None:
        """Make the open transaction durable and end it; NotDurable."""
        ...

    def acknowledge(self) -> None:
        """Note beside the log that its end is on a majority; never fails."""
        ...

    def distrust(self, replicas: Collection[str]) -> None:
        """Durably note, outside any turn, replicas that are not to be counted until rebuilt."""
        ...

    def end(self) -> None:
        """Undo what is open, if anything is; never fails."""
        ...
