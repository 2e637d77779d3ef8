"""A sync that failed: nobody is told that it worked, and what it was to save is written again."""

from __future__ import annotations

import errno
from contextlib import closing

import pytest

from kctl.store.api import Write
from kctl.store.errors import OutcomeUnknown
from kctl.store.open import open_store
from kctl.store.replica import FILE, UNSYNCED
from tests.store.faults.disk import Disk, Step, reachable

pytestmark = pytest.mark.skipif(not reachable(), reason="this Python's SQLite hides the functions that are watched")
WAL = f"{FILE}-wal"


class FailingSync:
    """Fails the next syncs of a write-ahead log below a folder, and notes what happens afterwards."""

    def __init__(self, below: str) -> None:
        self._below = below
        self.left = 0
        self.after: list[Step] = []

    def watch(self, step: Step) -> int | None:
        if self.left and step.kind == "sync" and step.path.startswith(self._below) and step.path.endswith(WAL):
            self.left -= 1
            self.after.clear()
            return errno.EIO
        self.after.append(step)
        return None


def put(store, number):
    head = store.head()
    return store.commit(
        head, [Write(f"/pods/ns/p{number}", b"{}", head.revision + 1, 1)], revision=head.revision + 1, now=1.0
    )


@pytest.mark.parametrize("failures", [1, 2])
def test_after_a_failed_sync_the_log_is_written_again_before_it_goes_on(tmp_path, failures):
    folder = tmp_path / "a"
    fault = FailingSync(str(folder))
    with Disk(tmp_path, fault.watch).watched(), closing(open_store([folder], create=True)) as store:
        put(store, 1)
        fault.left = failures
        with pytest.raises(OutcomeUnknown):
            put(store, 2)
        assert (folder / UNSYNCED).exists() == (failures > 1)
        put(store, 3)
        kinds = [step.kind for step in fault.after if step.path.endswith(WAL) and step.kind != "open"]
        assert kinds[:2] == ["write", "sync"]
        assert not (folder / UNSYNCED).exists()
    with closing(open_store([folder])) as store:
        assert not store.verify("full")
        assert store.get("/pods/ns/p3")


@pytest.mark.parametrize("is_promise", [False, True])
def test_a_replica_whose_sync_failed_does_not_count_until_it_is_rebuilt(tmp_path, is_promise):
    folders = [tmp_path / str(n) for n in range(3)]
    fault = FailingSync(str(folders[1]))
    with Disk(tmp_path, fault.watch).watched():
        with closing(open_store(folders, create=True)) as store:
            put(store, 1)
            if is_promise:  # who is away for a turn makes the next one begin with promises
                (folders[2] / FILE).rename(folders[2] / "away")
                put(store, 2)
                (folders[2] / "away").rename(folders[2] / FILE)
            fault.left = 1
            put(store, 3)
            assert not fault.left
        with closing(open_store(folders)) as store:
            states = {member.place: member.state for member in store.members()}
            assert states[str(folders[1])] == "distrusted"
            store.repair()
            assert {member.state for member in store.members()} == {"ok"}
