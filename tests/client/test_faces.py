from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api.objects import Key, Obj
from kctl.client.cache import LABELS, OWNERS, SPEC, STATUS, Cache, by_controller, by_node
from kctl.client.client import WatchEvent
from kctl.client.faces import Faces, Numbers

STATUSES: list[Obj] = [
    {"phase": "Pending"},
    {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "True"}]},
    {"phase": "Running", "podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]},
    {"phase": "Running", "podIP": "10.0.0.2", "conditions": [{"type": "Ready", "status": "True"}]},
    {"phase": "Failed", "reason": "Evicted"},
]


def pod(name: str, *, app: str = "a", node: str = "", owner: str = "rs", status: int = 0, uid: str = "") -> Obj:
    meta: Obj = {"namespace": "ns", "name": name, "uid": uid or name, "labels": {"app": app}}
    if owner:
        meta["ownerReferences"] = [{"uid": owner, "controller": True}]
    return {"metadata": meta, "spec": {"nodeName": node} if node else {}, "status": STATUSES[status]}


def event(obj: Obj, kind: str = "MODIFIED") -> WatchEvent:
    return WatchEvent(kind, "pods", obj, None)


def phases(cache: Cache):
    def shares(found: Obj) -> tuple[tuple[str, str], ...]:
        return tuple((ref["uid"], found["status"]["phase"]) for ref in found["metadata"].get("ownerReferences") or ())

    def step(counts: tuple[tuple[str, int], ...], phase: str, by: int) -> tuple[tuple[str, int], ...]:
        numbers = dict(counts)
        numbers[phase] = numbers.get(phase, 0) + by
        return tuple(sorted((name, number) for name, number in numbers.items() if number))

    return cache.census("phases", shares, (), step, on=OWNERS | STATUS)


def addresses(cache: Cache):
    return cache.tally(
        "addresses",
        lambda found: ((found["status"]["podIP"], 1),) if found["status"].get("podIP") else (),
        0,
        lambda count, one: count + one,
        lambda count, one: count - one,
        on=STATUS,
        where=lambda found: bool(found["status"].get("podIP")),
        remembers=True,
    )


def watched(cache: Cache) -> Cache:
    by_controller(cache)
    by_node(cache)
    cache.index("app", lambda found: tuple(found["metadata"]["labels"].items()), on=LABELS, alike=True)
    cache.index(
        "failed",
        lambda found: (found["spec"].get("nodeName"),) if found["status"]["phase"] == "Failed" else (),
        on=SPEC | STATUS,
        where=lambda found: found["status"]["phase"] == "Failed",
        remembers=True,
    )
    phases(cache)
    addresses(cache)
    return cache


def contents(cache: Cache) -> Obj:
    indexes = {name: {v: cache._indexes[name].get(v) for v in cache._indexes[name].values()} for name in cache._indexes}
    return {"indexes": indexes, "folds": {name: fold.items() for name, fold in cache.folds().items()}}


def apart() -> Cache:
    """Return a cache that takes every change for one like no other."""
    cache = Cache("pods")
    cache._faces = None
    return watched(cache)


pods = st.builds(
    pod,
    name=st.sampled_from("pqrs"),
    app=st.sampled_from("ab"),
    node=st.sampled_from(["", "n1", "n2"]),
    owner=st.sampled_from(["", "rs", "ds"]),
    status=st.integers(0, len(STATUSES) - 1),
    uid=st.sampled_from(["", "again"]),
)
histories = st.lists(st.tuples(pods, st.sampled_from(["MODIFIED", "MODIFIED", "DELETED"]), st.booleans()), max_size=40)


@settings(max_examples=150, deadline=None)
@given(histories)
def test_what_is_counted_together_is_what_is_counted_one_by_one(history: list[tuple[Obj, str, bool]]) -> None:
    together, one_by_one = watched(Cache("pods")), apart()
    for obj, kind, is_asked in history:
        for cache in (together, one_by_one):
            cache.take(event(obj, kind))
        if is_asked:  # a census counts when it is asked, now and then
            assert contents(together) == contents(one_by_one)
    assert contents(together) == contents(one_by_one)
    together.check()


@settings(max_examples=100, deadline=None)
@given(histories)
def test_what_is_watched_later_is_told_of_pods_alike_as_of_each(history: list[tuple[Obj, str, bool]]) -> None:
    before, late = watched(Cache("pods")), Cache("pods")
    for obj, kind, is_asked in history:
        for cache in (before, late):
            cache.take(event(obj, kind))
        if is_asked:  # what is listed is listed anew after a change
            assert [change.new for change in late.arrivals()] == late.all()
    assert contents(watched(late)) == contents(before)
    late.check()


