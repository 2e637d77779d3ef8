"""What the file does beyond the contract: durability, damage, locks, permissions."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from kctl.store import filesystem, replica
from kctl.store.api import Head, Write
from kctl.store.errors import (
    Corrupt,
    DiskFull,
    HeadMoved,
    Locked,
    NetworkFileSystem,
    NoStore,
    ReadOnlyStore,
    RolledBack,
    StoreError,
    Unreadable,
    WrongFormat,
)
from kctl.store.sqlite import SqliteStore
from kctl.store.verify import verify

ROOT = Path(__file__).resolve().parents[2]
not_as_root = pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not bind root")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "state" / "store"


def fill(folder, count=3, value=b"v"):
    """Make a log with ``count`` objects, one entry each, and close it."""
    store = SqliteStore.open(folder, create=True, cluster_id="c1")
    add(store, count, value)
    store.close()


def add(store, count=1, value=b"v"):
    head = store.head()
    for n in range(head.revision + 1, head.revision + count + 1):
        head = store.commit(head, [Write(f"/pods/ns/p{n}", value, n, n)], revision=n, now=float(n))
    return head


def test_a_log_survives_closing(folder):
    fill(folder)
    store = SqliteStore.open(folder)
    assert [kv.key for kv in store.list("/pods/").items] == ["/pods/ns/p1", "/pods/ns/p2", "/pods/ns/p3"]
    assert store.cluster_id == "c1"
    store.close()


def test_new_logs_have_identities_of_their_own(tmp_path):
    ids = set()
    for name in "ab":
        store = SqliteStore.open(tmp_path / name, create=True)
        ids.add(store.cluster_id)
        store.close()
    assert len(ids) == 2


def test_commits_wait_for_the_disk(folder):
    fill(folder)
    store = SqliteStore.open(folder)
    add(store)
    settings = {
        name: store.group.participants[0].writer.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous")
    }
    settings["auto"] = store.group.participants[0].writer.execute("PRAGMA wal_autocheckpoint").fetchone()[0]
    store.close()
    assert settings == {"journal_mode": "wal", "synchronous": 2, "auto": 0}


def test_files_are_for_their_owner_alone(folder):
    store = SqliteStore.open(folder, create=True)
    add(store)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.iterdir()]}
    store.close()
    assert modes.pop("store") == 0o700
    assert set(modes) >= {"log.db", "log.db-wal", "log.db-shm", "writer.lock", "head"}
    assert set(modes.values()) == {0o600}


def test_two_writers_take_turns(folder):
    one = SqliteStore.open(folder, create=True)
    two = SqliteStore.open(folder)
    stale = two.head()
    add(one)
    with pytest.raises(HeadMoved):
        two.commit(stale, [], revision=0, now=0.0)
    add(two)
    assert one.head().revision == 2
    one.close()
    two.close()


def test_readers_need_no_lock(folder):
    fill(folder)
    with (folder / "writer.lock").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        store = SqliteStore.open(folder)
        assert store.head().revision == 3
        assert len(store.list("/pods/").items) == 3
        store.close()


def test_who_waits_too_long_is_told_who_holds_the_lock(folder):
    fill(folder)
    store = SqliteStore.open(folder, wait=0.01)
    with (folder / "writer.lock").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.write("4711 kctl apply -f shop\n")
        held.truncate()
        held.flush()
        with pytest.raises(Locked, match=r"process 4711 \(kctl apply -f shop\)"):
            add(store)
    add(store)
    store.close()


def test_the_lock_names_the_process_that_holds_it(folder):
    fill(folder)
    assert (folder / "writer.lock").read_text().startswith(f"{os.getpid()} ")


def test_many_commits_do_not_let_the_write_ahead_log_grow(folder):
    store = SqliteStore.open(folder, create=True)
    sizes = []
    for _ in range(6):
        add(store, 120, b"x" * 9000)
        sizes.append((folder / "log.db-wal").stat().st_size)
    store.close()
    assert max(sizes) < 9_000_000
    assert verify(folder) == []


def test_an_entry_that_holds_the_time_alone_is_whole_after_a_compaction(folder):
    with contextlib.closing(SqliteStore.open(folder, create=True)) as store:
        head = store.commit(store.head(), [Write("/a//x", b"{}", 1, 1)], revision=1, now=1.0)
        store.commit(head, [], revision=1, now=2.0)
        store.compact(1)
    assert verify(folder) == []


def test_no_log_in_the_folder(tmp_path):
    with pytest.raises(NoStore, match="there is no log in"):
        SqliteStore.open(tmp_path)


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(Unreadable, match="is not a folder"):
        SqliteStore.open(tmp_path / "x", create=True)


@pytest.mark.parametrize(
    ("content", "error"),
    [(b"not a database, but long enough to be read as one" * 20, Corrupt), (b"", Corrupt)],
)
def test_a_file_that_is_no_log(tmp_path, content, error):
    (tmp_path / "log.db").write_bytes(content)
    with pytest.raises(error):
        SqliteStore.open(tmp_path, create=True)


def test_a_log_is_not_put_in_place_without_the_pages_that_found_no_room(tmp_path, monkeypatch):
    """Closing the only connection moves the write-ahead log into the file, and says nothing when it cannot."""
    begin_log, others = replica.begin_log, []

    def be_read_meanwhile(found, now):
        fill = begin_log(found, now)

        def fill_and_be_read(db):
            others.append(sqlite3.connect(tmp_path / "log.db.new"))
            others[0].execute("SELECT * FROM sqlite_master").fetchall()
            fill(db)

        return fill_and_be_read

    monkeypatch.setattr(replica, "begin_log", be_read_meanwhile)
    with pytest.raises(DiskFull):
        SqliteStore.open(tmp_path, create=True)
    others[0].close()
    monkeypatch.undo()
    assert not (tmp_path / "log.db").exists()
    SqliteStore.open(tmp_path, create=True).close()


def test_a_path_too_long_for_sqlite_is_said(tmp_path):
    place = tmp_path.joinpath(*["x" * 100] * 6)
    place.mkdir(parents=True)
    with pytest.raises(Unreadable, match="its path is too long"):
        SqliteStore.open(place, create=True)


def test_a_database_of_somebody_else(tmp_path):
    db = sqlite3.connect(tmp_path / "log.db")
    db.execute("CREATE TABLE t (x)")
    db.close()
    with pytest.raises(WrongFormat, match="not a log of kctl"):
        SqliteStore.open(tmp_path)


def test_a_log_of_a_later_version(folder):
    fill(folder)
    db = sqlite3.connect(folder / "log.db")
    db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(WrongFormat, match="has format 99"):
        SqliteStore.open(folder)


@not_as_root
def test_a_folder_that_may_only_be_read(folder):
    fill(folder)
    folder.chmod(0o500)
    try:
        store = SqliteStore.open(folder)
        assert len(store.list("/pods/").items) == 3
        with pytest.raises(ReadOnlyStore):
            add(store)
        store.close()
    finally:
        folder.chmod(0o700)


@not_as_root
def test_a_folder_that_may_only_be_read_in_the_midst_of_writing(folder):
    writer = SqliteStore.open(folder, create=True)
    add(writer)
    copy = folder.parent / "copy"
    copy.mkdir()
    for name in ("log.db", "log.db-wal"):
        shutil.copy(folder / name, copy / name)
    writer.close()
    copy.chmod(0o500)
    try:
        with pytest.raises(Unreadable, match="cannot read"):
            SqliteStore.open(copy)
    finally:
        copy.chmod(0o700)


@not_as_root
def test_a_log_that_may_not_be_read(folder):
    fill(folder)
    (folder / "log.db").chmod(0)
    with pytest.raises(Unreadable):
        SqliteStore.open(folder)


def test_a_full_disk_changes_nothing(folder):
    fill(folder)
    store = SqliteStore.open(folder)
    add(store)
    pages = store.group.participants[0].writer.execute("PRAGMA page_count").fetchone()[0]
    store.group.participants[0].writer.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StoreError, match="no space is left"):
        add(store, 1, b"x" * 100_000)
    assert store.head().revision == 4
    store.group.participants[0].writer.execute("PRAGMA max_page_count=1000000")
    assert add(store).revision == 5
    store.close()
    assert verify(folder) == []


def test_a_folder_removed_while_in_use(folder):
    store = SqliteStore.open(folder, create=True)
    shutil.rmtree(folder)
    for use in (store.head, lambda: store.commit(Head(0, 0, 0, b"", 0.0), [], revision=0, now=0.0)):
        with pytest.raises(NoStore, match="was removed while in use"):
            use()
    store.close()


def test_a_log_replaced_while_in_use(folder, tmp_path):
    fill(folder)
    store = SqliteStore.open(folder)
    head = add(store)
    fill(tmp_path / "other")
    (tmp_path / "other" / "log.db").rename(folder / "log.db")
    for use in (store.head, lambda: store.commit(head, [], revision=head.revision, now=0.0)):
        with pytest.raises(NoStore, match="was replaced while in use"):
            use()
    store.close()


def test_compaction_gives_space_back(folder):
    store = SqliteStore.open(folder, create=True)
    head = store.head()
    for n in range(1, 41):
        rows = [Write(f"/pods/ns/p{k}", b"x" * 9000, head.revision + k, 1) for k in range(1, 51)]
        head = store.commit(head, rows, revision=head.revision + 50, now=float(n))
    store.compact(head.revision)
    store.close()
    assert (folder / "log.db").stat().st_size < 6_000_000
    assert verify(folder) == []


MOUNTS = """\
24 30 0:22 / /proc rw - proc proc rw
30 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
31 30 0:40 / /mnt/share rw - nfs4 server:/x rw
32 30 0:41 / /mnt/with\\040space rw - cifs //server/x rw
33 30 0:42 / /mnt/ssh rw - fuse.sshfs host: rw
34 31 0:43 / /mnt/share/local rw - tmpfs tmpfs rw
35 30 0:44 / /mnt/over rw - ext4 /dev/x rw
36 30 0:45 / /mnt/over rw - nfs server:/y rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/me/.kctl", "ext4"),
        ("/mnt/share", "nfs4"),
        ("/mnt/share/deep/er", "nfs4"),
        ("/mnt/share/local/x", "tmpfs"),
        ("/mnt/shared", "ext4"),
        ("/mnt/with space/x", "cifs"),
        ("/mnt/ssh", "fuse.sshfs"),
        ("/mnt/over/x", "nfs"),
    ],
)
def test_the_file_system_of_a_folder_is_found(tmp_path, path, kind):
    table = tmp_path / "mounts"
    table.write_text(MOUNTS)
    assert filesystem.kind_of(Path(path), str(table)) == kind
    if kind in ("ext4", "tmpfs"):
        filesystem.refuse_network(Path(path), str(table))
    else:
        with pytest.raises(NetworkFileSystem, match=re.escape(f"{path} lies on a network file system ({kind})")):
            filesystem.refuse_network(Path(path), str(table))


