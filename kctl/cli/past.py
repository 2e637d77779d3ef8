"""Past states: the cluster as it was at a revision, for reading.

In: a plane and a revision. Out: a view with the client, the time and the server that the
listing commands read from. What compaction has forgotten cannot be read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from kctl.api.objects import Key, Obj
from kctl.client.client import Listing

MIN_COMMIT = 7
HEX = frozenset("0123456789abcdef")

if TYPE_CHECKING:
    from kctl.apiserver.server import APIServer
    from kctl.plane.plane import ControlPlane
    from kctl.store.api import Entry


def check(plane: ControlPlane, revision: int) -> int:
    """Return the revision when it can be read; Compacted or FutureRevision say why not."""
    from kctl.api.errors import KctlError
    from kctl.store.errors import Compacted, FutureRevision

    if revision < 1:
        raise KctlError(f"there is no revision {revision}: the first is 1")
    latest, oldest = plane.server.revision, plane.store.compacted()
    if revision > latest:
        raise FutureRevision(revision, latest)
    if revision < oldest:
        raise Compacted(revision, oldest)
    return revision


def parse_range(text: str) -> tuple[str, str] | None:
    """Read ``3..7`` or ``1a2b3c..main``; None when the text is no range."""
    first, dots, last = text.partition("..")
    return (first, last) if dots and _may_name(first) and _may_name(last) else None


def _may_name(text: str) -> bool:
    """Say whether a text can be a revision or the id of a commit."""
    return bool(text) and set(text) <= HEX and (text.isdigit() or len(text) >= MIN_COMMIT)


def revision_of(plane: ControlPlane, text: str) -> int:
    """Return the revision that a number names, or the one at which the cluster was done with a commit.

    A commit is named by its id or the beginning of it; of several syncs of it the last counts.
    """
    from kctl.api.errors import KctlError

    if text.isascii() and text.isdigit() and (len(text) < MIN_COMMIT or int(text) <= plane.server.revision):
        return int(text)
    if not _may_name(text):
        raise KctlError(f"{text!r} is neither a revision nor the id of a commit", hint='"kctl log" lists both')
    found = {end.commit: end.revision for end in ends(plane) if end.commit.startswith(text)}
    if len(found) > 1:
        raise KctlError(f"{text} may be any of the commits {', '.join(sorted(found))}")
    if not found:
        raise KctlError(f"no revision is of a commit {text}", hint='"kctl log" lists those that were synced')
    return next(iter(found.values()))


class End(NamedTuple):
    """A revision at which the control plane was done with what was written, and the commit that it was."""

    revision: int
    commit: str


def ends(plane: ControlPlane) -> list[End]:
    """Return where each thing that was asked for was carried out, oldest first."""
    from kctl.cli import log

    found: list[End] = []
    for record in log.joined(log.records(plane, set())):
        if record.cause in log.RUNS and found:
            found[-1] = found[-1]._replace(revision=record.last)
        else:
            found.append(End(record.last, record.commit))
    return found


class Client:
    """Reads the objects as they were; the part of the client protocol that listings use."""

    def __init__(self, server: APIServer, revision: int) -> None:
        self._server = server
        self._revision = revision

    def list(
        self, resource: str, namespace: str = "", *, label_selector: str = "", field_selector: str = ""
    ) -> Listing:
        """Return the objects of one namespace, or of all when ``namespace`` is ""."""
        from kctl.apiserver.request import Listing as ServerListing
        from kctl.apiserver.request import Options, Request

        kind = self._server.registry.storage(resource)
        options = Options(
            label_selector=label_selector,
            field_selector=field_selector,
            resource_version=str(self._revision),
            resource_version_match="Exact",
        )
        found = self._server.handle(Request("list", kind, namespace if kind.namespaced else "", "", options=options))
        return Listing(cast("ServerListing", found).items, self._revision)

    def get(self, resource: str, namespace: str, name: str) -> Obj:
        """Return the object; NotFound when there was none."""
        from kctl.api.errors import not_found

        found = self._server.storage.at(self._server.stored_as(resource), self._revision).get(Key(namespace, name))
        if found is None:
            raise not_found(resource, name)
        return found


class View(NamedTuple):
    """What a listing reads from, in the place of a plane."""

    server: APIServer
    client: Client
    now: float


def at(plane: ControlPlane, revision: int) -> ControlPlane:
    """Return the cluster as it was at a revision; only what listings read is there."""
    check(plane, revision)
    view = View(plane.server, Client(plane.server, revision), time_of(plane, revision))
    return cast("ControlPlane", view)


def time_of(plane: ControlPlane, revision: int) -> float:
    """Return the virtual time at which a revision was written."""
    return next((entry.now for entry in entries(plane) if entry.last >= revision), plane.now)


def entries(plane: ControlPlane) -> list[Entry]:
    """Return what the log still holds, oldest first."""
    return list(plane.store.entries())
