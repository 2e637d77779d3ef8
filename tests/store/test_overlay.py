"""An overlay answers as a store would in which its commits had been made; the store below never changes."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from kctl.store.api import Store, Write
from kctl.store.memory import MemoryStore
from kctl.store.overlay import OverlayStore
from kctl.store.sqlite import SqliteStore

KEYS = ("/a//x", "/a//y", "/b/n/x", "/b/n/y")
BATCH = st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from((b"1", b"2", None))), max_size=3)


def put(store: Store, batch: list[tuple[str, bytes | None]]) -> None:
    """Commit one batch, a revision for each key."""
    head = store.head()
    writes = []
    for n, (key, value) in enumerate(dict(batch).items(), head.revision + 1):
        old = store.get(key)
        if old is not None or value is not None:
            writes.append(Write(key, value, n, old.create_revision if old else n))
    revision = head.revision + len(dict(batch))
    store.commit(head, writes, revision=revision, now=head.now + 1)


def pages(store: Store, revision: int, limit: int) -> list[object]:
    """Return a listing of everything, read page by page."""
    found: list[object] = []
    after = ""
    while True:
        page = store.list("/", revision=revision, limit=limit, after=after)
        found += page.items
        if not page.more:
            return found
        after = page.items[-1].key


@given(st.lists(BATCH, max_size=4), st.lists(BATCH, max_size=4), BATCH)
def test_an_overlay_equals_a_store_that_took_the_same_commits(below, above, meanwhile) -> None:
    base, model = MemoryStore(), MemoryStore()
    for batch in below:
        put(base, batch)
        put(model, batch)
    overlay = OverlayStore(base)
    put(base, meanwhile)  # another process goes on; the overlay is of the moment it was made
    for batch in above:
        put(overlay, batch)
        put(model, batch)
    assert overlay.head().revision == model.head().revision
    assert list(overlay.changes(0)) == list(model.changes(0))
    for revision in range(model.head().revision + 1):
        assert pages(overlay, revision, 2) == pages(model, revision, 2)
        assert [overlay.get(key, revision=revision) for key in KEYS] == [
            model.get(key, revision=revision) for key in KEYS
        ]
    ends = [(entry.index, entry.last) for entry in model.entries()]
    assert [(entry.index, entry.last) for entry in overlay.entries()] == ends


def files(folder: Path) -> dict[str, bytes]:
    """Return what a process that dies would leave."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".db-shm"}


def test_nothing_reaches_the_files_below(tmp_path: Path) -> None:
    with_files = SqliteStore.open(tmp_path / "s", create=True)
    put(with_files, [("/a//x", b"1")])
    before, head = files(tmp_path), with_files.head()
    overlay = OverlayStore(with_files)
    put(overlay, [("/a//x", None), ("/a//y", b"2")])
    overlay.set_hint("mark", b"noted")
    assert with_files.head() == head
    assert files(tmp_path) == before
    assert with_files.hint("mark") is None
    overlay.close()
