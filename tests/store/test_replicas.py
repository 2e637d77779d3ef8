"""Three replicas go on when one is lost, behind, damaged or old; nothing wrong is ever read."""

from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3

import pytest

from kctl.api.errors import Refused, UsageError
from kctl.store import membership
from kctl.store.api import Head, Write
from kctl.store.errors import Corrupt, Locked, NoQuorum, NoStore, StoreError
from kctl.store.open import open_store
from kctl.store.restore import BUMP, recover, restore
from kctl.store.verify import verify


@pytest.fixture
def folders(tmp_path):
    return [tmp_path / name for name in "abc"]


@contextlib.contextmanager
def opened(folders, **more):
    store = open_store(folders, create=True, cluster_id="c1", **more)
    try:
        yield store
    finally:
        store.close()


def add(store, count=1, value=b"v", name="p") -> Head:
    head = store.head()
    for n in range(head.revision + 1, head.revision + count + 1):
        head = store.commit(head, [Write(f"/pods/ns/{name}{n}", value, n, n)], revision=n, now=float(n))
    return head


def keys(store):
    return [kv.key.rsplit("/", 1)[1] for kv in store.list("/pods/").items]


def states(store):
    return [member.state for member in sorted(store.members(), key=lambda member: member.place)]


def healthy(store):
    return states(store) == ["ok"] * 3 and store.verify("full") == []


def test_all_replicas_hold_the_same_log(folders):
    with opened(folders) as store:
        head = add(store, 3)
        assert healthy(store)
        assert {(m.index, m.revision, m.role) for m in store.members()} == {(3, 3, "voter")}
    for folder in folders:
        db = sqlite3.connect(folder / "log.db")
        assert db.execute("SELECT hash FROM entry ORDER BY idx DESC").fetchone()[0] == head.hash
        db.close()


@pytest.mark.parametrize("count", [2, 4, 6])
def test_only_one_three_or_five_replicas_can_be_made(tmp_path, count):
    with pytest.raises(UsageError, match=f"{count} replicas"):
        open_store([tmp_path / str(n) for n in range(count)], create=True)


def test_a_folder_named_twice_is_refused(tmp_path):
    with pytest.raises(UsageError, match="named twice"):
        open_store([tmp_path / "a", tmp_path / "a", tmp_path / "b"], create=True)


def test_making_a_log_that_was_interrupted_is_finished(folders):
    with opened(folders):
        pass
    for folder in folders[1:]:
        (folder / "log.db").rename(folder / "log.db.new")
    with opened(folders) as store:
        add(store)
        assert healthy(store)


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_lost_replica_is_done_without_and_rebuilt(folders, lost):
    with opened(folders) as store:
        add(store, 3)
        ids = {member.id for member in store.members()}
        shutil.rmtree(folders[lost])
        assert keys(store) == ["p1", "p2", "p3"]
        add(store)
        assert states(store)[lost] == "missing"
        assert store.freshness().is_confirmed
        assert any("rebuilt" in line for line in store.repair())
        assert healthy(store)
        assert len(ids & {member.id for member in store.members()}) == 2
    with opened(folders) as store:
        assert keys(store) == ["p1", "p2", "p3", "p4"]
        assert store.repair() == []


def test_without_a_majority_nothing_is_written_and_reads_say_how_old_they_are(folders):
    with opened(folders) as store:
        head = add(store, 3)
    for folder in folders[1:]:
        shutil.rmtree(folder)
    with pytest.raises(NoQuorum, match=f"1 of 3 replicas can be used, 2 are needed; there is no log in {folders[1]}"):
        open_store(folders)
    with opened(folders, consistency="serializable") as store:
        assert keys(store) == ["p1", "p2", "p3"]
        fresh = store.freshness()
        assert (fresh.head, fresh.is_confirmed, len(fresh.missing)) == (head, False, 2)
        assert fresh.changed > 0
        for write in (lambda: add(store), lambda: store.compact(1)):
            with pytest.raises(NoQuorum):
                write()
        assert store.head() == head
        assert states(store) == ["ok", "missing", "missing"]


def test_folders_without_any_log(folders):
    with pytest.raises(NoStore):
        open_store(folders)