def test_without_a_table_of_mounts_nothing_is_refused(tmp_path):
    filesystem.refuse_network(tmp_path, str(tmp_path / "none"))


def test_an_older_copy_of_the_file_is_read_but_not_written(folder, tmp_path):
    fill(folder)
    shutil.copy(folder / "log.db", tmp_path / "old.db")
    fill(folder)
    shutil.copy(tmp_path / "old.db", folder / "log.db")
    with pytest.raises(RolledBack):
        SqliteStore.open(folder)
    store = SqliteStore.open(folder, consistency="serializable")
    assert store.head().revision == 3
    assert not store.freshness().is_confirmed
    with pytest.raises(RolledBack, match="ends at revision 3, but revision 6 was acknowledged"):
        add(store)
    assert "acknowledged" in str(verify(folder)[0])
    (folder / "head").unlink()
    assert add(store).revision == 4
    store.close()


def test_another_history_of_the_same_length_is_not_written(folder, tmp_path):
    fill(folder)
    shutil.copytree(folder, tmp_path / "fork")
    fill(folder, 1, b"here")
    fill(tmp_path / "fork", 1, b"there")
    shutil.copy(tmp_path / "fork" / "log.db", folder / "log.db")
    store = SqliteStore.open(folder, consistency="serializable")
    with pytest.raises(RolledBack):
        add(store)
    store.close()


