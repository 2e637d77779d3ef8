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
    before, after = texts(change, secrets=secrets)
    name = name_of(change)
    yield from unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), f"live/{name}", f"merged/{name}"
    )


def texts(change: Change, *, secrets: bool = False) -> tuple[str, str]:
    """Return the object as it is and as it would become, as YAML."""
    before, after = comparable(change.before), comparable(change.after)
    if not secrets:
        before, after = masked(before, after)
    return _text(before), _text(after)


def patch(change: Change, *, secrets: bool = False) -> list[Obj]:
    """Return the JSON patch that makes the object what it would become; none where it comes or goes."""
    from kctl.api.patch import jsonpatch

    before, after = comparable(change.before), comparable(change.after)
    if not secrets:
        before, after = masked(before, after)
    return jsonpatch.between(before, after) if before and after else []


def name_of(change: Change) -> str:
    """Return the name kubectl gives to the file of an object."""
    return f"{change.api_version.replace('/', '.')}.{change.kind}.{change.namespace}.{change.name}"


def _text(obj: Obj) -> str:
    from kctl.gitops.yaml import dump

    return dump(obj) if obj else ""
