"""The schema of one replica for SQLAlchemy Core: admin commands, migrations, other databases.

Never imported by a command that reads or writes the log: the import alone costs 200 ms. The
meaning of every table stands in :mod:`kctl.store.ddl`, which the files are made from.
"""

from __future__ import annotations

from sqlalchemy import REAL, Column, Index, Integer, LargeBinary, MetaData, Table, Text, text

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("k", Text, primary_key=True),
    Column("v", Text, nullable=False),
    sqlite_with_rowid=False,
)
entry = Table(
    "entry",
    metadata,
    Column("idx", Integer, primary_key=True),
    Column("first_rev", Integer, nullable=False),
    Column("last_rev", Integer, nullable=False),
    Column("term", Integer, nullable=False),
    Column("kind", Integer, nullable=False),
    Column("arg", Text, nullable=False),
    Column("now", REAL, nullable=False),
    Column("cause", Text, nullable=False),
    Column("request_id", LargeBinary),
    Column("ops_hash", LargeBinary, nullable=False),
    Column("state", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("peers", LargeBinary),
)
Index("entry_request", entry.c.request_id, unique=True, sqlite_where=text("request_id IS NOT NULL"))
kv = Table(
    "kv",
    metadata,
    Column("rev", Integer, primary_key=True),
    Column("key", Text, nullable=False),
    Column("del", Integer, nullable=False),
    Column("create_rev", Integer, nullable=False),
    Column("prev", Integer, nullable=False),
    Column("codec", Integer, nullable=False),
    Column("h", LargeBinary, nullable=False),
    Column("value", LargeBinary),
)
Index("kv_key", kv.c.key, kv.c.rev)
live = Table(
    "live",
    metadata,
    Column("key", Text, primary_key=True),
    Column("rev", Integer, nullable=False),
    sqlite_with_rowid=False,
)
resource = Table(
    "resource",
    metadata,
    Column("name", Text, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("state", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
hint = Table(
    "hint",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
