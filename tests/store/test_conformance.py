"""Every backend keeps the contract of Store; the memory backend is the model."""

from __future__ import annotations

import pytest

from kctl.store.api import Change, Head, Retention, Store, Write
from kctl.store.errors import Compacted, FutureRevision, HeadMoved
from kctl.store.memory import MemoryStore
from kctl.store.open import open_store
from kctl.store.restore import restore

BACKENDS = {
    "memory": lambda _path: MemoryStore(cluster_id="c1"),
    "sqlite x1": lambda path: open_store([path], create=True, cluster_id="c1"),
    "sqlite x3": lambda path: open_store([path / name for name in "abc"], create=True, cluster_id="c1"),
    "sqlite x5": lambda path: open_store([path / name for name in "abcde"], create=True, cluster_id="c1"),
}
A, B, C = "/pods/default/a", "/pods/default/b", "/pods/shop/c"


@pytest.fixture(params=sorted(BACKENDS))
def store(request, tmp_path):
    found = BACKENDS[request.param](tmp_path / "state")
    yield found
    found.close()


def put(store: Store, *pairs: tuple[str, bytes | None], cause: str = "", request_id: bytes = b"") -> Head:
    """Commit one batch with a revision per pair."""
    head = store.head()
    writes = []
    for n, (key, value) in enumerate(pairs, head.revision + 1):
        old = store.get(key)
        writes.append(Write(key, value, n, old.create_revision if old else n))
    revision = head.revision + len(pairs)
    return store.commit(head, writes, revision=revision, now=head.now + 1, cause=cause, request_id=request_id)


def values(page):
    return {kv.key: kv.value for kv in page.items}


def test_a_new_log_is_empty(store):
    assert store.head()[:3] == (0, 0, 0)
    assert store.get(A) is None
    assert store.list("/").items == []
    assert list(store.changes(0)) == []
    assert store.compacted() == 0


def test_the_same_history_has_the_same_head_on_every_backend(store):
    model = MemoryStore(cluster_id="c1")
    for step in ([(A, b"1"), (B, b"2")], [(A, None)], [(A, b"3"), (C, b"4")]):
        assert put(store, *step, cause="why") == put(model, *step, cause="why")
    assert store.compact(3) == model.compact(3)
    other = MemoryStore(cluster_id="c1")
    put(other, (A, b"1"), (B, b"2!"))
    assert other.head().hash != model.head().hash


def test_what_is_committed_is_read_back_with_its_revisions(store):
    put(store, (A, b"1"), (B, b"2"))
    head = put(store, (A, b"1b"))
    assert store.head() == head
    assert store.get(A) == (A, b"1b", 1, 3)
    assert store.get(B) == (B, b"2", 2, 2)
    assert store.list("/pods/").revision == 3


def test_a_batch_may_leave_out_states_that_it_replaced(store):
    head = store.commit(store.head(), [Write(A, b"last", 7, 5)], revision=9, now=1.0)
    assert head.revision == 9
    assert store.get(A) == (A, b"last", 5, 7)
    assert store.list("/pods/").revision == 9


def test_an_entry_without_writes_moves_only_the_time(store):
    put(store, (A, b"1"))
    head = store.commit(store.head(), [], revision=1, now=77.0, cause="advance")
    assert (head.index, head.revision, head.now) == (2, 1, 77.0)
    assert store.head() == head


def test_the_time_and_the_cause_of_every_entry_are_kept(store):
    put(store, (A, b"1"), (B, b"2"), cause="apply shop/")
    store.commit(store.head(), [], revision=2, now=5.5, cause="advance 30s")
    found = [(e.index, e.first, e.last, e.cause) for e in store.entries(0)]
    assert found == [(1, 1, 2, "apply shop/"), (2, 3, 2, "advance 30s")]
    assert next(store.entries(1)).now == 5.5


def test_a_stale_writer_fails_and_writes_nothing(store):
    stale = store.head()
    current = put(store, (A, b"1"))
    with pytest.raises(HeadMoved) as caught:
        store.commit(stale, [Write(A, b"mine", 1, 1)], revision=1, now=0.0)
    assert caught.value.head == current
    assert store.get(A).value == b"1"
    assert store.head() == current


