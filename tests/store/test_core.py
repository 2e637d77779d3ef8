"""The commit rule on facts alone: whose log counts, who may decide, who has forgotten."""

from __future__ import annotations

import pytest

from kctl.store import config, core
from kctl.store.api import Head, Retention
from kctl.store.config import Config
from kctl.store.core import Outcome, Peer, Span, Standing, Way
from kctl.store.errors import Diverged, NoQuorum
from kctl.store.retention import due

THREE = config.first((name, f"/{name}") for name in "abc")
ALL = frozenset("abc")


def stands(name, last=5, *, term=0, promised=None, view=ALL, digest=b"", members=THREE, **more):
    """Return what a replica says of itself."""
    known = digest or b"%d" % last
    return Standing(name, "c1", members, term if promised is None else promised, term, view, last, known, **more)


def test_equal_replicas_need_no_promise():
    turn = core.begin([stands(name) for name in "abc"])
    assert (turn.is_clean, turn.term, turn.view) == (True, 0, ALL)
    assert len(turn.followers) == 2


@pytest.mark.parametrize(
    ("standings", "leader", "term"),
    [
        pytest.param([stands("a"), stands("b")], "a", 1, id="one is away that was there"),
        pytest.param([stands("a", 4), stands("b"), stands("c")], "b", 1, id="one is behind"),
        pytest.param([stands("a", promised=3), stands("b"), stands("c")], "a", 4, id="one promised more"),
        pytest.param(
            [stands("a", 9), stands("b", 3, term=2), stands("c", 9, promised=2)], "b", 3, id="a later term beats length"
        ),
    ],
)
def test_whatever_changed_since_the_last_turn_asks_for_a_higher_term(standings, leader, term):
    turn = core.begin(standings)
    assert (turn.leader.replica, turn.term, turn.is_clean) == (leader, term, False)


def test_a_minority_decides_nothing():
    with pytest.raises(NoQuorum, match="1 of 3 replicas can be used, 2 are needed"):
        core.begin([stands("a")], [("/b", "it burnt"), ("/c", "so did this")])


def test_equal_rank_with_different_logs_is_never_chosen_between():
    with pytest.raises(Diverged):
        core.begin([stands("a"), stands("b", digest=b"other"), stands("c")])


@pytest.mark.parametrize(
    ("standing", "others", "why"),
    [
        pytest.param(stands("a", lost=7), [], "entry 7 was acknowledged", id="its own head file"),
        pytest.param(stands("a", promised=0), [stands("b", term=2)], "promised term 2", id="the view of another"),
        pytest.param(
            stands("a", 3), [stands("b", peers=(Peer("a", 0, 0, 4),))], "had entry 4", id="the last entry of another"
        ),
        pytest.param(
            stands("a", view=frozenset()),
            [stands("b", view=frozenset("bc"), peers=(Peer("a", 3, 0, 2),))],
            "promised term 3",
            id="a promise that an entry knows of",
        ),
    ],
)
def test_who_shows_less_than_it_had_is_not_counted(standing, others, why):
    found = core.doubts([standing, *others, stands("c", term=others[0].log_term if others else 0)])
    assert [(doubt.replica, doubt.kind) for doubt in found] == [("a", "forgetful")]
    assert why in found[0].why


def test_being_taken_back_in_a_later_term_is_not_forgetting():
    peers = (Peer("a", 1, 0, 9),)
    assert core.doubts([stands("a", 6, term=2), stands("b", 6, term=2, peers=peers)]) == []


def test_the_distrusted_do_not_count_and_have_no_say():
    told = [stands("a", distrusts=frozenset("b")), stands("b"), stands("c")]
    assert core.begin(told).view == frozenset("ac")
    with pytest.raises(NoQuorum):
        core.begin(told[:2])


def test_a_turn_goes_on_with_who_promised():
    turn = core.begin([stands("a", 9, promised=1), stands("b", 9), stands("c", 8)])
    assert core.promised(turn, ["b", "c"]).leader.replica == "b"
    with pytest.raises(NoQuorum):
        core.promised(turn, ["c"])


