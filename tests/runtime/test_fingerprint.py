"""A state that comes back is noticed at the same instant whether changes are hashed at once or put aside first."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api.objects import Obj
from kctl.client.client import WatchEvent
from kctl.runtime import fingerprint
from kctl.runtime.fingerprint import Fingerprint

SPECS: tuple[Obj, ...] = ({}, {"nodeName": "n1"}, {"nodeName": "n2"}, {"size": 1}, {"nodeName": "n1", "uid": "u"})
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from("abcd"), st.integers(0, 4), st.sampled_from(["", "up"])),
        st.tuples(st.just("take"), st.sampled_from("abcd")),
        st.tuples(st.just("instant")),
    ),
    max_size=25,
)


def played(steps: list[Any], *, at_once: bool) -> list[str]:
    """Return what is said at the end of each instant."""
    found = Fingerprint()
    if at_once:
        found._only_grows = False
    there: dict[str, Obj] = {}
    said = []
    for now, (kind, *values) in enumerate(steps):
        if kind == "instant":
            said.append(found.repeats(float(now)))
        elif kind == "put":
            name, spec, status = values
            old = there.get(name)
            meta: Obj = {"name": name, "namespace": "default", "resourceVersion": str(now)}
            if name in "cd":
                meta |= {
                    "generateName": "x-",
                    "ownerReferences": [{"kind": "ReplicaSet", "name": "x", "uid": "x", "controller": True}],
                }
            new = there[name] = {"metadata": meta, "spec": SPECS[spec], "status": {"phase": status}}
            found.see(WatchEvent("MODIFIED" if old else "ADDED", "pods", new, old))
        elif values[0] in there:
            old = there.pop(values[0])
            found.see(WatchEvent("DELETED", "pods", old, old))
    return said


@given(STEPS, st.sampled_from([3, 100]))
@settings(max_examples=300, deadline=None)
def test_what_is_put_aside_changes_no_verdict(steps: list[Any], most: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fingerprint, "MOST_ASIDE", most)
        assert played(steps, at_once=False) == played(steps, at_once=True)


def test_a_pod_made_and_deleted_again_and_again_is_a_cycle() -> None:
    steps = [("put", "a", 0, ""), ("instant",), ("take", "a"), ("instant",)] * 2
    assert [bool(text) for text in played(steps, at_once=False)][:2] == [False, True]


def test_pods_that_only_come_are_not_hashed() -> None:
    found = Fingerprint()
    for n in range(100):
        meta: Obj = {"name": f"p{n}", "namespace": "default"}
        new: Obj = {"metadata": meta, "spec": {"containers": []}}
        found.see(WatchEvent("ADDED", "pods", new, None))
        bound = {"metadata": meta, "spec": {**new["spec"], "nodeName": "n1"}}
        found.see(WatchEvent("MODIFIED", "pods", bound, new))
        assert not found.repeats(float(n))
    assert not found.hashed