@settings(max_examples=100, deadline=None)
@given(histories)
def test_changes_that_are_alike_have_all_but_their_own_in_common(history: list[tuple[Obj, str, bool]]) -> None:
    cache, faces = Cache("pods"), Faces()
    seen: dict[object, object] = {}
    for obj, kind, _ in history:
        change = cache.take(event(obj, kind))
        if change.alike is not None:
            both = [None if state is None else (faces.of(state), bool(state["spec"])) for state in change[2:4]]
            assert seen.setdefault(change.alike, (change.parts, both)) == (change.parts, both)


def moved(before: Obj, after: Obj) -> bool:
    cache = Cache("pods")
    cache.take(event(before, "ADDED"))
    return cache.take(event(after)).alike is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(pod("p", node="n1"), pod("p", node="n2"), id="another node"),
        pytest.param(
            pod("p", node="n1"), {**pod("p", node="n1"), "spec": {"nodeName": "n1", "x": 1}}, id="another spec"
        ),
        pytest.param(pod("p", uid="1"), pod("p", uid="2"), id="another pod of that name"),
        pytest.param(pod("p", status=2), pod("p", status=3), id="another address"),
    ],
)
def test_a_change_of_what_is_a_pods_own_is_like_no_other(before: Obj, after: Obj) -> None:
    assert moved(before, after)


def test_pods_that_start_on_different_nodes_with_different_addresses_change_alike() -> None:
    cache = Cache("pods")
    for name in "pq":
        cache.take(event(pod(name), "ADDED"))
    bound = [cache.take(event(pod(name, node=f"on-{name}", status=1))).alike for name in "pq"]
    started = [cache.take(event(pod(name, node=f"on-{name}", status=n))).alike for n, name in ((2, "p"), (3, "q"))]
    assert bound[0] is bound[1] is not None
    assert started[0] is started[1] is not None


def test_an_index_made_later_hears_of_changes_like_those_before() -> None:
    cache = watched(Cache("pods"))
    cache.take(event(pod("p"), "ADDED"))
    late = cache.index("late", lambda found: (found["status"]["phase"],), on=STATUS, alike=True)
    cache.take(event(pod("q"), "ADDED"))
    assert [found["metadata"]["name"] for found in late.get("Pending")] == ["p", "q"]


def test_a_census_made_between_changes_counts_each_once() -> None:
    cache = Cache("pods")
    cache.take(event(pod("p"), "ADDED"))
    first = phases(cache)
    cache.take(event(pod("q"), "ADDED"))
    cache.tally("other", lambda _: (), 0, lambda a, _: a, lambda a, _: a)
    cache.take(event(pod("q", status=2)))
    assert first.get("rs") == (("Pending", 1), ("Running", 1))


def test_a_pod_that_goes_is_known_no_more() -> None:
    cache = watched(Cache("pods"))
    cache.take(event(pod("p"), "ADDED"))
    cache.take(event(pod("p"), "DELETED"))
    assert cache.get(Key("ns", "p")) is None
    assert contents(cache) == contents(watched(Cache("pods")))
    assert not cache._face_of


def test_equal_values_have_one_number_and_others_another() -> None:
    number = Numbers().of
    assert number({"a": [1]}) == number({"a": [1]})
    assert len({number(value) for value in ({"a": 1}, {"a": True}, {"a": "1"}, ["a"], None)}) == 5


def test_numbers_are_not_given_again_when_they_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kctl.client.faces.MOST", 3)
    number = Numbers().of
    values = [{"n": n} for n in range(20)]
    assert len({number(value) for value in values}) == 20


@pytest.mark.parametrize("part", [LABELS, SPEC, STATUS])
def test_only_what_has_changed_of_a_face_is_read(part: int) -> None:
    faces = Faces()
    told = [faces.told(obj, part) for obj in (pod("p"), pod("p", app="b", node="n1", status=1))]
    assert told[0] != told[1]
    assert sum(found is not None for found in told[0]) == 1


def test_containers_that_ended_alike_are_alike_whatever_their_ids() -> None:
    ended = [{"name": "c", "state": {"terminated": {"exitCode": 0, "containerID": name}}} for name in ("a", "b")]
    failed = {"name": "c", "state": {"terminated": {"exitCode": 1, "containerID": "a"}}}
    pods = [{**pod("p"), "status": {"containerStatuses": [found]}} for found in (*ended, failed)]
    faces = Faces()
    assert faces.of(pods[0]) is faces.of(pods[1]) is not faces.of(pods[2])
