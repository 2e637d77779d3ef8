"""Changes as unified YAML, the form of ``kubectl diff``; ``patch`` accepts it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import unified_diff

from kctl.api.objects import Obj
from kctl.gitops.changes import Change
from kctl.gitops.fielddiff import comparable, masked


def text(changes: Iterable[Change], *, secrets: bool = False) -> str:
    """Return the differences of all changes; a Secret's values are masked unless ``secrets``."""
    return "".join(_one(change, secrets) for change in changes if change.change != "unchanged")


def _one(change: Change, secrets: bool) -> str:
    before, after = comparable(change.before), comparable(change.after)
    if not secrets:
        before, after = masked(before, after)
    name = "/".join(part for part in (change.resource, change.namespace, change.name) if part)
    lines = unified_diff(_lines(before), _lines(after), f"live/{name}", f"applied/{name}")
    return "".join(lines)


def _lines(obj: Obj) -> list[str]:
    from kctl.gitops.yaml import dump

    return dump(obj).splitlines(keepends=True) if obj else []
