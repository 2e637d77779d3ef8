from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from kctl.api.clock import FixedClock
from kctl.api.objects import Key, Obj
from kctl.apiserver import encoding, sweep
from kctl.apiserver.encoding import PLACE, Encoder
from kctl.apiserver.storage import Storage
from kctl.store.api import Store
from kctl.store.errors import Corrupt, HeadMoved
from kctl.store.memory import MemoryStore
from kctl.store.sqlite import SqliteStore

PODS = "pods"


@pytest.fixture(autouse=True)
def eight_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "MIN_ALIKE", 8)


def pod(n: int, *, owner: str = "web", node: str = "", phase: str = "Pending") -> Obj:
    """Return a pod that is much like the others of its owner."""
    reference = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": owner,
        "uid": f"uid-{owner}",
        "controller": True,
    }
    ports = [{"containerPort": 8080, "protocol": "TCP"}]
    spec = {"containers": [{"name": "main", "image": f"example.com/{owner}:1", "ports": ports, "tty": False}]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{owner}-{n}",
            "namespace": "ns",
            "uid": f"{owner}-{n}-{n * 7919}",
            "labels": {"app": owner, "tier": "front"},
            "ownerReferences": [reference],
        },
        "spec": {**spec, "nodeName": node, "priority": 0, "enableServiceLinks": True, "schedulerName": "default"},
        "status": {"phase": phase, "qosClass": "BestEffort", "startTime": f"2026-01-01T00:00:{n % 60:02}Z"},
    }


def event(n: int, reason: str = "Created") -> Obj:
    about = {"kind": "Pod", "namespace": "ns", "name": f"web-{n}", "uid": f"u{n}", "fieldPath": "spec.containers{main}"}
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"web-{n}.{reason}", "namespace": "ns"},
        "involvedObject": about,
        "reason": reason,
        "message": "Container created with a message that is the same for all of them",
        "source": {"component": "kubelet", "host": f"node-{n % 3}"},
        "count": 1,
        "type": "Normal",
    }


def opened(store: MemoryStore) -> Storage:
    return Storage(store, FixedClock(), frozen=True)


def put(storage: Storage, obj: Obj, resource: str = PODS) -> Obj:
    return storage.put(resource, Key("ns", obj["metadata"]["name"]), obj)


