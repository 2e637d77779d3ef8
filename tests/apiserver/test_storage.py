from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api.clock import FixedClock
from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj
from kctl.apiserver.storage import Storage
from kctl.store.errors import HeadMoved
from kctl.store.memory import MemoryStore

THINGS = "configmaps"


def thing(name: str, value: int = 0) -> Obj:
    return {"kind": "ConfigMap", "metadata": {"name": name, "namespace": "ns"}, "data": {"v": str(value)}}


def key(name: str) -> Key:
    return Key("ns", name)


def opened(store: MemoryStore | None = None) -> Storage:
    return Storage(store or MemoryStore(), FixedClock(), frozen=True)


def write(storage: Storage, name: str, value: int = 0) -> Obj:
    return storage.put(THINGS, key(name), thing(name, value))


def remove(storage: Storage, name: str) -> Obj:
    found = storage.get(THINGS, key(name))
    assert found is not None
    return storage.remove(THINGS, key(name), found)


def state(storage: Storage) -> dict[str, str]:
    return {k.name: obj["data"]["v"] for k, obj in storage.objects(THINGS).items()}


def seen(events: Iterator[object]) -> list[tuple[str, str, str]]:
    return [(e.type, e.object["metadata"]["name"], e.object["metadata"]["resourceVersion"]) for e in events]


def test_every_write_takes_the_next_revision_and_carries_it() -> None:
    storage = opened()
    assert [write(storage, "a")["metadata"]["resourceVersion"], write(storage, "b")["metadata"]["resourceVersion"]] == [
        "1",
        "2",
    ]
    assert storage.revision == 2


def test_a_batch_stores_only_the_last_state_of_a_key_with_its_own_revision() -> None:
    store = MemoryStore()
    storage = opened(store)
    write(storage, "a", 1)
    write(storage, "b", 1)
    write(storage, "a", 2)
    storage.commit()
    rows = [(c.key, c.revision, c.create_revision) for c in store.changes(0)]
    assert rows == [("/configmaps/ns/b", 2, 2), ("/configmaps/ns/a", 3, 1)]


def test_what_was_created_and_deleted_within_a_batch_leaves_no_trace_in_the_store() -> None:
    store = MemoryStore()
    storage = opened(store)
    write(storage, "a")
    remove(storage, "a")
    storage.commit()
    assert list(store.changes(0)) == []
    assert store.head().revision == 2


def test_a_deletion_of_something_stored_is_stored() -> None:
    store = MemoryStore()
    storage = opened(store)
    write(storage, "a")
    storage.commit()
    remove(storage, "a")
    storage.commit()
    assert store.get("/configmaps/ns/a") is None
    assert state(opened(store)) == {}


def test_a_commit_without_writes_makes_no_entry() -> None:
    store = MemoryStore()
    storage = opened(store)
    write(storage, "a")
    storage.commit()
    index = store.head().index
    storage.commit()
    assert store.head().index == index
    storage.commit(always=True)
    assert store.head().index == index + 1


def test_another_process_reads_what_was_committed() -> None:
    store = MemoryStore()
    storage = opened(store)
    made = write(storage, "a", 7)
    storage.commit()
    again = opened(store)
    assert again.get(THINGS, key("a")) == made
    assert again.revision == storage.revision


def test_a_stale_writer_is_refused_and_can_refresh_and_redo() -> None:
    store = MemoryStore()
    first, second = opened(store), opened(store)
    events: list[tuple[str, str]] = []
    second.objects(THINGS)
    second.subscribe(THINGS, lambda e: events.append((e.type, e.object["metadata"]["name"])))
    write(first, "theirs", 1)
    first.commit()
    write(second, "mine", 1)
    with pytest.raises(HeadMoved):
        second.commit()
    assert second.refresh()
    assert state(second) == {"theirs": "1"}
    assert events == [("ADDED", "mine"), ("DELETED", "mine"), ("ADDED", "theirs")]
    write(second, "mine", 2)
    second.commit()
    assert state(opened(store)) == {"theirs": "1", "mine": "2"}


def test_refresh_without_news_says_so() -> None:
    storage = opened()
    assert not storage.refresh()
    write(storage, "a")
    assert storage.refresh()
    assert state(storage) == {}
    assert storage.revision == 0


@pytest.mark.parametrize("is_loaded", [True, False], ids=["seen before", "first touched afterwards"])
def test_past_states_and_changes_of_what_another_process_wrote_are_known(is_loaded: bool) -> None:
    store = MemoryStore()
    ours, theirs = opened(store), opened(store)
    if is_loaded:
        ours.objects(THINGS)
    write(theirs, "a", 1)
    theirs.commit()
    ours.refresh()
    middle = ours.revision
    write(theirs, "a", 2)
    theirs.commit()
    ours.refresh()
    assert [obj["data"]["v"] for obj in ours.at(THINGS, middle).values()] == ["1"]
    assert ours.at(THINGS, 0) == {}
    assert [event.object["data"]["v"] for event in ours.since(THINGS, 0)][-1] == "2"
    assert [event.type for event in ours.since(THINGS, middle)] == ["MODIFIED"]


