"""Full and read-only file systems, limits, clocks that jump, a few system calls under strace."""

from __future__ import annotations

import os
import resource
from contextlib import closing, suppress

import pytest

from kctl.store.api import Retention, Write
from kctl.store.errors import HeadMoved, StoreError
from tests.store.faults import mounted, traced, witness, workloads
from tests.store.faults.disk import reachable
from tests.store.faults.witness import Notes, Witness
from tests.store.faults.world import World, exit_of, fork, scratch

with_mounts = pytest.mark.skipif(not mounted.may_mount(), reason="this process may not mount file systems")
READ_ONLY = "mount --bind {0} {0} && mount -o remount,ro,bind {0}"
SMALL = "cp -a {0} {0}.full && mount -t tmpfs -o size=200k tmpfs {0} && cp -a {0}.full/. {0}"


@pytest.fixture
def place():
    with scratch() as found:
        yield found


def made(place, replicas):
    """Make a log with an entry in it."""
    world = World(place / "w", replicas).create()
    with closing(Notes(place / "w" / "notes")) as first, closing(world.open()) as store:
        first.commit(store, "first", [("/pods/a/first", "1")])
    return world


def judged(world):
    known = witness.read(world.root / "notes")
    world.repair()
    with closing(world.open()) as store:
        known.judge(store)
    assert world.verify() == []


@with_mounts
@pytest.mark.parametrize("script", [READ_ONLY, SMALL], ids=["read-only", "full"])
@pytest.mark.parametrize("failed", [1, 2])
def test_replicas_on_file_systems_that_take_nothing_more(place, script, failed):
    world = made(place, 3)
    found = mounted.run(world, "\n".join(script.format(folder) for folder in world.folders[:failed]))
    assert found["read"] == mounted.COMMITS
    if failed == 1:
        assert found["acknowledged"] == mounted.COMMITS
        judged(world)
    else:
        assert found.get("acknowledged", 0) < mounted.COMMITS
        assert sum(count for name, count in found.items() if name.startswith(("refused", "unknown"))) > 0
        if script is READ_ONLY:  # what was on the small one has gone with it
            judged(world)


@with_mounts
def test_the_only_replica_on_a_read_only_file_system_is_read(place):
    world = made(place, 1)
    found = mounted.run(world, READ_ONLY.format(world.folders[0]))
    assert found == {"read": mounted.COMMITS, "refused: ReadOnlyStore": mounted.COMMITS}
    judged(world)


def test_a_limit_on_the_size_of_files_loses_nothing(place):
    world, known = World(place / "w").create(), Witness()
    refused = 0
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, before[1]))  # Python ignores the signal that comes with it
    try:
        with closing(world.open()) as store:
            for n in range(30):
                try:
                    known.commit(store, f"a{n}", [(f"/pods/a/p{n}", "x" * 9000)])
                except StoreError:
                    refused += 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert 0 < refused < 30
    with closing(world.open()) as store:
        known.judge(store)
    assert world.verify() == []


@pytest.mark.parametrize("replicas", [1, 3])
def test_a_clock_that_jumps_changes_nothing_but_the_times(place, replicas):
    world, known = World(place / "w", replicas).create(), Witness()
    keep = Retention(revisions=3, seconds=10.0)
    times = [0.0, 5.0, 4e9, 6.0, -3e8, 7.0, 7.0, 4e9, 8.0, 9.0]
    with closing(world.open(retention=keep)) as store:
        for n, now in enumerate(times):
            head = store.head()
            cause, key = f"t{n}", f"/pods/a/p{n}"
            known.attempt(cause, [(key, "v")])
            row = Write(key, b"v", head.revision + 1, head.revision + 1)
            made = store.commit(head, [row], revision=head.revision + 1, now=now, cause=cause)
            known.acknowledged(cause, made._replace(index=head.index + 1))
            if made.index > head.index + 1:
                known.acknowledged("", made)
            assert store.head().now == now
        known.judge(store)
    assert world.verify() == []


def test_eight_processes_write_different_objects_at_once(place):
    world = World(place / "w", 3).create()

    def body(mine):
        with closing(world.open()) as store:
            for n in range(5):
                done = False
                while not done:
                    with suppress(HeadMoved):
                        witness.put(store, [(f"/pods/a/p{mine}-{n}", "x")], cause=f"{mine}-{n}")
                        done = True

    children = [fork(lambda mine=mine: body(mine)) for mine in range(8)]
    assert [exit_of(os.waitpid(child, 0)[1]) for child in children] == [0] * 8
    world.repair()
    with closing(world.open()) as store:
        assert len(store.list("/pods/").items) == 40
        assert len(list(store.entries())) == 41
    assert world.verify() == []


@pytest.mark.parametrize("replicas", [1, 3])
def test_a_watch_delivers_every_change_once_in_order_and_whole_entries(place, replicas):
    world = World(place / "w", replicas).create()

    def body(mine):
        with closing(world.open()) as store:
            for n in range(12):
                while True:
                    with suppress(HeadMoved):
                        puts = [(f"/pods/a/p{mine}", f"{n}"), (f"/pods/a/q{n}", f"{mine}"), ("/nodes//n", "x")]
                        witness.put(store, puts, cause=f"{mine}-{n}")
                        break

    children = {fork(lambda mine=mine: body(mine)) for mine in range(4)}
    with closing(world.open()) as store:
        found, bookmark, watch = [], 0, store.watch("/pods/", 0)
        while children or bookmark < store.head().revision:
            batch = watch.poll()
            if batch is not None:
                assert batch.revision > bookmark
                assert all(bookmark < change.revision <= batch.revision for change in batch.changes)
                found += batch.changes
                bookmark = batch.revision
                watch = store.watch("/pods/", bookmark)  # it goes on from the bookmark
            pid, status = os.waitpid(-1, os.WNOHANG) if children else (0, 0)
            children.discard(pid)
            assert not pid or exit_of(status) == 0
        assert found == [change for change in store.changes(0) if change.key.startswith("/pods/")]
        assert len(found) == 4 * 12 * 2
        ends = {entry.last for entry in store.entries()}
        assert bookmark in ends


@pytest.mark.night
@pytest.mark.skipif(not traced.is_there(), reason="strace is not installed or may not trace")
@pytest.mark.skipif(not reachable(), reason="this Python's SQLite hides the functions that are watched")
def test_a_process_killed_at_system_calls_loses_nothing(place, monkeypatch):
    from kctl.store import replica

    monkeypatch.setattr(replica, "CHECKPOINT_FRAMES", workloads.FRAMES)
    found = traced.run(World(place / "w", 3).create(), "changing", every=400, start=200)
    assert found.deaths >= 3