def test_a_replica_that_was_away_catches_up_with_the_next_write(folders):
    with opened(folders) as store:
        add(store, 2)
        folders[2].rename(folders[2].with_name("away"))
        add(store, 5)
        folders[2].with_name("away").rename(folders[2])
        assert states(store) == ["ok", "ok", "behind"]
        assert len(keys(store)) == 7
        add(store)
        assert healthy(store)


def test_a_replica_that_missed_a_compaction_gets_a_copy(folders):
    with opened(folders) as store:
        add(store, 4)
        folders[0].rename(folders[0].with_name("away"))
        add(store, 6)
        head = store.head()
        store.commit(head, [Write("/pods/ns/p1", None, 11, 1)], revision=11, now=1.0)
        store.compact(11)
        folders[0].with_name("away").rename(folders[0])
        assert store.repair() == [f"{folders[0]}: caught up"]
        assert healthy(store)


def copied(folder, name):
    shutil.copytree(folder, folder.with_name(name))
    return folder.with_name(name)


@pytest.mark.parametrize("while_open", [False, True])
def test_a_replica_replaced_by_an_older_copy_is_not_counted_until_rebuilt(folders, while_open):
    with opened(folders) as store:
        add(store, 3)
    old = copied(folders[1], "old")
    (old / "head").unlink()
    with opened(folders) as store:
        add(store, 3)
        if while_open:
            shutil.rmtree(folders[1])
            shutil.copytree(old, folders[1])
            assert len(keys(store)) == 6
            assert states(store) == ["ok", "forgetful", "ok"]
    if not while_open:
        shutil.rmtree(folders[1])
        shutil.copytree(old, folders[1])
    with opened(folders) as store:
        add(store)
        assert states(store) == ["ok", "distrusted", "ok"]
        shutil.move(folders[0], folders[0].with_name("away"))
        for use in (lambda: add(store), lambda: store.list("/")):
            with pytest.raises(NoQuorum, match="is to be rebuilt"):
                use()
        shutil.move(folders[0].with_name("away"), folders[0])
        store.repair()
        assert healthy(store)
        assert len(keys(store)) == 7


def test_the_head_file_alone_tells_that_a_replica_is_old(folders):
    with opened(folders) as store:
        add(store, 3)
    old = copied(folders[1], "old")
    with opened(folders) as store:
        add(store)
    shutil.copy(old / "log.db", folders[1] / "log.db")
    with opened(folders) as store:
        assert states(store) == ["ok", "forgetful", "ok"]
        assert "was acknowledged" in store.members()[0].why + store.members()[1].why + store.members()[2].why


def test_an_empty_file_in_the_place_of_a_replica_is_no_vote(folders):
    with opened(folders) as store:
        add(store, 3)
    (folders[0] / "log.db").write_bytes(b"")
    with opened([*folders]) as store:
        assert states(store) == ["damaged", "ok", "ok"]
        add(store)
        store.repair()
        assert healthy(store)


def test_the_log_of_another_cluster_is_no_vote(folders, tmp_path):
    with opened(folders) as store:
        add(store, 3)
    shutil.rmtree(folders[0])
    open_store([folders[0]], create=True, cluster_id="other").close()
    with opened(folders) as store:
        add(store)
        assert states(store)[0] == "foreign"
        assert len(keys(store)) == 4
        store.repair()
        assert healthy(store)


def test_one_replica_named_twice_counts_once(folders):
    with opened(folders) as store:
        add(store)
    shutil.rmtree(folders[1])
    shutil.rmtree(folders[2])
    shutil.copytree(folders[0], folders[1])
    with pytest.raises(NoQuorum, match="second copy"):
        open_store(folders)


def test_one_directory_of_three_is_not_enough(folders):
    with opened(folders) as store:
        add(store)
    with pytest.raises(NoQuorum, match="1 of 3"):
        open_store(folders[:1])
    with opened(folders[:2]) as store:
        assert add(store).revision == 2


