"""The two descriptions of the schema are the same, and only one of them is ever imported."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from pathlib import Path

from kctl.store.sqlite import SqliteStore


def test_sqlalchemy_describes_the_tables_a_file_has(tmp_path):
    from sqlalchemy.dialects import sqlite
    from sqlalchemy.schema import CreateIndex, CreateTable

    from kctl.store import schema

    SqliteStore.open(tmp_path, create=True).close()
    db = sqlite3.connect(tmp_path / "log.db")
    have = {squeeze(sql) for (sql,) in db.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")}
    db.close()
    dialect = sqlite.dialect()
    want = set()
    for table in schema.metadata.sorted_tables:
        want.add(squeeze(str(CreateTable(table).compile(dialect=dialect))))
        want |= {squeeze(str(CreateIndex(index).compile(dialect=dialect))) for index in table.indexes}
    assert have == want


def squeeze(sql: str) -> str:
    return re.sub(r"\s*([(),])\s*", r"\1", " ".join(sql.replace('"', "").split()))


def test_opening_a_log_does_not_import_sqlalchemy():
    code = "import sys, kctl.store.sqlite; print([m for m in sys.modules if m.startswith('sqlalchemy')])"
    root = Path(__file__).resolve().parents[2]
    out = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