def canonical(obj: Obj) -> str:
    return json.dumps(obj, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def state(storage: Storage, resource: str = PODS, revision: int | None = None) -> dict[str, str]:
    objects = storage.objects(resource) if revision is None else storage.at(resource, revision)
    return {key.name: canonical(obj) for key, obj in objects.items()}


def templates(store: Store) -> list[str]:
    return [kv.key for kv in store.list(PLACE).items]


def is_packed(store: Store, name: str) -> bool:
    found = store.get(name)
    assert found is not None
    return found.value[:1] == b"["


def test_what_many_pods_share_is_stored_once_and_read_back_to_the_byte() -> None:
    store = MemoryStore()
    storage = opened(store)
    for n in range(50):
        put(storage, pod(n))
    storage.commit()
    assert len(templates(store)) == 1
    sizes = [len(kv.value) for kv in store.list("/pods/").items]
    assert max(sizes) * 4 < len(canonical(pod(0)))
    assert state(opened(store)) == state(storage)


def test_few_objects_are_stored_as_they_are() -> None:
    store = MemoryStore()
    storage = opened(store)
    for n in range(encoding.MIN_ALIKE - 1):
        put(storage, pod(n))
    storage.commit()
    assert templates(store) == []
    assert not is_packed(store, "/pods/ns/web-0")
    assert store.head().revision == storage.revision == encoding.MIN_ALIKE - 1


def test_of_many_those_of_one_owner_share_more() -> None:
    store = MemoryStore()
    storage = opened(store)
    for n in range(10):
        for owner in ("web", "api"):
            put(storage, pod(n, owner=owner))
    put(storage, pod(0, owner="lone"))
    storage.commit()
    assert len(templates(store)) == 2
    sizes = {kv.key: len(kv.value) for kv in store.list("/pods/").items}
    assert sizes["/pods/ns/web-1"] * 4 < sizes["/pods/ns/lone-0"]
    assert state(opened(store)) == state(storage)


def test_objects_that_come_one_at_a_time_share_once_there_are_enough() -> None:
    store = MemoryStore()
    storage = opened(store)
    for n in range(40):
        put(storage, pod(n, owner=f"app-{n}"))
        storage.commit()
    assert is_packed(store, "/pods/ns/app-39-39")
    assert len(templates(store)) == 1
    assert state(opened(store)) == state(storage)


def test_another_process_goes_on_with_the_templates_that_are_there() -> None:
    store = MemoryStore()
    storage = opened(store)
    for n in range(20):
        put(storage, pod(n))
    storage.commit()
    later = opened(store)
    put(later, pod(99, node="node-1"))
    later.commit()
    put(later, {**pod(98), "spec": pod(0)["spec"]})
    later.commit()
    assert len(templates(store)) == 1
    assert is_packed(store, "/pods/ns/web-98")
    assert state(opened(store)) == state(later)


def test_two_processes_on_one_file_read_each_others_templates(tmp_path: Path) -> None:
    first_store = SqliteStore.open(tmp_path / "log", create=True)
    second_store = SqliteStore.open(tmp_path / "log")
    first, second = Storage(first_store, FixedClock()), Storage(second_store, FixedClock())
    for n in range(20):
        put(first, pod(n))
        put(first, event(n), "events")
    first.commit()
    second.refresh()
    assert state(second) == state(first)
    for n in range(20):
        put(second, pod(n, owner="api"))
    second.commit()
    first.refresh()
    put(first, pod(20, owner="api"))
    first.commit()
    second.refresh()
    assert state(second) == state(first)
    assert state(second, "events") == state(first, "events")
    assert is_packed(first_store, "/pods/ns/api-20")
    first_store.close()
    second_store.close()


def test_a_lost_race_leaves_no_template_behind_and_the_loser_uses_the_winners() -> None:
    store = MemoryStore()
    winner, loser = opened(store), opened(store)
    for n in range(10):
        put(winner, pod(n))
        put(loser, pod(n + 100))
    winner.commit()
    written = loser.revision
    with pytest.raises(HeadMoved):
        loser.commit()
    assert loser.revision == written
    loser.refresh()
    put(loser, pod(200))
    loser.commit()
    assert len(templates(store)) == 1
    assert is_packed(store, "/pods/ns/web-200")
    assert state(opened(store)) == state(loser)


def test_a_fork_leaves_no_template_behind() -> None:
    store = MemoryStore()
    storage = opened(store)
    put(storage, pod(0))
    storage.commit()
    with storage.fork():
        for n in range(50):
            put(storage, pod(n))
    storage.commit()
    assert templates(store) == []
    assert len(state(storage)) == 1


def test_past_states_are_read_with_the_templates_of_then() -> None:
    store = MemoryStore()
    storage = opened(store)
    seen: dict[int, dict[str, str]] = {}
    for round_ in range(6):
        for n in range(round_, round_ + 12):
            put(storage, pod(n, node=f"node-{round_}", phase="Running" if round_ % 2 else "Pending"))
        if round_ > 2:
            key = Key("ns", f"web-{round_}")
            storage.remove(PODS, key, storage.objects(PODS)[key])
        storage.commit()
        seen[storage.revision] = state(storage)
    for revision, was in seen.items():
        assert state(opened(store), revision=revision) == was


def test_compaction_removes_the_templates_that_nothing_refers_to_and_no_other() -> None:
    store = MemoryStore()
    storage = opened(store)
    for n in range(20):
        put(storage, pod(n))
        put(storage, pod(n, owner="api"))
    storage.commit()
    for n in range(20):
        key = Key("ns", f"web-{n}")
        storage.remove(PODS, key, storage.objects(PODS)[key])
    storage.commit()
    assert len(templates(store)) == 2
    storage.compact()
    assert len(templates(store)) == 1
    again = opened(store)
    assert state(again) == state(storage)
    assert len(state(again)) == 20
    for n in range(20):
        put(storage, pod(n))
    storage.commit()
    assert state(opened(store)) == state(storage)


def test_templates_of_past_states_that_can_be_read_are_not_swept() -> None:
    store = MemoryStore()
    storage = opened(store)
    for owner in ("old", "past", "now"):
        for n in range(5):
            put(storage, pod(n, owner=owner))
        storage.commit()
        if owner != "now":
            for n in range(5):
                key = Key("ns", f"{owner}-{n}")
                storage.remove(PODS, key, storage.objects(PODS)[key])
            storage.commit()
        if owner == "old":
            forgotten = storage.revision
    past = {revision: state(opened(store), revision=revision) for revision in (forgotten, storage.revision)}
    store.compact(forgotten)  # as a store does that keeps so much history and no more
    head = sweep.sweep(store, store.head())
    assert len(templates(store)) == 2
    assert {revision: state(opened(store), revision=revision) for revision in past} == past
    assert len(state(opened(store), revision=forgotten + 5)) == 5
    assert sweep.sweep(store, head) == head


def test_templates_are_swept_when_they_became_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "ENOUGH", 4)
    store = MemoryStore()
    storage = opened(store)
    for round_ in range(12):
        for n in range(5):
            put(storage, pod(n, owner=f"app-{round_}"))
        storage.commit()
        for n in range(5):
            key = Key("ns", f"app-{round_}-{n}")
            storage.remove(PODS, key, storage.objects(PODS)[key])
        storage.commit()
        store.compact(storage.revision)
        storage.refresh()
    assert len(templates(store)) <= 5


