"""The schema of one replica, as SQLite text.

``schema.py`` holds the same tables for SQLAlchemy; a test compares its output with what a file
made from here contains. This text exists because importing SQLAlchemy costs 200 ms.

* ``meta``: what the file knows of itself: cluster, members, promises, how far history is compacted,
  under one hash (``facts.py``).
* ``entry``: one row a batch; the first one left is the base that the chain starts from. ``peers``
  is what the writer saw of the other replicas; it is not part of the chain.
* ``kv``: every stored state, by revision. The hash stands before the value so that reading it
  never walks the value's overflow pages. ``codec`` 0 is the plain value, the only one so far.
* ``live``: the current revision of every key that exists; small rows only.
* ``resource``: count and sum of the hashes of the live rows, so that a listing can prove
  that nothing is missing. The sums add up to ``entry.state``.
* ``hint``: local notes, outside the log.
"""

from __future__ import annotations

FORMAT = 2
OLDEST = 1
"""Format 1 had no replicas and no hash over ``meta``; its tables are the same."""

DDL = """
CREATE TABLE meta (
    k TEXT NOT NULL,
    v TEXT NOT NULL,
    PRIMARY KEY (k)
) WITHOUT ROWID;
CREATE TABLE entry (
    idx INTEGER NOT NULL,
    first_rev INTEGER NOT NULL,
    last_rev INTEGER NOT NULL,
    term INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    arg TEXT NOT NULL,
    now REAL NOT NULL,
    cause TEXT NOT NULL,
    request_id BLOB,
    ops_hash BLOB NOT NULL,
    state BLOB NOT NULL,
    hash BLOB NOT NULL,
    peers BLOB,
    PRIMARY KEY (idx)
);
CREATE UNIQUE INDEX entry_request ON entry (request_id) WHERE request_id IS NOT NULL;
CREATE TABLE kv (
    rev INTEGER NOT NULL,
    "key" TEXT NOT NULL,
    del INTEGER NOT NULL,
    create_rev INTEGER NOT NULL,
    prev INTEGER NOT NULL,
    codec INTEGER NOT NULL,
    h BLOB NOT NULL,
    value BLOB,
    PRIMARY KEY (rev)
);
CREATE INDEX kv_key ON kv ("key", rev);
CREATE TABLE live (
    "key" TEXT NOT NULL,
    rev INTEGER NOT NULL,
    PRIMARY KEY ("key")
) WITHOUT ROWID;
CREATE TABLE resource (
    name TEXT NOT NULL,
    count INTEGER NOT NULL,
    state BLOB NOT NULL,
    PRIMARY KEY (name)
) WITHOUT ROWID;
CREATE TABLE hint (
    name TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (name)
) WITHOUT ROWID;
"""