def test_a_head_of_another_history_is_stale(store):
    head = put(store, (A, b"1"))
    with pytest.raises(HeadMoved):
        store.commit(head._replace(hash=bytes(32)), [], revision=1, now=0.0)


def test_a_retry_with_the_same_request_id_returns_the_head_it_made(store):
    first = store.head()
    write = [Write(A, b"1", 1, 1)]
    made = store.commit(first, write, revision=1, now=1.0, request_id=b"r1")
    put(store, (B, b"2"))
    assert store.commit(first, write, revision=1, now=1.0, request_id=b"r1") == made
    assert store.head().revision == 2


@pytest.mark.parametrize(
    ("writes", "revision", "message"),
    [
        ([Write(A, b"", 1, 1)], 3, "not above"),
        ([Write(A, b"", 2, 2), Write(B, b"", 2, 2)], 3, "not above"),
        ([Write(A, b"", 4, 4)], 3, "above the batch"),
        ([Write(A, b"", 2, 2), Write(A, b"", 3, 2)], 3, "twice"),
        ([Write(A, b"", 2, 3)], 3, "create revision"),
        ([Write("pods/x", b"", 2, 2)], 3, "not a key"),
        ([Write("/pods/a/b\0", b"", 2, 2)], 3, "not a key"),
        ([], 0, "go back"),
    ],
)
def test_a_batch_that_breaks_the_contract_is_refused(store, writes, revision, message):
    put(store, (C, b"x"))
    with pytest.raises(ValueError, match=message):
        store.commit(store.head(), writes, revision=revision, now=0.0)
    assert store.head().index == 1


def test_a_deleted_key_is_gone_and_comes_back_as_new(store):
    put(store, (A, b"1"))
    put(store, (A, None))
    assert store.get(A) is None
    assert store.list("/pods/").items == []
    put(store, (A, b"2"))
    assert store.get(A) == (A, b"2", 3, 3)


def test_deleting_what_never_existed_is_a_change_like_any_other(store):
    put(store, (A, None))
    assert list(store.changes(0)) == [Change(A, None, 1, 1)]
    assert store.list("/pods/").items == []


def test_every_past_revision_can_be_read(store):
    put(store, (A, b"1"))
    put(store, (B, b"2"))
    put(store, (A, b"3"))
    put(store, (B, None))
    want = [{}, {A: b"1"}, {A: b"1", B: b"2"}, {A: b"3", B: b"2"}, {A: b"3"}]
    for revision, state in enumerate(want):
        page = store.list("/", revision=revision)
        assert (values(page), page.revision) == (state, revision)
        for key in (A, B):
            kv = store.get(key, revision=revision)
            assert (kv.value if kv else None) == state.get(key)


def test_the_future_cannot_be_read(store):
    put(store, (A, b"1"))
    for read in (
        lambda: store.get(A, revision=2),
        lambda: store.list("/", revision=2),
        lambda: store.changes(2),
        lambda: store.compact(2),
    ):
        with pytest.raises(FutureRevision):
            read()


def test_a_listing_is_in_order_of_key_and_stays_below_its_prefix(store):
    put(store, (C, b"c"), (A, b"a"), ("/podsecurity/default/x", b"x"), (B, b"b"), ("/nodes//n1", b"n"))
    assert [kv.key for kv in store.list("/pods/").items] == [A, B, C]
    assert [kv.key for kv in store.list("/pods/shop/").items] == [C]
    assert [kv.key for kv in store.list("/nodes/").items] == ["/nodes//n1"]
    assert len(store.list("/").items) == 5