def test_no_flipped_bit_of_any_replica_changes_what_is_read(folders):
    """One bit a page, seeded: a read gives the truth, never an error, and verify finds what reads do not."""
    with opened(folders) as store:
        add(store, 40, b"x" * 600)
        truth = store.list("/pods/").items
    path = folders[1] / "log.db"
    clean = path.read_bytes()
    rng = random.Random(11)
    noticed = 0
    for page in range(len(clean) // 4096):
        dirty = bytearray(clean)
        dirty[page * 4096 + rng.randrange(4096)] ^= 1 << rng.randrange(8)
        path.write_bytes(dirty)
        with opened(folders) as store:
            assert store.list("/pods/").items == truth
            assert store.get("/pods/ns/p7").value == b"x" * 600
            assert store.get("/pods/ns/nothing") is None
            noticed += bool(store.verify("full"))
        for left in ("log.db-wal", "log.db-shm"):
            (folders[1] / left).unlink(missing_ok=True)
    assert noticed > len(clean) // 4096 // 2


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE kv SET value = X'00' WHERE rev = 2",
        "UPDATE kv SET h = zeroblob(32) WHERE rev = 2",
        "DELETE FROM live WHERE key = '/pods/ns/p2'",
        "UPDATE resource SET state = zeroblob(32)",
        "UPDATE resource SET count = 7",
        "UPDATE entry SET cause = 'forged' WHERE idx = 2",
        "UPDATE meta SET v = '7' WHERE k = 'promised'",
        "UPDATE meta SET v = '3' WHERE k = 'compacted'",
        "UPDATE entry SET peers = X'00' WHERE idx = 3",
        "DELETE FROM kv",
    ],
)
@pytest.mark.parametrize("at", [0, 2])
def test_a_damaged_replica_is_read_around_written_around_and_rebuilt(folders, sql, at):
    with opened(folders) as store:
        add(store, 3)
    db = sqlite3.connect(folders[at] / "log.db")
    db.execute(sql)
    db.commit()
    db.close()
    with opened(folders) as store:
        assert [store.get(f"/pods/ns/p{n}").value for n in (1, 2, 3)] == [b"v"] * 3
        assert keys(store) == ["p1", "p2", "p3"]
        assert [c.key for c in store.changes(0)] == [f"/pods/ns/p{n}" for n in (1, 2, 3)]
        assert [kv.key for kv in store.list("/pods/", revision=2).items] == ["/pods/ns/p1", "/pods/ns/p2"]
        assert {problem.place for problem in store.verify("full")} == {str(folders[at])}
        head = store.head()
        head = store.commit(head, [Write("/pods/ns/p2", b"new", 4, 2)], revision=4, now=4.0)
        assert store.get("/pods/ns/p2").value == b"new"
        store.repair()
        assert healthy(store)
        assert store.get("/pods/ns/p2").value == b"new"


def test_a_truncated_replica_is_rebuilt(folders):
    with opened(folders) as store:
        add(store, 30, b"x" * 900)
    path = folders[2] / "log.db"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with opened(folders) as store:
        assert len(keys(store)) == 30
        add(store)
        store.repair()
        assert healthy(store)


def test_indexes_of_a_single_replica_are_made_anew(tmp_path):
    with opened([tmp_path / "a"]) as store:
        add(store, 3)
    db = sqlite3.connect(tmp_path / "a" / "log.db")
    db.execute("DELETE FROM live WHERE key = '/pods/ns/p2'")
    db.commit()
    db.close()
    with opened([tmp_path / "a"]) as store:
        with pytest.raises(Corrupt):
            store.list("/pods/")
        store.repair()
        assert keys(store) == ["p1", "p2", "p3"]
        assert store.verify("full") == []
        add(store)


def test_a_single_replica_with_lost_rows_is_not_repaired_but_recovered_on_demand(tmp_path):
    with opened([tmp_path / "a"]) as store:
        add(store, 3)
    db = sqlite3.connect(tmp_path / "a" / "log.db")
    db.execute("UPDATE kv SET value = X'00' WHERE rev = 2")
    db.commit()
    db.close()
    with opened([tmp_path / "a"]) as store, pytest.raises(Corrupt, match="cannot be repaired"):
        store.repair()
    with pytest.raises(Refused):
        recover(tmp_path / "a", [tmp_path / "a"], accept_loss=False)
    made = recover(tmp_path / "a", [tmp_path / "a"], accept_loss=True)
    assert made.lost == ("/pods/ns/p2",)
    with contextlib.closing(open_store([tmp_path / "a"])) as store:
        assert keys(store) == ["p1", "p3"]
        assert store.verify("full") == []


