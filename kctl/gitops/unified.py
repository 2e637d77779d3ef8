"""Changes as unified diffs of YAML, the form of ``kubectl diff``; ``patch`` accepts it."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import unified_diff

from kctl.api.objects import Obj
from kctl.gitops.changes import Change
from kctl.gitops.fielddiff import comparable, masked


def lines(change: Change, *, secrets: bool = False) -> Iterator[str]:
    """Yield the lines that tell one object as it is from what it would become, under kubectl's file names.

    A Secret's values are masked unless ``secrets``.
    """
    before, after = comparable(change.before), comparable(change.after)
    if not secrets:
        before, after = masked(before, after)
    name = f"{change.api_version.replace('/', '.')}.{change.kind}.{change.namespace}.{change.name}"
    yield from unified_diff(_lines(before), _lines(after), f"live/{name}", f"merged/{name}")


def _lines(obj: Obj) -> list[str]:
    from kctl.gitops.yaml import dump

    return dump(obj).splitlines(keepends=True) if obj else []
