from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api.objects import Key, Obj, key_of
from kctl.client.cache import LABELS, META, OWNERS, SPEC, STATUS, Cache, Caches, by_controller, by_node
from kctl.client.client import WatchEvent


def pod(name: str, *, node: str = "", owner: str = "", cpu: int = 0, version: int = 1) -> Obj:
    meta: Obj = {"namespace": "ns", "name": name, "resourceVersion": str(version)}
    if owner:
        meta["ownerReferences"] = [{"uid": owner, "controller": True}, {"uid": "bystander"}]
    spec: Obj = {"cpu": cpu}
    if node:
        spec["nodeName"] = node
    return {"metadata": meta, "spec": spec}


def changed(obj: Obj, kind: str = "MODIFIED") -> WatchEvent:
    return WatchEvent(kind, "pods", obj, None)


def node_values(obj: Obj) -> Iterable[str]:
    return (obj["spec"]["nodeName"],) if obj["spec"].get("nodeName") else ()


def cpu_by_node(cache: Cache):
    return cache.fold("cpu", node_values, 0, lambda sum_, o: sum_ + o["spec"]["cpu"], lambda s, o: s - o["spec"]["cpu"])


def names(objects: Iterable[Obj]) -> list[str]:
    return [obj["metadata"]["name"] for obj in objects]


def test_the_last_state_of_an_object_is_the_one_known() -> None:
    cache = Cache("pods")
    cache.deliver(changed(pod("a", version=1), "ADDED"))
    cache.deliver(changed(pod("a", node="n", version=2)))
    assert cache.get(Key("ns", "a")) == pod("a", node="n", version=2)
    assert len(cache) == 1


def test_an_event_comes_back_with_what_was_known_before() -> None:
    cache = Cache("pods")
    assert cache.deliver(changed(pod("a"), "ADDED")).old is None
    assert cache.deliver(changed(pod("a", node="n"))).old == pod("a")
    assert cache.deliver(changed(pod("a", node="n"), "DELETED")).old == pod("a", node="n")
    assert cache.get(Key("ns", "a")) is None


def test_objects_come_in_order_of_namespace_and_name() -> None:
    cache = Cache("pods")
    for name in ("c", "a", "b"):
        cache.deliver(changed(pod(name, node="n"), "ADDED"))
    assert names(cache.all()) == ["a", "b", "c"]
    assert names(cache.in_namespace("ns")) == ["a", "b", "c"]
    assert names(by_node(cache).get("n")) == ["a", "b", "c"]
    assert cache.in_namespace("other") == []


def test_an_index_made_late_knows_what_came_before() -> None:
    cache = Cache("pods")
    cache.deliver(changed(pod("a", owner="u1"), "ADDED"))
    index = by_controller(cache)
    assert names(index.get("u1")) == ["a"]
    assert index.get("bystander") == []
    assert by_controller(cache) is index


def test_an_index_follows_an_object_that_moves() -> None:
    cache = Cache("pods")
    index = by_node(cache)
    cache.deliver(changed(pod("a", node="n1"), "ADDED"))
    cache.deliver(changed(pod("a", node="n2")))
    assert (index.count("n1"), index.count("n2"), index.values()) == (0, 1, ["n2"])


def test_a_fold_is_dropped_when_it_is_zero_again() -> None:
    cache = Cache("pods")
    fold = cpu_by_node(cache)
    cache.deliver(changed(pod("a", node="n", cpu=3), "ADDED"))
    assert (fold.get("n"), fold.items()) == (3, {"n": 3})
    cache.deliver(changed(pod("a", node="n", cpu=3), "DELETED"))
    assert (fold.get("n"), fold.items()) == (0, {})


def test_a_deletion_of_something_unknown_changes_nothing() -> None:
    cache = Cache("pods")
    fold = cpu_by_node(cache)
    cache.deliver(changed(pod("a", node="n", cpu=3), "DELETED"))
    assert fold.items() == {}
    assert len(cache) == 0


