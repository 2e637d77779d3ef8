"""What only grows is not hashed, and yet a state that comes back is noticed as if it were."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api.objects import Obj
from kctl.client.client import WatchEvent
from kctl.runtime.fingerprint import Fingerprint, growth_of, verb_of

SPECS: tuple[Obj, ...] = ({}, {"nodeName": "n1"}, {"nodeName": "n2"}, {"nodeName": "n1", "size": "1"}, {"uid": "u"})
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from("abcd"), st.integers(0, 4), st.sampled_from(["", "up", "down"])),
        st.tuples(st.just("status"), st.sampled_from("abcd"), st.sampled_from(["", "up", "down"])),
        st.tuples(st.just("take"), st.sampled_from("abcd")),
        st.tuples(st.just("instant")),
        st.tuples(st.just("instant")),
    ),
    max_size=30,
)


def changes(steps: list[Any]) -> list[WatchEvent | None]:
    """Return the changes that steps make, None for the end of an instant."""
    there: dict[str, Obj] = {}
    found: list[WatchEvent | None] = []
    for n, (kind, *values) in enumerate(steps):
        old = there.get(values[0]) if values else None
        if kind == "instant":
            found.append(None)
        elif kind == "take" and old is not None:
            del there[values[0]]
            found.append(WatchEvent("DELETED", "pods", old, old))
        elif kind == "put" or old is not None:
            meta: Obj = {"name": values[0], "namespace": "default", "resourceVersion": str(n)}
            if values[0] in "cd":
                owner = {"kind": "ReplicaSet", "name": "x", "uid": "x", "controller": True}
                meta |= {"generateName": "x-", "ownerReferences": [owner]}
            if values[-1] == "up":
                meta["labels"] = {"zone": "a"}
            spec = SPECS[values[1]] if kind == "put" else (old or {})["spec"]
            new = there[values[0]] = {"metadata": meta, "spec": spec, "status": {"phase": values[-1]}}
            found.append(WatchEvent("MODIFIED" if old else "ADDED", "pods", new, old))
    return found


def played(events: list[WatchEvent | None], *, at_once: bool) -> list[Any]:
    """Return what is found at the end of each instant."""
    fingerprint = Fingerprint(0.0, frozenset, lambda: "somebody")
    if at_once:
        fingerprint._only_grows = False
    found = []
    for n, event in enumerate(events):
        if event is None:
            found.append(fingerprint.repeats(float(n)))
        else:
            fingerprint.see(event)
    return found


@given(STEPS)
@settings(max_examples=300, deadline=None)
def test_while_nothing_goes_the_same_is_found_as_when_all_is_hashed(steps: list[Any]) -> None:
    events = [event for event in changes(steps) if event is None or growth_of(event) >= 0]
    assert played(events, at_once=False) == played(events, at_once=True)


@given(STEPS, STEPS)
@settings(max_examples=100, deadline=None)
def test_what_goes_round_is_found_in_its_second_turn(before: list[Any], turn: list[Any]) -> None:
    gone = [("take", name) for name in "abcd"]
    whole = [*turn, *gone, ("instant",), ("put", "a", 0, ""), ("instant",), *gone, ("instant",)]
    events = changes([*before, *gone, ("instant",), *whole, *whole, *whole])
    assert any(played(events, at_once=False))
    assert any(played(events, at_once=True))


@given(STEPS)
@settings(max_examples=100, deadline=None)
def test_what_neither_grows_nor_shrinks_is_no_more_than_a_status(steps: list[Any]) -> None:
    for event in changes(steps):
        if event is not None:
            assert (growth_of(event) == 0) == (not verb_of(event))


def test_pods_that_only_come_are_not_hashed() -> None:
    fingerprint = Fingerprint(0.0, frozenset, lambda: "somebody")
    for n in range(100):
        meta: Obj = {"name": f"p{n}", "namespace": "default"}
        new: Obj = {"metadata": meta, "spec": {"containers": []}}
        bound: Obj = {"metadata": {**meta, "labels": {"zone": "a"}}, "spec": {**new["spec"], "nodeName": "n1"}}
        fingerprint.see(WatchEvent("ADDED", "pods", new, None))
        fingerprint.see(WatchEvent("MODIFIED", "pods", bound, new))
        fingerprint.see(WatchEvent("MODIFIED", "pods", {**bound, "status": {"phase": "Running"}}, bound))
        assert fingerprint.repeats(float(n)) is None
    assert not fingerprint.hashed