@pytest.mark.parametrize("content", [b"", b"x" * 128, b"x" * 500])
def test_a_torn_head_file_is_not_believed(folder, content):
    fill(folder)
    (folder / "head").write_bytes(content)
    store = SqliteStore.open(folder)
    assert add(store).revision == 4
    store.close()
    assert (folder / "head").stat().st_size >= 128


def test_a_damaged_write_ahead_log_is_noticed(folder):
    """SQLite drops the frames behind a damaged one without a word."""
    store = SqliteStore.open(folder, create=True)
    add(store, 20)
    copy = folder.parent / "copy"
    shutil.copytree(folder, copy)
    store.close()
    wal = bytearray((copy / "log.db-wal").read_bytes())
    wal[len(wal) // 2] ^= 1
    (copy / "log.db-wal").write_bytes(wal)
    (copy / "log.db-shm").unlink()
    again = SqliteStore.open(copy, consistency="serializable")
    assert again.head().revision < 20
    assert not again.freshness().is_confirmed
    with pytest.raises(RolledBack):
        add(again)
    again.close()


def damage(folder, sql, *args):
    db = sqlite3.connect(folder / "log.db")
    db.execute(sql, args)
    db.commit()
    db.close()


@pytest.mark.parametrize(
    ("sql", "read"),
    [
        ("UPDATE kv SET value = X'00' WHERE rev = 2", lambda s: s.list("/pods/")),
        ("UPDATE kv SET value = X'00' WHERE rev = 2", lambda s: s.get("/pods/ns/p2")),
        ("UPDATE kv SET value = X'00' WHERE rev = 2", lambda s: list(s.changes(0))),
        ("UPDATE kv SET value = X'00' WHERE rev = 2", lambda s: s.list("/", revision=2)),
        ("UPDATE kv SET create_rev = 9 WHERE rev = 2", lambda s: s.get("/pods/ns/p2")),
        ("UPDATE kv SET del = 1 WHERE rev = 2", lambda s: s.get("/pods/ns/p2")),
        ("UPDATE live SET rev = 1 WHERE key = '/pods/ns/p2'", lambda s: s.list("/pods/")),
        ("UPDATE live SET rev = 1 WHERE key = '/pods/ns/p2'", lambda s: s.get("/pods/ns/p2")),
        ("DELETE FROM live WHERE key = '/pods/ns/p2'", lambda s: s.list("/pods/")),
        ("DELETE FROM live WHERE key = '/pods/ns/p2'", lambda s: s.get("/pods/ns/p2")),
        ("DELETE FROM kv WHERE rev = 2", lambda s: s.list("/pods/")),
        ("UPDATE resource SET count = 4", lambda s: s.list("/pods/")),
        ("UPDATE resource SET state = zeroblob(32)", lambda s: s.list("/pods/")),
        ("UPDATE entry SET now = 5.5 WHERE idx = 3", lambda s: s.head()),
        ("UPDATE entry SET state = zeroblob(32) WHERE idx = 3", lambda s: s.get("/pods/ns/p1")),
        ("DELETE FROM entry", lambda s: s.head()),
    ],
)
def test_damage_is_never_shown_as_an_object(folder, sql, read):
    fill(folder)
    damage(folder, sql)
    with pytest.raises(Corrupt, match=r"damaged|no entry"), contextlib.closing(SqliteStore.open(folder)) as store:
        read(store)
    assert verify(folder)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE entry SET cause = 'forged' WHERE idx = 1",
        "DELETE FROM entry WHERE idx = 2",
        "UPDATE entry SET ops_hash = zeroblob(32) WHERE idx = 1",
        "INSERT INTO live VALUES ('/pods/ns/ghost', 1)",
        "INSERT INTO kv SELECT 99, key, del, create_rev, prev, codec, h, value FROM kv WHERE rev = 1",
    ],
)
def test_verify_finds_damage_that_no_read_meets(folder, sql):
    fill(folder)
    assert verify(folder) == []
    damage(folder, sql)
    assert verify(folder)


