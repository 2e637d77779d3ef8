"""What a push changes: the lines git gives to its hooks, and which of them are our business.

In: ``<old> <new> <ref>`` (pre-receive, post-receive) or ``<ref> <new> <ref> <old>`` (pre-push).
Out: branches with the commit they are to be at. Tags, notes and branches nobody asked for pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from kctl.api.errors import KctlError

HEADS = "refs/heads/"
ID = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")


class Update(NamedTuple):
    """A branch and the commit it is to be at; "" when the branch is deleted."""

    branch: str
    commit: str


def received(text: str) -> list[Update]:
    """Read the input of pre-receive and post-receive."""
    return [_update(ref, new) for _, new, ref in _lines(text, 3)]


def pushed(text: str) -> list[Update]:
    """Read the input of pre-push."""
    return [_update(ref, new) for _, new, ref, _ in _lines(text, 4)]


def wanted(updates: Iterable[Update], branches: Sequence[str]) -> list[Update]:
    """Return the updates of branches that match one of the patterns (all, when there is none)."""
    matching = (update for update in updates if update.branch)
    return [update for update in matching if is_wanted(update.branch, branches)]


def is_wanted(branch: str, branches: Sequence[str]) -> bool:
    """Say whether a branch matches one of the patterns, as the shell matches file names."""
    return not branches or any(fnmatchcase(branch, pattern) for pattern in branches)


def _update(ref: str, commit: str) -> Update:
    branch = ref[len(HEADS) :] if ref.startswith(HEADS) else ""
    return Update(branch, "" if set(commit) == {"0"} else commit)


def _lines(text: str, count: int) -> list[list[str]]:
    rows = [line.split(" ") for line in text.splitlines() if line]
    for row in rows:
        if len(row) != count or not ID.match(row[1]):
            raise KctlError(f"{' '.join(row)!r} is no line that git gives to this hook")
    return rows
