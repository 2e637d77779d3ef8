"""What changed: the parts of an object that may differ, and which changes are alike.

In: an object before and after. Out: :class:`Change`, as a cache took it in, and many of them in order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kctl.api.objects import Key, Obj
from kctl.client.client import WatchEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from kctl.client.faces import Face
    from kctl.client.folds import Census, Found, Index

    Where = Callable[[Obj | None, Obj | None], bool]

LABELS, OWNERS, META, SPEC, STATUS = 1, 2, 4, 8, 16
"""Parts of an object, as bits. META is all of the metadata that clients change but labels and owners."""
ALL = 31


def parts_of(old: Obj | None, new: Obj | None) -> int:
    """Return which parts a change may have touched; all of them for an object that comes, goes or has no spec.

    Parts that old and new share have not changed; what is only equal counts as touched.
    """
    if old is None or new is None or "spec" not in new:
        return ALL
    parts = 0
    before, after = old["metadata"], new["metadata"]
    if before is not after:
        if before.get("labels") is not after.get("labels"):
            parts = LABELS
        if before.get("ownerReferences") is not after.get("ownerReferences"):
            parts |= OWNERS
        was, now = before.get, after.get
        if (
            was("uid") != now("uid")
            or was("generation") != now("generation")
            or was("annotations") != now("annotations")
            or was("deletionTimestamp") != now("deletionTimestamp")
            or was("finalizers") != now("finalizers")
            or was("deletionGracePeriodSeconds") != now("deletionGracePeriodSeconds")
        ):
            parts |= META
    if old.get("spec") is not new["spec"]:
        parts |= SPEC
    if old.get("status") is not new.get("status"):
        parts |= STATUS
    return parts


class Move:
    """What a change from one face to another, ``after``, makes of indexes and folds.

    ``due`` are the changes that a census has yet to count.
    """

    __slots__ = ("after", "due", "indexed", "steps", "told")

    def __init__(
        self,
        after: Face | None,
        indexed: tuple[tuple[Index, Found, Found], ...],
        steps: tuple[tuple[Census[Any], Hashable, Any, int], ...],
        told: tuple[Callable[[Key, Obj | None, Obj | None], None], ...],
    ) -> None:
        self.after = after
        self.indexed = indexed
        self.steps = steps
        self.told = told
        self.due = 0


class Change(NamedTuple):
    """An event as a cache took it in: the states before and after, and the parts that may differ.

    Changes with the same ``alike`` differ in nothing but what every pod has of its own, before and after; and of
    that only a node or an address may have come. None for a change that is like no other.
    """

    event: WatchEvent
    key: Key
    old: Obj | None
    new: Obj | None
    parts: int
    alike: Move | None = None


class Changes(list[Change]):
    """Changes of one resource in the order in which they happened."""

    checked = False
    """Whether it is made sure that what is said of changes alike holds for each; tests set it."""
    _unlike: list[Change] | None = None
    _narrowed: dict[tuple[Where, int], list[Change]] | None = None

    @property
    def unlike(self) -> list[Change]:
        """Return the first of each that are alike, and those that are like no other."""
        if self._unlike is None:
            seen: set[Move] = set()
            found = []
            for change in self:
                alike = change.alike
                if alike is None:
                    found.append(change)
                elif alike not in seen:
                    seen.add(alike)
                    found.append(change)
            self._unlike = found
        return self._unlike

    def where(self, where: Where, on: int) -> list[Change]:
        """Return the changes of some parts of which ``where`` is true of the first like them; all that are like no other."""
        known = self._narrowed
        if known is None:
            known = self._narrowed = {}
        found = known.get((where, on))
        if found is None:
            some = {
                change.alike
                for change in self.unlike
                if (change.parts == ALL or change.parts & on)
                and (change.alike is None or where(change.old, change.new))
            }
            found = known[where, on] = [change for change in self if change.alike in some] if some else []
        return found


def is_alike(old: Obj | None, new: Obj | None, parts: int) -> bool:
    """Say whether of what is a pod's own nothing changes but that a node or an address comes."""
    if old is None or new is None:
        return True
    if parts & SPEC:
        before, after = old.get("spec") or {}, new.get("spec") or {}
        if (before.get("nodeName") or not after.get("nodeName")) and before != after:
            return False
    if parts & META and old["metadata"].get("uid") != new["metadata"].get("uid"):
        return False
    if parts & STATUS:
        had, has = old.get("status") or {}, new.get("status") or {}
        for field in ("podIP", "podIPs"):
            was, now = had.get(field), has.get(field)
            if was and now and was is not now and was != now:
                return False
    return True