def test_a_turn_is_void_when_somebody_wrote_after_the_promise():
    turn = core.begin([stands("a", 4), stands("b"), stands("c")])
    turn = core.promised(turn, "abc")
    after = [standing._replace(promised=1) for standing in (stands("a", 4), stands("b"), stands("c"))]
    assert core.still_holds(turn, after)
    for bad in (after[:2], [after[0]._replace(promised=2), *after[1:]], [after[0]._replace(last=5), *after[1:]]):
        assert not core.still_holds(turn, bad)


@pytest.mark.parametrize(
    ("durable", "unsure", "want"),
    [
        ("abc", "", Outcome.ACKNOWLEDGED),
        ("ab", "c", Outcome.ACKNOWLEDGED),
        ("a", "", Outcome.UNKNOWN),
        ("", "a", Outcome.UNKNOWN),
        ("", "", Outcome.NOTHING),
    ],
)
def test_acknowledged_is_what_a_majority_has(durable, unsure, want):
    assert core.outcome(THREE, 6, durable, unsure) is want


@pytest.mark.parametrize(
    ("follower", "leader", "common", "want"),
    [
        (Span(0, 5, 0, 0), Span(0, 5, 0, 0), 5, Way.SAME),
        (Span(0, 3, 0, 0), Span(0, 5, 0, 0), 3, Way.REPLAY),
        (Span(0, 6, 0, 0), Span(0, 5, 0, 0), 3, Way.TRUNCATE),
        (Span(0, 6, 0, 4), Span(0, 5, 0, 0), 3, Way.COPY),
        (Span(0, 3, 0, 0), Span(4, 9, 4, 4), -1, Way.COPY),
        (Span(0, 3, 0, 0), Span(2, 9, 4, 4), 3, Way.COPY),
        (Span(0, 5, 0, 0), Span(0, 5, 0, 0), -1, Way.COPY),
    ],
)
def test_how_a_follower_gets_the_log(follower, leader, common, want):
    assert core.way(follower, leader, common) is want


@pytest.mark.parametrize("same", range(-1, 8))
def test_the_last_common_entry_is_found_by_halves(same):
    def hash_of(side):
        return lambda n: b"%d" % n if n <= same else b"%d%s" % (n, side)

    assert core.common_entry(hash_of(b"a"), hash_of(b"b"), 0, 7) == same


def test_readers_want_a_majority_that_shows_one_end():
    assert core.reading([stands(name) for name in "abc"]).replicas == ("a", "b", "c")
    assert core.reading([stands("a"), stands("b"), stands("c", 4)]).replicas == ("a", "b")
    assert core.reading([stands("a"), stands("b"), stands("c", 6)]).replicas == ()
    assert core.reading([stands("a")]).replicas == ()
    assert core.reading([]).replicas == ()


def test_while_new_members_are_not_settled_both_majorities_must_agree():
    new = Config(6, ("c", "d", "e"), (), ("a", "b", "c"), ())
    assert not new.has_quorum("cde", 6)
    assert not new.has_quorum("abc", 6)
    assert new.has_quorum("abcd", 6)
    assert new.has_quorum("de", 7)
    assert config.decode(new.encode()) == new


@pytest.mark.parametrize(
    ("keep", "revision", "compacted", "want"),
    [
        (Retention(10), 14, 0, 0),
        (Retention(10), 15, 0, 5),
        (Retention(10), 30, 16, 0),
        (Retention(1000, seconds=10), 30, 0, 7),
        (Retention(1000, seconds=90), 30, 0, 0),
    ],
)
def test_history_is_given_up_once_there_is_half_as_much_again(keep, revision, compacted, want):
    head = Head(0, revision, 0, b"", 100.0)
    assert due(keep, head, compacted, lambda: 80.0, lambda at: 7 if at == 90.0 else 0) == want