def test_pages_are_pinned_to_the_state_they_began_with(store):
    put(store, *((f"/pods/ns/p{n}", b"%d" % n) for n in range(5)))
    first = store.list("/pods/", limit=2)
    assert (len(first.items), first.more, first.revision) == (2, True, 5)
    put(store, ("/pods/ns/p2", None), ("/pods/ns/p9", b"new"))
    rest, after = [], first.items[-1].key
    while True:
        page = store.list("/pods/", revision=first.revision, limit=2, after=after)
        rest += [kv.key for kv in page.items]
        if not page.more:
            break
        after = page.items[-1].key
    assert rest == ["/pods/ns/p2", "/pods/ns/p3", "/pods/ns/p4"]


def test_a_page_that_is_exactly_full_has_no_more(store):
    put(store, (A, b"1"), (B, b"2"))
    assert store.list("/pods/", limit=2).more is False
    assert store.list("/pods/", limit=1).more is True


def test_changes_come_once_and_in_order_of_revision(store):
    put(store, (B, b"1"), (A, b"2"))
    put(store, (B, None))
    assert list(store.changes(0)) == [Change(B, b"1", 1, 1), Change(A, b"2", 2, 2), Change(B, None, 3, 1)]
    assert list(store.changes(2)) == [Change(B, None, 3, 1)]
    assert list(store.changes(3)) == []


def test_compaction_keeps_the_state_at_its_revision_and_all_after_it(store):
    put(store, (A, b"1"), (B, b"2"))
    put(store, (A, b"3"))
    put(store, (B, None))
    put(store, (A, b"5"))
    before = store.head()
    head = store.compact(3)
    assert (head.index, head.revision) == (before.index + 1, before.revision)
    assert store.head() == head
    assert store.compacted() == 3
    assert values(store.list("/", revision=3)) == {A: b"3", B: b"2"}
    assert values(store.list("/", revision=4)) == {A: b"3"}
    assert [c.revision for c in store.changes(3)] == [4, 5]
    for read in (
        lambda: store.get(A, revision=2),
        lambda: store.list("/", revision=2),
        lambda: store.changes(2),
    ):
        with pytest.raises(Compacted):
            read()
    assert put(store, (B, b"again")).revision == 6


def test_a_deletion_at_the_compacted_revision_is_forgotten(store):
    put(store, (A, b"1"))
    put(store, (A, None))
    store.compact(2)
    assert store.get(A, revision=2) is None
    assert list(store.changes(2)) == []
    assert store.list("/").items == []


def test_compacting_less_than_before_changes_nothing(store):
    put(store, (A, b"1"))
    put(store, (A, b"2"))
    head = store.compact(2)
    assert store.compact(1) == head
    assert store.compact(2) == head
    assert store.compacted() == 2


def test_entries_from_before_the_compaction_are_forgotten(store):
    for n in range(4):
        put(store, (A, b"%d" % n), cause=f"step {n}")
    store.compact(3)
    assert [e.cause for e in store.entries()] == ["step 2", "step 3", ""]


def test_notes_are_kept_outside_the_log(store):
    head = put(store, (A, b"1"))
    store.set_hint("converged", b"1")
    store.set_hint("converged", b"2")
    assert store.hint("converged") == b"2"
    assert store.head() == head
    store.set_hint("converged", None)
    assert store.hint("converged") is None


def test_large_batches_and_values_are_kept_whole(store):
    pairs = [(f"/pods/ns/p{n:04}", b"x" * (n * 7)) for n in range(1200)]
    put(store, *pairs)
    assert values(store.list("/pods/")) == dict(pairs)
    put(store, *((key, None) for key, _ in pairs))
    assert store.list("/pods/").items == []


def test_any_text_is_a_value_and_any_unicode_a_key(store):
    put(store, ("/pods/ns/ünïcode-☃", bytes(range(256))), ("/pods/ns/", b""))
    assert store.get("/pods/ns/ünïcode-☃").value == bytes(range(256))
    assert store.get("/pods/ns/").value == b""
    assert len(store.list("/pods/").items) == 2