def test_a_fresh_list_replaces_what_was_known_and_tells_the_difference() -> None:
    cache = Cache("pods")
    cache.replace([pod("a"), pod("b")], 5)
    fresh = [pod("b", version=7), pod("c"), pod("a2")]
    events = [(e.type, e.object["metadata"]["name"]) for e in cache.replace(fresh, 9)]
    assert events == [("DELETED", "a"), ("ADDED", "a2"), ("MODIFIED", "b"), ("ADDED", "c")]
    assert cache.replace(fresh, 9) == []
    assert cache.revision == 9


def test_caches_are_filled_when_first_asked_for() -> None:
    filled: list[str] = []
    caches = Caches(lambda cache: filled.append(cache.resource))
    first = caches["pods"]
    assert caches["pods"] is first
    assert filled == ["pods"]
    assert caches.known() == [first]


PODS = st.builds(
    pod,
    st.sampled_from("abcd"),
    node=st.sampled_from(["", "n1", "n2"]),
    owner=st.sampled_from(["", "u1", "u2"]),
    cpu=st.integers(0, 5),
    version=st.integers(1, 3),
)
STEPS = st.lists(
    st.one_of(st.tuples(st.sampled_from(["put", "drop"]), PODS), st.tuples(st.just("list"), st.lists(PODS)))
)


@settings(max_examples=80, deadline=None)
@given(STEPS)
def test_indexes_and_folds_are_always_what_a_rescan_would_find(steps: list[tuple[str, object]]) -> None:
    cache = Cache("pods")
    node, owner, cpu = by_node(cache), by_controller(cache), cpu_by_node(cache)
    for step, given_ in steps:
        if step == "list":
            cache.replace(given_, 1)
        else:
            cache.deliver(changed(given_, "DELETED" if step == "drop" else "MODIFIED"))
        held = cache.all()
        assert {key_of(o) for o in cache} == {key_of(o) for o in held}
        for value in ("n1", "n2"):
            assert node.get(value) == [o for o in held if o["spec"].get("nodeName") == value]
        for value in ("u1", "u2"):
            mine = [o for o in held if (o["metadata"].get("ownerReferences") or [{"uid": ""}])[0]["uid"] == value]
            assert owner.get(value) == mine
        assert cpu.items() == cpu.recompute(held)


def test_a_fold_that_drifts_is_named():
    cache = Cache("pods")
    cache.fold("count", lambda _: ("all",), 0, lambda total, _: total + 1, lambda total, _: total)
    pod = {"metadata": {"name": "a", "namespace": "x"}}
    cache.deliver(WatchEvent("ADDED", "pods", pod, None))
    cache.check()
    cache.deliver(WatchEvent("DELETED", "pods", pod, None))
    with pytest.raises(AssertionError, match="fold count of pods"):
        cache.check()


@settings(max_examples=60, deadline=None)
@given(st.lists(PODS, min_size=1, max_size=8))
def test_what_looks_at_parts_is_told_of_every_change_of_them(states: list[Obj]) -> None:
    cache = Cache("pods")
    heard: list[tuple[str, Obj]] = []

    def values(name: str, part: str) -> Callable[[Obj], tuple[str, ...]]:
        return lambda obj: heard.append((name, obj)) or (repr(obj["metadata"].get(part, obj.get(part))),)

    indexes = [
        cache.index(n, values(n, part), on=on)
        for n, part, on in (("o", "ownerReferences", OWNERS), ("s", "spec", SPEC))
    ]
    for state in states:
        cache.deliver(changed(state))
        cache.check()
    assert all(len(index) for index in indexes)


def test_a_change_of_the_status_alone_is_told_only_to_who_looks_at_it() -> None:
    cache = Cache("pods")
    asked: list[str] = []
    for name, on in (("status", STATUS), ("owners", OWNERS), ("spec", SPEC), ("metadata", META | LABELS)):
        cache.index(name, lambda _, name=name: asked.append(name) or (), on=on)
    old = pod("a", owner="u", node="n")
    cache.deliver(changed(old, "ADDED"))
    asked.clear()
    change = cache.take(
        changed({**old, "metadata": {**old["metadata"], "resourceVersion": "2"}, "status": {"phase": "x"}})
    )
    assert change.parts == STATUS
    assert set(asked) == {"status"}
