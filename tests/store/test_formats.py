"""Every file format that was ever written opens; a newer one is refused in words.

``formats/N.db.gz`` and ``N.head`` are a log of format N as the version that made that format wrote it:
three pods and a node, a request that can be retried, a deletion, a compaction to revision 4, a Secret, a note.
"""

from __future__ import annotations

import gzip
import shutil
import sqlite3
from pathlib import Path

import pytest

from kctl.store import sql
from kctl.store.api import KV, Write
from kctl.store.ddl import FORMAT
from kctl.store.errors import Compacted, WrongFormat
from kctl.store.open import open_store

FORMATS = Path(__file__).with_name("formats")
OLDER = sorted(int(path.name.partition(".")[0]) for path in FORMATS.glob("*.db.gz"))
SECRET = KV("/secrets/default/db", b'{"kind":"Secret","data":{"a":"aHVudGVyMg=="}}', 6, 6)
STATE = [
    KV("/nodes//n1", b'{"kind":"Node"}', 3, 3),
    KV("/pods/default/web-1", b'{"kind":"Pod","n":3}', 1, 4),
    SECRET,
]


def version(folder: Path) -> int:
    db = sqlite3.connect(folder / "log.db")
    try:
        return int(db.execute("PRAGMA user_version").fetchone()[0])
    finally:
        db.close()


@pytest.fixture(params=OLDER)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with a log of an older format."""
    number = request.param
    (tmp_path / "log.db").write_bytes(gzip.decompress((FORMATS / f"{number}.db.gz").read_bytes()))
    shutil.copy(FORMATS / f"{number}.head", tmp_path / "head")
    assert version(tmp_path) == number
    return tmp_path


def test_there_is_a_file_of_every_older_format() -> None:
    assert list(range(1, FORMAT)) == [number for number in OLDER if number < FORMAT]


def test_an_older_log_reads_as_it_was_written(folder: Path) -> None:
    number = version(folder)
    store = open_store([folder])
    assert store.cluster_id == "c0ffee"
    assert (store.head().index, store.head().revision, store.compacted()) == (5, 6, 4)
    assert store.list("/").items == STATE
    assert store.get("/pods/default/web-2") is None
    past = store.get("/pods/default/web-2", revision=4)
    assert past is not None
    assert past.value == b'{"kind":"Pod","n":2}'
    with pytest.raises(Compacted):
        store.get("/pods/default/web-2", revision=3)
    assert [entry.cause for entry in store.entries()] == ["converge", "", "", "create"]
    assert store.hint("mark") == b"5"
    assert not store.verify("full")
    store.close()
    assert version(folder) == number  # who only reads changes nothing


def test_an_older_log_goes_on_where_it_was(folder: Path) -> None:
    store = open_store([folder])
    head = store.head()
    again = store.commit(head, [], revision=head.revision, now=0.0, request_id=b"request-1")
    assert again.revision == 4
    head = store.commit(head, [Write("/nodes//n2", b"{}", 7, 7)], revision=7, now=head.now + 1)
    store.close()
    store = open_store([folder])
    assert store.head() == head
    assert store.list("/").items == [STATE[0], KV("/nodes//n2", b"{}", 7, 7), *STATE[1:]]
    assert not store.verify("full")
    assert store.compact(7).revision == 7
    assert not store.verify("full")
    store.close()
    assert version(folder) == FORMAT


@pytest.mark.parametrize("number", [FORMAT + 1, 99])
def test_a_newer_format_is_refused_in_words(folder: Path, number: int) -> None:
    db = sqlite3.connect(folder / "log.db")
    db.execute(f"PRAGMA user_version={number}")
    db.close()
    before = (folder / "log.db").read_bytes()
    with pytest.raises(WrongFormat, match=rf"has format {number}; .*reads format"):
        open_store([folder]).head()
    assert (folder / "log.db").read_bytes() == before


def test_what_fills_a_log_is_counted(folder: Path) -> None:
    rows = {row.resource: row[1:] for row in sql.usage(folder / "log.db")}
    assert rows["secrets"] == (1, 1, len(SECRET.value))
    assert rows["pods"][:2] == (1, 3)
    assert next(iter(rows)) in ("secrets", "pods")


def test_an_index_that_is_gone_and_a_table_too_many_are_named(folder: Path) -> None:
    db = sqlite3.connect(folder / "log.db")
    db.executescript("DROP INDEX kv_key; CREATE TABLE mine (a); ALTER TABLE hint ADD COLUMN more;")
    db.close()
    store = open_store([folder])
    found = [problem.message for problem in store.verify("full") if problem.kind == "schema"]
    store.close()
    assert sorted(found) == [
        "the index kv_key is missing or another",
        "the table hint is missing or another",
        "there is a table mine that is not kctl's",
    ]
