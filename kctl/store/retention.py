"""What history a log gives up: by number of revisions and by age in the log's own time."""

from __future__ import annotations

import sqlite3

from kctl.store.api import Retention
from kctl.store.participant import Known


def due(keep: Retention | None, db: sqlite3.Connection, known: Known) -> int:
    """Return the revision to compact to, 0 when there is not yet half as much again as is kept."""
    if keep is None:
        return 0
    head, compacted = known.tail.head, known.facts.compacted
    if head.revision - compacted >= keep.revisions + keep.revisions // 2:
        return head.revision - keep.revisions
    if not keep.seconds:
        return 0
    oldest = db.execute("SELECT now FROM entry ORDER BY idx LIMIT 1").fetchone()[0]
    if head.now - oldest < keep.seconds * 1.5:
        return 0
    found = db.execute("SELECT max(last_rev) FROM entry WHERE now < ?", (head.now - keep.seconds,)).fetchone()[0]
    return found if found is not None and found > compacted else 0