def test_a_watch_delivers_whole_entries_in_order_and_begins_anew_at_its_bookmark(store):
    put(store, (A, b"1"), (C, b"2"))
    watch = store.watch("/pods/default/", 0)
    assert watch.poll() == ([Change(A, b"1", 1, 1)], 2)
    assert watch.poll() is None
    put(store, (C, b"3"))
    assert watch.poll() == ([], 3)
    put(store, (A, None), (B, b"4"))
    put(store, (B, b"5"))
    batch = watch.poll()
    assert batch == ([Change(A, None, 4, 1), Change(B, b"4", 5, 5), Change(B, b"5", 6, 5)], 6)
    assert store.watch("/pods/", 4).poll().changes == batch.changes[1:]


def test_a_watch_may_start_at_the_compacted_revision_and_not_below(store):
    for n in range(4):
        put(store, (A, b"%d" % n))
    late = store.watch("/pods/", 1)
    store.compact(3)
    assert [c.revision for c in store.watch("/pods/", 3).poll().changes] == [4]
    with pytest.raises(Compacted):
        store.watch("/pods/", 2)
    with pytest.raises(Compacted):
        late.poll()
    with pytest.raises(FutureRevision):
        store.watch("/pods/", 5)


def test_a_healthy_store_is_fresh_whole_and_has_members_that_are_ok(store):
    head = put(store, (A, b"1"))
    fresh = store.freshness()
    assert (fresh.head, fresh.is_confirmed, fresh.missing) == (head, True, ())
    assert {(m.state, m.index, m.revision, m.lag) for m in store.members()} == {("ok", 1, 1, 0)}
    assert [store.verify(level) for level in ("tail", "rows", "full")] == [[], [], []]


def test_every_backend_writes_the_same_snapshot(store, tmp_path):
    model = MemoryStore(cluster_id="c1")
    for one in (store, model):
        put(one, (A, b"1"), (C, bytes(range(256))), (B, "☃".encode()))
        put(one, (B, None))
    assert store.snapshot(tmp_path / "one") == model.snapshot(tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("name", sorted(BACKENDS))
def test_a_snapshot_of_any_backend_is_restored_with_the_same_head(store, name, tmp_path):
    put(store, (A, b"1"), (C, b"2"))
    put(store, (A, b"3"))
    old = store.snapshot(tmp_path / "snap")
    places = {"memory": 0, "sqlite x1": 1, "sqlite x3": 3, "sqlite x5": 5}[name]
    if places:
        folders = [tmp_path / f"new{n}" for n in range(places)]
        head = restore(tmp_path / "snap", folders, cluster_id="c2")
        new = open_store(folders)
    else:
        new = MemoryStore.restored(tmp_path / "snap", cluster_id="c2")
        head = new.head()
    assert new.head() == head
    assert head.revision > old.revision
    assert new.compacted() == head.revision
    assert new.cluster_id == "c2"
    assert new.get(A) == (A, b"3", 1, 3)
    assert values(new.list("/")) == {A: b"3", C: b"2"}
    with pytest.raises(Compacted):
        new.list("/", revision=old.revision)
    assert put(new, (B, b"on"), (A, None)).revision == head.revision + 2
    assert values(new.list("/", revision=head.revision)) == {A: b"3", C: b"2"}
    assert new.verify("full") == []
    new.close()


def test_history_is_given_up_by_number(tmp_path, retained):
    store = retained(Retention(10))
    for n in range(40):
        put(store, (A, b"%d" % n))
        assert store.head().revision - store.compacted() < 15
    assert store.head().revision == 40
    assert store.get(A, revision=store.compacted()) is not None
    store.close()


def test_history_is_given_up_by_age(tmp_path, retained):
    store = retained(Retention(1000, seconds=10))
    for n in range(40):
        put(store, (A, b"%d" % n))
    assert 20 <= store.compacted() <= 30
    store.close()


@pytest.fixture(params=sorted(BACKENDS))
def retained(request, tmp_path):
    """Make a store with a retention."""

    def make(retention):
        if request.param == "memory":
            return MemoryStore(cluster_id="c1", retention=retention)
        count = int(request.param[-1])
        return open_store([tmp_path / str(n) for n in range(count)], create=True, retention=retention)

    return make