def test_no_template_is_looked_for_while_no_history_was_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "ENOUGH", 4)
    store = MemoryStore()
    storage = opened(store)
    for round_ in range(6):
        for n in range(5):
            put(storage, pod(n, owner=f"app-{round_}"))
        storage.commit()
    many = len(templates(store))
    assert many > 4
    assert not sweep.is_due(store, many)
    store.compact(storage.revision)
    storage.refresh()
    assert sweep.is_due(store, many)
    sweep.sweep(store, store.head())
    assert not sweep.is_due(store, 10 * many)


def test_events_are_held_as_they_are_stored_and_read_as_they_were() -> None:
    store = MemoryStore()
    storage = opened(store)
    made = {n: put(storage, event(n), "events") for n in range(30)}
    storage.commit()
    for n, was in made.items():
        assert storage.get("events", Key("ns", f"web-{n}.Created")) == was
    assert storage.get("events", Key("ns", "nothing")) is None
    changed = put(storage, {**event(3), "count": 2}, "events")
    assert storage.get("events", Key("ns", "web-3.Created")) == changed
    storage.remove("events", Key("ns", "web-4.Created"), made[4])
    assert len(storage.objects("events")) == 29
    with storage.fork():
        storage.remove("events", Key("ns", "web-5.Created"), made[5])
        put(storage, {**event(6), "count": 9}, "events")
    assert storage.get("events", Key("ns", "web-5.Created")) == made[5]
    assert storage.get("events", Key("ns", "web-6.Created")) == made[6]
    storage.commit()
    assert state(opened(store), "events") == state(storage, "events")


def test_secrets_share_nothing() -> None:
    store = MemoryStore()
    storage = opened(store)
    for n in range(50):
        made = {"kind": "Secret", "metadata": {"name": f"s-{n}", "namespace": "ns"}, "data": {"token": "c2VjcmV0"}}
        put(storage, made, "secrets")
    storage.commit()
    assert templates(store) == []
    assert not is_packed(store, "/secrets/ns/s-0")


def test_a_template_that_is_missing_is_told_as_damage() -> None:
    storage = opened(MemoryStore())
    with pytest.raises(Corrupt, match="0123456789abcdef"):
        storage.decode(b'["0123456789abcdef","a"]')


@pytest.mark.parametrize("seed", range(20))
def test_any_mixture_of_objects_comes_back_as_it_was(seed: int) -> None:
    rng = random.Random(seed)
    store = MemoryStore()
    storage = opened(store)
    seen: dict[int, dict[str, str]] = {}
    for _ in range(rng.randint(1, 6)):
        for _ in range(rng.randint(0, 60)):
            found = pod(rng.randrange(40), owner=rng.choice(["web", "api", "db"]), node=rng.choice(["", "n1", "n2"]))
            put(storage, mutated(rng, found))
        storage.commit()
        seen[storage.revision] = state(storage)
        if rng.random() < 0.3:
            storage.refresh()
        if rng.random() < 0.2:
            storage = opened(store)
    again = opened(store)
    assert state(again) == state(storage)
    for revision, was in seen.items():
        assert state(again, revision=revision) == was


def mutated(rng: random.Random, obj: Obj) -> Obj:
    """Change something somewhere, now and then."""
    if rng.random() < 0.6:
        return obj
    spec = {**obj["spec"], "priority": rng.choice([0, False, 0.0, -0.0, 1, True, None])}
    if rng.random() < 0.3:
        spec["containers"] = rng.choice([[], None, [{}], [*spec["containers"], {"name": "side"}]])
    status = rng.choice([obj["status"], {}, {**obj["status"], "podIP": "10.0.0.1"}])
    meta = {**obj["metadata"], "labels": rng.choice([None, {}, {"app": 1}, obj["metadata"]["labels"]])}
    return {**obj, "metadata": meta, "spec": spec, "status": status}


@pytest.mark.parametrize("seed", range(30))
def test_objects_that_share_nothing_are_stored_as_canonical_json(seed: int) -> None:
    rng = random.Random(seed)
    shared = [json_value(rng, 2) for _ in range(3)]
    encode = Encoder().encode
    kept = []
    for _ in range(20):
        obj = {
            name: {part: rng.choice([*shared, json_value(rng, 2)]) for part in rng.sample(PARTS, rng.randint(0, 4))}
            for name in rng.sample(["metadata", "spec", "status", "data"], rng.randint(0, 4))
        }
        if rng.random() < 0.5:
            obj.setdefault("metadata", {})["managedFields"] = [rng.choice(shared) for _ in range(rng.randint(0, 3))]
        kept.append(obj)
        assert encode(obj) == canonical(obj).encode()


PARTS = ["containers", "name", "labels", "é", "volumes"]


def json_value(rng: random.Random, depth: int) -> Any:
    """Return a random JSON value."""
    leaf = [None, True, False, 0, 1, 1.5, "", "a", 'ü"\n']
    if not depth or rng.random() < 0.3:
        return rng.choice(leaf)
    if rng.random() < 0.5:
        return [json_value(rng, depth - 1) for _ in range(rng.randint(0, 3))]
    return {name: json_value(rng, depth - 1) for name in rng.sample("abcdé", rng.randint(0, 3))}