def test_recovery_makes_a_new_cluster_far_above_the_old_revisions(folders):
    with opened(folders) as store:
        add(store, 3)
    for folder in folders[1:]:
        shutil.rmtree(folder)
    made = recover(folders[0], folders, accept_loss=True)
    assert (made.revision, made.head.revision, made.lost) == (3, 3 + BUMP, ())
    with contextlib.closing(open_store(folders)) as store:
        assert store.cluster_id != "c1"
        assert keys(store) == ["p1", "p2", "p3"]
        assert store.compacted() == 3 + BUMP
        assert add(store).revision == 4 + BUMP
        assert healthy(store)


def test_a_snapshot_is_restored_on_any_number_of_replicas(folders, tmp_path):
    with opened(folders[:1]) as store:
        add(store, 3, bytes(range(256)))
        head = store.snapshot(tmp_path / "snap")
    restored = restore(tmp_path / "snap", [tmp_path / name for name in "xyz"])
    assert restored.revision == head.revision + BUMP
    with contextlib.closing(open_store([tmp_path / name for name in "xyz"])) as store:
        assert keys(store) == ["p1", "p2", "p3"]
        assert store.get("/pods/ns/p1") == ("/pods/ns/p1", bytes(range(256)), 1, 1)
        assert store.verify("full") == []
        store.snapshot(tmp_path / "snap2")
    with pytest.raises(Refused, match="there is a log"):
        restore(tmp_path / "snap2", [tmp_path / "x"])


def test_a_damaged_snapshot_is_not_restored(folders, tmp_path):
    with opened(folders[:1]) as store:
        add(store, 3)
        store.snapshot(tmp_path / "snap")
    raw = bytearray((tmp_path / "snap").read_bytes())
    for n in range(0, len(raw), 7):
        flipped = bytearray(raw)
        flipped[n] ^= 4
        (tmp_path / "snap").write_bytes(flipped)
        with pytest.raises(StoreError):
            restore(tmp_path / "snap", [tmp_path / "x"])
    assert not (tmp_path / "x").exists()


def test_one_replica_grows_to_three_and_shrinks_back(tmp_path):
    a, b, c = (tmp_path / name for name in "abc")
    with opened([a]) as store:
        add(store, 3)
        first = store.members()[0].id
        learners = [membership.add_learner(store.group, folder) for folder in (b, c)]
        assert {m.id: m.role for m in store.members()} == {first: "voter", **dict.fromkeys(learners, "learner")}
        add(store)
        with pytest.raises(UsageError, match="2 voters"):
            membership.promote(store.group, learners[0])
        membership.promote(store.group, *learners)
        add(store)
        assert healthy(store)
    with opened([a, b, c]) as store:
        membership.remove(store.group, first, learners[0])
        add(store)
        assert next((m.id, m.state) for m in store.members()) == (learners[1], "ok")
    with opened([c]) as store:
        assert len(keys(store)) == 6
    with pytest.raises(NoQuorum):
        open_store([a])


def test_a_learner_does_not_count(tmp_path):
    a, b, c = (tmp_path / name for name in "abc")
    with opened([a]) as store:
        add(store, 3)
        for folder in (b, c):
            membership.add_learner(store.group, folder)
    shutil.rmtree(a)
    with pytest.raises(NoQuorum):
        open_store([a, b, c])


def test_a_member_is_replaced_by_a_folder_elsewhere(folders, tmp_path):
    with opened(folders) as store:
        add(store, 3)
        shutil.rmtree(folders[0])
        gone = next(m.id for m in store.members() if m.state == "missing")
        membership.replace(store.group, gone, tmp_path / "d")
        add(store)
    with opened([*folders[1:], tmp_path / "d"]) as store:
        assert healthy(store)
        assert len(keys(store)) == 4


def test_a_replica_that_was_replaced_is_no_vote_when_it_returns(folders, tmp_path):
    with opened(folders) as store:
        add(store, 3)
        shutil.move(folders[0], tmp_path / "away")
        store.repair()
        add(store)
    shutil.rmtree(folders[0])
    shutil.move(tmp_path / "away", folders[0])
    shutil.rmtree(folders[1])
    with pytest.raises(NoQuorum):
        open_store(folders)


class Failing:
    """A replica one step of which fails once."""

    def __init__(self, inner, step, error):
        self._inner, self._step, self._error = inner, step, error

    def __getattr__(self, name):
        if name == self._step and self._error is not None:
            error, self._error = self._error, None

            def fail(*args):
                raise error

            return fail
        return getattr(self._inner, name)


