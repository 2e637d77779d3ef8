"""What history a log gives up: by number of revisions and by age in the log's own time. Pure."""

from __future__ import annotations

from collections.abc import Callable

from kctl.store.api import Head, Retention


def due(
    keep: Retention, head: Head, compacted: int, oldest: Callable[[], float], before: Callable[[float], int]
) -> int:
    """Return the revision to compact to, 0 when there is not yet half as much again as is kept.

    ``oldest`` tells the time of the oldest entry left, ``before`` the last revision of the entries
    before a time (0: there is none).
    """
    if head.revision - compacted >= keep.revisions + keep.revisions // 2:
        return head.revision - keep.revisions
    if not keep.seconds or head.now - oldest() < keep.seconds * 1.5:
        return 0
    revision = before(head.now - keep.seconds)
    return revision if revision > compacted else 0
