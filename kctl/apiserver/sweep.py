"""Templates that nothing refers to any more are taken out of the store.

In: a store whose history may have been compacted. Out: one entry that removes the templates which
no state that can still be read was written with. It looks at all of them, so it is done when
history was forgotten on purpose, and otherwise only when there are twice as many as were needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kctl.apiserver.encoding import PLACE
from kctl.apiserver.kin import REPEATED
from kctl.store.api import Write
from kctl.store.errors import Compacted, HeadMoved

if TYPE_CHECKING:
    from kctl.store.api import Head, Store

NOTE = "templates"
"""The local note of how many templates were needed when somebody looked."""
ENOUGH = 512
"""So few are not worth looking at."""


def is_due(store: Store, count: int) -> bool:
    """Say whether ``count`` templates are so many that some may be unused.

    As long as no more history was forgotten than when somebody looked, none is.
    """
    if count <= ENOUGH:
        return False
    needed, compacted = _noted(store)
    return count > ENOUGH + 2 * needed and store.compacted() > compacted


def _noted(store: Store) -> tuple[int, int]:
    """Return how many templates were needed when somebody looked, and from where on history was there."""
    note = (store.hint(NOTE) or b"").split()
    if not all(part.isdigit() for part in note):
        return 0, 0
    needed, compacted = (*map(int, note), 0, 0)[:2]
    return needed, compacted


def sweep(store: Store, head: Head) -> Head:
    """Remove the unused templates and return the new head, the same when there were none.

    When another process writes meanwhile, perhaps with these templates, nothing is removed.
    """
    kept = store.list(PLACE).items
    compacted = store.compacted()
    if not kept:
        return head
    try:
        used = {_template_of(value) for value in _readable(store)}
        gone = [kv for kv in kept if kv.key.removeprefix(PLACE) not in used]
        writes = [Write(kv.key, None, head.revision + n, kv.create_revision) for n, kv in enumerate(gone, 1)]
        if writes:
            head = store.commit(head, writes, revision=writes[-1].revision, now=head.now, cause="compact")
    except (Compacted, HeadMoved):
        return head
    store.set_hint(NOTE, b"%d %d" % (len(kept) - len(gone), compacted))
    return head


def _readable(store: Store) -> Iterator[bytes]:
    """Yield the value of every state that can be read."""
    oldest = store.compacted()
    for resource in sorted(REPEATED):
        for kv in store.list(f"/{resource}/", revision=oldest).items:
            yield kv.value
    for change in store.changes(oldest):
        if change.value is not None:
            yield change.value


def _template_of(value: bytes) -> str:
    """Return the name of the template a value was written with, "" for none."""
    return value[2 : value.index(b'"', 2)].decode() if value[:1] == b"[" else ""