@pytest.mark.parametrize("step", ["begin", "append", "commit"])
def test_a_replica_that_fails_once_is_brought_back_by_the_next_write(folders, step):
    from kctl.store.core import NotDurable
    from kctl.store.errors import DiskFull

    error = NotDurable("no space is left", is_unsure=False) if step == "commit" else DiskFull("no space is left")
    with opened(folders) as store:
        add(store, 2)
    broken = []

    def wrap(participant):
        return Failing(participant, step, error) if participant.folder == folders[1] and not broken else participant

    with opened(folders, wrap=wrap) as store:
        add(store)
        assert states(store) == ["ok", "behind", "ok"]
        broken.append(True)
        add(store)
        assert healthy(store)


def test_a_replica_whose_disk_failed_in_a_commit_is_not_trusted_again(folders):
    from kctl.store.core import NotDurable

    with opened(folders) as store:
        add(store, 2)

    def wrap(participant):
        error = NotDurable("the disk failed", is_unsure=True)
        return Failing(participant, "commit", error) if participant.folder == folders[1] else participant

    with opened(folders, wrap=wrap) as store:
        add(store)
    with opened(folders) as store:
        assert states(store) == ["ok", "distrusted", "ok"]
        add(store)
        store.repair()
        assert healthy(store)
        assert len(keys(store)) == 4


def test_who_waits_too_long_for_several_replicas_is_told_who_holds_them(folders):
    import fcntl

    with opened(folders) as store:
        add(store)
    with opened(folders, wait=0.01) as store, (folders[0] / "writer.lock").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.write("4711 kctl apply -f shop\n")
        held.flush()
        with pytest.raises(Locked, match="process 4711"):
            add(store)


def test_two_stores_write_in_turns(folders):
    with opened(folders) as one, opened(folders) as two:
        add(one)
        add(two)
        add(one)
        assert one.head() == two.head()
        assert healthy(two)


def test_one_verified_file_at_a_time(folders):
    with opened(folders) as store:
        add(store, 3)
    assert [verify(folder) for folder in folders] == [[], [], []]


@pytest.mark.parametrize("count", [1, 3])
def test_a_damaged_head_file_is_named_and_written_anew(folders, count):
    with opened(folders[:count]) as store:
        add(store, 3)
    raw = bytearray((folders[0] / "head").read_bytes())
    raw[60] ^= 1
    (folders[0] / "head").write_bytes(raw)
    with opened(folders[:count]) as store:
        assert [problem.message for problem in store.verify()] == ["the head file is damaged"]
        assert store.repair() == [f"{folders[0]}: head file written anew"]
        assert store.verify("full") == []


def test_replicas_that_are_damaged_in_different_places_are_put_together(folders):
    with opened(folders) as store:
        add(store, 60, b"x" * 900)
        truth = store.list("/pods/").items
    rng = random.Random(5)
    for n, folder in enumerate(folders):
        db = sqlite3.connect(folder / "log.db")
        db.execute("UPDATE kv SET value = X'00' WHERE rev % 3 = ?", (n,))
        db.execute("UPDATE entry SET cause = 'forged' WHERE idx % 3 = ? AND idx < 55", (n,))
        db.commit()
        db.close()
        raw = bytearray((folder / "log.db").read_bytes())
        page = rng.randrange(8, 12) + 3 * n
        raw[page * 4096 : (page + 1) * 4096] = bytes(4096)
        (folder / "log.db").write_bytes(raw)
    with opened(folders) as store:
        with pytest.raises(Corrupt):
            store.list("/pods/")
        assert store.get("/pods/ns/p4").value == b"x" * 900
        assert sum("rebuilt" in line for line in store.repair()) == 3
        assert store.list("/pods/").items == truth
        assert healthy(store)


def test_what_every_replica_lost_is_not_invented(folders):
    with opened(folders) as store:
        add(store, 5)
    for folder in folders:
        db = sqlite3.connect(folder / "log.db")
        db.execute("UPDATE kv SET value = X'00' WHERE rev = 2")
        db.commit()
        db.close()
    with opened(folders) as store, pytest.raises(Corrupt):
        store.repair()
    assert [len(verify(folder)) > 0 for folder in folders] == [True] * 3