def test_moving_to_a_store_that_is_not_empty_drops_the_draft_and_tells_subscribers() -> None:
    store = MemoryStore()
    theirs = opened(store)
    for value in range(9):
        write(theirs, "theirs", value)
    theirs.commit()
    draft = opened()
    write(draft, "mine")
    known: dict[str, object] = {"mine": 1}
    draft.subscribe(THINGS, lambda e: known.update({e.object["metadata"]["name"]: e.type != "DELETED"}))
    assert not draft.move(store)
    assert known == {"mine": False, "theirs": True}
    assert state(draft) == {"theirs": "8"}
    write(draft, "mine")
    draft.commit()
    assert state(opened(store)) == {"theirs": "8", "mine": "0"}


def test_nothing_written_in_a_fork_remains() -> None:
    storage = opened()
    write(storage, "a", 1)
    write(storage, "b", 1)
    before, revision = dict(storage.objects(THINGS)), storage.revision
    with storage.fork():
        write(storage, "a", 2)
        remove(storage, "b")
        write(storage, "b", 3)
        write(storage, "c", 3)
        with storage.fork():
            remove(storage, "a")
        assert state(storage) == {"a": "2", "b": "3", "c": "3"}
    assert storage.objects(THINGS) == before
    assert storage.revision == revision


def test_a_fork_can_be_neither_committed_nor_refreshed() -> None:
    storage = opened()
    with storage.fork():
        write(storage, "a")
        with pytest.raises(RuntimeError, match="fork"):
            storage.commit()
        with pytest.raises(RuntimeError, match="fork"):
            storage.refresh()


def test_a_watch_sees_every_write_of_a_batch_in_order() -> None:
    storage = opened()
    write(storage, "a", 1)
    watch = storage.watch(THINGS, 0)
    write(storage, "a", 2)
    remove(storage, "a")
    assert seen(watch.events()) == [("ADDED", "a", "1"), ("MODIFIED", "a", "2"), ("DELETED", "a", "3")]
    assert seen(watch.events()) == []
    watch.stop()
    write(storage, "b")
    assert seen(watch.events()) == []


def test_a_new_process_watches_from_a_revision_of_the_old_one() -> None:
    store = MemoryStore()
    first = opened(store)
    write(first, "a", 1)
    first.commit()
    write(first, "a", 2)
    write(first, "b", 2)
    first.commit()
    remove(first, "b")
    first.commit()
    second = opened(store)
    write(second, "c")
    expected = [("MODIFIED", "a", "2"), ("ADDED", "b", "3"), ("DELETED", "b", "4"), ("ADDED", "c", "5")]
    assert seen(iter(second.since(THINGS, 1))) == expected


def test_a_compacted_revision_is_expired() -> None:
    storage = opened()
    write(storage, "a", 1)
    write(storage, "a", 2)
    storage.compact()
    for ask in (storage.since, storage.at):
        with pytest.raises(StatusError) as refused:
            ask(THINGS, 1)
        assert (refused.value.code, refused.value.reason) == (410, "Expired")
    assert storage.since(THINGS, 2) == []


@pytest.mark.parametrize("reopen", [False, True], ids=["from memory", "from the store"])
def test_a_past_state_is_the_state_of_then(reopen: bool) -> None:
    store = MemoryStore()
    storage = opened(store)
    write(storage, "a", 1)
    storage.commit()
    write(storage, "b", 1)
    storage.commit()
    remove(storage, "a")
    storage.commit()
    if reopen:
        storage = opened(store)
    past = [{k.name for k in storage.at(THINGS, revision)} for revision in (0, 1, 2, 3)]
    assert past == [set(), {"a"}, {"a", "b"}, {"b"}]


def test_stored_objects_refuse_changes_in_place() -> None:
    storage = opened()
    made = write(storage, "a")
    with pytest.raises(TypeError, match="evolve"):
        made["data"]["v"] = "2"


STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "remove", "commit", "fork", "refresh"]), st.sampled_from("abc")), max_size=20
)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_subscribers_always_know_what_the_storage_holds(steps: list[tuple[str, str]]) -> None:
    store = MemoryStore()
    storage = opened(store)
    known: dict[str, Obj] = {}

    def take(event: object) -> None:
        name = event.object["metadata"]["name"]
        assert (event.old is None) == (name not in known)
        if event.type == "DELETED":
            del known[name]
        else:
            known[name] = event.object

    storage.objects(THINGS)
    storage.subscribe(THINGS, take)
    for n, (step, name) in enumerate(steps):
        if step == "put":
            write(storage, name, n)
        elif step == "remove" and storage.get(THINGS, key(name)) is not None:
            remove(storage, name)
        elif step == "commit":
            storage.commit()
        elif step == "refresh":
            storage.refresh()
        elif step == "fork":
            with storage.fork():
                write(storage, name, n)
        assert known == {k.name: obj for k, obj in storage.objects(THINGS).items()}
    storage.commit()
    assert opened(store).objects(THINGS) == storage.objects(THINGS)


def test_a_table_loads_although_another_process_compacted_meanwhile() -> None:
    store = MemoryStore()
    first, second = opened(store), opened(store)
    write(first, "a", 1)
    first.commit()
    second.refresh()
    write(first, "a", 2)
    first.commit()
    first.compact()
    assert second.get(THINGS, key("a")) == first.get(THINGS, key("a"))
    assert second.head == first.head


def test_a_table_that_was_compacted_away_under_uncommitted_writes_is_a_lost_race() -> None:
    store = MemoryStore()
    first, second = opened(store), opened(store)
    write(second, "b")
    write(first, "a", 1)
    first.commit()
    first.compact()
    with pytest.raises(HeadMoved):
        second.objects("secrets")
    second.refresh()
    assert second.objects("secrets") == {}
    assert list(second.objects(THINGS)) == [key("a")]