def test_no_flipped_bit_ever_changes_what_is_read(folder):
    """One bit in every page, seeded: a read gives the truth or an error."""
    fill(folder, 60, b"x" * 700)
    path = folder / "log.db"
    clean = path.read_bytes()
    store = SqliteStore.open(folder)
    truth = store.list("/pods/"), store.head()
    store.close()
    rng = random.Random(7)
    outcomes = {"same": 0, "error": 0}
    for page in range(len(clean) // 4096):
        dirty = bytearray(clean)
        dirty[page * 4096 + rng.randrange(4096)] ^= 1 << rng.randrange(8)
        path.write_bytes(dirty)
        for left in ("log.db-wal", "log.db-shm"):
            (folder / left).unlink(missing_ok=True)
        try:
            store = SqliteStore.open(folder)
            try:
                assert (store.list("/pods/"), store.head()) == truth
                outcomes["same"] += 1
            finally:
                store.close()
        except StoreError:
            outcomes["error"] += 1
    assert outcomes["error"] > 5


CHILD = """
import sys
from kctl.store.api import Write
from kctl.store.sqlite import SqliteStore
store = SqliteStore.open(sys.argv[1], create=True, cluster_id="c1")
head = store.head()
while True:
    first = head.revision + 1
    batch = [Write(f"/pods/ns/p{n % 40}", b"%d" % n, n, n) for n in range(first, first + 1 + head.index % 7)]
    head = store.commit(head, batch, revision=batch[-1].revision, now=float(head.index), cause="x" * 2000)
    if head.index % 30 == 0:
        head = store.compact(head.revision - 20)
    print(head.index, head.revision, head.hash.hex(), flush=True)
"""


def killed_while_committing(folder, rng, rounds):
    """Kill a writer at random moments; return how many commits were acknowledged in all."""
    total = 0
    for _ in range(rounds):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        lines = [child.stdout.readline().split() for _ in range(rng.randrange(1, 60))]
        child.kill()
        lines += [line.split() for line in child.stdout if line.endswith("\n")]
        child.wait()
        child.stdout.close()
        store = SqliteStore.open(folder)
        index, revision, digest = lines[-1]
        kept = {entry.index: entry for entry in store.entries()}
        head = store.head()
        assert head.index >= int(index)
        assert head.revision >= int(revision)
        assert kept[int(index)].hash.hex() == digest
        store.close()
        assert verify(folder) == []
        total += len(lines)
    return total


def test_a_killed_writer_loses_nothing_it_acknowledged(folder):
    assert killed_while_committing(folder, random.Random(1), 4) > 20


@pytest.mark.slow
def test_writers_killed_at_many_moments_lose_nothing(folder):
    assert killed_while_committing(folder, random.Random(2), 60) > 300


def test_a_writer_that_died_while_making_the_file_is_in_nobodys_way(folder):
    folder.mkdir(parents=True)
    (folder / "log.db.new").write_bytes(b"half")
    fill(folder)
    assert not (folder / "log.db.new").exists()


WRITER = """
import sys
from kctl.store.api import Write
from kctl.store.errors import HeadMoved
from kctl.store.sqlite import SqliteStore
store = SqliteStore.open(sys.argv[1])
done = 0
while done < 60:
    head = store.head()
    n = head.revision + 1
    try:
        store.commit(head, [Write(f"/pods/{sys.argv[2]}/p{done}", b"", n, n)], revision=n, now=0.0)
        done += 1
    except HeadMoved:
        pass
store.close()
"""


def test_writers_of_several_processes_lose_no_write(folder):
    fill(folder, 0)
    children = [subprocess.Popen([sys.executable, "-c", WRITER, str(folder), str(n)], cwd=ROOT) for n in range(3)]
    assert [child.wait() for child in children] == [0, 0, 0]
    store = SqliteStore.open(folder)
    assert len(store.list("/pods/").items) == 180
    assert store.head().revision == 180
    store.close()
    assert verify(folder) == []
