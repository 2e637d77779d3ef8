"""A log that an earlier version wrote opens, is read without being touched, and goes on."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest

from kctl.store import membership
from kctl.store.api import Write
from kctl.store.ddl import FORMAT
from kctl.store.open import open_store
from kctl.store.verify import verify


def as_format_1(folder):
    """Take out of a file what format 1 did not have."""
    db = sqlite3.connect(folder / "log.db")
    db.execute("DELETE FROM meta WHERE k NOT IN ('cluster', 'compacted', 'base_prev')")
    db.execute("PRAGMA user_version=1")
    db.commit()
    db.close()


@pytest.fixture
def old(tmp_path):
    """Return the folder of a log of format 1 with three objects, some of its history compacted."""
    folder = tmp_path / "store"
    with contextlib.closing(open_store([folder], create=True, cluster_id="c1")) as store:
        head = store.head()
        for n in range(1, 6):
            head = store.commit(head, [Write(f"/pods/ns/p{n % 3}", b"%d" % n, n, n)], revision=n, now=float(n))
        store.compact(3)
    as_format_1(folder)
    return folder


def version(folder):
    with contextlib.closing(sqlite3.connect(folder / "log.db")) as db:
        return db.execute("PRAGMA user_version").fetchone()[0]


def test_format_1_is_read_as_it_is(old):
    before = (old / "log.db").read_bytes()
    with contextlib.closing(open_store([old])) as store:
        assert len(store.list("/pods/").items) == 3
        assert (store.compacted(), store.head().revision) == (3, 5)
        assert store.list("/pods/", revision=3).revision == 3
        assert store.freshness().is_confirmed
    assert (old / "log.db").read_bytes() == before
    assert verify(old) == []


def test_the_first_write_makes_it_the_present_format(old):
    with contextlib.closing(open_store([old])) as store:
        identity = store.members()[0].id
        head = store.commit(store.head(), [Write("/pods/ns/p9", b"x", 6, 6)], revision=6, now=6.0)
    assert (version(old), verify(old)) == (FORMAT, [])
    with contextlib.closing(open_store([old])) as store:
        assert store.head() == head
        assert store.members()[0].id == identity


def test_it_grows_to_three_replicas(old, tmp_path):
    with contextlib.closing(open_store([old])) as store:
        membership.promote(store.group, *(membership.add_learner(store.group, tmp_path / name) for name in "bc"))
        assert [member.state for member in store.members()] == ["ok"] * 3
        assert store.verify("full") == []
